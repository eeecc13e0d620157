import pytest

from redaction.profiles import kinds_of
from rules.load import load
from rules.outgoing import DEFAULT, KNOWN, Outgoing
from tests.rules.helpers import problems, write


def read(folder, backend="", tool=""):
    text = f"backend: c\nurl: https://c.test\n{backend}\ntools: {{t: {{call: GET /, {tool}}}}}"
    return load(write(folder, c=text)).catalog.tools["c.t"].outgoing


def test_without_a_word_known_secrets_alone_are_refused(tmp_path):
    assert read(tmp_path) == DEFAULT == Outgoing(frozenset({KNOWN}), frozenset())
    assert DEFAULT.kinds == frozenset()


def test_profiles_and_kinds(tmp_path):
    found = read(tmp_path, "outgoing: {refuse: secrets, mask: [US_SSN, CREDIT_CARD]}")
    assert found.refuse == kinds_of("secrets") | {KNOWN}
    assert found.mask == {"US_SSN", "CREDIT_CARD"}
    assert found.kinds == kinds_of("secrets") | {"US_SSN", "CREDIT_CARD"}


def test_a_kind_that_is_named_itself_counts_as_it_is_named(tmp_path):
    found = read(tmp_path, "outgoing: {refuse: [secrets, EMAIL_ADDRESS], mask: [standard, JWT], allow: [IBAN_CODE]}")
    assert {"EMAIL_ADDRESS", "AWS_ACCESS_KEY_ID"} <= found.refuse
    assert "JWT" in found.mask - found.refuse
    assert "US_SSN" in found.mask
    assert not {"IBAN_CODE"} & (found.refuse | found.mask)
    assert not found.refuse & found.mask


@pytest.mark.parametrize(("word", "refused", "masked"), [("allow", False, False), ("mask", False, True)])
def test_known_secrets_may_be_let_through_by_name_alone(tmp_path, word, refused, masked):
    found = read(tmp_path, f"outgoing: {{{word}: {KNOWN}}}")
    assert (KNOWN in found.refuse, KNOWN in found.mask) == (refused, masked)
    assert KNOWN in read(tmp_path, "outgoing: {mask: secrets, allow: [EMAIL_ADDRESS]}").refuse


def test_a_tool_says_it_better_than_its_backend(tmp_path):
    found = read(tmp_path, "outgoing: {refuse: secrets}", "outgoing: {mask: [US_SSN]}")
    assert found == Outgoing(frozenset({KNOWN}), frozenset({"US_SSN"}))


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("{refuse: [secret]}", "outgoing.refuse[0]", "secret"),
        ("{mask: US_SSM}", "outgoing.mask", "US_SSN"),
        ("{allow: [standard]}", "outgoing.allow[0]", "is a profile"),
        ("{refuse: [US_SSN], allow: [US_SSN]}", "outgoing.allow", "names US_SSN, and so does `refuse`"),
        ("{refuse: []}", "outgoing.refuse", "empty list"),
        ("{refuze: [US_SSN]}", "outgoing.refuze", "did you mean refuse?"),
        ("{}", "outgoing", "is empty"),
    ],
)
def test_what_is_wrong_is_told_once_and_with_its_place(tmp_path, text, path, says):
    tools = "{t: {call: GET /}, u: {call: GET /u}}"
    (found,) = problems(tmp_path, c=f"backend: c\nurl: https://c.test\noutgoing: {text}\ntools: {tools}")
    assert (found.line, found.path) == (3, path)
    assert says in str(found)

"""What comes of an answer, told by place: the values are invented, the card number is the one of test systems."""

from dataclasses import replace

import pytest

from redaction.profiles import kinds_of
from rules.returned import Reply, Returned, returned
from rules.tools import Remote
from rules.tools import Reply as Settings
from tests.rules.helpers import CRM, ruleset

CARD, MAIL = "4111111111111111", "ann@mail.example"
JSON = "application/json"


@pytest.fixture
def tool(tmp_path):
    return ruleset(tmp_path, "rules: [{id: a, allow: '*'}]").catalog.tools["crm.search"]


def redacted(tool, body, media_type=JSON):
    back = returned(tool, Reply(200, media_type, body.encode()))
    assert not back.refused, back
    return {place: set(kinds) for place, kinds in back.redacted.items()}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ('{"a": 1, "b": [true, null, 1.50, "x"]}', {}),
        (f'{{"a": {{"b/c~": ["x", "{MAIL}"]}}}}', {"/a/b~1c~0/1": {"EMAIL_ADDRESS"}}),
        (f'{{"card": {CARD}, "id": 7}}', {"/card": {"CREDIT_CARD"}}),
        (f'{{"a": "{MAIL} or {CARD}"}}', {"/a": {"EMAIL_ADDRESS", "CREDIT_CARD"}}),
        (f'{{"by": {{"{MAIL}": 1}}}}', {"/by": {"EMAIL_ADDRESS"}}),
        (f'{{"{MAIL}": {{"b": "{CARD}"}}}}', {"": {"EMAIL_ADDRESS"}, "/<EMAIL_ADDRESS>/b": {"CREDIT_CARD"}}),
        (f'{{"{MAIL}": 1, "bob@mail.example": 2}}', {"": {"EMAIL_ADDRESS"}}),
        (f'{{"a": "<CREDIT_CARD>", "b": "{CARD}"}}', {"/b": {"CREDIT_CARD"}}),
        (f'"{MAIL}"', {"": {"EMAIL_ADDRESS"}}),
        ('{"a": "ann\\u0040mail.example"}', {"/a": {"EMAIL_ADDRESS"}}),
    ],
)
def test_json_is_told_by_pointer(tool, body, places):
    assert redacted(tool, body) == places


def test_of_an_mcp_server_s_images_an_example_says_nothing_but_which_rule_holds(tool):
    body = b'{"result": {"content": [{"type": "image", "data" : "aGk=", "mimeType": "image/png"}]}}'
    remote = replace(tool, mcp=Remote("tools/call", "shot"))
    [note] = returned(remote, Reply(200, JSON, body)).notes
    assert "`binary: refuse` holds" in note
    assert returned(tool, Reply(200, JSON, body)).notes == ()


def test_other_texts_have_one_place(tool):
    assert redacted(tool, f"mail {MAIL}, card {CARD}", "text/plain") == {"": {"EMAIL_ADDRESS", "CREDIT_CARD"}}
    assert redacted(tool, f'{{"a": "{MAIL}"}}\n{{}}', "application/x-ndjson") == {"": {"EMAIL_ADDRESS"}}
    assert redacted(tool, CARD, "text/plain") == {"": {"CREDIT_CARD"}}
    assert redacted(tool, "hello", "text/plain") == {}


def test_json_that_is_sent_as_text_is_told_by_pointer(tool):
    assert redacted(tool, f'{{"a": "{MAIL}"}}', "text/plain") == {"/a": {"EMAIL_ADDRESS"}}


def test_deep_nesting_is_told_as_one_place_or_refused(tool):
    for depth in (500, 990, 100_000):
        back = returned(tool, Reply(200, JSON, ("[" * depth + f'"{MAIL}"' + "]" * depth).encode()))
        assert back.refused or all(kinds == {"EMAIL_ADDRESS"} for kinds in back.redacted.values())


@pytest.mark.parametrize(
    ("media_type", "body"),
    [(JSON, b"{"), (JSON, b"\xff"), ("application/pdf", b"x"), ("text/event-stream", b"data: \xff"), ("", b"x")],
)
def test_what_cannot_be_checked_is_refused_unless_the_contract_lets_it_pass(tool, media_type, body):
    assert returned(tool, Reply(200, media_type, body)).refused
    passing = replace(tool, reply=replace(tool.reply, on_error="pass"))
    back = returned(passing, Reply(200, media_type, body))
    assert (back.refused, back.redacted) == ("", {})
    assert back.notes[0].startswith("passed unchecked: ")


def test_an_answer_that_is_too_large_is_refused(tool):
    small = replace(tool, reply=replace(tool.reply, most_bytes=10))
    assert returned(small, Reply(200, JSON, b'"34567890"')) == Returned()
    assert returned(small, Reply(200, JSON, b'"345678901"')).refused == "it is larger than 10 bytes"


def test_without_cleaning_nothing_is_taken_out_and_that_is_noted(tool):
    bare = replace(tool, reply=Settings(redact=frozenset()))
    back = returned(bare, Reply(200, JSON, f'"{MAIL}"'.encode()))
    assert back.as_text() == "unchanged (the contract turns cleaning off)"


def test_only_the_kinds_of_the_tool_are_taken_out(tool):
    mails = replace(tool, reply=Settings(redact=kinds_of(["EMAIL_ADDRESS"])))
    assert redacted(mails, f'{{"a": "{MAIL}", "b": "{CARD}"}}') == {"/a": {"EMAIL_ADDRESS"}}


def test_answers_without_a_body_have_none(tool):
    assert returned(tool, Reply(204, "", b"ignored")) == Returned()
    assert returned(replace(tool, method="HEAD"), Reply(200, "application/pdf", b"ignored")) == Returned()


def test_what_fits_what():
    mail, card = Returned({"/a": frozenset({"X"})}), Returned({"/b": frozenset({"X"})})
    refused = Returned(refused="too large")
    assert mail.fits(mail)
    assert refused.fits(Returned(refused="whatever"))
    assert Returned(notes=("n",)).fits(Returned())
    for one, other in ((mail, card), (mail, Returned()), (Returned(), mail), (refused, Returned()), (mail, refused)):
        assert not one.fits(other)


def test_it_reads_as_words_without_values(tool):
    back = returned(tool, Reply(200, JSON, f'["{MAIL}", {{"a": "{CARD} {MAIL}"}}]'.encode()))
    assert back.as_text() == "redacted EMAIL_ADDRESS at /0; CREDIT_CARD, EMAIL_ADDRESS at /1/a"
    assert returned(tool, Reply(200, "text/plain", MAIL.encode())).as_text() == "redacted EMAIL_ADDRESS at the top"
    assert Returned(refused="it is odd").as_text() == "refused: it is odd"


SHAPE = """
    replies:
      200: {application/json: {type: object, properties: {id: {type: integer}, mail: {type: string, format: email}}}}
      204: {}
"""


def contracted(folder, mode):
    crm = CRM.replace("        args: {q: {type", f"{SHAPE.replace(chr(10), chr(10) + '    ')}    args: {{q: {{type")
    crm = crm.replace("tools:", f"reply: {{contract: {mode}}}\n    tools:")
    return ruleset(folder, "rules: [{id: a, allow: '*'}]", crm).catalog.tools["crm.search"]


OFF = [
    (Reply(200, JSON, b'{"id": "7"}'), "/id (type)"),
    (Reply(201, JSON, b'{"id": 7}'), "status (is not declared)"),
    (Reply(200, "text/plain", b"x"), "media type (is not declared)"),
    (Reply(200, JSON, b'{"id": 7, "id": 7}'), "body (is not JSON)"),
    (Reply(200), "body (is missing)"),
]


@pytest.mark.parametrize(("reply", "how"), OFF)
def test_an_enforced_contract_refuses_what_is_off_it(tmp_path, reply, how):
    assert returned(contracted(tmp_path, "enforce"), reply).refused == f"it is off its contract: {how}"


@pytest.mark.parametrize(("reply", "how"), OFF)
def test_a_reported_contract_notes_what_is_off_it(tmp_path, reply, how):
    back = returned(contracted(tmp_path, "report"), reply)
    assert not back.refused
    assert back.notes == (f"off its contract, which is only reported: {how}",)
    assert returned(contracted(tmp_path, "off"), reply).notes == ()


def test_the_contract_is_asked_before_anything_is_taken_out(tmp_path):
    tool = contracted(tmp_path, "enforce")
    assert redacted(tool, f'{{"id": 7, "mail": "{MAIL}"}}') == {"/mail": {"EMAIL_ADDRESS"}}
    assert returned(tool, Reply(200, JSON, b'{"mail": "<EMAIL_ADDRESS>"}')).refused


def test_errors_that_the_contract_does_not_know_pass_as_they_do_in_the_sidecar(tmp_path):
    tool = contracted(tmp_path, "enforce")
    back = returned(tool, Reply(500, JSON, f'{{"mail": "{MAIL}"}}'.encode()))
    assert (back.refused, set(back.redacted)) == ("", {"/mail"})
    assert returned(tool, Reply(204)) == Returned()
    assert returned(tool, Reply(304)) == Returned()

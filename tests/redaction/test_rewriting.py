import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction import operators
from redaction.operators import Way, decrypt
from redaction.profiles import kinds_of
from redaction.scanner import Scanner

KEY = bytes(range(32))
CARD = "4242424242424242"
MAIL = "ana@example.org"
KINDS = kinds_of("standard")
Json = Any


def clean(body: str, **ways: Way) -> str:
    scanner = Scanner(KINDS, frozenset(ways.items()), KEY)
    return scanner.clean(body.encode(), "application/json", None).value.decode()


def test_each_kind_has_its_own_way_and_the_others_become_their_kind() -> None:
    body = f'{{"mail": "to {MAIL}", "card": "{CARD}", "ssn": "SSN 078-05-1121"}}'
    cleaned = clean(body, CREDIT_CARD=Way("keep_last_4"), US_SSN=Way("mask", "#"))
    assert cleaned == '{"mail": "to <EMAIL_ADDRESS>", "card": "************4242", "ssn": "SSN ###########"}'


def test_a_text_of_the_authors_or_nothing() -> None:
    body = f'{{"mail": "to {MAIL}.", "card": {CARD}}}'
    assert clean(body, EMAIL_ADDRESS=Way("redact"), CREDIT_CARD=Way("replace", "a card é")) == (
        '{"mail": "to .", "card": "a card é"}'
    )


def test_separators_of_a_card_stay_and_a_short_value_shows_nothing() -> None:
    assert clean('"4242 4242 4242 4242"', CREDIT_CARD=Way("keep_last_4")) == '"**** **** **** 4242"'
    assert operators.rewritten(Way("keep_last_4"), "PIN", "12345678", KEY) == "********"
    assert operators.rewritten(Way("keep_last_4"), "PIN", "", KEY) == ""


def test_a_hash_is_the_same_for_the_same_value_under_the_same_key_alone() -> None:
    body = f'["{MAIL}", "{MAIL}", "bob@example.org"]'
    one, two, other = json.loads(clean(body, EMAIL_ADDRESS=Way("hash")))
    assert one == two != other
    assert re.fullmatch(r"<EMAIL_ADDRESS_[0-9a-f]{16}>", one)
    strange = Scanner(KINDS, frozenset({("EMAIL_ADDRESS", Way("hash"))}), bytes(32))
    assert strange.clean_text(MAIL).value != one


def test_a_hash_is_that_of_what_is_read_and_not_of_how_it_is_escaped() -> None:
    plain, escaped = json.loads(clean(rf'["{MAIL}", "ana\u0040example.org"]', EMAIL_ADDRESS=Way("hash")))
    assert plain == escaped == Scanner(KINDS, frozenset({("EMAIL_ADDRESS", Way("hash"))}), KEY).clean_text(MAIL).value


def test_what_was_encrypted_can_be_read_with_the_key_alone() -> None:
    token = json.loads(clean(f'"{MAIL}"', EMAIL_ADDRESS=Way("encrypt")))
    assert MAIL not in token
    assert decrypt(token, KEY) == MAIL
    for bad, key in ((token, bytes(32)), (token.replace("EMAIL", "PHONE"), KEY), ("<X:>", KEY), ("<X:!>", KEY)):
        with pytest.raises(ValueError, match="no token of this key"):
            decrypt(bad, key)


@pytest.mark.parametrize("name", ["hash", "encrypt"])
def test_a_way_that_needs_a_key_is_not_done_without_one(name: str) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Scanner(KINDS, frozenset({("EMAIL_ADDRESS", Way(name))})).clean_text(MAIL)


def test_a_number_stays_one_where_that_is_said() -> None:
    assert clean(f'{{"card": {CARD}, "other": 1.10}}', CREDIT_CARD=Way("zero")) == '{"card": 0, "other": 1.10}'
    assert clean(f'{{"card": {CARD}}}', CREDIT_CARD=Way("keep_last_4")) == '{"card": "************4242"}'
    assert clean(f'["{CARD}"]', CREDIT_CARD=Way("zero")) == '["<CREDIT_CARD>"]'


@pytest.mark.parametrize("way", ["kind", "mask", "keep_last_4", "hash", "zero", "drop"])
@pytest.mark.parametrize(
    "inner",
    [
        f'{{"card": {CARD}.0, "n": 1.0}}',
        f"[{CARD}, 1.0]",
        f"[[{CARD}.0], [-1, {CARD}]]",
        f'{{"cards": "[{CARD}.0,\\n 7]"}}',
        f"[{CARD}.{CARD}]",
    ],
)
def test_a_number_of_json_in_a_string_is_rewritten_as_a_whole(inner: str, way: str) -> None:
    cleaned = json.loads(clean(json.dumps({"a": inner, "b": "[1, 2.0]"}), CREDIT_CARD=Way(way)))
    assert CARD not in str(cleaned)
    assert cleaned["b"] == "[1, 2.0]"
    if way != "drop":
        told = json.loads(cleaned["a"])
        assert len(told) == len(json.loads(inner))
        if "cards" in told:
            assert json.loads(told["cards"])[1] == 7


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f'{{"a": "{MAIL}"}}', "{}"),
        (f'{{"a": "{MAIL}", "b": 1}}', '{"b": 1}'),
        (f'{{"b": 1, "a": "{MAIL}"}}', '{"b": 1}'),
        (f'{{ "b" : 1 , "a" : "{MAIL}" , "c":true }}', '{ "b" : 1 , "c":true }'),
        (f'{{"a": "{MAIL}", "c": "{MAIL}", "b": [1, {{}}], "d": "{MAIL}"}}', '{"b": [1, {}]}'),
        (f'{{"b": {{"a": "{MAIL}"}}, "c": null}}', '{"b": {}, "c": null}'),
        (f'{{"{MAIL}": "{MAIL}", "b": 2}}', '{"b": 2}'),
        (f'{{"{MAIL}": 1, "a": "{MAIL}"}}', '{"<EMAIL_ADDRESS>": 1}'),
        (f'["{MAIL}", 1]', '["<EMAIL_ADDRESS>", 1]'),
        (f'{{"b": ["{MAIL}"]}}', '{"b": ["<EMAIL_ADDRESS>"]}'),
        (f'"{MAIL}"', '"<EMAIL_ADDRESS>"'),
    ],
)
def test_a_dropped_member_takes_its_comma_along(body: str, left: str) -> None:
    assert clean(body, EMAIL_ADDRESS=Way("drop")) == left


_LEAVES = st.sampled_from([MAIL, f"to {MAIL} é", "x", 'q"\\', 7, 1.5, True, None, int(CARD)])
_DOCUMENTS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "é", MAIL]), inner),
    max_leaves=20,
)


def _expected(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            name.replace(MAIL, "<EMAIL_ADDRESS>"): _expected(inner)
            for name, inner in value.items()
            if not (isinstance(inner, str) and MAIL in inner)
        }
    if isinstance(value, list):
        return [_expected(inner) for inner in value]
    if isinstance(value, str):
        return value.replace(MAIL, "<EMAIL_ADDRESS>")
    return 0 if value == int(CARD) and not isinstance(value, bool) else value


@given(_DOCUMENTS, st.booleans(), st.sampled_from([None, 2]))
def test_dropping_gives_the_document_without_those_members(value: Json, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    cleaned = clean(body, EMAIL_ADDRESS=Way("drop"), CREDIT_CARD=Way("zero"))
    assert json.loads(cleaned) == _expected(value)


def test_text_is_written_as_its_reader_reads_it() -> None:
    scanner = Scanner(KINDS, frozenset({("EMAIL_ADDRESS", Way("hash"))}), KEY)
    token = scanner.clean_text(MAIL).value
    html = scanner.clean(f"<b>{MAIL}</b>".encode(), "text/html", None).value.decode()
    assert html == f"<b>{token.replace('<', '&lt;').replace('>', '&gt;')}</b>"


def test_a_key_is_never_shown() -> None:
    scanner = Scanner(KINDS, frozenset({("EMAIL_ADDRESS", Way("hash"))}), KEY)
    assert repr(KEY) not in repr(scanner) + repr(scanner._rewriting)


def test_members_are_dropped_below_a_place_alone_where_one_is_named() -> None:
    text = '{"a": {"m": "ann@x.example", "n": 1}, "m": "ann@x.example", "l": ["ann@x.example"]}'
    ways = frozenset({("EMAIL_ADDRESS", Way("drop", "/a"))})
    done = Scanner(KINDS, ways).clean(text.encode(), "application/json", None)
    assert done.value == b'{"a": {"n": 1}, "m": "<EMAIL_ADDRESS>", "l": ["<EMAIL_ADDRESS>"]}'

"""JSON with pseudonyms, written anew."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.jsontext import written
from redaction.pseudonyms import ANY, Pseudonyms, Restoring

VALUE = 'a"b\\c\n\u2028é\U0001f600'


def put(text: str, *values: str, number: bool = False) -> str:
    known = Pseudonyms(bytes(16))
    for value in values or (VALUE,):
        known.give("A", value, number)
    return written(text, Restoring(known, frozenset({ANY})))


def test_all_but_the_values_stays_byte_for_byte() -> None:
    text = '{ "n":1.50,"big":12345678901234567890,"s" :"\\u00e9\\/","t":"x <A_1>","u":["<A_2>"]}\n'
    assert put(text) == text.replace("<A_1>", json.dumps(VALUE, ensure_ascii=False)[1:-1])


@pytest.mark.parametrize("text", ['"<A_1>"', '["\\u003cA_1\\u003e"]', '{"<A_1>": 1}', '{"a": "say \\"<A_1>\\""}'])
def test_a_value_has_the_escapes_that_it_needs(text: str) -> None:
    assert json.loads(put(text)) == json.loads(text.replace("\\u003c", "<").replace("\\u003e", ">").replace(
        "<A_1>", json.dumps(VALUE)[1:-1]))  # fmt: skip


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(0, 2))
def test_json_in_strings_of_json_stays_json(value: str, deep: int) -> None:
    document, expected = {"a": "to <A_1>."}, {"a": f"to {value}."}
    text, wanted = json.dumps(document), json.dumps(expected)
    for _ in range(deep):
        text, wanted = json.dumps({"in": text}), json.dumps({"in": wanted})
    got, meant = json.loads(put(text, value)), json.loads(wanted)
    for _ in range(deep):
        got, meant = json.loads(got["in"]), json.loads(meant["in"])
    assert got == meant


def test_a_number_stands_as_a_number_where_it_is_the_whole_string() -> None:
    assert put('{"a": "<A_1>", "b": "no. <A_1>"}', "4242", number=True) == '{"a": 4242, "b": "no. 4242"}'
    assert put('{"<A_1>": 1}', "4242", number=True) == '{"4242": 1}'


def test_half_a_surrogate_pair_beside_a_value_stays_an_escape() -> None:
    assert put('["\\ud800 <A_1>"]', "x") == '["\\ud800 x"]'

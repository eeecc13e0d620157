import html
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.unwrap import (
    FORM,
    HIDDEN,
    JSON,
    MARKUP,
    PLAIN,
    UNREADABLE,
    read_html,
    read_json,
    unwrap,
    unwrap_json,
    way_out_of_json,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"ana\u0040example.com", "ana@example.com"),
        (r"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
        (r"\ud83d\ude00!", "\U0001f600!"),
        (r"\ud83dx\ude00", UNREADABLE + "x" + UNREADABLE),  # halves of a pair
        (r"\u00e9\\u0040", "é\\u0040"),
    ],
)
def test_json_escapes(escaped: str, plain: str) -> None:
    assert unwrap(escaped, JSON).text == plain


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("ana%40example.com", "ana@example.com"),
        ("a+b%2Bc", "a b+c"),
        ("%C3%A9%E2%82%AC%F0%9F%98%80", "é€\U0001f600"),
        ("%FF%zz%4", "\ufffd%zz%4"),
    ],
)
def test_percent_escapes(escaped: str, plain: str) -> None:
    assert unwrap(escaped, FORM).text == plain


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("ana&#64;example&period;com", "ana@example.com"),
        ("ana&#x40;x", "ana@x"),
        ("ana&#64x", "ana@x"),
        ("ana&#0000000000064;x&#x0000000040y", "ana@x@y"),
        ("4242&nbsp4242&shy", "4242\u00a04242\u00ad"),
        ("&lt;&amp;&gt;", "<&>"),
        ("&nosuch;&#xD800;&#99999999;", UNREADABLE * 3),
        ("a && b", "a && b"),
    ],
)
def test_character_references(escaped: str, plain: str) -> None:
    assert unwrap(escaped, MARKUP).text == plain


@pytest.mark.parametrize("digits", [639, 640, 5_000, 100_000])
def test_a_number_without_end_is_no_character(digits: int) -> None:
    text = "ana&#64;x&#" + "1" * digits + ";&amp;"
    assert read_html(text) == f"ana@x{UNREADABLE}&"
    assert unwrap("&#" + "0" * digits + ";", MARKUP).text


@given(TEXTS)
def test_json_reads_as_the_standard_library_reads_it(text: str) -> None:
    for ascii_only in (True, False):
        assert unwrap(json.dumps(text, ensure_ascii=ascii_only)[1:-1], JSON).text == text


@given(TEXTS)
def test_forms_and_markup_read_as_the_standard_library_writes_them(text: str) -> None:
    assert unwrap(quote(text, safe=""), FORM).text == text
    assert unwrap(html.escape(text.replace("&", "")), MARKUP).text == text.replace("&", "")


@given(TEXTS, TEXTS, TEXTS)
def test_every_stretch_is_found_again_in_the_escaped_text(before: str, middle: str, after: str) -> None:
    parts = [json.dumps(part)[1:-1] for part in (before, middle, after)]
    flat = unwrap("".join(parts), JSON)
    start, end = flat.outer(len(before)), flat.outer(len(before) + len(middle))
    assert "".join(parts)[start:end] == parts[1]


def test_plain_text_is_itself() -> None:
    assert unwrap("a\\u0040%40&#64;", PLAIN).text == "a\\u0040%40&#64;"


@pytest.mark.parametrize(
    "text", [r'["\n\"\\\u00e9\ud83d\ude00\ud83dx\/", "é\\"]', '["nothing"]', r'["\"\"\"", "\\\\"]']
)
def test_a_whole_json_text_is_read_alike_except_for_its_quotation_marks(text: str) -> None:
    whole = unwrap_json(text.encode())
    assert whole.text.count(b'"') == text.replace(r"\\", "").replace(r"\"", "").count('"')
    assert whole.text.replace(HIDDEN, b'"').decode() == unwrap(text, JSON).text


def test_the_way_back_out_of_a_json_text() -> None:
    data = r'["\u00e9é\ud83d\ude00\n\"x"]'.encode()
    whole = unwrap_json(data)
    assert data[whole.outer(whole.text.index(b"x")) :] == b'x"]'
    assert data[whole.outer(whole.text.index("\U0001f600".encode())) :].startswith(rb"\ud83d\ude00\n")


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_the_cheap_way_to_read_a_json_text_reads_the_same(value: Any) -> None:
    for text in (json.dumps(value, indent="\t"), json.dumps(value, ensure_ascii=False).replace("/", r"\/")):
        data = text.encode("utf-8", "replace")
        assert read_json(data) == unwrap_json(data).text


@given(st.text(st.sampled_from('aé\\"\n/\U0001f600')), st.booleans())
def test_the_cheap_way_back_leads_to_the_same_places(text: str, ascii_only: bool) -> None:
    data = json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
    whole, outer = unwrap_json(data), way_out_of_json(data)
    ends = (len(text[:count].encode()) for count in range(len(text) + 1))
    assert all(outer(end) == whole.outer(end) for end in ends)


@pytest.mark.parametrize(
    "text",
    [r'["\u0022\\u0022\\\u0022\\\"", "\u005c\u005C\\", "\\\\"]', r'"\ud83d \u0022"', '{ "\\"" :\r\n"\\/"}', "[1]"],
)
def test_also_where_escapes_stand_for_what_makes_escapes(text: str) -> None:
    assert read_json(text.encode()) == unwrap_json(text.encode()).text

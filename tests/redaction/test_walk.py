import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.finding import Finding
from redaction.walk import BadJson, check, documents, is_common, is_document, joined, leaves, pointers, scan
from tests.corpora.shared import corpus
from tests.counts import examples
from tests.doors.test_corpora_json import text_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


@pytest.mark.parametrize(
    "text", ["{}", "[]", "0", "-1.5e+3", '"x"', "null", " [1 , 2] ", '{"a":1,"a":2}', "1" * 5000, r'"\ud800"']
)
def test_json_is_taken(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "[1] x",
        "01",
        "1.",
        '"\n"',
        r'"\x"',
        '"',
        "nul",
        "\ufeff{}",
        "[" * 100_000,
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(BadJson):
        check(text)
    assert not is_common(text.encode())


NO_JSON = [b'["\xff"]', b'["\xed\xa0\x80"]', b'["\xc0\xa2"]', b"\xef\xbb\xbf[]", b"[]\x00", b"\xff\xfe[\x00]\x00"]


@pytest.mark.parametrize("data", NO_JSON)
def test_what_is_no_utf_8_is_no_json(data: bytes) -> None:
    assert not is_common(data)


def is_json(data: bytes) -> bool:
    """By a reader of its own, and by the letter."""
    try:
        json.loads(data.decode(), parse_constant=int, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


@given(DOCUMENTS, st.data())
@settings(max_examples=examples(2000), deadline=None)
def test_of_a_text_with_one_byte_changed_nothing_is_taken_that_is_no_json(document: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace"))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=1))
    if is_common(bytes(text)):
        assert is_json(bytes(text))


def test_of_other_peoples_json_what_is_taken_is_json() -> None:
    cases = list(corpus("json/parsing/cases"))
    assert [case["id"] for case in cases if case["expect"] == "accept" and not is_common(text_of(case))] == []
    assert [case["id"] for case in cases if is_common(text_of(case)) and not is_json(text_of(case))] == []


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_has_a_bound(opening: str, closing: str) -> None:
    check(opening * 500 + "1" + closing * 500)
    with pytest.raises(BadJson):
        check(opening * 2_000 + "1" + closing * 2_000)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    check("[" + "[],{}," * 1000 + '"[[[["]')


@pytest.mark.parametrize("text", ["{}", " [1]", '{"a": 1}'])
def test_a_document(text: str) -> None:
    assert is_document(text)


@pytest.mark.parametrize("text", ["", "1", '"x"', "{oops}", "[info] started", "null"])
def test_no_document(text: str) -> None:
    assert not is_document(text)


def test_leaves_are_strings_names_and_numbers_with_the_name_they_stand_under() -> None:
    text = r'{"a" : "x\"y", "b":[1,-2.5e3, "z"], "c":[{"d":null},[3]], "":true}'
    found = [(text[leaf.start : leaf.end], leaf.key, leaf.is_name, leaf.is_number) for leaf in leaves(text)]
    assert found == [
        ("a", "", True, False),
        (r"x\"y", "a", False, False),
        ("b", "", True, False),
        ("1", "b", False, True),
        ("-2.5e3", "b", False, True),
        ("z", "b", False, False),
        ("c", "", True, False),
        ("d", "", True, False),
        ("3", "c", False, True),
        ("", "", True, False),
    ]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *strings(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


@given(DOCUMENTS, st.booleans())
def test_every_string_and_name_is_looked_at_as_it_reads(document: Any, ascii_only: bool) -> None:
    seen: list[str] = []

    def find(text: str, key: str, number: bool) -> list[Finding]:
        if not number:
            seen.append(text)
        return []

    scan(json.dumps(document, ensure_ascii=ascii_only), find)
    assert seen == strings(document)


def test_findings_stand_where_their_escapes_stand() -> None:
    text = r'{"a":"x \u0040\n!"}'

    def find(leaf: str, key: str, number: bool) -> list[Finding]:
        at = leaf.find("@\n")
        return [Finding("AT", at, at + 2, 1.0, "at")] if at >= 0 else []

    [leaf] = scan(text, find)
    [finding] = leaf.findings
    assert text[finding.start : finding.end] == r"\u0040\n"
    assert text[leaf.start : leaf.end] == r"x \u0040\n!"


def test_pointers_name_every_leaf_as_rfc_6901_says() -> None:
    text = r'{"a/b":[1,{"m~n":"x"},[],[[2]]],"":"y","\u00e9":{"k":true,"l":3}}'
    marks = {leaf.start: text[leaf.start : leaf.end] for leaf in leaves(text) if not leaf.is_name}
    found = pointers(text, set(marks), {})
    assert {marks[place]: pointer for place, pointer in found.items()} == {
        "1": "/a~1b/0",
        "x": "/a~1b/1/m~0n",
        "2": "/a~1b/3/0/0",
        "y": "/",
        "3": "/é/l",
    }


def test_the_pointer_of_a_name_is_that_of_its_object() -> None:
    text = '[{"a":{"b":1}}]'
    assert pointers(text, {text.index("b"), text.index("a")}, {}) == {text.index("a"): "/0", text.index("b"): "/0/a"}


def test_a_name_can_be_written_otherwise() -> None:
    text = '{"secret":{"b":1}}'
    assert pointers(text, {text.index("1")}, {2: "<X>"}) == {text.index("1"): "/<X>/b"}


def test_a_document_of_one_scalar_has_the_empty_pointer() -> None:
    assert pointers('"x"', {1}, {}) == {1: ""}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":\n1}\n', ['{"a":\n1}\n']),
        ('{"a":1}\r\n\n[2]\n', ['{"a":1}\r', "", "[2]", ""]),
        ('{"a":1}\nplain', []),
        ("plain\n{}", []),
        ("", []),
    ],
)
def test_a_text_is_a_document_or_lines_of_them_or_neither(text: str, found: list[str]) -> None:
    assert documents(text) == found


@pytest.mark.parametrize(
    ("lines", "one"), [(["{}", "\r", " 1"], "[{}, 1]"), (["1,2"], ""), (["{}", "x"], ""), ([], "[]")]
)
def test_lines_are_joined_to_one_text_if_each_is_json(lines: list[str], one: str) -> None:
    assert joined(lines) == one

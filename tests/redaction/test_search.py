import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.detector import Pattern, all_patterns
from redaction.engine import Engine, ScanError
from redaction.search import Budget, Hit, Long, search, search_text
from tests.counts import some
from tests.redaction import plain
from tests.redaction.families import each_family
from tests.redaction.fill import fill
from tests.redaction.hostile import seconds

ENGINE = Engine(all_patterns())
CODE = Pattern("code", "CODE", "A code.", r"\b[0-9]{4}\b", ("code 1234",), ("1234",), context=("code",), numbers=True)
MARK = Pattern("mark", "MARK", "A mark.", r"(?:^|[^a-z])(x[a-z])(?:$|[^a-z])", ("xy",), ("axy",), unless=("no",))
SMALL = Engine([CODE, MARK])

# Pieces that hold findings, nearly hold some, or say what they are, and what tends to stand around them.
PIECES = (
    "ana@example.org", "4111 1111 1111 1111", "4111111111111111", "+1 202-555-0143", "phone", "Phone", "219-09-9999",
    "192.0.2.17", "GB82 WEST 1234 5698 7654 32", "2026-01-05T08:30:00Z", "2001:db8::8a2e:370:7334", "version 4.12.0.1",
    "x", " ", ",", "(415) 555-0132", "fax", "tel. 030 1234567", "030 1234567", "@", ".", "-", "é", "0049", "tel",
    '"', "\\", "\n", "\t", "/", "\x01", "\U0001f600", "\ud800", ":", "[", "{", "}", "]", "social security", "7654321",
    "card", "secret key", "secretAccessKey", "Zx9/" * 10, "122000000000003", "078051120", "null", "ssn",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
KEYS = TEXTS | st.sampled_from(
    ("phone", "phones", "homePhone", "phone_2", "2phone", "version", "ssn", "note", "secret_key")
)
NUMBERS = st.integers() | st.sampled_from(
    (4111111111111111, 78051120, -5551234567, 5551234567.0, 1e25, 122000000000003)
)
SEPARATORS = st.sampled_from(((", ", ": "), (",", ":"), (" ,\n", "\t: ")))
REPLIES = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def found(value: Any, engine: Engine = SMALL, **options: Any) -> list[str]:
    text = json.dumps(value, **options)
    return [text[f.start : f.end] for hit in search_text(text, engine) for f in hit.findings]


@settings(deadline=None)
@given(
    REPLIES, st.booleans(), st.sampled_from((None, 1)), st.sampled_from(((", ", ": "), (",", ":"), (" ,\n", "\t: ")))
)
def test_the_quick_way_finds_what_the_plain_definition_says(
    value: Any, ascii_only: bool, indent: int | None, separators: tuple[str, str]
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    assert search_text(text, ENGINE) == plain.hits(text)


@settings(deadline=None)
@given(REPLIES, st.integers(0, 600))
def test_a_search_that_may_look_at_little_finds_the_same_or_says_that_there_is_more(value: Any, most: int) -> None:
    data = json.dumps(value).encode()
    with suppress(Long):
        assert search(data, ENGINE, budget=Budget(most)) == search(data, ENGINE)


def test_how_much_may_be_looked_at_is_counted_in_strings_of_all_lengths_and_numbers() -> None:
    for value in (
        ["ana@example.org"] * 9,
        [4111111111111111] * 9,
        "ana@example.org " * 40,
        json.dumps(["ana@example.org"] * 9),
    ):
        data = json.dumps({"v": value}).encode()
        with pytest.raises(Long):
            search(data, ENGINE, budget=Budget(500))
        assert search(data, ENGINE, budget=Budget(2_000)) == search(data, ENGINE)


@settings(deadline=None)
@given(TEXTS, KEYS)
def test_so_does_the_search_of_one_text(text: str, key: str) -> None:
    assert ENGINE.find(text, key) == plain.find(text, key)


@each_family
def test_each_pattern_is_found_in_json_where_it_is_found_in_text(family: Sequence[Pattern]) -> None:
    found = [p for p in family if not p.keyed]
    slowly = {p.name for p in some(found)}  # the plain definition tries each of all patterns by itself
    for pattern in found:
        for example in map(fill, some(pattern.yes)):
            value = {"a": example, "b": [1, [example, {"c": example + "\n"}]], example: None}
            text = json.dumps(value)
            hits = search_text(text, ENGINE)
            assert len(hits) == 4, (pattern.name, text)
            assert pattern.name not in slowly or hits == plain.hits(text), (pattern.name, text)


@pytest.mark.parametrize(
    "value",
    [
        {"code": "1234"},
        {"code": 1234},
        {"zip_code_2": 1234},
        {"code": [[1, [1234]]]},
        {"code": [{"a": 1}, [], 1234]},
        {"a": "code 1234"},
        {"a": "1234 is the code"},
        {"a": 'the "code": 1234'},
        {"the code 1234": True},
        {"1234 code": None},
        ["x\\", {"code": "\t1234"}],
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_word_counts_in_its_string_and_in_the_name_it_stands_under(value: Any, indent: int | None) -> None:
    assert found(value, indent=indent) == ["1234"]


@pytest.mark.parametrize(
    "value",
    [
        {"code": {"value": 1234}},
        {"code": "a", "b": 1234},
        {"code": ["a"], "b": 1234},
        {"code": True, "b": "1234"},
        {"a": "code", "b": "1234"},
        ["code", 1234],
        {"code": [{"b": 1234}]},
        {"code": "", "": 1234},
        {"decode": 1234},
        {"codeName": 1234},
    ],
)
def test_and_nowhere_else(value: Any) -> None:
    assert found(value) == []


def test_a_name_that_holds_a_finding_still_names_its_value() -> None:
    assert found({"xy-code": "1234"}) == ["xy", "1234"]
    assert found({"xy-code": [1234, 5678]}) == ["xy", "1234", "5678"]


def test_the_name_may_veto() -> None:
    assert found({"no": "xy", "yes": "xy", "a": ["xy"]}) == ["xy", "xy"]
    assert found({"no": ["xy", {"yes": "xy"}, "xy"]}) == ["xy"]


def test_neighbours_are_each_found() -> None:
    assert found(["xy", "xz", ["xa"], {"xb": "xc", "d": "xd"}]) == ["xy", "xz", "xa", "xb", "xc", "xd"]
    assert found({"code": [1111, 2222, -3333, 4444]}) == ["1111", "2222", "3333", "4444"]


def test_offsets_count_bytes_or_characters() -> None:
    text = '{"é": "\U0001f600 xy", "b": "\\u00e9\\" xz é"}'
    [by_byte, escaped], [by_character, _] = search(text.encode(), SMALL), search_text(text, SMALL)
    assert [text.encode()[f.start : f.end] for hit in (by_byte, escaped) for f in hit.findings] == [b"xy", b"xz"]
    assert (by_byte.start, by_byte.end) == (by_character.start + 1, by_character.end + 4)
    assert text[by_character.start : by_character.end] == "\U0001f600 xy"


def test_a_hit_says_whether_it_is_a_name_or_a_number() -> None:
    hits = search(b'{"xy": "xz", "code": 1234}', SMALL)
    assert [(hit.is_name, hit.is_number) for hit in hits] == [(True, False), (False, False), (False, True)]
    assert isinstance(hits[0], Hit)


@pytest.mark.parametrize("data", [b'"xy"', b" 1234 ", b"1234", b"null", b'""', b"[]"])
def test_a_text_of_one_value(data: bytes) -> None:
    assert len(search(data, SMALL)) == (data == b'"xy"')


def test_without_patterns_nothing_is_found() -> None:
    assert search(b'{"a": "ana@example.com"}', Engine([])) == []


class Exhausted:
    """A RE2 set that ran out of memory answers as if nothing had matched."""

    def Match(self, data: bytes) -> None:  # noqa: N802
        return None


def test_running_out_of_memory_is_not_taken_for_absence() -> None:
    engine = Engine([MARK])
    engine._gate = Exhausted()
    with pytest.raises(ScanError, match="memory"):
        search(b'["xy"]', engine)


HOSTILE = {
    "names of lists": b"[" + b'{"phone":[5551234]},' * 5_000 + b"1]",
    "one list of numbers": b'{"phone":[' + b"5551234," * 12_000 + b"1]}",
    "words": b'{"a":"' + b"phone " * 16_000 + b'1"}',
    "names": b"[" + b'{"phone":"1"},' * 7_000 + b"1]",
    "addresses in lists": b"[" + b'["192.0.2.17"],' * 6_000 + b"1]",
    "spaces before values": b"[" + (b'"192.0.2.17"' + b" " * 5_000 + b",") * 20 + b"1]",
    "a long number": b"[" + b"4111111111111111" * 6_000 + b"]",
    "a long number after a list was named": b'{"phone":[' + b"1234567" * 14_000 + b"]}",
    "escaped quotation marks": b'["' + rb"a@b.cc\"" * 14_000 + b'"]',
    "escaped backslashes": b'["' + rb"a@\\" * 20_000 + b'"]',
    "one string of addresses": b'["' + b"a@b.cc " * 14_000 + b'"]',
    "one string of addresses and escapes": b'["' + rb"a@b.cc\n" * 12_000 + b'"]',
    "time after time": b"[" + b'"19:48:00",' * 9_000 + b"1]",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_of_100_kb_costs_less_than_400_ms(data: bytes) -> None:
    assert seconds(lambda: search(data, ENGINE), 0.4) <= 0.4

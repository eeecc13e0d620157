"""Long replies made short: what stays is bytes of the text, what is missing can be had, and it is always JSON."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.shaping import (
    MARK_ROOM,
    UNBOUNDED,
    Bounds,
    Links,
    Part,
    Short,
    Unfit,
    cut,
    next_items,
    next_text,
    shortened,
)
from tests.redaction.test_fields import DOCUMENTS, is_subsequence

LINKS = Links("GET /rest/H-", 1_000)
TEXT_MARK = re.compile(r"\.\.\. \[(\d+) more characters?(?:: GET /rest/H-(\d+))?\]")
ITEM_MARK = re.compile(r'(, "(?:[^"\\]|\\.)*:left_out": )?(?(1)|, )"(\d+) more items?(?:: GET /rest/H-(\d+))?"')


def short(text: str, *bounds: int, links: Links = LINKS) -> str:
    return shortened(text, Bounds(*bounds), links).text


@pytest.mark.parametrize(
    ("most", "text", "left"),
    [
        (2, "[1, 2]", "[1, 2]"),
        (2, "[1, 2 , 3]", '[1, 2 , "1 more item: GET /rest/H-0"]'),
        (1, "[[1,2,3],[4]]", '[[1, "2 more items: GET /rest/H-1"], "1 more item: GET /rest/H-0"]'),
        (1, '{"a":[1,2],"b":3}', '{"a":[1], "a:left_out": "1 more item: GET /rest/H-5","b":3}'),
        (1, '{"a":[{"b":[1,2]},2]}', '{"a":[{"b":[1], "b:left_out": "1 more item: GET /rest/H-11"}], "a:left_out": '
                                     '"1 more item: GET /rest/H-5"}'),
        (1, '{"a":[1,2],"a:left_out":3}', '{"a":[1, "1 more item: GET /rest/H-5"],"a:left_out":3}'),
        (1, '["]", "[,"]', '["]", "1 more item: GET /rest/H-0"]'),
        (1, '{"a":1,"b":2,"c":3}', '{"a":1,"b":2,"c":3}'),
        (1, "[]", "[]"),
    ],
)  # fmt: skip
def test_lists_have_at_most_so_many_items(most: int, text: str, left: str) -> None:
    assert short(text, most) == left


@pytest.mark.parametrize(
    ("longest", "text", "left"),
    [
        (3, '"abc"', '"abc"'),
        (3, '"abcd"', '"abc... [1 more character: GET /rest/H-1]"'),
        (3, '{"abcdef": "a"}', '{"abcdef": "a"}'),
        (1, '"\\ud83d\\ude00\\ud83d\\ude00"', '"\\ud83d\\ude00... [1 more character: GET /rest/H-1]"'),
        (2, '"\U0001f600\U0001f600\U0001f600"', '"\U0001f600\U0001f600... [1 more character: GET /rest/H-1]"'),
        (2, '"\\n\\u0041\\\\\\""', '"\\n\\u0041... [2 more characters: GET /rest/H-1]"'),
        (4, '"\\n\\u0041\\\\\\""', '"\\n\\u0041\\\\\\""'),
        (2, '"\\ud83d\\ud83d\\ud83d"', '"\\ud83d\\ud83d... [1 more character: GET /rest/H-1]"'),
        (5, '"ab <EMAIL_ADDRESS> cd"', '"ab ... [18 more characters: GET /rest/H-1]"'),
        (5, '"<EMAIL_ADDRESS> cd"', '"<EMAIL_ADDRESS>... [3 more characters: GET /rest/H-1]"'),
        (9, '"ab <US_SSN_0123abcd> c"', '"ab ... [19 more characters: GET /rest/H-1]"'),
        (9, '"ab <US_SSN:Zm9v-_A> c"', '"ab ... [18 more characters: GET /rest/H-1]"'),
        (5, '"ab <b class=1> cd"', '"ab <b... [12 more characters: GET /rest/H-1]"'),
    ],
)  # fmt: skip
def test_texts_are_cut_between_characters_and_not_in_a_finding(longest: int, text: str, left: str) -> None:
    assert short(text, 0, longest) == left


def test_more_than_there_is_room_for_has_no_link() -> None:
    done = shortened('["abc", "def"]', Bounds(0, 1), Links("GET /rest/H-", 1))
    assert done.text == '["a... [2 more characters: GET /rest/H-2]", "d... [2 more characters]"]'
    assert [part.start for part in done.parts] == [2]
    assert cut("abc", Bounds(0, 1), Links()) == Short("a... [2 more characters]", 0, 1)


def records(count: int, size: int) -> str:
    return json.dumps([{"id": number, "text": f"{number} " + "x" * size} for number in range(count)])


@pytest.mark.parametrize("fit", [1_024, 5_000, 40_000])
@pytest.mark.parametrize("text", [records(500, 20), records(20, 5_000), records(1, 90_000), records(300, 300)])
def test_whatever_it_is_it_fits(text: str, fit: int) -> None:
    done = short(text, 0, 0, fit)
    json.loads(done)
    assert fit / 4 < len(done) <= fit


@pytest.mark.parametrize("character", ["é", "\U0001f600", "中", "\\u00e9"])
def test_it_fits_in_bytes(character: str) -> None:
    done = shortened(f'["{character * 5_000}"]', Bounds(0, 0, 2_000), LINKS)
    assert 400 < len(done.text.encode()) <= 2_000
    json.loads(done.text)


def test_what_cannot_fit_is_no_reply() -> None:
    wide = json.dumps({f"name-{number}": number for number in range(1_000)})
    with pytest.raises(Unfit):
        short(wide, 0, 0, 2_000)
    assert short(wide, 0, 0, len(wide)) == wide
    with pytest.raises(Unfit):
        cut("x" * 200, Bounds(0, 0, MARK_ROOM), LINKS)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_text_that_is_no_json_fits_too(encoding: str) -> None:
    for size in (1_024, 1_025, 1_026, 1_027):
        done = cut("é" * 5_000, Bounds(0, 0, size), LINKS, encoding)
        assert size - MARK_ROOM < len(done.text.encode(encoding)) <= size
    whole = "é" * 10
    assert cut(whole, Bounds(0, 0, len(whole.encode(encoding))), LINKS, encoding) == Short(whole)


def unmarked(text: str) -> str:
    return ITEM_MARK.sub("", TEXT_MARK.sub("", text))


@given(DOCUMENTS, st.integers(0, 3), st.integers(0, 3))
def test_it_is_json_and_what_stays_is_bytes_of_it(text: str, most: int, longest: int) -> None:
    done = shortened(text, Bounds(most, longest), LINKS)
    json.loads(done.text)
    assert is_subsequence(unmarked(done.text), text)
    assert (done.text == text) == (not done.items and not done.texts)
    assert len(done.parts) <= done.items + done.texts


def restored(text: str, done: str, bounds: Bounds, parts: dict[int, Part]) -> Any:
    """The whole value, put together again from its pieces."""

    def joined(value: Any) -> Any:
        if isinstance(value, str) and (mark := TEXT_MARK.search(value)):
            return value[: mark.start()] + "".join(texts(int(mark[2])))
        if isinstance(value, dict):
            left = {name: joined(each) for name, each in value.items() if not name.endswith(":left_out")}
            for name, said in value.items():
                if name.endswith(":left_out"):
                    left[name.removesuffix(":left_out")] += items(int(said.rpartition("-")[2]))
            return left
        if isinstance(value, list):
            mark = re.fullmatch(r"\d+ more items?: GET /rest/H-(\d+)", str(value[-1])) if value else None
            return [joined(each) for each in (value[:-1] if mark else value)] + (items(int(mark[1])) if mark else [])
        return value

    def texts(place: int) -> list[str]:
        found, at = [], parts[place].shown
        while piece := next_text(text, parts[place], at, parts[place].shown, True):
            found.append(json.loads(f'"{piece.short.text}"'))
            at += piece.shown
        return found

    def items(place: int) -> list[Any]:
        found, at = [], parts[place].shown
        while piece := next_items(text, parts[place], at, bounds, LINKS):
            parts.update((part.start, part) for part in piece.short.parts)
            found += [joined(each) for each in json.loads(piece.short.text)]
            at += piece.shown
            assert bool(piece.left) == bool(next_items(text, parts[place], at, bounds, LINKS))
        return found

    return joined(json.loads(done))


VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(st.sampled_from('ab"\\\né\U0001f600<'), max_size=9)),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=25,
)


@given(VALUES, st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_piece_by_piece_it_is_the_whole(value: Any, most: int, longest: int, ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii)
    done = shortened(text, bounds := Bounds(most, longest), LINKS)
    assert restored(text, done.text, bounds, {part.start: part for part in done.parts}) == value


@given(st.text(st.sampled_from("ab<EMAIL_ADDRESS>\U0001f600 "), max_size=60), st.integers(1, 7))
def test_piece_by_piece_a_text_is_the_whole(text: str, longest: int) -> None:
    done = cut(text, Bounds(0, longest), LINKS)
    if not done.parts:
        assert done.text == text
        return
    (part,) = done.parts
    found, at = text[: part.shown], part.shown
    while piece := next_text(text, part, at, longest, False):
        assert piece.left == len(text) - len(found) - piece.shown
        found, at = found + piece.short.text, at + piece.shown
    assert found == text


def test_behind_the_end_there_is_nothing() -> None:
    assert next_items("[1,[2],3]", Part(0, 9, 1, True), 3, UNBOUNDED, LINKS) is None
    assert next_items("[]", Part(0, 2, 0, True), 1, UNBOUNDED, LINKS) is None
    assert next_text('"\\n\\n"', Part(1, 5, 1, False), 2, 1, True) is None
    assert next_text("ab", Part(0, 2, 1, False), 10**9, 1, False) is None


def test_ten_thousand_levels_are_no_matter() -> None:
    deep = "[" * 10_000 + "1, 2" + "]" * 10_000
    assert short(deep, 1) == "[" * 10_000 + '1, "1 more item: GET /rest/H-9999"' + "]" * 10_000
    assert short(f"[1, {deep}]", 1) == '[1, "1 more item: GET /rest/H-0"]'


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(["\n" * 300_000]),
        json.dumps(["\\" * 300_000]),
        '["' + "\\ud83d\\ude00" * 80_000 + '"]',
        "[" + "[]," * 300_000 + "[]]",
        '["' + "<A" * 300_000 + '"]',
        '["' + "<" + "A" * 600_000 + '"]',
        '[{"a":' * 100_000 + "1" + "}]" * 100_000,
        "[" + '"",' * 300_000 + '""]',
        "{" + ",".join(f'"n{number}":[{"0," * 20}0]' for number in range(15_000)) + ',":left_out":0}',
    ],
    ids=["breaks", "backslashes", "surrogates", "lists", "openings", "token", "deep", "empty", "names"],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    started = process_time()
    shortened(text, Bounds(20, 100), LINKS)
    with suppress(Unfit):
        shortened(text, Bounds(20, 100, 2_000), LINKS)
    assert process_time() - started < len(text) / 250_000 + 1  # seconds: it is a text that counts, not its square

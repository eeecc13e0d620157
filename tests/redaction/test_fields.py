"""Which fields stay: held to the meaning on parsed values, and to the bytes of what stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.fields import Fields, Nothing, closing
from redaction.pointers import Pointers

ORDERS = '{"orders": [{"id": 3, "x": 1}, {"y": 2}]}'


@pytest.mark.parametrize(
    ("keep", "text", "left"),
    [
        (["id"], '{ "id" : 7 , "name": "x" }', '{ "id" : 7 }'),
        (["id"], '{"a": 1, "id": 12345678901234567890, "b": 1.50}', '{ "id": 12345678901234567890}'),
        (["name"], '{"name": "caf\\u00e9 \\/", "x": "}]\\""}', '{"name": "caf\\u00e9 \\/"}'),
        (["id"], '[{"id": 1, "x": 1}, {"x": 1}, {"id": [2]}]', '[{"id": 1}, {}, {"id": [2]}]'),
        (["id"], '{"items": [{"id": 1, "x": {}}], "total": 1}', '{"items": [{"id": 1}]}'),
        (["id"], '{"items": [], "tags": ["a"]}', '{"items": []}'),
        (["id"], '{"id": 1, "card": {"id": 2}, "more": [[{"id": 3}]]}', '{"id": 1}'),
        (["id"], '{"\\u0069d": 1, "ID": 2}', '{"\\u0069d": 1}'),
        (["id"], '{"id": {"deep": [1, {"x": 2}]}}', '{"id": {"deep": [1, {"x": 2}]}}'),
        (["id"], '{"x": 1}', "{}"),
        (["id"], "[]", "[]"),
        (["id"], " null\n", " null\n"),
        (["/data/*/id"], '{"data": [{"id": 1, "x": 2}], "id": 3}', '{"data": [{"id": 1}]}'),
        (["/a/b", "id"], '{"a": {"b": 1, "id": 2}, "id": 3}', '{"a": {"b": 1}, "id": 3}'),
        (["/*"], '{"a": 1, "b": [2]}', '{"a": 1, "b": [2]}'),
        (["/0"], '[{"a": 1}, {"a": 2}]', '[{"a": 1}]'),
        (["/a~1b"], '{"a/b": 1, "a": {"b": 2}}', '{"a/b": 1}'),
    ],
)
def test_only_what_is_kept_stays(keep: list[str], text: str, left: str) -> None:
    assert Fields(keep).applied(text)[0] == left


@pytest.mark.parametrize(
    ("drop", "text", "left", "count"),
    [
        (["n"], '{"n": 1}', "{}", 1),
        (["n"], '{"a": 1, "n": [{"n": 2}]}', '{"a": 1}', 1),
        (["n"], '[{"n": 1, "a": {"n": 2, "b": 3}}, 4]', '[{ "a": { "b": 3}}, 4]', 2),
        (["n"], '{"a": {"n": 1}, "b": 2}', '{ "b": 2}', 1),
        (["n"], '{"a": [{"n": 1}], "b": 2}', '{"a": [{}], "b": 2}', 1),
        (["/a/n"], '{"a": {"n": 1, "m": {"n": 2}}, "n": 3}', '{"a": { "m": {"n": 2}}, "n": 3}', 1),
        (["/*/n"], '[{"n": 1, "a": {"n": 2}}]', '[{ "a": {"n": 2}}]', 1),
        (["/tags/*"], '{"tags": [1, 2], "id": 3}', '{ "id": 3}', 1),
        (["n"], '"n"', '"n"', 0),
        (["x"], '{"a": "\\"x\\": 1", "b": ["x"]}', '{"a": "\\"x\\": 1", "b": ["x"]}', 0),
    ],
)
def test_what_is_dropped_goes_wherever_it_stands(drop: list[str], text: str, left: str, count: int) -> None:
    assert Fields((), drop).applied(text) == (left, count)


def test_what_is_dropped_is_dropped_of_what_is_kept_too() -> None:
    assert Fields(["id", "o"], ["x"]).applied('{"o": {"x": 1, "y": 2}, "id": 1, "z": 0}') == (
        '{"o": { "y": 2}, "id": 1}',
        2,
    )


@pytest.mark.parametrize("text", ["[1, 2]", '["id"]', '"id"', "7", "true", "[[1], 2]"])
def test_what_holds_nothing_that_is_kept_is_no_empty_list(text: str) -> None:
    with pytest.raises(Nothing):
        Fields(["id"]).applied(text)


def test_ten_thousand_levels_are_no_matter() -> None:
    text = '{"a":[' * 5_000 + '{"n": 1, "m": 2}' + "]}" * 5_000
    assert Fields((), ["n"]).applied(text) == (text.replace('"n": 1,', ""), 1)
    assert closing(text, 1) == len(text)
    assert Fields(["a"]).applied(text) == (text, 0)


NAMES = st.sampled_from(["id", "n", "a", "\\u0069d", 'q\\"}'])
LEAVES = st.sampled_from(
    ['"x"', '"]}\\",["', "1", "-0.10e+5", "true", "null", "123456789012345678901", '"\\ud83d\\ude00"']
)
SPACE = st.sampled_from(["", " ", "\n\t"])


@st.composite
def container(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(inner, max_size=4))
    if draw(st.booleans()):
        items = [f'"{draw(NAMES)}"{draw(SPACE)}:{item}' for item in items]
        return "{" + draw(SPACE) + f"{draw(SPACE)},{draw(SPACE)}".join(items) + draw(SPACE) + "}"
    return "[" + draw(SPACE) + f"{draw(SPACE)},{draw(SPACE)}".join(items) + draw(SPACE) + "]"


DOCUMENTS = st.recursive(LEAVES, lambda inner: container(inner), max_leaves=20)
CHOSEN = st.lists(st.sampled_from(["id", "n", "/a", "/*/id", "/a/*/n", "/0/id", "/id/n"]), max_size=3)


class Pairs(list[tuple[str, Any]]):
    """An object in the order in which it was written, names twice where they stand twice."""


def read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=Pairs, parse_int=str, parse_float=str)


GONE = object()


def plainly(value: Any, keep: Sequence[str], drop: Sequence[str], path: tuple[str | int, ...] = ()) -> Any:
    """What the module's words say, on a parsed value."""
    if path and (Pointers([x for x in drop if x[0] == "/"]).covers(path) or (path[-1] in drop)):
        return GONE
    if not isinstance(value, list):
        return value if not keep or stays(path, keep) else GONE
    pairs = value if isinstance(value, Pairs) else list(enumerate(value))
    if keep and not stays(path, keep) and not leads(path, keep):
        return GONE
    left = [(name, each) for name, inner in pairs if (each := plainly(inner, keep, drop, (*path, name))) is not GONE]
    if pairs and not left and path and (isinstance(path[-1], str) or not isinstance(value, Pairs)):
        return GONE
    return Pairs(left) if isinstance(value, Pairs) else [each for _, each in left]


def stays(path: tuple[str | int, ...], keep: Sequence[str]) -> bool:
    named = any(
        (len(path) > n - 1 and path[n - 1] in keep and [type(x) for x in path[:n]] in forms)
        for n, forms in ((1, [[str]]), (2, [[int, str]]), (3, [[str, int, str], [int, int, str]]))
    )
    return named or Pointers([each for each in keep if each[0] == "/"]).covers(path)


def leads(path: tuple[str | int, ...], keep: Sequence[str]) -> bool:
    at = Pointers([each for each in keep if each[0] == "/"]).start
    for step in path:
        at = at.step(step)
    kinds = [type(step) for step in path]
    in_names = kinds in ([], [int], [str], [str, int], [int, int])
    return bool(at) or (in_names and any(each[0] != "/" for each in keep))


def is_subsequence(part: str, whole: str) -> bool:
    at = iter(whole)
    return all(character in at for character in part)


@given(DOCUMENTS, CHOSEN, CHOSEN)
def test_it_is_what_the_words_say_and_the_bytes_are_those_of_the_text(
    text: str, keep: list[str], drop: list[str]
) -> None:
    wanted = plainly(read(text), keep, drop)
    try:
        left, count = Fields(keep, drop).applied(text)
    except Nothing:
        assert wanted in ([], GONE)
        assert not isinstance(wanted, Pairs)
        return
    if text == "null":
        wanted = read(text)
    assert read(left) == wanted
    assert is_subsequence(left, text)
    assert bool(count) == (left != text)

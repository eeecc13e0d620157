"""Patterns of pointers, held to a plain matcher that compares step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.pointers import MOST_STEPS, NOWHERE, BadPointer, Pointers, Wild, parse

NAMES = st.sampled_from(["a", "b", "0", "1", "*", "a/b", "~", ""])
PATHS = st.lists(st.one_of(NAMES, st.integers(0, 2)), max_size=4)
STEPS = st.lists(st.one_of(NAMES, st.just(Wild.ANY), st.just(Wild.INDEX)), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("pattern", "fits", "not_fits"),
    [
        ("/email", [("email",)], [(), ("Email",), ("email", "x"), ("a", "email")]),
        ("/items/*/email", [("items", 0, "email"), ("items", "x", "email")], [("items", "email"), ("items", 0)]),
        ("/0", [(0,), ("0",)], [(1,), ("00",)]),
        ("/a~1b/~0", [("a/b", "~")], [("a", "b", "~"), ("a~1b", "~0")]),
        ("/~01", [("~1",)], [("/",), ("~01",)]),
        ("/", [("",)], [(), ("/",)]),
        ("/*", [("a",), (7,), ("",)], [(), ("a", "b")]),
    ],
)
def test_a_pattern_fits_whole_paths(pattern: str, fits: list[tuple[str, ...]], not_fits: list[tuple[str, ...]]) -> None:
    pointers = Pointers([pattern])
    assert [pointers.matches(path) for path in fits] == [True] * len(fits)
    assert [pointers.matches(path) for path in not_fits] == [False] * len(not_fits)


def test_an_index_is_told_from_a_name() -> None:
    pointers = Pointers([(Wild.INDEX, "id")])
    assert pointers.matches((3, "id"))
    assert not pointers.matches(("3", "id"))


@pytest.mark.parametrize("bad", ["", "email", "items/*", "/a~", "/a~2b", "/~", "/x" * (MOST_STEPS + 1)])
def test_what_is_no_pattern_is_refused(bad: str) -> None:
    with pytest.raises(BadPointer):
        parse(bad)


def test_where_no_pattern_leads_nothing_is_left_to_walk() -> None:
    pointers = Pointers(["/a/b"])
    assert pointers.start.step("a")
    assert not pointers.start.step("b")
    assert not pointers.start.step("a").step("b").step("c")
    assert NOWHERE.step("a") is NOWHERE
    assert not Pointers([]).start


def plainly(pattern: tuple[str | Wild, ...], path: list[str | int]) -> bool:
    if len(pattern) != len(path):
        return False
    pairs = zip(pattern, path, strict=True)
    return all(
        want is Wild.ANY or (want is Wild.INDEX and isinstance(have, int)) or want == str(have) for want, have in pairs
    )


@given(st.lists(STEPS, max_size=4), PATHS)
def test_many_patterns_are_as_each_by_itself(patterns: list[tuple[str | Wild, ...]], path: list[str | int]) -> None:
    pointers = Pointers(patterns)
    assert pointers.matches(path) == any(plainly(each, path) for each in patterns)
    above = [path[:size] for size in range(len(path) + 1)]
    assert pointers.covers(path) == any(plainly(each, place) for each in patterns for place in above)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_names_are_written_as_in_pointers(names: list[str]) -> None:
    literal = [name for name in names if name != "*"] or ["x"]
    pattern = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in literal)
    assert parse(pattern) == tuple(literal)

"""Three ways: who changed what, and what stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.compare.merge import ABSENT, merge, merge_whole
from rules.compare.side import same
from tests.counts import examples

VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, "a"]), lambda below: st.dictionaries(st.sampled_from("abc"), below), max_leaves=6
)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "value"),
    [
        (1, 1, 2, 2),
        (1, 2, 1, 2),
        (1, 2, 2, 2),
        (ABSENT, ABSENT, 1, 1),
        (1, 1, ABSENT, ABSENT),
        (1, ABSENT, 1, ABSENT),
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1}, {"a": 1, "own": 0}, {"a": 2, "new": 0}, {"a": 2, "new": 0, "own": 0}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 5}}, {"a": {"x": 5, "y": 2}}),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 2, "b": 1}, {"a": 2}),
        (ABSENT, {"a": 1}, {"b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_what_does_not_contradict_is_joined(base: Any, ours: Any, theirs: Any, value: Any) -> None:
    done = merge(base, ours, theirs)
    assert (done.value, done.conflicts) == (value, [])
    assert done.base is theirs or same(done.base, theirs)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "place"),
    [
        (1, 2, 3, ()),
        (1, ABSENT, 3, ()),
        (1, 2, ABSENT, ()),
        (ABSENT, 2, 3, ()),
        (1, True, 0, ()),
        ([1], [1, 2], [1, 3], ()),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 3}}, ("a", "b")),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {}, ("a",)),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 3}}, ("a",)),
    ],
)
def test_what_contradicts_stays_as_it_was_edited_and_is_told_again(
    base: Any, ours: Any, theirs: Any, place: Any
) -> None:
    done = merge(base, ours, theirs)
    assert done.conflicts == [place]
    assert done.value is ours or same(done.value, ours)
    assert merge(done.base, done.value, theirs).conflicts == [place]
    kept = merge(base, ours, theirs, keep_ours=True)
    assert kept.conflicts == []
    assert merge(kept.base, kept.value, theirs).conflicts == []
    assert kept.value is ours or same(kept.value, ours)


def test_parts_that_belong_together_are_not_mixed() -> None:
    sides = {"effect": "write", "guessed": True}, {"effect": "write"}, {"effect": "read", "guessed": True}
    assert merge_whole(*sides).conflicts == [()]
    assert merge_whole(sides[0], sides[1], sides[0]).value == {"effect": "write"}
    assert merge_whole(sides[0], sides[0], sides[2]).value == sides[2]


def test_new_members_come_where_the_newer_value_has_them() -> None:
    done = merge({"a": 1, "c": 1}, {"own": 0, "a": 1, "c": 1}, {"first": 0, "a": 1, "b": 1, "c": 1, "d": 1})
    assert list(done.value) == ["first", "own", "a", "b", "c", "d"]


@given(VALUES, VALUES, VALUES)
@settings(max_examples=examples(200), deadline=None, derandomize=True)
def test_merging_again_changes_nothing(base: Any, ours: Any, theirs: Any) -> None:
    done = merge(base, ours, theirs)
    again = merge(done.base, done.value, theirs)
    assert same(again.value, done.value)
    assert sorted(again.conflicts) == sorted(done.conflicts)
    if not done.conflicts:
        assert same(done.base, theirs)

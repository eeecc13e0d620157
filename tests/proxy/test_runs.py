"""Runs belong to their principal, and are bounded."""

from __future__ import annotations

import pytest

from proxy import runs
from proxy.runs import IDLE_SECONDS, MOST_RUNS, Runs


def anything(_: str) -> None:
    return None


def test_steps_are_counted_by_principal_and_name() -> None:
    seen = Runs(anything)
    assert [seen.step("ann", "a", 0).step for _ in range(3)] == [1, 2, 3]
    assert seen.step("bob", "a", 0).step == 1
    assert seen.step("ann", "b", 0).step == 1
    assert seen.step("ann", "a", 0).id == "a"


def test_an_unnamed_run_ends_with_silence_and_a_named_one_does_not() -> None:
    seen = Runs(anything)
    first = seen.step("ann", "", 0.0)
    assert seen.step("ann", "", IDLE_SECONDS).id == first.id
    later = seen.step("ann", "", IDLE_SECONDS * 2 + 1)
    assert later.id != first.id
    assert later.step == 1
    seen.step("ann", "a", 0.0)
    assert seen.step("ann", "a", IDLE_SECONDS * 9).step == 2


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_RUNS >= 1_000
    monkeypatch.setattr(runs, "MOST_RUNS", 3)
    seen = Runs(anything)
    for name in ("a", "b", "c", "a", "d"):
        seen.step("ann", name, 0.0)
    assert len(seen) == 3
    assert seen.step("ann", "a", 0.0).step == 3  # used lately, so kept
    assert seen.step("ann", "b", 0.0).step == 1  # forgotten


def test_a_name_is_checked_before_it_is_remembered() -> None:
    def never(_: str) -> None:
        raise ZeroDivisionError

    seen = Runs(never)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            seen.step("ann", "a", 0.0)
    assert len(seen) == 0

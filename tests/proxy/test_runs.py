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


def test_who_names_ever_new_runs_ends_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_OWN", 3)
    seen = Runs(anything)
    over = told_of(seen)
    bobs = seen.step("bob", "", 0.0).id
    for number in range(50):
        seen.step("ann", f"r{number}", 0.0)
    assert (len(seen), len(over), {who for who, _ in over}) == (4, 47, {"ann"})
    assert seen.step("bob", "", 0.0) == (bobs, 2)
    seen.sweep(IDLE_SECONDS + 1)
    assert ("bob", bobs) in over
    assert (len(seen), seen.step("bob", "", IDLE_SECONDS + 2).step) == (3, 1)


def test_a_name_is_checked_before_it_is_remembered() -> None:
    def never(_: str) -> None:
        raise ZeroDivisionError

    seen = Runs(never)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            seen.step("ann", "a", 0.0)
    assert len(seen) == 0


def told_of(seen: Runs) -> list[tuple[str, str]]:
    over: list[tuple[str, str]] = []
    seen.ended.append(lambda *who: over.append(who))
    return over


def test_the_end_of_a_run_is_told_once_and_again_where_it_went_on() -> None:
    seen = Runs(anything)
    over = told_of(seen)
    unnamed = seen.step("ann", "", 0.0).id
    seen.step("ann", "a", 0.0)
    seen.step("bob", "b", IDLE_SECONDS)
    seen.sweep(IDLE_SECONDS)
    assert over == []
    seen.sweep(IDLE_SECONDS + 1)
    seen.sweep(IDLE_SECONDS + 2)
    assert over == [("ann", unnamed), ("ann", "a")]
    assert seen.step("ann", "a", IDLE_SECONDS + 3).step == 2
    seen.sweep(IDLE_SECONDS * 2 + 4)
    assert over[2:] == [("bob", "b"), ("ann", "a")]


def test_a_run_with_a_call_under_way_is_not_silent() -> None:
    seen = Runs(anything)
    over = told_of(seen)
    seen.step("ann", "a", 0.0)
    seen.sweep(IDLE_SECONDS * 2, {("ann", "a")})
    assert over == []
    seen.sweep(IDLE_SECONDS * 2)
    assert over == [("ann", "a")]


def test_a_run_that_is_forgotten_or_begins_anew_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_RUNS", 2)
    seen = Runs(anything)
    over = told_of(seen)
    first = seen.step("ann", "", 0.0).id
    seen.step("ann", "", IDLE_SECONDS + 1)
    assert over == [("ann", first)]
    seen.step("bob", "b", IDLE_SECONDS + 1)
    seen.step("eve", "e", IDLE_SECONDS + 1)
    assert [principal for principal, _ in over] == ["ann", "ann"]


def test_one_who_fails_to_hear_keeps_nobody_from_hearing() -> None:
    seen = Runs(anything)

    def fails(*_: str) -> None:
        raise ZeroDivisionError

    seen.ended.append(fails)
    over = told_of(seen)
    seen.step("ann", "a", 0.0)
    seen.end(lambda principal, run: run == "a")
    seen.end(lambda principal, run: run == "a")
    assert over == [("ann", "a")]


def test_a_run_without_a_name_can_be_held_and_is_listed() -> None:
    seen = Runs(anything)
    seen.hold("ann", "run-1", 0.0)
    assert seen.unnamed("run-1") == ("ann",)
    assert seen.step("ann", "", 1.0).id == "run-1"
    assert seen.unnamed("a") == ()
    assert seen.listed(3.0) == [{"principal": "ann", "run": "run-1", "calls": 1, "idle_s": 2.0}]

"""Counts under limits: never too many calls in any window, all limits or none, and memory that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import limits as module
from proxy.limits import Counts, Full, Limits, Place
from rules.obligations import Limit


def take(limits: Limits, places: list[Place], now: float, call: str = "c") -> bool:
    """Whether there was room; a step that nothing can come between."""
    step = limits.take(call, places, now)
    try:
        step.send(None)
    except StopIteration:
        return True
    except Full:
        return False
    raise AssertionError("it waited")


def at(limit: Limit, *key: object) -> Place:
    return Place(limit, (limit.owner, limit.per, limit.within_s, *key))


def most_in_any_window(times: Iterable[float], within_s: float) -> int:
    ordered = sorted(times)
    return max((sum(start <= each < start + within_s for each in ordered) for start in ordered), default=0)


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 6), st.sampled_from([1.0, 7.5]))
def test_never_more_in_any_window_and_never_fewer_than_could_be(
    times: list[float], calls: int, within_s: float
) -> None:
    limit, limits = Limit("rule r", (), calls, within_s), Limits()
    taken: list[float] = []
    for now in sorted(times):
        room = sum(now - within_s < each for each in taken) < calls
        assert take(limits, [at(limit)], now) is room
        taken += [now] * room
    assert most_in_any_window(taken, within_s) <= calls


@given(st.lists(st.floats(0.0001, 0.2), min_size=200, max_size=400))
def test_calls_in_groups_are_never_too_many_and_hardly_late(gaps: list[float]) -> None:
    limit, limits, now = Limit("rule r", (), module.EXACT + 40, 10.0), Limits(), 0.0
    taken: list[float] = []
    for gap in gaps:
        now += gap
        if take(limits, [at(limit)], now):
            taken.append(now)
        else:  # with a window that is 1 % longer there would be no room either
            assert sum(now - 10.1 <= each for each in taken) >= limit.calls
    assert most_in_any_window(taken, 10.0) <= limit.calls


def test_a_window_of_many_calls_stays_small() -> None:
    limit, limits = Limit("rule r", (), 100_000, 100.0), Limits()
    for number in range(20_000):
        assert take(limits, [at(limit)], number / 100)
    (window,) = limits._windows.values()
    assert len(window.groups) <= module.EXACT + module.GRAIN + 1
    assert window.used <= 10_101


def test_what_one_limit_refuses_uses_up_none() -> None:
    wide, narrow, one = Limit("rule w", (), 3, 60.0), Limit("rule n", ("tool",), 1, 60.0), Limit("rule o", (), 1)
    limits = Limits()
    assert take(limits, [at(wide), at(narrow, "t"), at(one)], 0.0, "first")
    limits.leave("first")
    for now in range(20):
        assert not take(limits, [at(wide), at(narrow, "t"), at(one)], float(now))
    assert take(limits, [at(wide), at(narrow, "u"), at(one)], 21.0)
    assert not take(limits, [at(wide), at(narrow, "v"), at(one)], 22.0)  # one of `one` is inside
    limits.leave("c")
    assert take(limits, [at(wide), at(narrow, "v"), at(one)], 23.0)


def test_at_once_is_left_by_name_and_only_once() -> None:
    limit, limits = Limit("rule r", (), 2), Limits()
    assert [take(limits, [at(limit)], 0.0, call) for call in "abc"] == [True, True, False]
    for _ in range(3):
        limits.leave("a")
        limits.leave("never was in")
    assert [take(limits, [at(limit)], 0.0, call) for call in "de"] == [True, False]
    limits.leave("b")
    limits.leave("d")
    assert len(limits) == 0


async def rooms(limits: Limits, places: list[Place], now: float) -> list[tuple[int, float]]:
    try:
        return [(room.left, room.more_s) for room in await limits.take("c", places, now)]
    except Full as full:
        return [(room.left, room.more_s) for room in full.rooms]


def test_what_is_left_and_until_when() -> None:
    async def play() -> None:
        limits, limit = Limits(), Limit("rule r", (), 2, 60.0)
        assert await rooms(limits, [at(limit)], 0.0) == [(1, 60.0)]
        assert await rooms(limits, [at(limit)], 20.0) == [(0, 40.0)]
        assert await rooms(limits, [at(limit)], 30.0) == [(0, 30.0)]
        assert await rooms(limits, [at(limit)], 60.0) == [(0, 20.0)]
        lower = Limit("rule r", (), 1, 60.0)  # the rules changed: both calls have to leave
        assert await rooms(limits, [at(lower)], 61.0) == [(0, 59.0)]
        assert await rooms(limits, [at(Limit("rule s", (), 2))], 0.0) == [(1, inf)]

    asyncio.run(play())


def test_windows_without_calls_are_forgotten() -> None:
    limit, limits = Limit("rule r", ("user",), 5, 10.0), Limits()
    for number in range(20_000):
        take(limits, [at(limit, number)], float(number))
    assert len(limits) <= 2 * module.SWEEP_AT


def test_where_all_places_are_taken_who_has_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEYS", 50)
    monkeypatch.setattr(module, "SWEEP_AT", 10)
    limit, limits = Limit("rule r", ("user",), 5, 100.0), Limits()
    assert sum(take(limits, [at(limit, number)], 0.0) for number in range(80)) == 50
    assert take(limits, [at(limit, 7)], 1.0)
    assert take(limits, [at(limit, 79)], 101.0)


def test_runs_push_out_runs_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNS", 50)
    run, user, limits = Limit("rule r", ("run",), 1, 100.0), Limit("rule u", ("user",), 60, 100.0), Limits()
    assert all(take(limits, [at(run, number), at(user, "ann")], 0.0) for number in range(60))
    assert len(limits) == 51
    assert not take(limits, [at(run, 61), at(user, "ann")], 0.0)
    assert not take(limits, [at(run, 59)], 0.0)


def test_whose_counts_a_call_takes_part_in() -> None:
    principal = SimpleNamespace(id="p", agent="a", user="", roles={"y", "x"})
    call: Any = SimpleNamespace(
        principal=principal, run=SimpleNamespace(id="r"), tool=SimpleNamespace(name="crm.get", backend="crm")
    )
    whole = Limit("rule r", ("agent", "backend", "run", "tool", "user"), 1)
    assert [place.key[3:] for place in Counts([whole]).places(call)] == [("a", "crm", ("p", "r"), "crm.get", "")]
    assert [place.key[3:] for place in Counts([Limit("rule r", ("principal", "role"), 1)]).places(call)] == [
        ("p", "x"),
        ("p", "y"),
    ]
    principal.roles = set()
    assert [place.key[3:] for place in Counts([Limit("rule r", ("role",), 1)]).places(call)] == [("",)]
    assert Counts([Limit("rule r", (), 1)]).places(call)[0].key == ("rule r", (), 0.0)

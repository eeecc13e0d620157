"""Which runs a mark is about, and that a cancel of somebody else is not taken for ours."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.protocols.ordered import DOOR
from proxy.record import Record
from proxy.stops.halts import Halts, Mark


def entry(principal: str = "ann", run: str = "r1", door: str = "d", *, sent: bool = False) -> Entry:
    record = Record(call="c", started_ns=0, door=door)
    record.principal, record.run = principal, run
    return cast(Entry, SimpleNamespace(record=record, sent=sent, halted=False))


@pytest.mark.parametrize(
    ("mark", "hit"),
    [(Mark("ann", "r1"), True), (Mark("", "r1"), True), (Mark("ann", ""), True), (Mark("bob", "r1"), False),
     (Mark("ann", "r2"), False), (Mark("", "r2"), False), (Mark("bob", ""), False)],
)  # fmt: skip
def test_which_run_is_meant(mark: Mark, hit: bool) -> None:
    halts = Halts()
    halts.marks = frozenset({mark})
    assert halts.revoked("ann", "r1") == mark.covers("ann", "r1") == hit
    assert (halts.why(entry().record) is not None) == hit
    assert halts.why(entry(door=DOOR).record) is None
    halts.stopped = "a test"
    assert halts.why(entry(door=DOOR).record) is not None


@pytest.mark.parametrize(
    ("mark", "hit"),
    [(Mark("bot", ""), True), (Mark("bot", "r1"), True), (Mark("bot for ann", ""), True),
     (Mark("bot for bob", ""), False), (Mark("ann", ""), False), (Mark("bot", "r2"), False), (Mark("bo", ""), False)],
)  # fmt: skip
def test_who_is_revoked_does_nothing_for_others_either(mark: Mark, hit: bool) -> None:
    halts = Halts()
    halts.marks = frozenset({mark})
    assert halts.revoked("bot for ann", "r1") == mark.covers("bot for ann", "r1") == hit


def test_a_call_ends_by_a_refusal_where_it_waits() -> None:
    async def play() -> None:
        halts, one = Halts(), entry()

        async def call() -> None:
            with halts.watch(one):
                await asyncio.sleep(10)

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        halts.stopped = "a test"
        halts.apply()
        halts.apply()  # twice is once
        with pytest.raises(Refusal) as refused:
            await task
        assert (refused.value.code, task.cancelling(), halts.busy()) == ("denied", 0, set())

    asyncio.run(play())


def test_who_left_at_the_same_moment_has_left() -> None:
    async def play(first: str) -> None:
        halts = Halts()

        async def call() -> None:
            with halts.watch(entry()):
                await asyncio.sleep(10)

        task: asyncio.Task[Any] = asyncio.create_task(call())
        await asyncio.sleep(0)
        halts.stopped = "a test"
        for each in (task.cancel, halts.apply) if first == "left" else (halts.apply, task.cancel):
            each()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play("left"))
    asyncio.run(play("stopped"))


def test_what_was_sent_goes_on_and_knows_that_nothing_more_is() -> None:
    async def play() -> None:
        halts, one = Halts(), entry(sent=True)
        with halts.watch(one):
            halts.stopped = "a test"
            halts.apply()
            await asyncio.sleep(0)
        assert one.halted

    asyncio.run(play())


def test_a_cancel_that_somebody_swallowed_is_a_refusal_all_the_same() -> None:
    async def play() -> None:
        halts = Halts()

        async def call() -> None:
            with halts.watch(entry()):
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    raise KeyError from None

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        halts.stopped = "a test"
        halts.apply()
        with pytest.raises(Refusal):
            await task

    asyncio.run(play())

"""Places: never more than there are, a queue with bounds, and nobody's place is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from proxy.places import Full, Places
from rules.terms import Bulkhead


def play(scene: Callable[[Places], Awaitable[None]], at_once: int = 2, queue: int = 2, wait_s: float = 0.2) -> None:
    async def whole() -> None:
        places = Places(Bulkhead(at_once, queue, wait_s))
        await scene(places)
        assert (places.taken, places.waiting) == (0, 0)

    asyncio.run(whole())


def test_places_are_taken_at_once_while_there_are_any() -> None:
    async def scene(places: Places) -> None:
        assert places.take()
        assert places.take()
        assert not places.take()
        places.give()
        assert places.take()
        places.give()
        places.give()

    play(scene)


def test_who_waits_is_served_in_order() -> None:
    async def scene(places: Places) -> None:
        assert places.take()
        order: list[int] = []

        async def one(number: int) -> None:
            await places.wait()
            order.append(number)
            places.give()

        tasks = [asyncio.create_task(one(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert places.waiting == 3
        places.give()
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2]

    play(scene, at_once=1, queue=3)


def test_a_full_queue_and_a_queue_that_does_not_move_refuse() -> None:
    async def scene(places: Places) -> None:
        assert places.take()
        waiting = asyncio.create_task(places.wait())
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await places.wait()
        with pytest.raises(Full):
            await waiting
        places.give()

    play(scene, at_once=1, queue=1)


def test_while_more_come_than_fit_a_quarter_as_many_wait_as_there_are_places() -> None:
    async def scene(places: Places) -> None:
        async def come() -> bool:
            try:
                await places.wait()
            except Full:
                return False
            await asyncio.sleep(0.001)
            places.give()
            return True

        for let in (8, 2):  # before somebody was refused, and after
            assert all(places.take() for _ in range(8))
            crowd = [asyncio.create_task(come()) for _ in range(10)]
            await asyncio.sleep(0)
            assert places.waiting == let
            for _ in range(8):
                places.give()
            assert [await each for each in crowd] == [True] * let + [False] * (10 - let)

    play(scene, at_once=8, queue=8)


def test_no_queue_at_all() -> None:
    async def scene(places: Places) -> None:
        assert places.take()
        with pytest.raises(Full):
            await places.wait()
        places.give()

    play(scene, at_once=1, queue=0)


def test_who_leaves_the_queue_takes_no_place_with_them() -> None:
    async def scene(places: Places) -> None:
        assert places.take()
        gone, stays = asyncio.create_task(places.wait()), asyncio.create_task(places.wait())
        await asyncio.sleep(0)
        places.give()  # the place is on its way to the first, who leaves at that very moment
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await asyncio.wait_for(stays, 1)
        places.give()

    play(scene, at_once=1)


def test_a_crowd_in_disorder_never_exceeds_the_places_and_loses_none() -> None:
    dice = random.Random(11)

    async def scene(places: Places) -> None:
        inside = most = 0

        async def one() -> None:
            nonlocal inside, most
            try:
                if not places.take():
                    await places.wait()
            except Full:
                return
            inside += 1
            most = max(most, inside)
            try:
                await asyncio.sleep(dice.random() * 0.004)
            finally:
                inside -= 1
                places.give()

        tasks = []
        for turn in range(600):
            tasks.append(asyncio.create_task(one()))
            if dice.random() < 0.3:
                tasks[dice.randrange(len(tasks))].cancel()
            if turn % 5 == 0:
                await asyncio.sleep(dice.random() * 0.003)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most == 5

    play(scene, at_once=5, queue=10, wait_s=0.01)


def test_who_leaves_just_as_a_place_is_given_leaves_as_ever() -> None:
    async def scene(places: Places) -> None:
        assert places.take()
        waiting = asyncio.create_task(places.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        places.give()  # before the one who waits has a turn to go
        with pytest.raises(asyncio.CancelledError):
            await waiting

    play(scene, at_once=1)

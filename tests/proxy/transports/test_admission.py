"""Admission: who waits for answers is slowed down and never refused; when more want in than fit, most are refused at
once, and what is let in waits for little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from proxy.transports.admission import LET_IN, REFUSED, SHORT, Admission


async def asked(door: Admission) -> bool:
    return door.take() or await door.wait()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def run(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(play())


def test_a_few_are_let_in_at_each_turn_in_their_order() -> None:
    async def play() -> None:
        door, let_in = Admission(most_calls=100), list[int]()

        async def come(number: int) -> None:
            assert await asked(door)
            let_in.append(number)

        many = [asyncio.create_task(come(number)) for number in range(20)]
        await turns(1)
        assert let_in == list(range(LET_IN))
        seen = []
        while len(let_in) < 20:
            before = len(let_in)
            await turns(1)
            seen.append(len(let_in) - before)
        assert let_in == list(range(20))
        assert max(seen) == LET_IN
        await asyncio.gather(*many)
        await turns(2)
        assert door.take()  # and nobody waits where nobody is before them

    run(play)


def test_agents_that_wait_for_their_answers_are_never_refused() -> None:
    async def play() -> None:
        door, refused = Admission(most_calls=64), 0

        async def agent() -> None:
            nonlocal refused
            for _ in range(20):
                if not await asked(door):
                    refused += 1
                    continue
                door.calls += 1
                await turns(3)
                door.calls -= 1

        await asyncio.gather(*(agent() for _ in range(64)))
        assert refused == 0

    run(play)


def test_no_more_calls_than_the_bound() -> None:
    async def play() -> None:
        door = Admission(most_calls=2)
        door.calls = 2
        assert door.is_full
        assert not await asked(door)
        assert await door.wait(counted=True)  # who is among them takes nobody's place
        door.calls = 1
        assert await asked(door)

    run(play)


def test_when_more_want_in_than_fit_most_are_refused_at_once_and_a_few_wait_for_little() -> None:
    async def play() -> None:
        door = Admission(most_calls=50)
        first = await asyncio.gather(*(asked(door) for _ in range(LET_IN + 50 + 10)))
        assert first == [True] * (LET_IN + 50) + [False] * 10
        # What came when it was calm was let in however long it took. From now on only few may wait.
        again = await asyncio.gather(*(asked(door) for _ in range(40)))
        assert again.count(True) == LET_IN + SHORT
        assert again[: LET_IN + SHORT] == [True] * (LET_IN + SHORT)

    run(play)


def test_refusing_takes_its_turns_as_well() -> None:
    async def play() -> None:
        door, told = Admission(most_calls=1), list[bool]()
        door.calls = 1

        async def come() -> None:
            told.append(await asked(door))

        many = [asyncio.create_task(come()) for _ in range(40)]
        await turns(1)
        assert told == [False] * REFUSED
        await turns(2)
        assert len(told) <= 2 * REFUSED
        await asyncio.gather(*many)
        assert told == [False] * 40

    run(play)


def test_an_agent_that_leaves_holds_up_nobody() -> None:
    async def play() -> None:
        door = Admission(most_calls=100)
        gone = [asyncio.create_task(asked(door)) for _ in range(30)]
        await turns(1)
        for each in gone:
            each.cancel()
        await asyncio.wait(gone)
        assert [await asked(door) for _ in range(3)] == [True] * 3

    run(play)

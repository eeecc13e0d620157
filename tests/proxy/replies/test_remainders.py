"""What shaping left out, in memory: bounded in number, in bytes and in time, and for its owner alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from proxy.replies.remainders import MOST_PARTS, PATH, Kept, Owner, Remainders, RestBounds
from redaction.shaping import UNBOUNDED, Part

ANN = Owner("ann", "r1", "rev")


def kept(text: str = "x", owner: Owner = ANN, parts: int = 1) -> Kept:
    return Kept(owner, "c1", text, True, UNBOUNDED, {at: Part(at, at + 1, 1, False) for at in range(parts)})


def play(part: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(part())


def put(remainders: Remainders, one: Kept) -> str:
    handle, _ = remainders.fresh(b"")
    remainders.keep(handle, one)
    return handle


@pytest.mark.parametrize("other", [ANN._replace(principal="bob"), ANN._replace(run="r2"), ANN._replace(revision="new")])
def test_only_its_owner_finds_it(other: Owner) -> None:
    async def part() -> None:
        remainders = Remainders()
        handle = put(remainders, one := kept())
        assert remainders.find(handle, ANN) is one
        assert remainders.find(handle, other) is None
        assert remainders.find(handle + "x", ANN) is None

    play(part)


def test_handles_cannot_be_guessed_and_never_come_twice() -> None:
    remainders = Remainders()
    handles = {remainders.fresh(b"")[0] for _ in range(10_000)}
    assert len(handles) == 10_000
    assert {len(each) for each in handles} == {22}
    assert remainders.fresh(b"")[1].prefix.startswith(f"GET {PATH}")


def test_ten_thousand_handles_stay_within_the_bounds() -> None:
    async def part() -> None:
        remainders = Remainders(RestBounds(most_run=50, most=400, most_run_bytes=1 << 20, most_bytes=4 << 20))
        handles = [put(remainders, kept("x" * 20_000, ANN._replace(run=f"r{number % 60}"))) for number in range(10_000)]
        assert remainders.size <= 4 << 20
        assert remainders.count <= 400
        found = [remainders.find(each, ANN._replace(run=f"r{number % 60}")) for number, each in enumerate(handles)]
        assert all(found[-100:])
        assert not any(found[:-400])

    play(part)


def test_one_run_does_not_push_others_out() -> None:
    async def part() -> None:
        remainders = Remainders(RestBounds(most_run=10))
        other = put(remainders, kept(owner=ANN._replace(run="r2")))
        mine = [put(remainders, kept()) for _ in range(1_000)]
        assert remainders.count == 11
        assert remainders.find(other, ANN._replace(run="r2"))
        assert [bool(remainders.find(each, ANN)) for each in mine[-11:]] == [False, *[True] * 10]

    play(part)


def test_bytes_are_counted_to_nothing() -> None:
    async def part() -> None:
        remainders = Remainders(RestBounds(rest_s=0.05))
        for number in range(20):
            handle = put(remainders, one := kept("é" * number, ANN._replace(run=str(number % 3))))
            remainders.extend(handle, one, [Part(7, 9, 1, False), Part(0, 1, 1, False)])
        assert remainders.size > 0
        await asyncio.sleep(0.2)
        remainders.extend(handle, one, [Part(8, 9, 1, False)])
        assert (remainders.count, remainders.size) == (0, 0)

    play(part)


def test_it_expires_by_itself_and_what_is_younger_stays() -> None:
    async def part() -> None:
        remainders = Remainders(RestBounds(rest_s=0.3))
        old = put(remainders, kept())
        await asyncio.sleep(0.2)
        young = put(remainders, kept())
        await asyncio.sleep(0.15)
        assert (remainders.find(old, ANN), remainders.count) == (None, 1)
        assert remainders.find(young, ANN)

    play(part)


def test_what_is_too_large_to_be_kept_gets_no_links() -> None:
    remainders = Remainders(RestBounds(most_run_bytes=1_000))
    assert remainders.fresh(b"x" * 999)[1].room == MOST_PARTS
    assert remainders.fresh(b"x" * 1_000)[1].room == 0
    assert remainders.fresh("é".encode() * 200)[1].room == 0


def test_parts_have_their_bound() -> None:
    async def part() -> None:
        remainders = Remainders()
        handle = put(remainders, one := kept(parts=MOST_PARTS - 1))
        assert remainders.links(handle, one).room == 1
        remainders.extend(handle, one, [Part(MOST_PARTS, MOST_PARTS + 1, 1, False)])
        assert remainders.links(handle, one).room == 0

    play(part)


def test_no_text_in_its_repr() -> None:
    assert "canary" not in repr(kept("canary"))

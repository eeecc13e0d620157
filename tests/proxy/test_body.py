"""Bodies: bounded when read, closed on every path, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from proxy.body import Body, TooLong


async def pieces(ends: list[str], *parts: bytes) -> AsyncGenerator[bytes, None]:
    try:
        for part in parts:
            yield part
    finally:
        ends.append("pieces")


def body_of(ends: list[str], *parts: bytes) -> Body:
    async def close() -> None:
        ends.append("source")

    return Body(pieces(ends, *parts), close)


def test_reading_up_to_the_last_byte_that_is_allowed() -> None:
    assert asyncio.run(body_of([], b"ab", b"", b"c").read(3)) == b"abc"
    assert asyncio.run(Body.of(b"abc").read(3)) == b"abc"
    for body in (body_of([], b"ab", b"c"), Body.of(b"abc")):
        with pytest.raises(TooLong):
            asyncio.run(body.read(2))


def test_closing_in_the_middle_closes_what_it_comes_from() -> None:
    async def play() -> None:
        ends: list[str] = []
        async with body_of(ends, b"a", b"b") as body:
            async for _ in body:
                break
        assert ends == ["pieces", "source"]
        await body.close()
        assert ends == ["pieces", "source"]

    asyncio.run(play())


async def fail(body: Body) -> None:
    async with body:
        async for _ in body:
            raise ZeroDivisionError


def test_closing_after_an_error() -> None:
    async def play() -> None:
        ends: list[str] = []
        with pytest.raises(ZeroDivisionError):
            await fail(body_of(ends, b"a"))
        assert ends == ["pieces", "source"]

    asyncio.run(play())


def test_a_whole_body_is_one_piece() -> None:
    async def play(data: bytes) -> list[bytes]:
        return [piece async for piece in Body.of(data)]

    assert asyncio.run(play(b"abc")) == [b"abc"]
    assert asyncio.run(play(b"")) == []


def test_what_is_to_be_done_when_it_is_closed_is_done_once_and_last() -> None:
    done = []

    async def close() -> None:
        done.append("closed")
        raise RuntimeError

    async def play() -> None:
        body = Body(None, close)
        body.when_closed(lambda: done.append("then"))
        with pytest.raises(RuntimeError):
            await body.close()
        await body.close()

    asyncio.run(play())
    assert done == ["closed", "then"]

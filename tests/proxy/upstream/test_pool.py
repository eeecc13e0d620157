"""The pool of connections, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network

import pytest

from proxy.upstream.pool import Line, Pool, Shape, UpstreamBounds
from rules.tools import Backend
from rules.urls import Url
from tests.wire import perform

READ = Shape(bodiless=False, first_s=5.0, idle_s=5.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


@asynccontextmanager
async def pool(bounds: UpstreamBounds, serve: Serve = answer) -> AsyncIterator[Pool]:
    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    serving: list[asyncio.Task[None] | None] = []

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    backend = Backend("b", Url("http", "127.0.0.1", port, ""), (ip_network("127.0.0.0/8"),))
    made = Pool(backend, bounds)
    try:
        yield made
    finally:
        await made.close()
        server.close()
        for task in filter(None, serving):
            task.cancel()
            await task


async def asked(line: Line) -> bytes:
    line.expect(READ, 8192)
    line.transport.write(b"GET / HTTP/1.1\r\n\r\n")
    _, payload = await line.protocol.read()
    return await payload.read()


def test_a_connection_is_used_again_with_its_parser() -> None:
    async def play() -> None:
        async with pool(UpstreamBounds()) as p:
            first = await p.take()
            assert p.busy()
            assert await asked(first) == b"ok"
            p.give(first)
            assert not p.busy()
            again = await p.take()
            assert again is first
            assert await asked(again) == b"ok"
            p.give(again)

    perform(play())


def test_a_connection_that_was_dropped_is_not_used_again() -> None:
    async def play() -> None:
        async with pool(UpstreamBounds()) as p:
            first = await p.take()
            p.drop(first)
            assert not first.usable()
            second = await p.take()
            assert second is not first
            p.give(second)

    perform(play())


def test_a_backend_that_says_more_than_it_was_asked_is_not_listened_to() -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(OK.replace(b"ok", b"no"))  # an answer to a question that somebody else will ask
        await reader.read()

    async def play() -> None:
        async with pool(UpstreamBounds(), chatty) as p:
            first = await p.take()
            assert await asked(first) == b"ok"
            p.give(first)
            while first.usable():
                await asyncio.sleep(0.01)
            second = await p.take()
            assert second is not first
            assert await asked(second) == b"ok"
            p.give(second)

    perform(play())


def test_a_backend_that_answers_before_it_read_all_gets_the_next_request_elsewhere() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"POST" in await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)
            await asyncio.sleep(5)  # it reads no more
        writer.write(OK)
        await reader.read()

    async def play() -> None:
        async with pool(UpstreamBounds(), hasty) as p:
            first = await p.take()
            first.transport.write(b"POST / HTTP/1.1\r\nContent-Length: 40000000\r\n\r\n" + bytes(40_000_000))
            assert await asked(first) == b"ok"
            p.give(first)
            second = await p.take()
            assert second is not first
            assert await asked(second) == b"ok"
            p.give(second)

    perform(play())


def test_more_than_so_many_wait_for_a_place_and_not_for_ever() -> None:
    async def play() -> None:
        async with pool(UpstreamBounds(most_connections=1, connect_s=0.2)) as p:
            first = await p.take()
            with pytest.raises(TimeoutError):
                await p.take()
            waiting = asyncio.create_task(p.take())
            await asyncio.sleep(0)
            p.give(first)
            assert await waiting is first
            p.give(first)

    perform(play())


def test_what_is_idle_for_long_is_closed() -> None:
    async def play() -> None:
        async with pool(UpstreamBounds(keepalive_s=0.1)) as p:
            lines = [await p.take() for _ in range(3)]
            for line in lines:
                p.give(line)
            for _ in range(200):
                await asyncio.sleep(0.02)
                if not any(line.usable() for line in lines):
                    return
            raise AssertionError("they are still open")

    perform(play())


def test_a_closed_pool_keeps_nothing() -> None:
    async def play() -> None:
        async with pool(UpstreamBounds()) as p:
            under_way, idle = await p.take(), await p.take()
            p.give(idle)
            await p.close()
            assert not idle.usable()
            p.give(under_way)
            assert not under_way.usable()

    perform(play())

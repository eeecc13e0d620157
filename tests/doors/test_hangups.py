"""Agents that leave: the backend is let go within a second, and exactly one Record says so (F25)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Stage, Wall, answering, perform, reply, wall

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 90000\r\n\r\n"


async def one_more_record(w: Wall, within_s: float = 1.0) -> dict[str, Any]:
    """The Record that comes within a second; no other comes after it."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(within_s):
        while not found:
            await asyncio.sleep(0.01)
            found = w.news()
    await asyncio.sleep(0.1)
    found += w.news()
    assert len(found) == 1
    return found[0]


async def leave(writer: asyncio.StreamWriter, rudely: bool) -> None:
    """Close, or reset the connection."""
    if rudely:
        writer.transport.abort()
    else:
        writer.close()
    await asyncio.sleep(0)


async def silence(_: bytes) -> bytes:
    await asyncio.sleep(3)
    return reply()


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize("part", [0, 1, 30])
def test_before_the_request_is_whole(door: Stage, part: int, rudely: bool) -> None:
    async def play(w: Wall) -> None:
        w.news()
        before = len(w.backend.requests)
        _, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/things/7")[:part])
        await asyncio.sleep(0.02)
        await leave(writer, rudely)
        await asyncio.sleep(0.1)
        assert w.news() == []  # it never was a call
        assert len(w.backend.requests) == before

    door.run(play)


@pytest.mark.parametrize("rudely", [False, True])
def test_in_the_middle_of_its_body(door: Stage, rudely: bool) -> None:
    async def play(w: Wall) -> None:
        w.news()
        before = len(w.backend.requests)
        _, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("POST", "/crm/things", b'{"name": "a"}')[:-3])
        await asyncio.sleep(0.05)
        await leave(writer, rudely)
        record = await one_more_record(w)
        assert record["outcome"] == "client_gone"
        assert record["executed"] == "no"
        assert record["tool"] == "crm.put"
        assert len(w.backend.requests) == before

    door.run(play)


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize(("method", "path"), [("GET", "/crm/things/7"), ("POST", "/crm/any"), ("GET", "/crm/raw")])
def test_while_the_backend_is_silent(door: Stage, method: str, path: str, rudely: bool) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = silence
        w.news()
        before = len(w.backend.requests)
        _, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw(method, path, b"{}" if method == "POST" else b""))
        while len(w.backend.requests) == before:
            await asyncio.sleep(0.01)
        await leave(writer, rudely)
        await w.backend.hung_up_on()
        record = await one_more_record(w)
        assert record["outcome"] == "client_gone"
        assert record["executed"] == "unknown"
        assert record["attempts"] == 1
        assert len(w.backend.requests) == before + 1

    door.run(play)


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize("path", ["/crm/raw", "/crm/lax"])
def test_in_the_middle_of_a_reply(door: Stage, path: str, rudely: bool) -> None:
    async def slowly(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield HEAD + b"a" * 1_000
            for _ in range(30):
                await asyncio.sleep(0.1)
                yield b"a" * 1_000

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = slowly
        w.news()
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", path))
        if path == "/crm/raw":
            await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.15)
        await leave(writer, rudely)
        await w.backend.hung_up_on()
        record = await one_more_record(w)
        assert record["outcome"] == "client_gone"
        assert record["executed"] == "unknown"

    door.run(play)


def test_between_two_calls_nobody_is_missed(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.news()
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/things/7").replace(b"Connection: close\r\n", b""))
        await reader.readuntil(b'{"ok":true}')
        await leave(writer, rudely=False)
        assert (await one_more_record(w))["outcome"] == "ok"

    door.run(play)


def test_with_more_requests_in_the_pipe(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = silence
        w.news()
        before = len(w.backend.requests)
        _, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/things/7").replace(b"Connection: close\r\n", b"") * 5)
        while len(w.backend.requests) == before:
            await asyncio.sleep(0.01)
        await leave(writer, rudely=False)
        assert (await one_more_record(w))["outcome"] == "client_gone"
        assert len(w.backend.requests) == before + 1

    door.run(play)


def test_an_agent_that_never_reads_is_not_waited_for(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b'"' + b"x" * 3_000_000 + b'"'))
        w.news()
        reader, writer = await asyncio.open_connection(*w.address, limit=1)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(w.raw("GET", "/crm/things/7"))
        assert (await one_more_record(w, within_s=3.0))["outcome"] == "ok"
        assert (await w.tell("GET", "/crm/things/8")).reply.status == 200
        await leave(writer, rudely=True)

    door.run(play)


def test_many_who_leave_leave_nothing_behind(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = silence
        before = len(asyncio.all_tasks())
        w.news()
        for _ in range(20):
            _, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("GET", "/crm/things/7"))
            await asyncio.sleep(0.01)
            await leave(writer, rudely=True)
        await asyncio.sleep(0.5)
        assert [record["outcome"] for record in w.news()] == ["client_gone"] * 20
        w.backend.answer = answering(reply())
        assert (await w.tell("GET", "/crm/things/8")).reply.status == 200
        serving = [task for task in asyncio.all_tasks() if "serve" in repr(task.get_coro())]
        assert len(asyncio.all_tasks()) - len(serving) <= before + 2

    door.run(play)


def test_an_agent_that_reads_nothing_of_a_stream_loses_its_place(tmp_path: Path) -> None:
    async def endless(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
            for _ in range(10_000):
                yield b"x" * 100_000

        return pieces()

    tools = '  raw: {says: "A stream.", call: "GET /raw", reply: {redact: "off", most_bytes: 4GiB}}'

    async def play() -> None:
        async with wall(tmp_path, tools, answer=endless, config="bounds: {idle: 500ms}") as w:
            reader, writer = await asyncio.open_connection(*w.address, limit=1)
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(w.raw("GET", "/crm/raw"))
            while not w.backend.requests:
                await asyncio.sleep(0.01)
            await w.backend.hung_up_on(within_s=10)
            assert [record["outcome"] for record in w.records()] == ["client_gone"]
            await leave(writer, rudely=True)

    perform(play())

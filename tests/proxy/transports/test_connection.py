"""Connections: those that say nothing whole make room, and one that stops takes no more calls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.doors import house
from tests.wire import perform, wall


def test_connections_that_never_speak_make_room_for_others(tmp_path: Path) -> None:
    async def play() -> None:
        config = "bounds: {most_connections: 20, idle: 60s}\n"
        async with wall(tmp_path, house.TOOLS, house.POLICY, config=config) as w:
            kept_reader, kept = await asyncio.open_connection(*w.address)
            again = f"GET /crm/things/7 HTTP/1.1\r\nHost: {w.host}\r\n\r\n".encode()
            kept.write(again)
            await kept_reader.readuntil(b'{"ok":true}')
            silent = [await asyncio.open_connection(*w.address) for _ in range(60)]
            for _, writer in silent:
                writer.write(b"GET /crm/thi")
            await asyncio.sleep(0.1)
            for _ in range(5):
                assert (await w.call("GET", "/crm/things/7")).status == 200
            kept.write(again)  # an agent that called before keeps its place
            await asyncio.wait_for(kept_reader.readuntil(b'{"ok":true}'), 5)
            for _, writer in [*silent, (kept_reader, kept)]:
                writer.close()

    perform(play())


def test_where_all_are_busy_one_more_is_turned_away(tmp_path: Path) -> None:
    async def play() -> None:
        go_on = asyncio.Event()

        async def slowly(_: bytes) -> bytes:
            await go_on.wait()
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"

        config = "bounds: {most_connections: 3}\n"
        async with wall(tmp_path, house.TOOLS, house.POLICY, slowly, config) as w:
            calls = [asyncio.create_task(w.call("GET", "/crm/things/7")) for _ in range(3)]
            await asyncio.sleep(0.2)
            assert await w.send(w.raw("GET", "/crm/things/7")) == b""
            go_on.set()
            assert [(await call).status for call in calls] == [200] * 3

    perform(play())


def test_agents_that_hang_up_are_not_kept_in_mind(tmp_path: Path) -> None:
    async def play() -> None:
        config = "bounds: {most_connections: 5}\n"
        async with wall(tmp_path, house.TOOLS, house.POLICY, config=config) as w:
            request = f"GET /crm/things/7 HTTP/1.1\r\nHost: {w.host}\r\n\r\n".encode()
            for turn in range(60):
                reader, writer = await asyncio.open_connection(*w.address)
                writer.write(request * (1 + turn % 3))
                if turn % 2:
                    await reader.readuntil(b'{"ok":true}')
                writer.close()
            await asyncio.sleep(0.1)
            kept = [await asyncio.open_connection(*w.address) for _ in range(5)]
            for reader, writer in kept:
                writer.write(request)
                await asyncio.wait_for(reader.readuntil(b'{"ok":true}'), 5)
            assert all(not reader.at_eof() for reader, _ in kept)
            for _, writer in kept:
                writer.close()

    perform(play())

"""Bulkhead: a slow backend fills its own places and its own queue, and others are not disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from tests.wire import Reply, Wall, perform, reply, wall

TOOLS = """
  get: {says: "Read.", call: GET /get}
  put: {says: "Write.", call: POST /put, effect: write}
  raw: {says: "Stream.", call: GET /raw, reply: {redact: "off"}}
"""
KEYS = "bulkhead: {at_once: 2, queue: 3, wait: 400ms}\nretry: {attempts: 1}"


class Gate:
    """A backend that answers when it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = self.most = 0

    async def answer(self, _: bytes) -> bytes:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.open.wait()
        await asyncio.sleep(0.01)
        self.inside -= 1
        return reply()


def kinds(answers: list[Reply]) -> list[tuple[int, str]]:
    return sorted((each.status, each.headers.get("toolwall-refused", "")) for each in answers)


def test_so_many_at_once_so_many_wait_and_others_hear_so_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        gate = Gate()
        async with wall(tmp_path, TOOLS, answer=gate.answer, backend_keys=KEYS) as w:
            calls = [asyncio.create_task(w.call("POST", "/crm/put", b"{}")) for _ in range(8)]
            done, _ = await asyncio.wait(calls, timeout=0.2)
            assert kinds([task.result() for task in done]) == [(429, "limit_reached")] * 3
            gate.open.set()
            assert kinds([await call for call in calls]) == [(200, "")] * 5 + [(429, "limit_reached")] * 3
            assert (gate.most, len(w.backend.requests)) == (2, 5)
            refused = [record for record in w.records() if record["outcome"] == "refused"]
            assert {(record["code"], record["executed"], record["attempts"]) for record in refused} == {
                ("limit_reached", "no", 0)
            }
            assert len(w.records("intent")) == 5  # nothing was about to happen for the others
            assert next(task for task in done).result().headers["retry-after"] == "1"

    perform(play())


def test_a_queue_that_does_not_move_is_left(tmp_path: Path) -> None:
    async def play() -> None:
        gate = Gate()
        async with wall(tmp_path, TOOLS, answer=gate.answer, backend_keys=KEYS) as w:
            holding = [asyncio.create_task(w.call("GET", "/crm/get")) for _ in range(2)]
            while len(w.backend.requests) < 2:
                await asyncio.sleep(0.01)
            told = await w.tell("GET", "/crm/get")
            assert (told.record["code"], told.reached) == ("limit_reached", [])
            assert 350 < told.record["total_ms"] < 1_500
            gate.open.set()
            assert kinds([await call for call in holding]) == [(200, "")] * 2

    perform(play())


async def endless(_: bytes) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"b\r\ndata: 123\n\n\r\n"
            await asyncio.sleep(0.02)

    return pieces()


def test_a_stream_holds_its_place_to_its_end_also_where_the_agent_leaves(tmp_path: Path) -> None:
    async def listen(w: Wall) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/raw"))
        await reader.readuntil(b"data: 123")
        return writer

    async def play() -> None:
        keys = "bulkhead: {at_once: 2, queue: 0}\nretry: {attempts: 1}"
        async with wall(tmp_path, TOOLS, answer=endless, backend_keys=keys) as w:
            for _ in range(3):
                agents = [await listen(w) for _ in range(2)]
                assert (await w.call("GET", "/crm/raw")).headers["toolwall-refused"] == "limit_reached"
                for agent in agents:
                    agent.close()
                await asyncio.sleep(0.2)

    perform(play())


def test_agents_that_leave_the_queue_take_no_place_with_them(tmp_path: Path) -> None:
    async def play() -> None:
        gate = Gate()
        async with wall(tmp_path, TOOLS, answer=gate.answer, backend_keys=KEYS) as w:
            for _ in range(20):
                agents = [await asyncio.open_connection(*w.address) for _ in range(5)]
                for _, writer in agents:
                    writer.write(w.raw("GET", "/crm/get"))
                await asyncio.sleep(0.02)
                for _, writer in agents:
                    writer.close()
                await asyncio.sleep(0.02)
            gate.open.set()
            await asyncio.sleep(0.2)
            calls = [asyncio.create_task(w.call("GET", "/crm/get")) for _ in range(5)]
            assert kinds([await call for call in calls]) == [(200, "")] * 5

    perform(play())

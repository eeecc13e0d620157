"""The reverse door, from bytes to an answer. Its refusals, its patience and its limits are played in tests/doors."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from tests.doors import house
from tests.wire import answering, perform, reply, wall


def test_an_allowed_read_reaches_the_backend_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.status == 200
            assert told.reply.json == {"ok": True}
            assert told.reply.headers["toolwall-call"] == told.record["call"]
            assert told.reply.headers["server"] == "toolwall"
            assert len(told.reached) == 1
            assert told.reached[0].startswith(b"GET /api/things/7 HTTP/1.1\r\n")
            assert told.record["outcome"] == "ok"
            assert told.record["executed"] == "yes"

    perform(play())


def test_a_usual_client_keeps_its_connection(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            wall(tmp_path, house.TOOLS, house.POLICY) as w,
            aiohttp.ClientSession(f"http://{w.host}", connector=aiohttp.TCPConnector(limit=1)) as agent,
        ):
            for number in range(1, 20):
                async with agent.get(f"/crm/things/{number}") as answer:
                    assert answer.status == 200
                    assert await answer.json() == {"ok": True}
                async with agent.post("/crm/things", json={"name": "a"}) as answer:
                    assert answer.status == 200
                async with agent.get("/crm/nothing") as answer:
                    assert (await answer.json())["code"] == "unknown_tool"
            assert len(w.records()) == 57

    perform(play())


def test_a_streamed_reply_ends_with_its_record(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            w.backend.answer = answering(reply(b"x" * 90_000, kind="application/octet-stream"))
            told = await w.tell("GET", "/crm/raw")
            assert told.reply.body == b"x" * 90_000
            assert told.record["bytes_in"] == told.record["bytes_out"] == 90_000
            assert told.record["outcome"] == "ok"
            w.backend.answer = answering(reply(b"", kind="application/octet-stream"))
            assert (await w.tell("GET", "/crm/raw")).reply.body == b""

    perform(play())


def test_calls_under_way_end_before_the_door_closes(tmp_path: Path) -> None:
    async def soon(_: bytes) -> bytes:
        await asyncio.sleep(0.2)
        return reply()

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, soon) as w:
            call = asyncio.create_task(w.call("POST", "/crm/any", b"{}"))
            while not w.backend.requests:
                await asyncio.sleep(0.01)
        assert (await call).status == 200
        assert w.records()[-1]["outcome"] == "ok"

    perform(play())

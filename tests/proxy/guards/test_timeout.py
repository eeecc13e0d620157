"""Timeout: the tool's own limit, to the last byte of a reply that is read whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from tests.doors import house
from tests.wire import perform, reply, wall


def test_a_reply_that_drips_ends_with_the_limit(tmp_path: Path) -> None:
    async def drip(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            for byte in reply(b'"' + b"x" * 200 + b'"'):
                yield bytes([byte])
                await asyncio.sleep(0.02)

        return pieces()

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, drip) as w:
            told = await w.tell("GET", "/crm/slow")
            assert told.record["code"] == "timeout"
            assert 250 < told.record["total_ms"] < 1_500
            await w.backend.hung_up_on()
            told = await w.tell("POST", "/crm/slow")
            assert told.record["code"] == told.record["outcome"] == "outcome_unknown"
            assert len(told.reached) == 1

    perform(play())


def test_the_limit_counts_for_each_call_anew(tmp_path: Path) -> None:
    async def soon(_: bytes) -> bytes:
        await asyncio.sleep(0.12)
        return reply()

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, soon) as w:
            for _ in range(4):
                told = await w.tell("GET", "/crm/slow")
                assert told.reply.status == 200
                assert "timeout" in told.record["checks"]

    perform(play())

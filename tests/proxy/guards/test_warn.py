"""A warning is counted in the Record and a metric, and the reply stays as it is."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

from tests.wire import Wall, answering, perform, reply, wall

TOKEN = "q7Zp2Vx9" + "Lm4Rt8Kd" + "W3nB6yHs"  # no vendor's, and in two halves where a stream is cut
TOOLS = """
  watched: {says: Read., call: GET /watched, reply: {warn: HIGH_ENTROPY}}
  raw: {says: Read., call: GET /raw, reply: {warn: HIGH_ENTROPY, redact: "off"}}
  other: {says: Read., call: GET /other}
"""


def test_on_the_wire_it_is_counted_and_nothing_is_changed(tmp_path: Path) -> None:
    body = json.dumps({"id": TOKEN, "to": "ann@example.com", "hash": "ab" * 32}).encode()
    cleaned = body.replace(b"ann@example.com", b"<EMAIL_ADDRESS>")

    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:
            w.backend.answer = answering(reply(body))
            for path, expected in (("watched", cleaned), ("raw", body), ("other", cleaned)):
                told = await w.tell("GET", f"/crm/{path}")
                assert told.reply.body == expected
                assert told.record.get("warnings", {}) == ({} if path == "other" else {"HIGH_ENTROPY": 1})
                assert ("warn" in told.record["checks"]) == (path != "other")
                assert TOKEN not in json.dumps(told.record)
                assert not any("warn" in name for name in told.reply.headers)
            assert await counted(w) == 2

    perform(play())


def test_on_the_wire_a_stream_is_watched_while_it_flows(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    pieces = [f"data: see {TOKEN[:9]}", f"{TOKEN[9:]} now\n\n", "data: done\n\n"]

    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:

            async def flow(_: bytes) -> AsyncIterator[bytes]:
                async def sent() -> AsyncIterator[bytes]:
                    yield head
                    for piece in pieces:
                        yield piece.encode()

                return sent()

            w.backend.answer = flow
            told = await w.tell("GET", "/crm/watched")
            assert told.reply.body.decode() == "".join(pieces)
            assert told.record["warnings"] == {"HIGH_ENTROPY": 1}

    perform(play())


async def counted(w: Wall) -> float:
    host, _, port = w.sidecar.admin.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    page = (await reader.read()).decode()
    writer.close()
    found = re.search(r'toolwall_warnings_total\{toolwall_kind="HIGH_ENTROPY"\} ([0-9.]+)', page)
    return float(found[1]) if found else 0.0

"""The reverse door, through its socket."""

import asyncio
from pathlib import Path

from tests.wire import Wall, wall

TOOLS = """
  get: {says: "Read one.", call: "GET /things/{id}", args: {id: {type: integer}}, effect: read}
  put: {says: "Write one.", call: "POST /things", args: {name: {type: string}}, effect: write}
"""


def test_an_allowed_read_reaches_the_backend_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:
            reply = await w.call("GET", "/crm/things/7")
            assert reply.status == 200
            assert reply.json == {"ok": True}
            assert len(w.backend.requests) == 1
            assert w.backend.requests[0].startswith(b"GET /api/things/7 HTTP/1.1\r\n")
            assert [record["outcome"] for record in w.records()] == ["ok"]

    asyncio.run(play())

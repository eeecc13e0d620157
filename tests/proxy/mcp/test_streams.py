"""Streams that are open have a bound, of a server and of each principal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.mcp.streams import MOST_OF_ONE, MOST_OF_SERVER, Streams
from tests.mcpwire import EVENTS, Client, Server, event, mcp_wall, notification, played


def test_nobody_takes_all_of_a_server() -> None:
    streams = Streams()
    closes = [streams.open("crm", "ann") for _ in range(MOST_OF_ONE)]
    with pytest.raises(Refusal):
        streams.open("crm", "ann")
    streams.open("erp", "ann")
    for number in range(MOST_OF_SERVER - MOST_OF_ONE):
        streams.open("crm", f"p{number}")
    with pytest.raises(Refusal) as caught:
        streams.open("crm", "bob")
    assert caught.value.code == "limit_reached"
    closes[0]()
    closes[0]()
    streams.open("crm", "bob")
    with pytest.raises(Refusal):
        streams.open("crm", "eve")


@played
async def test_a_stream_counts_until_its_client_leaves(tmp_path: Path) -> None:
    server = Server()

    async def lasting() -> Any:
        yield EVENTS + event(notification("message", level="info", data="begun"))
        await asyncio.sleep(30)

    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: lasting()
        opened = []
        head = [("Accept", "text/event-stream"), ("Mcp-Session-Id", client.session)]
        for _ in range(MOST_OF_ONE):
            reader, writer = await w.connect()
            writer.write(w.raw("GET", client.path, b"", head))
            await reader.readuntil(b"begun")
            opened.append(writer)
        no = await client.get()
        assert (no.status, no.json["error"]["data"]["code"]) == (429, "limit_reached")
        assert len(server.calls("GET")) == MOST_OF_ONE
        opened.pop().close()
        await w.backend.hung_up_on()
        await asyncio.sleep(0.05)
        server.says["GET"] = lambda _: b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"
        assert (await client.get()).status == 405
        assert (await client.get()).status == 405
        for writer in opened:
            writer.close()

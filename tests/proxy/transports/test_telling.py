"""Replies that begin before their call is over, through the socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import EVENTS, FOUND, Client, Server, answered, event, mcp_wall, notification, played, stream
from tests.wire import Wall


def told(heard: Any) -> Any:
    message = notification("message", level="info", data="mail ann@example.com")
    return stream(event(message), event(answered(heard, FOUND)))


def raw(w: Wall, client: Client, version: str = "1.1", *more: tuple[str, str]) -> bytes:
    message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
    sent = w.raw("POST", client.path, json.dumps(message).encode(), [*client.head(message), *more])
    return sent.replace(b"HTTP/1.1", b"HTTP/" + version.encode(), 1)


@played
async def test_the_connection_goes_on_behind_it(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = told
        reader, writer = await w.connect()
        for _ in range(2):
            writer.write(raw(w, client).replace(b"Connection: close\r\n", b""))
            said = await reader.readuntil(b"0\r\n\r\n")
            assert said.count(b"notifications/message") == 1
            assert b"Toolwall-Call: " in said
            assert b"<EMAIL_ADDRESS>" in said
        writer.close()


@played
async def test_a_client_that_takes_trailers_is_told_what_was_taken_out(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = told
        said = await w.send(raw(w, client, "1.1", ("TE", "trailers")))
        assert said.endswith(b"0\r\nToolwall-Redacted: EMAIL_ADDRESS=1\r\n\r\n")


@played
async def test_an_old_client_gets_it_without_chunks(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = told
        said = await w.send(raw(w, client, "1.0").replace(b"Connection: close\r\n", b""))
        head, _, body = said.partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert body.startswith(b"event: message\ndata: ")
        assert body.endswith(b"}\n\n")
        assert w.closed


@pytest.mark.parametrize("leaves", [False, True])
@played
async def test_a_client_that_reads_nothing_holds_up_the_server_alone(tmp_path: Path, leaves: bool) -> None:
    server = Server()

    async def endless(heard: Any) -> Any:
        yield EVENTS
        for _ in range(3000):
            yield event(notification("message", level="info", data="x" * 10_000))

    async with mcp_wall(tmp_path, server, keys="reply: {most_bytes: 67108864}", config="bounds: {idle: 300ms}") as w:
        client = await Client(w).begin()
        server.says["tools/call"] = endless
        reader, writer = await w.connect()
        writer.write(raw(w, client))
        await reader.readexactly(1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        if leaves:
            writer.transport.abort()
        async with asyncio.timeout(5):
            while not any(record["tool"] == "crm.find" for record in w.records()):
                await asyncio.sleep(0.05)
        record = next(record for record in w.records() if record["tool"] == "crm.find")
        writer.transport.abort()
        await asyncio.sleep(0)
        assert record["outcome"] == "client_gone"
        async with asyncio.timeout(5):
            while w.sidecar.firewall.regime.calls:  # the server is told
                await asyncio.sleep(0.01)

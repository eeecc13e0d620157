"""One message and its answer: taken up again where the server broke off, and given up in the end."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from proxy.mcp.exchange import listening
from tests.mcpwire import FOUND, Client, Server, event, last, mcp_wall, played, stream
from tests.wire import reply


def test_a_stream_is_taken_up_without_what_belongs_to_a_message() -> None:
    sent = (
        ("accept", "application/json"), ("content-type", "application/json"), ("mcp-method", "tools/call"),
        ("mcp-name", "x"), ("mcp-param-a", "y"), ("mcp-session-id", "s"), ("authorization", "z"),
    )  # fmt: skip
    assert listening(sent) == (("accept", "text/event-stream"), ("mcp-session-id", "s"), ("authorization", "z"))


@pytest.mark.parametrize("again", ["404 Not Found", "405 Method Not Allowed", "200 OK"])
@played
async def test_a_stream_that_cannot_be_taken_up_is_lost(tmp_path: Path, again: str) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = lambda _: stream(b"retry: 1\n" + event(b"", "a"))
        server.says["GET"] = lambda _: reply(b"{}", status=again)
        for tool, code in (("find", "upstream_unreachable"), ("drop", "outcome_unknown")):
            said = last(await client.call(tool, **({"text": "x"} if tool == "find" else {})))
            assert said["result"]["_meta"]["toolwall/refusal"]["code"] == code


@played
async def test_a_server_that_breaks_off_for_ever_is_given_up(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = server.says["GET"] = lambda _: stream(b"retry: 0\n" + event(b"", "a"))
        said = last(await client.call("find", text="x"))
        assert said["result"]["_meta"]["toolwall/refusal"]["code"] == "upstream_unreachable"
        assert len(server.calls("GET")) == 50


@played
async def test_an_answer_that_is_compressed_is_read(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = lambda heard: reply(
            gzip.compress(json.dumps({"jsonrpc": "2.0", "id": heard.message["id"], "result": FOUND}).encode()),
            "Content-Encoding: gzip",
        )
        assert last(await client.call("find", text="x"))["result"] == FOUND
        server.says["tools/call"] = lambda _: reply(b"no gzip", "Content-Encoding: gzip")
        assert last(await client.call("find", text="x"))["result"]["isError"] is True


@played
async def test_the_endpoint_may_be_the_root_of_a_server(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        rules = tmp_path / "rules" / "crm.yaml"
        rules.write_text(rules.read_text().replace("/api", ""))
        before = w.sidecar.firewall.regime
        w.sidecar.reloader.reload()
        while w.sidecar.firewall.regime is before:
            await asyncio.sleep(0.01)
        assert last(await Client(w, modern=True).call("find", text="x"))["result"] == FOUND
        assert server.calls("tools/call")[0].raw.startswith(b"POST / HTTP/1.1\r\n")

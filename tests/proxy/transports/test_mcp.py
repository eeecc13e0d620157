"""MCP at the door, through the socket: first what reaches nobody, then what is answered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import EVENTS, FOUND, MODERN, Client, Server, answered, event, events, last, mcp_wall, played
from tests.wire import Reply, reply


def good(**more: Any) -> bytes:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "find", "arguments": {"text": "x"}}}
    return json.dumps({**call, **more}).encode()


BAD = {
    "a batch": b"[" + good() + b"]",
    "a batch behind spaces": b" \n\t[" + good() + b"," + good() + b"]",
    "an empty batch": b"[]",
    "a mark of byte order": b"\xef\xbb\xbf" + good(),
    "a key twice": good().replace(b'"id"', b'"method":"ping","id"'),
    "a name twice": good().replace(b'"name"', b'"name":"drop","name"'),
    "a key in another case": good().replace(b'"name"', b'"Name":"drop","name"'),
    "an argument twice": good().replace(b'"text"', b'"text":"y","text"'),
    "NaN": good().replace(b'"x"', b"NaN"),
    "no id that counts": good(id=None),
    "a fraction": good(id=1.5),
    "more members": good(more=1),
    "half": good()[:-2],
    "nothing": b"",
    "text": b"hello",
}


@played
async def test_what_could_be_read_in_two_ways_reaches_nothing(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        for name, body in BAD.items():
            said = await w.call("POST", "/crm/mcp", body, [("Content-Type", "application/json")])
            assert said.status == 400, name
            assert said.json["error"]["code"] in (-32700, -32600, -32602), name
        assert server.heard == []
        assert [record["code"] for record in w.records()] == ["bad_request"] * len(BAD)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Mcp-Method", "tools/list"),
        ("Mcp-Name", "drop"),
        ("Mcp-Name", "=?base64?ZHJvcA==?="),
        ("MCP-Protocol-Version", "2025-11-25"),
        ("Mcp-Method", ""),
        ("Mcp-Name", ""),
    ],
)
@played
async def test_a_head_that_says_something_else_reaches_nothing(tmp_path: Path, header: str, value: str) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = Client(w, modern=True)
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        head = [(name, value if name == header else said) for name, said in client.head(message)]
        head = [(name, said) for name, said in head if said]
        said = await w.call("POST", "/crm/mcp", json.dumps(message).encode(), head)
        assert (said.status, said.json["error"]["code"], said.json["id"]) == (400, -32020, 1)
        assert server.heard == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS"])
@played
async def test_other_methods_are_not_served(tmp_path: Path, method: str) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        said = await w.call(method, "/crm/mcp")
        assert said.status == 405
        assert said.headers["allow"] == "POST, GET, DELETE"
        assert server.heard == []


@played
async def test_a_page_of_a_browser_and_a_foreign_host_reach_nothing(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        foreign = await w.call("POST", "/crm/mcp", good(), [("Origin", "http://evil.example")])
        assert foreign.status in (400, 403)
        raw = w.raw("POST", "/crm/mcp", good()).replace(w.host.encode(), b"evil.example")
        assert Reply.parse(await w.send(raw)).status == 400
        assert server.heard == []


@played
async def test_methods_that_are_not_on_the_list_reach_nothing(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        for client in (await Client(w).begin(), Client(w, modern=True)):
            before = len(server.heard)
            for method in ("tools/CALL", "tools/call/", "admin/reset", "sampling/createMessage", "rpc.discover"):
                said = await client.ask(method)
                assert said.json["error"]["code"] == -32601, said.raw
                assert said.status == (404 if client.modern else 200)
            assert len(server.heard) == before


@pytest.mark.parametrize("path", ["/crm/mcp", "/crm/mcp/"])
@played
async def test_both_spellings_of_the_endpoint_are_served(tmp_path: Path, path: str) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        said = await Client(w, modern=True, path=path).call("find", text="x")
        assert (said.status, said.json["result"]) == (200, FOUND)
        assert server.heard[-1].headers["host"] == f"127.0.0.1:{w.backend.port}"


@played
async def test_a_host_may_name_the_server(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, listener=", hosts: {crm.test: crm}") as w:
        client = Client(w, modern=True, path="/mcp")
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        raw = w.raw("POST", "/mcp", json.dumps(message).encode(), client.head(message))
        said = Reply.parse(await w.send(raw.replace(w.host.encode(), b"crm.test", 1)))
        assert said.json["result"] == FOUND


@played
async def test_a_client_that_takes_no_events_gets_its_answer_alone(tmp_path: Path) -> None:
    server = Server()

    async def told(heard: Any) -> Any:
        yield EVENTS + event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": 1}})
        await asyncio.sleep(0.3)
        yield event(answered(heard, FOUND))

    async with mcp_wall(tmp_path, server, config="bounds: {heartbeat: 100ms}") as w:
        client = await Client(w).begin()
        server.says["tools/call"] = told
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        head = [("Accept", "application/json"), ("Mcp-Session-Id", client.session)]
        said = await w.call("POST", "/crm/mcp", json.dumps(message).encode(), head)
        assert (said.headers["content-type"], said.json["result"]) == ("application/json", FOUND)


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
@played
async def test_an_answer_is_an_event_where_the_server_gave_it_as_one(tmp_path: Path, accept: str) -> None:
    server = Server()

    async def streamed(heard: Any) -> Any:
        yield EVENTS + event(answered(heard, FOUND))

    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        head = [("Accept", accept), ("Mcp-Session-Id", client.session)]
        said = await w.call("POST", "/crm/mcp", json.dumps(message).encode(), head)
        assert (said.headers["content-type"], said.json["result"]) == ("application/json", FOUND)
        server.says["tools/call"] = streamed
        said = await w.call("POST", "/crm/mcp", json.dumps(message).encode(), head)
        assert said.headers["content-type"] == accept.rpartition(" ")[2]
        assert said.headers["content-length"] == str(len(said.body))
        assert "toolwall-call" in said.headers
        assert last(said)["result"] == FOUND


@played
async def test_a_call_that_takes_long_shows_that_it_lives(tmp_path: Path) -> None:
    server = Server()

    async def slow(heard: Any) -> Any:
        await asyncio.sleep(0.35)
        yield reply(answered(heard, FOUND))

    async with mcp_wall(tmp_path, server, config="bounds: {heartbeat: 100ms}") as w:
        client = await Client(w).begin()
        server.says["tools/call"] = slow
        said = await client.call("find", text="x")
        assert said.headers["content-type"] == "text/event-stream"
        assert said.body.count(b": keep-alive") >= 1
        assert events(said) == [{"jsonrpc": "2.0", "id": client.ids, "result": FOUND}]


@played
async def test_a_call_is_refused_in_the_words_of_the_protocol(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        said = await Client(w, modern=True).call("find", text=7)
        assert said.status == 200
        assert said.headers["toolwall-refused"] == "schema_violation"
        assert last(said)["result"]["isError"] is True
        assert server.calls("tools/call") == []


@played
async def test_revisions_that_are_not_spoken_are_named(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = Client(w, modern=True)
        message = client.message("tools/call", {"name": "find", "arguments": {}})
        raw = json.dumps(message).replace(MODERN, "2031-01-01").encode()
        head = [(name, value.replace(MODERN, "2031-01-01")) for name, value in client.head(message)]
        said = await w.call("POST", "/crm/mcp", raw, head)
        assert (said.status, said.json["error"]["code"]) == (400, -32022)
        assert MODERN in said.json["error"]["data"]["supported"]
        assert server.heard == []

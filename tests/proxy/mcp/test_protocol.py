"""What reaches a server of what a client says, and how it is told no: bytes to the listening port, both eras."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy import orders
from proxy.repeats import STOPPED_AT
from tests.mcpwire import (
    DROP,
    FIND,
    FOUND,
    MODERN,
    Client,
    Heard,
    Server,
    event,
    mcp_wall,
    notification,
    played,
    stream,
)
from tests.proxy.ledgercli import ledger
from tests.wire import reply

TRACE, OTHER = "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "00-" + "c" * 32 + "-" + "d" * 16 + "-01"
MAIL = "ann@corp.test"
LOOK: dict[str, Any] = {
    "name": "look",
    "inputSchema": {
        "type": "object",
        "properties": {"who": {"type": "string", "x-mcp-header": "Who"}, "n": {"type": "integer"}},
    },
}


async def looked(client: Client, arguments: dict[str, Any], *more: tuple[str, str]) -> Any:
    return await client.send(client.message("tools/call", {"name": "look", "arguments": arguments}), more)


@played
async def test_a_message_is_in_the_trace_that_it_names_itself(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = Client(w, modern=True)
        params = {"name": "find", "arguments": {"text": "x"}, "_meta": {"traceparent": TRACE, "tracestate": 'v="1'}}
        await client.send(client.message("tools/call", params), [("traceparent", OTHER)])
        (call,) = server.calls("tools/call")
        meta = call.message["params"]["_meta"]
        assert (call.headers["traceparent"], call.headers["tracestate"]) == (meta["traceparent"], meta["tracestate"])
        assert meta["traceparent"].split("-")[1] == "a" * 32
        assert w.records()[-1]["trace"] == "a" * 32
        await client.send(client.message("tools/call", {**params, "_meta": {"traceparent": "00-x"}}), [])
        await client.send(client.message("tools/call", {"name": "find", "arguments": {"text": "y"}}), [])
        for call in server.calls("tools/call")[1:]:
            assert call.headers["traceparent"] == call.message["params"]["_meta"]["traceparent"]


@played
async def test_an_argument_and_its_header_are_masked_on_the_wire(tmp_path: Path) -> None:
    server = Server(tools=[LOOK])
    async with mcp_wall(
        tmp_path, server, tools="\n  look: {effect: read}\n", keys="outgoing: {mask: [EMAIL_ADDRESS]}"
    ) as w:
        said = await looked(Client(w, modern=True), {"who": MAIL, "n": 2**60}, ("Mcp-Param-Who", MAIL))
        assert said.json["result"] == FOUND
        (call,) = server.calls("tools/call")
        assert call.headers["mcp-param-who"] == call.message["params"]["arguments"]["who"] != MAIL
        assert call.message["params"]["arguments"]["n"] == 2**60
        assert MAIL.encode() not in call.raw


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ((), -32020),
        ((("Mcp-Param-Who", "bob"),), -32020),
        ((("Mcp-Param-Who", "ann"), ("Mcp-Param-Who", "ann")), -32020),
        ((("Mcp-Param-Who", "ann"), ("Mcp-Method", "tools/call")), -32020),
        ((("Mcp-Param-Who", "=?base64?YW5u?="),), 0),
    ],
)
@played
async def test_a_head_that_says_something_else_is_refused(
    tmp_path: Path, head: tuple[tuple[str, str], ...], code: int
) -> None:
    server = Server(tools=[LOOK])
    async with mcp_wall(tmp_path, server, tools="\n  look: {effect: read}\n") as w:
        said = await looked(Client(w, modern=True), {"who": "ann"}, *head)
        if not code:
            assert said.json["result"] == FOUND
            assert server.calls("tools/call")[0].headers["mcp-param-who"] == "ann"
            return
        assert (said.status, said.json["error"]["code"], said.json["id"]) == (400, code, 1)
        assert said.headers["toolwall-refused"] == "bad_request"
        assert not server.calls("tools/call")
        assert (w.records()[-1]["code"], w.records()[-1]["protocol"]) == ("bad_request", "mcp")


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list","params":{"name":"find"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","name":"drop"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","Name":"drop"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"text":NaN}}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find"}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find"}}]',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","extra":1}}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"find"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"text":"\xff"}}}',
        b"",
    ],
)
@played
async def test_what_two_could_read_in_two_ways_is_refused_and_recorded(tmp_path: Path, body: bytes) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        said = await Client(w).send(body)
        assert said.status == 400
        assert said.json["error"]["code"] in (-32700, -32600, -32602)
        assert not server.heard
        assert w.records()[-1]["code"] == "bad_request"


@pytest.mark.parametrize("id", ["0", "-0", '"\\u0061b"', "18446744073709551617", '"ä {}"'])
@played
async def test_an_answer_has_the_id_byte_for_byte(tmp_path: Path, id: str) -> None:
    async with mcp_wall(tmp_path, Server()) as w:
        params = '{"name":"find","arguments":{"text":"x"}}'
        body = f'{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}'
        said = await Client(w).send(body.encode())
        assert said.body.startswith(f'{{"jsonrpc":"2.0","id":{id},"result":'.encode())


@played
async def test_a_server_that_wants_to_know_more_did_nothing_yet(tmp_path: Path) -> None:
    """The retry reaches it, once; and by one key it is one action."""
    server = Server(tools=[DROP])
    wanted = {"one": {"method": "elicitation/create", "params": {"mode": "form", "message": "Sure?"}}}

    def says(heard: Heard) -> dict[str, Any]:
        if "inputResponses" not in heard.message["params"]:
            return {"resultType": "input_required", "inputRequests": wanted, "requestState": "s"}
        return {"resultType": "complete", **FOUND}

    server.says["tools/call"] = says
    policy = 'rules: [{id: all, allow: ["crm.*", "crm.elicitation/create"]}]'
    async with mcp_wall(tmp_path, server, policy, "\n  drop: {effect: write}\n", once=True) as w:
        client, key = Client(w, modern=True), ("Toolwall-Idempotency-Key", "k-1")
        first = await client.send(client.message("tools/call", {"name": "drop"}), [key])
        assert (first.status, first.json["result"]["resultType"]) == (200, "input_required")
        retry = {"name": "drop", "inputResponses": {"one": {"action": "accept", "content": {}}}, "requestState": "s"}
        for _ in range(2):
            said = await client.send(client.message("tools/call", retry), [key])
            assert said.json["result"]["content"] == FOUND["content"]
        assert said.headers["toolwall-replayed"]
        assert len(server.calls("tools/call")) == 2
        sent = server.calls("tools/call")[1].message["params"]
        assert (sent["inputResponses"], sent["requestState"]) == (retry["inputResponses"], "s")


@played
async def test_answers_that_no_rule_allows_do_not_reach_the_server(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, tools="\n  find: {effect: read}\n") as w:
        client = Client(w, modern=True)
        params = {"name": "find", "arguments": {"text": "x"}, "inputResponses": {"one": {"action": "decline"}}}
        said = await client.send(client.message("tools/call", params))
        assert said.json["error"]["code"] == -32602
        assert not server.calls("tools/call")


@pytest.mark.parametrize("modern", [False, True])
@played
async def test_refusals_are_said_as_the_protocol_says_them(tmp_path: Path, modern: bool) -> None:
    server = Server(tools=[FIND, DROP])
    tools = "\n  find: {effect: read}\n  drop: {effect: irreversible}\n"
    async with mcp_wall(tmp_path, server, tools=tools) as w:
        client = Client(w, modern=modern)
        said = await client.call("find", text=7)
        problem = json.loads(said.json["result"]["content"][0]["text"])
        assert (said.status, said.json["result"]["isError"], problem["code"]) == (200, True, "schema_violation")
        assert problem["errors"][0]["path"] == "/text"
        said = await client.call("drop")
        assert said.json["result"]["_meta"]["toolwall/refusal"]["retry"] == "after_approval"
        assert said.headers["retry-after"] == "30"
        said = await client.call("never")
        assert (said.status, said.json["error"]) == (200, {"code": -32602, "message": "Unknown tool: never"})
        said = await client.ask("tools/never")
        assert (said.status, said.json["error"]["code"]) == (404 if modern else 200, -32601)
        assert not server.calls("tools/call")


@played
async def test_revisions(tmp_path: Path) -> None:
    async with mcp_wall(tmp_path, Server()) as w:
        client = Client(w)
        for version, code in [(MODERN, -32602), ("2031-01-01", -32022), ("2025-06-18", 0)]:
            message = client.message("ping", {})
            said = await client.send(message, [("MCP-Protocol-Version", version)])
            assert said.json.get("error", {}).get("code", 0) == code
        message["params"]["_meta"] = {"io.modelcontextprotocol/protocolVersion": "2031-01-01"}
        said = await client.send(message, [("MCP-Protocol-Version", "2031-01-01"), ("Mcp-Method", "ping")])
        assert (said.status, said.json["error"]["code"]) == (400, -32022)
        assert said.json["error"]["data"]["requested"] == "2031-01-01"
        assert MODERN in said.json["error"]["data"]["supported"]


@played
async def test_a_value_stands_again_in_a_message_and_its_headers(tmp_path: Path) -> None:
    """The model sees what stands for it, and the server gets it: in arguments, headers, and answers."""
    server = Server(tools=[LOOK])
    server.says["tools/call"] = lambda _: {"content": [{"type": "text", "text": f"write to {MAIL}"}]}
    policy = 'rules: [{id: all, allow: ["crm.*", "crm.elicitation/create"]}]'
    keys = "reply: {operators: {EMAIL_ADDRESS: pseudonym}}\nrestore: true"
    async with mcp_wall(tmp_path, server, policy, "\n  look: {effect: read}\n", keys=keys) as w:
        client = Client(w, modern=True)
        said = await looked(client, {})
        token = said.json["result"]["content"][0]["text"].removeprefix("write to ")
        assert MAIL not in said.raw.decode()
        answers = {"one": {"action": "accept", "content": {"to": token}}}
        params = {"name": "look", "arguments": {"who": token}, "inputResponses": answers}
        said = await client.send(client.message("tools/call", params), [("Mcp-Param-Who", token)])
        call = server.calls("tools/call")[1]
        assert call.message["params"]["arguments"] == {"who": MAIL}
        assert call.headers["mcp-param-who"] == MAIL
        assert call.message["params"]["inputResponses"]["one"]["content"] == {"to": MAIL}
        assert MAIL not in said.raw.decode() + json.dumps(w.records())


@pytest.mark.parametrize("session", [False, True])
@played
async def test_a_session_is_a_run_of_its_own_and_its_id_is_in_no_record(tmp_path: Path, session: bool) -> None:
    async with mcp_wall(tmp_path, Server()) as w:
        runs = []
        for _ in range(2):
            client = Client(w)
            if session:
                await client.begin()
            await client.call("find", text="x")
            await client.call("find", text="y")
            records = w.records()[-2:]
            assert records[0]["run"] == records[1]["run"]
            assert records[1]["step"] == records[0]["step"] + 1
            runs.append(records[0]["run"])
            assert not session or client.session not in json.dumps(records)
        assert (runs[0] != runs[1]) == session


@pytest.mark.parametrize("modern", [False, True])
@played
async def test_a_lost_call_is_sent_once_more_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modern: bool
) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)
    server = Server(tools=[LOOK])
    async with mcp_wall(tmp_path, server, tools="\n  look: {effect: write}\n", once=True) as w:
        client = Client(w, modern=modern) if modern else await Client(w).begin()
        server.says["tools/call"] = lambda _: None
        said = await looked(client, {"who": "ann", "n": 2**70}, *([("Mcp-Param-Who", "ann")] if modern else []))
        assert said.json["result"]["_meta"]["toolwall/refusal"]["code"] == "outcome_unknown"
        server.says["tools/call"] = lambda _: FOUND
        code, out = await asyncio.to_thread(ledger, w.folder, "retry", said.headers["toolwall-call"])
        assert (code, "answered 200" in out) == (0, True), out
        first, second = server.calls("tools/call")
        for call in (first, second):
            call.message["params"]["_meta"].pop("traceparent")
            assert call.headers.pop("traceparent")
            assert call.headers.pop("content-length")
            call.message.pop("id")
        assert (first.message, first.headers) == (second.message, second.headers)
        again = await looked(client, {"who": "ann", "n": 2**70}, *([("Mcp-Param-Who", "ann")] if modern else []))
        assert (again.json["result"], len(server.calls("tools/call"))) == (FOUND, 2)


@pytest.mark.parametrize("method", ["initialize", "tools/list", "ping", "GET"])
@played
async def test_a_client_that_waits_for_its_server_finds_it_when_it_is_back(tmp_path: Path, method: str) -> None:
    """To try it again is no loop of an agent: clients do so by themselves."""
    down = reply(b"", status="503 Service Unavailable", kind="")
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()

        async def tried() -> Any:
            if method == "GET":
                return await client.get()
            if method == "initialize":
                return await Client(w).ask(method, protocolVersion="2025-11-25", capabilities={}, clientInfo={})
            return await client.ask(method)

        server.says[method] = lambda _: down
        for _ in range(STOPPED_AT + 2):
            assert "denied" not in str((await tried()).raw)
        del server.says[method]
        if method == "GET":
            server.says["GET"] = lambda _: stream(event(notification("message", level="info", data="back")))
        back = await tried()
        assert b"back" in back.raw if method == "GET" else "result" in back.json
        server.says["tools/call"] = lambda _: down  # a tool is for an agent to call or not
        said = [await client.call("find", text="x") for _ in range(STOPPED_AT)]
        assert "denied" in str(said[-1].raw)

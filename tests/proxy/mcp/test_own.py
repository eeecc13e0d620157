"""The sidecar as an MCP server, through the socket: tools of an HTTP API, for clients of both eras and plain curl."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rules.listing import functions
from tests.wire import Reply, Wall, answering, perform, reply, wall

NEW = "2026-07-28"
PATH = "/.toolwall/mcp"
TOOLS = """
  get: {says: Get one., call: "GET /things/{id}", args: {id: {type: integer}}}
  put: {says: Put one., call: "PUT /things/{id}", args: {id: {type: integer}, name: {type: string}}, effect: write}
  drop: {says: Drop one., call: "DELETE /things/{id}", args: {id: {type: integer}}, effect: irreversible}
  hidden: {says: Not for the agent., call: "GET /hidden"}
"""
POLICY = "rules: [{id: all, allow: [crm.get, crm.put, crm.drop]}, {id: no, deny: crm.put, when: args.id == 13}]\n"
META = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
GIVEN = reply(b'{\n  "id": 7,\n  "mail": "ana@example.com"\n}')


async def ask(
    w: Wall, method: str, params: Any = None, *more: tuple[str, str], modern: bool = False, id: Any = 1
) -> Reply:
    params = dict(params or {})
    head = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"), *more]
    if modern:
        head += [("MCP-Protocol-Version", NEW), ("Mcp-Method", method)]
        head += [("Mcp-Name", params["name"])] if "name" in params else []
        params["_meta"] = META
    said = {"jsonrpc": "2.0", "method": method, "params": params, **({} if id is None else {"id": id})}
    return await w.call("POST", PATH, json.dumps(said).encode(), head)


@pytest.mark.parametrize("modern", [False, True])
def test_a_call_goes_out_as_the_request_that_it_is_and_comes_back_clean(tmp_path: Path, modern: bool) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, answering(GIVEN)) as w:
            said = await ask(w, "tools/call", {"name": "crm__get", "arguments": {"id": 7}}, modern=modern, id="x-1")
            assert (said.status, said.json["id"]) == (200, "x-1")
            result = said.json["result"]
            assert result["content"] == [{"type": "text", "text": '{"id":7,"mail":"<EMAIL_ADDRESS>"}'}]
            assert (result["isError"], result.get("resultType")) == (False, "complete" if modern else None)
            assert result["_meta"]["toolwall/redacted"] == "EMAIL_ADDRESS=1"
            assert [each.split(b"\r\n")[0] for each in w.backend.requests] == [b"GET /api/things/7 HTTP/1.1"]
            assert b"mcp" not in w.backend.requests[0].lower()
            (record,) = w.records()
            assert (record["tool"], record["protocol"], record["outcome"]) == ("crm.get", "mcp", "ok")
            assert {"identity", "visible", "contract", "rules", "clean"} <= set(record["checks"])

    perform(play())


def refused(said: Reply) -> dict[str, Any]:
    result = said.json["result"]
    assert (said.status, result["isError"]) == (200, True)
    return json.loads(result["content"][0]["text"])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("crm__get", {"id": "7"}, "schema_violation"),
        ("crm__get", {}, "schema_violation"),
        ("crm__get", {"id": 7, "more": 1}, "schema_violation"),
        ("crm__put", {"id": 13, "name": "x"}, "denied"),
        ("crm__drop", {"id": 7}, "approval_pending"),
    ],
)
def test_what_may_not_be_is_a_result_that_says_why_and_reaches_nothing(
    tmp_path: Path, name: str, arguments: Any, code: str
) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            for modern in (False, True):
                said = await ask(w, "tools/call", {"name": name, "arguments": arguments}, modern=modern)
                assert (refused(said)["code"], said.headers["toolwall-refused"]) == (code, code)
            assert w.backend.requests == []
            assert {record["code"] for record in w.records()} == {code}

    perform(play())


def test_a_hidden_tool_is_an_unknown_one_and_is_not_listed(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            hidden = await ask(w, "tools/call", {"name": "crm__hidden"})
            unknown = await ask(w, "tools/call", {"name": "crm__nothing"})
            assert hidden.json["error"]["code"] == unknown.json["error"]["code"] == -32602
            assert hidden.json["error"]["message"].replace("hidden", "nothing") == unknown.json["error"]["message"]
            listed = (await ask(w, "tools/list")).json["result"]["tools"]
            names = functions(w.sidecar.firewall.regime.rules.catalog)
            for tool in ("get", "put", "drop", "hidden"):
                called = await ask(w, "tools/call", {"name": names[f"crm.{tool}"], "arguments": {"id": 1, "name": "n"}})
                is_listed = names[f"crm.{tool}"] in [each["name"] for each in listed]
                assert is_listed == ("error" not in called.json) == (tool != "hidden")

    perform(play())


@pytest.mark.parametrize("modern", [False, True])
def test_a_method_that_a_caller_made_up_stands_nowhere(tmp_path: Path, modern: bool) -> None:
    """It may be any text: what is no method of the protocol is not written down."""

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            for method in ("ana@example.com", "say canary-4711"):
                for id in (1, None):
                    await ask(w, method, {}, modern=modern, id=id)
            assert b"canary" not in w.ledger()
            assert b"ana@" not in w.ledger()
            told = [(each["method"], each["mcp"]["method"], each["decision"]) for each in w.records()]
            assert told == [("POST", "unknown", decision) for decision in ("deny", "allow")] * 2

    perform(play())


def test_each_message_has_a_record_and_none_without_a_key(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            for method in ("initialize", "ping", "tools/list", "no/such", "resources/list"):
                await ask(
                    w,
                    method,
                    {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
                    if method == "initialize"
                    else {},
                )
            assert (await ask(w, "notifications/initialized", id=None)).status == 202
            wrong = await ask(w, "ping", {}, ("Toolwall-Key", "nobody"))
            assert wrong.status == 401
            assert [record["outcome"] for record in w.records()] == [
                "ok",
                "ok",
                "ok",
                "refused",
                "refused",
                "ok",
                "refused",
            ]
            assert w.backend.requests == []

    perform(play())


def message(params: str, method: str = "tools/call") -> bytes:
    return f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}'.encode()


BAD = {
    "a batch": b"[" + message("{}", "ping") + b"]",
    "a name twice": message('{"name":"crm__hidden","name":"crm__get","arguments":{"id":7}}'),
    "an argument twice": message('{"name":"crm__get","arguments":{"id":7,"id":8}}'),
    "another case": message('{"Name":"crm__get","name":"crm__get","arguments":{"id":7}}'),
    "no json": b"hello",
    "nothing": b"",
    "an answer to nothing": b'{"jsonrpc":"2.0","id":1,"result":{}}',
    "arguments that are none": message('{"name":"crm__get","arguments":[7]}'),
    "no name": message("{}"),
    "a name that is none": message('{"name":7}'),
}


@pytest.mark.parametrize("name", BAD)
def test_what_could_be_read_in_two_ways_reaches_nothing(tmp_path: Path, name: str) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            said = await w.call("POST", PATH, BAD[name], [("Content-Type", "application/json")])
            assert said.json["error"]["code"] in (-32700, -32600, -32602), said.raw
            assert w.backend.requests == []
            assert w.records()[0]["outcome"] == "refused"

    perform(play())


def test_there_is_nothing_to_get_or_delete(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            for verb in ("GET", "DELETE", "PUT"):
                said = await w.call(verb, PATH)
                assert (said.status, said.headers["allow"]) == (405, "POST")

    perform(play())


def test_answers_that_fail_stream_or_are_packed(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:

            async def text(answer: bytes) -> tuple[str, bool]:
                w.backend.answer = answering(answer)
                said = await ask(w, "tools/call", {"name": "crm__get", "arguments": {"id": 7}})
                result = said.json["result"]
                return result["content"][0]["text"], result["isError"]

            assert await text(reply(b'{"no":"ana@example.com"}', status="404 Not Found")) == (
                '{"no":"<EMAIL_ADDRESS>"}',
                True,
            )
            packed = reply(gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip")
            assert await text(packed) == ('{"a":1}', False)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            events = head + b"17\r\ndata: ana@example.com\n\n\r\n0\r\n\r\n"
            assert await text(events) == ("data: <EMAIL_ADDRESS>\n\n", False)
            w.backend.answer = answering(None)
            lost = await ask(w, "tools/call", {"name": "crm__get", "arguments": {"id": 7}})
            assert refused(lost)["code"] in ("upstream_unreachable", "timeout")

    perform(play())


def test_what_it_says_is_what_the_schema_of_the_protocol_wants(tmp_path: Path) -> None:
    root = os.environ.get("TOOLWALL_CORPORA")
    if not root:
        pytest.skip("TOOLWALL_CORPORA names no folder with the protocol's schemas")
    schema, older = (
        json.loads((Path(root) / "mcp" / "schema" / f"{revision}.json").read_text()) for revision in (NEW, "2025-11-25")
    )

    def check(schema: Any, kind: str, value: Any) -> None:
        jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"}).validate(value)

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, answering(GIVEN)) as w:
            call = {"name": "crm__get", "arguments": {"id": 7}}
            for method, params, kind in (
                ("server/discover", {}, "DiscoverResult"),
                ("tools/list", {}, "ListToolsResult"),
                ("tools/call", call, "CallToolResult"),
                ("tools/call", {"name": "crm__get"}, "CallToolResult"),
            ):
                said = (await ask(w, method, params, modern=True)).json
                check(schema, kind, said["result"])
                check(schema, "JSONRPCResultResponse", said)
            begin = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
            for method, params, kind in (
                ("initialize", begin, "InitializeResult"),
                ("tools/list", {}, "ListToolsResult"),
                ("tools/call", call, "CallToolResult"),
            ):
                check(older, kind, (await ask(w, method, params)).json["result"])
            check(schema, "JSONRPCErrorResponse", (await ask(w, "no/such", modern=True)).json)

    perform(play())

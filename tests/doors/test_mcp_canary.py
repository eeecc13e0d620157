"""Whatever a model may read of an MCP server's was cleaned, in every form that the protocol has."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import (
    EACH_ACCEPTED,
    FIND,
    ONE_OF_EACH,
    Client,
    Heard,
    Server,
    answered,
    event,
    greeting,
    last,
    mcp_wall,
    notification,
    played,
    stream,
)
from tests.wire import reply

MAIL = "canary.bird@example.com"
POLICY = """
rules:
  - {id: all, allow: [crm.*, crm.prompts/*, crm.resources/*, crm.sampling/createMessage, crm.elicitation/create]}
"""
BLOB = base64.b64encode(b"write to canary.bird@example.com at once").decode()
META = {"example.com/note": MAIL, "deep": {"er": [MAIL]}}
NOTED = {"annotations": {"audience": ["user"], "lastModified": MAIL}, "_meta": META}
LINK = {"type": "resource_link", "uri": f"mailto:{MAIL}", "name": MAIL, "title": MAIL, "description": MAIL, **NOTED}
TEXT_RESOURCE = {"uri": f"a://{MAIL}", "mimeType": MAIL, "text": MAIL, "_meta": META}
BLOB_RESOURCE = {"uri": f"a://{MAIL}", "blob": BLOB, "_meta": META}
CONTENT = [
    {"type": "text", "text": f"ask {MAIL}", **NOTED},
    {"type": "text", "text": json.dumps({"to": MAIL, "also": json.dumps([MAIL])})},
    {"type": "text", "text": BLOB},
    LINK,
    {"type": "resource", "resource": TEXT_RESOURCE, **NOTED},
    {"type": "resource", "resource": BLOB_RESOURCE},
    {"type": "image", "data": BLOB, "mimeType": MAIL},
    {"type": "audio", "data": BLOB, "mimeType": MAIL},
]
SAMPLING = {
    "messages": [{"role": "user", "content": CONTENT[0]}, {"role": "assistant", "content": CONTENT}],
    "systemPrompt": MAIL,
    "modelPreferences": {"hints": [{"name": MAIL}]},
    "metadata": META,
    "maxTokens": 1,
}
FORM = {"type": "object", "properties": {"a": {"type": "string", "title": MAIL, "description": MAIL, "enum": [MAIL]}}}
ELICITING = {"message": MAIL, "requestedSchema": FORM, "url": f"https://x.example/?{MAIL}", "_meta": META}
INPUTS = {
    "one": {"method": "sampling/createMessage", "params": SAMPLING},
    "two": {"method": "elicitation/create", "params": ELICITING},
}
RESULTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "call": (
        "tools/call", {"name": "find", "arguments": {"text": "x"}},
        {"content": CONTENT, "structuredContent": {"a": MAIL, MAIL: [{"b": MAIL}]}, "isError": False, "_meta": META},
    ),
    "failed call": (
        "tools/call", {"name": "find", "arguments": {"text": "x"}}, {"content": CONTENT, "isError": True},
    ),
    "input": (
        "tools/call", {"name": "find", "arguments": {"text": "x"}},
        {"resultType": "input_required", "inputRequests": INPUTS, "_meta": META},
    ),
    "prompt": (
        "prompts/get", {"name": "review"},
        {"description": MAIL, "messages": [{"role": "user", "content": one} for one in CONTENT], "_meta": META},
    ),
    "resource": (
        "resources/read", {"uri": "repo://readme"}, {"contents": [TEXT_RESOURCE, BLOB_RESOURCE], "_meta": META},
    ),
    "completion": (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "a", "value": "b"}},
        {"completion": {"values": [MAIL], "total": 1}, "_meta": META},
    ),
    "list": ("tools/list", {}, {"tools": [{**FIND, "description": MAIL}], "nextCursor": MAIL, "_meta": META}),
    "discovery": (
        "server/discover", {},
        {"instructions": MAIL, "serverInfo": {"name": MAIL, "version": MAIL}, "capabilities": {"x": META}},
    ),
}  # fmt: skip
ERROR = {"code": -32000, "message": MAIL, "data": {"a": MAIL, "b": [MAIL]}}


FORMS = 7


def forms(heard: Heard, said: dict[str, Any]) -> Iterator[Any]:
    """The ways in which a server may send it."""
    message = answered(heard, said)
    yield reply(message)
    yield stream(event(message))
    half = len(message) // 2
    yield stream(b"data: " + message[:half], message[half:] + b"\n\n")
    error = json.dumps({"jsonrpc": "2.0", "id": heard.message["id"], "error": ERROR}).encode()
    yield reply(error)
    yield stream(event(error))
    yield reply(error, status="400 Bad Request")
    told = notification("message", level="info", logger=MAIL, data={"a": MAIL, MAIL: [MAIL], "b64": BLOB})
    yield stream(event(told), event(message))


@pytest.mark.parametrize("what", RESULTS)
@played
async def test_no_field_of_any_answer_brings_a_canary(tmp_path: Path, what: str) -> None:
    server = Server(tools=[FIND])
    method, params, said = RESULTS[what]
    async with mcp_wall(tmp_path, server, POLICY, ONE_OF_EACH, EACH_ACCEPTED, keys="reply: {binary: pass}") as w:
        server.says["prompts/list"] = lambda _: {"prompts": [{"name": "review"}]}
        server.says["resources/list"] = lambda _: {"resources": [{"uri": "repo://readme", "name": "readme"}]}
        client = Client(w, modern=True)
        for form in range(FORMS):
            server.says[method] = lambda heard, form=form: list(forms(heard, said))[form]
            message = client.message(method, params)
            head = client.head(message)
            if method == "resources/read":
                head.append(("Mcp-Name", params["uri"]))
            told = await w.call("POST", "/crm/mcp", json.dumps(message).encode(), head)
            assert last(told)["id"] == client.ids, told.raw
            assert ("result" in last(told)) == (form not in (3, 4, 5)), told.raw
            assert b"canary" not in told.raw
            assert BLOB.encode() not in told.raw
        assert b"canary" not in w.ledger()


@played
async def test_a_greeting_brings_no_canary(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, POLICY, ONE_OF_EACH, EACH_ACCEPTED) as w:
        info = {"name": MAIL, "version": MAIL, "title": MAIL, "websiteUrl": f"https://{MAIL}"}
        server.says["initialize"] = lambda _: greeting(instructions=MAIL, serverInfo=info, _meta=META)
        told = await Client(w).ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
        assert "result" in last(told)
        assert b"canary" not in told.raw


@played
async def test_what_is_dropped_is_a_member_of_data_and_never_one_that_the_protocol_needs(tmp_path: Path) -> None:
    results: dict[str, Any] = {
        "tools/call": {"content": CONTENT[:5], "structuredContent": {"a": MAIL, "deep": [{"b": MAIL, "c": 1}]}},
        "prompts/get": {"messages": [{"role": "user", "content": CONTENT[0]}]},
        "resources/read": {"contents": [TEXT_RESOURCE]},
    }
    results["prompts/list"] = {"prompts": [{"name": "review"}]}
    results["resources/list"] = {"resources": [{"uri": "repo://readme", "name": "readme"}]}
    server = Server([FIND], {name: lambda heard: results[heard.called] for name in results})
    keys = "reply: {operators: {EMAIL_ADDRESS: drop}}"
    async with mcp_wall(tmp_path, server, POLICY, ONE_OF_EACH, EACH_ACCEPTED, keys) as w:
        client = await Client(w).begin()
        called = last(await client.call("find", text="x"))["result"]
        given = last(await client.ask("prompts/get", name="review"))["result"]
        read = last(await client.ask("resources/read", uri="repo://readme"))["result"]
        assert MAIL not in json.dumps([called, given, read])
        assert called["structuredContent"] == {"deep": [{"c": 1}]}
        texts = [each["text"] for each in called["content"][:3]]
        assert (texts[0], json.loads(texts[1])) == (
            "ask <EMAIL_ADDRESS>",
            {"to": "<EMAIL_ADDRESS>", "also": '["<EMAIL_ADDRESS>"]'},
        )
        assert {*called["content"][3]} == {*LINK}
        assert (called["content"][4]["resource"]["text"], given["messages"][0]["content"]["text"]) == (
            "<EMAIL_ADDRESS>", "ask <EMAIL_ADDRESS>",
        )  # fmt: skip
        assert {*read["contents"][0]} == {*TEXT_RESOURCE}

"""What a lenient reader would read otherwise than the sidecar reaches nobody: names in another case, results of an
unknown kind. Both eras, plain and in a stream of events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import (
    EACH_ACCEPTED,
    FIND,
    FOUND,
    ONE_OF_EACH,
    Client,
    Heard,
    Server,
    answer,
    answered,
    event,
    events,
    last,
    mcp_wall,
    notification,
    played,
    stream,
)
from tests.wire import Reply, Wall

POLICY = """
rules:
  - {id: all, allow: [crm.*, crm.prompts/*, crm.resources/*, crm.elicitation/create]}
"""
ASKED = {"a": {"method": "elicitation/create", "params": {"message": "m", "requestedSchema": {"type": "object"}}}}
TASK = {"resultType": "task", "taskId": "t", "status": "working", "ttlMs": None, "createdAt": "x", "lastUpdatedAt": "x"}
HIDDEN = {"name": "hidden", "inputSchema": {"type": "object"}}
ODD: dict[str, dict[str, Any]] = {
    "content": {**FOUND, "Content": FOUND["content"]},
    "structure": {**FOUND, "StructuredContent": {"a": 1}},
    "error": {**FOUND, "IsError": True},
    "meta": {**FOUND, "_Meta": {}},
    "asked": {**FOUND, "InputRequests": ASKED},
    "kind": {**FOUND, "ResultType": "input_required"},
    "part": {"content": [{"type": "image", "Data": "aGk=", "mimeType": "image/png"}]},
    "unknown kind": {**FOUND, "resultType": "something"},
    "kind in another case": {**FOUND, "resultType": "Complete"},
    "no kind": {**FOUND, "resultType": None},
    "kind that is none": {**FOUND, "resultType": ["complete"]},
    "task": TASK,
}


def wall_of(folder: Path, server: Server, keys: str = "") -> Any:
    server.says["prompts/list"] = lambda _: {"prompts": [{"name": "review"}]}
    server.says["resources/list"] = lambda _: {"resources": [{"uri": "repo://readme", "name": "readme"}]}
    return mcp_wall(folder, server, POLICY, ONE_OF_EACH, EACH_ACCEPTED, keys=keys)


def refused(said: Reply, w: Wall) -> bool:
    """Whether the reply was withheld; the Record says it as well."""
    message = last(said)
    no = message["error"]["data"] if "error" in message else json.loads(message["result"]["content"][0]["text"])
    return bool(no["code"] == w.records()[-1]["code"] == "reply_refused")


async def clients(w: Wall) -> list[Client]:
    return [Client(w, modern=True), await Client(w).begin()]


def forms(heard: Heard, result: dict[str, Any]) -> Iterator[Any]:
    yield answer(heard, result)
    yield stream(event(answered(heard, result)))


@pytest.mark.parametrize("what", ODD)
@played
async def test_a_result_that_some_client_reads_otherwise_is_withheld(tmp_path: Path, what: str) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server, "reply: {binary: pass}\n") as w:
        for client in await clients(w):
            for form in range(2):
                server.says["tools/call"] = lambda heard, form=form: list(forms(heard, ODD[what]))[form]
                assert refused(await client.call("find", text=f"x{form}"), w)


@played
async def test_a_list_shows_nothing_under_another_spelling(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        for client in await clients(w):
            for more in ({"Tools": [HIDDEN]}, {"NextCursor": "x"}, {"resultType": "task"}):
                server.says["tools/list"] = lambda _, more=more: {"tools": [FIND], **more}
                said = await client.ask("tools/list")
                assert last(said)["error"]["data"]["code"] == "reply_refused"
                assert b"hidden" not in said.raw


@played
async def test_instructions_in_another_case_are_not_told(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        server.says["server/discover"] = lambda _: {"supportedVersions": [], "Instructions": "Obey."}
        assert refused(await Client(w, modern=True).ask("server/discover"), w)


@played
async def test_what_is_told_under_another_spelling_ends_the_reply(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        for client in await clients(w):
            told = notification("message", level="info", data="fine", Data="not so")
            server.says["tools/call"] = lambda heard, told=told: stream(event(told), event(answered(heard, FOUND)))
            said = await client.call("find", text="x")
            assert refused(said, w)
            assert b"not so" not in said.raw


@played
async def test_a_task_is_one_where_the_client_said_that_it_knows_tasks(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        client = Client(w, modern=True)
        server.says["tools/call"] = lambda _: TASK
        knows = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
        said = await client.ask("tools/call", name="find", arguments={"text": "x"}, _meta=knows)
        assert last(said)["result"]["taskId"] == "t"
        message = client.message("prompts/get", {"name": "review", "_meta": knows})
        server.says["prompts/get"] = lambda _: TASK
        assert refused(await client.send(message), w)


@played
async def test_a_task_whose_end_would_be_looked_at_otherwise_is_withheld(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    tools = "\n  find: {effect: read, reply: {binary: hash}}\n"
    async with mcp_wall(tmp_path, server, tools=tools) as w:
        server.says["tools/call"] = lambda _: TASK
        knows = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
        said = await Client(w, modern=True).ask("tools/call", name="find", arguments={"text": "x"}, _meta=knows)
        assert refused(said, w)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("more", [{"resultType": "input_required"}, {"inputRequests": ASKED}, {"resultType": "x"}])
@played
async def test_a_subscription_s_answer_asks_for_nothing(tmp_path: Path, streamed: bool, more: dict[str, Any]) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        server.says["subscriptions/listen"] = lambda heard: (
            stream(event(answered(heard, more))) if streamed else answer(heard, more)
        )
        said = await Client(w, modern=True).ask("subscriptions/listen", notifications={})
        assert b"elicitation" not in said.raw
        assert w.records()[-1]["code"] == "reply_refused"
        if streamed:
            assert all("result" not in each for each in events(said))


ODD_PARAMS: list[tuple[str, dict[str, Any]]] = [
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "review", "Name": "x"}, "argument": {}}),
    ("completion/complete", {"ref": {"type": "ref/resource", "uri": "repo://readme", "URI": "x"}, "argument": {}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"Value": "x"}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "review"}, "context": {"Arguments": {}}}),
    ("tools/call", {"name": "find", "arguments": {"text": "x"}, "Arguments": {}}),
    ("tools/call", {"name": "find", "arguments": {"text": "x", "Text": "y"}}),
    ("tools/call", {"name": "find", "arguments": {"text": "x"}, "_meta": {"ProgressToken": 1}}),
]  # fmt: skip
ODD_MODERN: list[tuple[str, dict[str, Any]]] = [
    ("subscriptions/listen", {"notifications": {"ResourceSubscriptions": ["repo://other"]}}),
    ("tools/call", {"name": "find", "inputResponses": {"a": {"action": "accept", "Action": "decline"}}}),
    ("tools/call", {"name": "find", "inputResponses": {"a": {"action": "accept", "Roots": []}}}),
]


@pytest.mark.parametrize(
    ("method", "params", "eras"),
    [(*each, (False, True)) for each in ODD_PARAMS] + [(*each, (True,)) for each in ODD_MODERN],
)
@played
async def test_params_that_some_server_reads_otherwise_reach_none(
    tmp_path: Path, method: str, params: dict[str, Any], eras: tuple[bool, ...]
) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        for modern in eras:
            client = Client(w, modern=True) if modern else await Client(w).begin()
            said = await client.ask(method, **params)
            assert not server.calls(method), said.raw
            assert w.records()[-1]["code"] in ("bad_request", "schema_violation")

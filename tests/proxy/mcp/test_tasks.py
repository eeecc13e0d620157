"""Tasks: whose each is, through the socket, where a server takes all callers for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.mcp.sessions import MOST_OF_ONE
from proxy.mcp.tasks import Tasks
from tests.mcpwire import POLICY, Client, Heard, Server, event, events, last, mcp_wall, notification, played, stream
from tests.proxy.mcp.test_sessions import ANN, BOB, BOTH
from tests.wire import Reply, Wall

META = "io.modelcontextprotocol/"
WORKING = {"taskId": "T-1", "status": "working"}
OF_A_TASK = ("tasks/get", "tasks/result", "tasks/cancel")
SAID = {"content": [{"type": "text", "text": "what Ann asked for"}]}


def begun(heard: Heard) -> dict[str, Any]:
    return {"task": WORKING}


def server(**says: Any) -> Server:
    both = {"tasks": [WORKING, {"taskId": "T-2", "status": "working", "statusMessage": "somebody's"}, {}, "T-1"]}
    every = dict.fromkeys(OF_A_TASK, lambda _: SAID) | {"tasks/list": lambda _: both}
    return Server(says={"tools/call": begun, **every, **says})


async def asked(client: Client, method: str, **params: Any) -> Reply:
    return await client.send(client.message(method, params), [("MCP-Protocol-Version", "2025-11-25")])


@played
async def test_a_task_is_nobody_elses(tmp_path: Path) -> None:
    hub = server()
    async with mcp_wall(tmp_path, hub, identity=BOTH) as w:
        ann, bob = await Client(w, key=ANN).begin(), await Client(w, key=BOB).begin()
        said = await asked(ann, "tools/call", name="find", arguments={"text": "x"}, task={"ttl": 1000})
        assert said.json["result"]["task"]["taskId"] == "T-1"
        for method in OF_A_TASK:
            said = await asked(bob, method, taskId="T-1")
            never = await asked(bob, method, taskId="T-0")
            assert (said.status, said.json["error"]) == (never.status, never.json["error"])
            assert said.json["error"]["code"] == -32602
            for id in (1, None, ["T-1"]):
                assert "error" in (await asked(ann, method, taskId=id)).json
        assert hub.calls(*OF_A_TASK) == []
        records = [each for each in w.records() if each["tool"].startswith("crm.mcp/tasks")]
        assert {(each["decision"], each["code"]) for each in records} == {("deny", "unknown_tool")}
        assert "it names a task that is not the caller's" in records[0]["notes"]
        for method in OF_A_TASK:
            assert (await asked(ann, method, taskId="T-1")).json["result"] == SAID


@played
async def test_a_list_has_ones_own_tasks_alone(tmp_path: Path) -> None:
    async with mcp_wall(tmp_path, server(), identity=BOTH) as w:
        ann, bob = await Client(w, key=ANN).begin(), await Client(w, key=BOB).begin()
        await asked(ann, "tools/call", name="find", arguments={"text": "x"}, task={})
        assert (await asked(ann, "tasks/list")).json["result"] == {"tasks": [WORKING]}
        assert (await asked(bob, "tasks/list")).json["result"] == {"tasks": []}


@played
async def test_how_somebody_elses_task_goes_on_is_not_told(tmp_path: Path) -> None:
    def told(heard: Heard) -> Any:
        status = [event(notification("tasks/status", taskId=id, status="working")) for id in ("T-1", "T-2")]
        return stream(*status, event({"jsonrpc": "2.0", "id": heard.message["id"], "result": SAID}))

    hub = server()
    async with mcp_wall(tmp_path, hub, identity=BOTH) as w:
        ann, bob = await Client(w, key=ANN).begin(), await Client(w, key=BOB).begin()
        await asked(ann, "tools/call", name="find", arguments={"text": "x"}, task={})
        hub.says["tools/call"] = told
        heard = events(await ann.call("find", text="x"))
        assert [each["params"]["taskId"] for each in heard[:-1]] == ["T-1"]
        heard = events(await bob.call("find", text="x"))
        assert [each.get("result") for each in heard] == [SAID]
        assert "a task that is not the caller's" in w.records()[-1]["notes"][0]


@played
async def test_a_server_cannot_give_ones_task_to_another(tmp_path: Path) -> None:
    """The first has it; the other hears an id that is of no use."""
    hub = server()
    async with mcp_wall(tmp_path, hub, identity=BOTH) as w:
        ann, bob = await Client(w, key=ANN).begin(), await Client(w, key=BOB).begin()
        for one in (ann, bob):
            assert "result" in (await asked(one, "tools/call", name="find", arguments={"text": "x"}, task={})).json
        assert last(await asked(ann, "tasks/result", taskId="T-1"))["result"] == SAID
        assert "error" in last(await asked(bob, "tasks/result", taskId="T-1"))


ASKS = {"a": {"method": "elicitation/create", "params": {"message": "as bob@example.com", "requestedSchema": {}}}}
ANSWERS = {"a": {"action": "accept", "content": {"name": "Bob"}}}
MAY_ASK = """
rules:
  - {id: all, allow: [crm.*, crm.elicitation/create]}
"""
TASKS = {"_meta": {f"{META}clientCapabilities": {"extensions": {f"{META}tasks": {}}}}}
CREATED = {"resultType": "task", "taskId": "T-1", "status": "working", "ttlMs": None}


@asynccontextmanager
async def extended(folder: Path, hub: Server, **how: Any) -> AsyncIterator[tuple[Wall, Client]]:
    """A client of 2026-07-28 that has a task."""
    hub.says["tools/call"] = lambda _: CREATED
    async with mcp_wall(folder, hub, **how) as w:
        client = Client(w, modern=True)
        said = last(await client.ask("tools/call", name="find", arguments={"text": "x"}, **TASKS))
        assert said["result"] == CREATED
        yield w, client


@played
async def test_a_task_that_nobody_asked_for_is_withheld(tmp_path: Path) -> None:
    """Whatever came of it later would be no answer of the tool any more."""
    hub = server()
    async with mcp_wall(tmp_path, hub) as w:
        ann = await Client(w).begin()
        said = last(await ann.call("find", text="x"))["result"]
        assert (said["isError"], w.records()[-1]["code"]) == (True, "reply_refused")
        assert "a task that nobody asked for" in w.records()[-1]["notes"]
        assert "error" in (await asked(ann, "tasks/result", taskId="T-1")).json
        hub.says["tools/call"] = lambda _: {**SAID, "task": WORKING}  # it has a member of that name
        assert last(await ann.call("find", text="y"))["result"] == {**SAID, "task": WORKING}
        assert "error" in (await asked(ann, "tasks/result", taskId="T-1")).json
        assert hub.calls("tasks/result") == []


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/update"])
@played
async def test_the_head_says_which_task_it_is_about(tmp_path: Path, method: str) -> None:
    """So whoever stands before several servers finds the one that has it."""
    hub = server()
    params = {"taskId": "T-1", **({"inputResponses": {}} if method == "tasks/update" else {}), **TASKS}
    async with extended(tmp_path, hub) as (_, client):
        for head in ([], [("Mcp-Name", "T-1")], [("Mcp-Name", "=?base64?VC0x?=")]):
            assert "result" in (await client.send(client.message(method, params), head)).json
        wrong = await client.send(client.message(method, params), [("Mcp-Name", "T-2")])
        assert (wrong.status, wrong.json["error"]["code"]) == (400, -32020)
        assert [sent.headers["mcp-name"] for sent in hub.calls(method)] == ["T-1"] * 3


@played
async def test_what_a_task_wants_to_know_is_judged_and_cleaned(tmp_path: Path) -> None:
    hub = server()
    waiting = {**CREATED, "resultType": "complete", "status": "input_required", "inputRequests": ASKS}
    async with extended(tmp_path, hub, policy=MAY_ASK) as (w, client):
        hub.says["tasks/get"] = lambda _: waiting
        said = last(await client.ask("tasks/get", taskId="T-1", **TASKS))["result"]
        assert said["inputRequests"]["a"]["params"]["message"] == "as <EMAIL_ADDRESS>"
        assert [each["tool"] for each in w.records()][-2:] == ["crm.elicitation/create", "crm.mcp/tasks/get"]
        for odd in ({"a": "x"}, {"a": {"method": "tools/call"}}, ["a"]):
            hub.says["tasks/get"] = lambda _, odd=odd: {**waiting, "inputRequests": odd}
            assert (
                last(await client.ask("tasks/get", taskId="T-1", **TASKS))["error"]["data"]["code"] == "reply_refused"
            )
        assert "result" in last(await client.ask("tasks/update", taskId="T-1", inputResponses=ANSWERS, **TASKS))
        assert hub.calls("tasks/update")[0].message["params"]["inputResponses"] == ANSWERS


@played
async def test_what_no_rule_allows_is_neither_asked_nor_answered_for_a_task(tmp_path: Path) -> None:
    hub = server()
    async with extended(tmp_path, hub) as (_, client):
        hub.says["tasks/get"] = lambda _: {**CREATED, "resultType": "complete", "inputRequests": ASKS}
        assert last(await client.ask("tasks/get", taskId="T-1", **TASKS))["error"]["data"]["code"] == "reply_refused"
        for answers in (ANSWERS, {"a": {"what": "else"}}, {"a": 1}, ["a"], None):
            said = await client.ask("tasks/update", taskId="T-1", inputResponses=answers, **TASKS)
            assert last(said)["error"]["code"] == -32602
        assert hub.calls("tasks/update") == []


@pytest.mark.parametrize("policy", [POLICY, MAY_ASK])
@played
async def test_how_ones_own_tasks_go_on_can_be_listened_to(tmp_path: Path, policy: str) -> None:
    def told(heard: Heard) -> Any:
        meta = {f"{META}subscriptionId": heard.message["id"]}
        goes_on = [{"status": "working"}, {"status": "completed", "result": {"content": [{"text": "bob@example.com"}]}}]
        mine = [event(notification("tasks", taskId="T-1", **each, _meta=meta)) for each in goes_on]
        asks = event(notification("tasks", taskId="T-1", status="input_required", inputRequests=ASKS, _meta=meta))
        return stream(*mine, event(notification("tasks", taskId="T-2", status="working", _meta=meta)), asks)

    hub = server()
    async with extended(tmp_path, hub, policy=policy) as (_, client):
        hub.says["subscriptions/listen"] = told
        said = await client.ask("subscriptions/listen", notifications={"taskIds": ["T-1"]}, **TASKS)
        heard = [each["params"] for each in events(said)]
        expected = ["working", "completed", *(["input_required"] if policy == MAY_ASK else [])]
        assert [each["status"] for each in heard] == expected
        assert {(each["taskId"], each["_meta"][f"{META}subscriptionId"]) for each in heard} == {("T-1", client.ids)}
        assert b"bob@" not in said.raw
        for wrong in (["T-1", "T-2"], ["T-2"], [1], "T-1", ["T-1"] * 257):
            no = await client.ask("subscriptions/listen", notifications={"taskIds": wrong}, **TASKS)
            assert last(no)["error"]["code"] == -32602
        assert len(hub.calls("subscriptions/listen")) == 1


@pytest.mark.parametrize(("binary", "told"), [("refuse", 0), ("pass", 1)])
@played
async def test_what_is_no_text_in_the_end_of_a_task_is_treated_as_in_a_result(
    tmp_path: Path, binary: str, told: int
) -> None:
    image = {"content": [{"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}]}
    ended = {"taskId": "T-1", "status": "completed", "result": image}
    hub = server()
    async with extended(tmp_path, hub, keys=f"reply: {{binary: {binary}}}\n") as (w, client):
        hub.says["subscriptions/listen"] = lambda _: stream(event(notification("tasks", **ended)))
        said = await client.ask("subscriptions/listen", notifications={"taskIds": ["T-1"]}, **TASKS)
        assert [each["params"] for each in events(said)] == [ended] * told
        assert any("dropped" in note for note in w.records()[-1].get("notes", [])) is (not told)


@played
async def test_what_some_client_takes_for_a_part_of_a_task_is_withheld(tmp_path: Path) -> None:
    image = {"content": [{"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}]}
    done = {"resultType": "complete", "taskId": "T-1", "status": "completed"}
    odd = [{"Result": image}, {"RESULT": ASKS}, {"InputRequests": ASKS}]
    hub = server()
    async with extended(tmp_path, hub, policy=MAY_ASK) as (w, client):
        hub.says["tasks/get"] = lambda _: {**done, "Result": image}
        assert last(await client.ask("tasks/get", taskId="T-1", **TASKS))["error"]["data"]["code"] == "reply_refused"
        for each in odd:
            hub.says["subscriptions/listen"] = lambda _, each=each: stream(event(notification("tasks", **done, **each)))
            said = await client.ask("subscriptions/listen", notifications={"taskIds": ["T-1"]}, **TASKS)
            assert (b'"taskId"' in said.raw, w.records()[-1]["code"]) == (False, "reply_refused")


@played
async def test_the_progress_of_a_task_is_told_in_its_session_alone(tmp_path: Path) -> None:
    """Its token is good for as long as the task is (2025-11-25)."""
    hub = server()
    async with mcp_wall(tmp_path, hub) as w:
        ann, other = await Client(w).begin(), await Client(w).begin()
        for number, task in enumerate(({"task": {}}, {"task": {}}, {})):
            params = {"name": "find", "arguments": {"text": "x"}, **task, "_meta": {"progressToken": f"p-{number}"}}
            await ann.send(ann.message("tools/call", params), [("MCP-Protocol-Version", "2025-11-25")])
        tokens = ("p-0", "p-1", "p-2", "p-3", 0, None)
        said = [event(notification("progress", progressToken=token, progress=1)) for token in tokens]
        hub.says["GET"] = lambda _: stream(*said)
        assert [each["params"]["progressToken"] for each in events(await ann.get())] == ["p-0", "p-1"]
        assert events(await other.get()) == []


@pytest.mark.parametrize("said", [{"task": {"taskId": "t"}}, {"resultType": "task", "taskId": "t"}])
def test_both_eras_say_it_in_their_way(said: dict[str, Any]) -> None:
    tasks = Tasks()
    tasks.begun("crm", "ann", said)
    assert tasks.is_of("crm", "ann", "t")
    assert not (tasks.is_of("crm", "bob", "t"))
    assert not (tasks.is_of("erp", "ann", "t"))


@pytest.mark.parametrize("said", [{}, {"task": None}, {"task": {}}, {"task": {"taskId": 1}}, {"taskId": ["t"]}])
def test_what_names_no_task_is_none(said: dict[str, Any]) -> None:
    tasks = Tasks()
    tasks.begun("crm", "ann", said)
    assert tasks.listed("crm", "ann", {"tasks": None}) == {"tasks": []}


def test_an_id_is_any_text_and_there_is_a_bound_for_each_principal() -> None:
    tasks = Tasks()
    odd = ["", " ", "line\n", "ü\ud800", "x" * 100_000]
    for id in (*odd, *map(str, range(MOST_OF_ONE - len(odd)))):
        tasks.begun("crm", "ann", {"taskId": id})
    tasks.begun("crm", "bob", {"taskId": "of bob"})
    assert all(tasks.is_of("crm", "ann", id) for id in odd)
    for number in range(MOST_OF_ONE):
        tasks.begun("crm", "ann", {"taskId": f"more {number}"})
    assert not any(tasks.is_of("crm", "ann", id) for id in odd)
    assert tasks.is_of("crm", "bob", "of bob")

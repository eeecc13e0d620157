"""Tasks: whose each is, through the socket, where a server takes all callers for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.mcp.sessions import MOST_OF_ONE
from proxy.mcp.tasks import Tasks
from tests.mcpwire import Client, Heard, Server, event, events, last, mcp_wall, notification, played, stream
from tests.proxy.mcp.test_sessions import ANN, BOB, BOTH
from tests.wire import Reply

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

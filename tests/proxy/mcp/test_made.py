"""Runs with calls of an MCP server are undone, and the server is asked what became of one, through the real door."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from proxy import orders
from tests.mcpwire import MODERN, Client, Heard, Server, answered, event, last, mcp_wall, played, stream
from tests.proxy.ledgercli import ledger
from tests.proxy.mcp.test_joining import BOTH, KEYS
from tests.wire import Wall, reply

MAIL = "ann.quill@example.com"
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
REFUND = {"type": "object", "properties": {"refund": {"type": "string"}}, "required": ["refund"]}
TOOLS = [
    {"name": "refund", "inputSchema": NUMBER, "outputSchema": {"type": "object"}},
    {"name": "cancel", "inputSchema": REFUND},
    {"name": "pay", "inputSchema": NUMBER},
    {"name": "find", "inputSchema": NUMBER},
    {"name": "chat", "inputSchema": NUMBER},
    {"name": "unchat", "inputSchema": NUMBER},
    {"name": "mail", "inputSchema": NUMBER},
]
ENTRIES = """
  refund: {effect: write, undo: {tool: cancel, with: {refund: reply.id}}, reply: {keep: [state]}}
  cancel: {effect: write}
  pay: {effect: write, settle_by: {tool: find, with: {n: args.n}, done: 'reply.state == "paid"', after: 1ms}}
  find: {effect: read, cache: 1h}
  chat: {effect: write, undo: {tool: unchat, with: {n: args.n}}}
  unchat: {effect: write}
  mail: {effect: write, repeatable: true}
"""
numbers = count(1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


def text(value: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": json.dumps(value)}]}


class Desk(Server):
    """A server of one era. `gives` says what a tool gives, or None to hang up."""

    def __init__(self, modern: bool = False, as_events: bool = False) -> None:
        super().__init__(TOOLS)
        self.modern, self.as_events = modern, as_events
        self.gives: dict[str, Any] = {
            "refund": {"content": [], "structuredContent": {"id": f"{MAIL}-1", "state": "open"}},
            "find": text({"state": "paid"}),
        }
        self.says = {"tools/call": self._called, "server/discover": self._discovered}
        if modern:
            self.says["initialize"] = lambda _: reply(b"", status="400 Bad Request", kind="")

    def _discovered(self, heard: Heard) -> Any:
        if not self.modern:
            return reply(b"no session", status="400 Bad Request", kind="text/plain")
        return {"resultType": "complete", "supportedVersions": [MODERN], "capabilities": {"tools": {}}}

    def _called(self, heard: Heard) -> Any:
        given = self.gives.get(heard.message["params"]["name"], text({}))
        if given is None:
            return None
        result = {**({"resultType": "complete"} if self.modern else {}), **given}
        return stream(event(json.loads(answered(heard, result)))) if self.as_events else result

    def called_with(self) -> list[tuple[str, Any]]:
        calls = [each.message["params"] for each in self.calls("tools/call")]
        return [(each["name"], each.get("arguments", {})) for each in calls]


def desk(folder: Path, server: Desk, tools: str = ENTRIES, **how: Any) -> Any:
    return mcp_wall(folder, server, tools=tools, identity=BOTH, once=True, **how)


async def client(w: Wall, modern: bool, who: str = "a") -> Client:
    made = Client(w, modern=modern, key=KEYS[who])
    return made if modern else await made.begin()


async def do(one: Client, name: str, **arguments: Any) -> Any:
    message = one.message("tools/call", {"name": name, "arguments": arguments})
    return last(await one.send(message, [("Toolwall-Run", "r1")]))


async def undo(one: Client, query: str = "") -> Any:
    headers = [("Toolwall-Key", one.key), ("Toolwall-Run", "r1")]
    return (await one.wall.call("POST", f"/.toolwall/undo{query}", b"", headers)).json


def states(report: Any) -> list[str]:
    return [step["state"] for step in report["steps"]]


@pytest.mark.parametrize("as_events", [False, True])
@pytest.mark.parametrize("modern", [False, True])
@played
async def test_effects_are_undone_in_the_server_s_era(tmp_path: Path, modern: bool, as_events: bool) -> None:
    server = Desk(modern, as_events)
    async with desk(tmp_path, server) as w:
        one = await client(w, modern)
        first = await do(one, "refund", n=7)
        assert MAIL not in json.dumps(first)
        await do(one, "chat", n=8)
        assert states(await undo(one, "?dry_run=true")) == ["would_undo", "would_undo"]
        assert len(server.calls("tools/call")) == 2
        report = await undo(one)
        assert (states(report), report["complete"]) == (["undone", "undone"], True)
        assert server.called_with()[2:] == [("unchat", {"n": 8}), ("cancel", {"refund": f"{MAIL}-1"})]
        sessions = [each.headers.get("mcp-session-id") for each in server.calls("tools/call")]
        named = [each.headers.get("mcp-protocol-version") for each in server.calls("tools/call")[2:]]
        if modern:
            assert (set(sessions), named) == ({None}, [MODERN] * 2)
            meta = server.calls("tools/call")[-1].message["params"]["_meta"]
            assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "toolwall"
            assert server.calls("tools/call")[-1].headers["mcp-name"] == "cancel"
        else:
            assert len(set(sessions[2:])) == 1
            assert sessions[2] not in (None, sessions[0])  # one of the sidecar's own for this principal
            assert [each.called for each in server.heard].count("initialize") == 2
        records = [each for each in w.records() if each.get("undoes")]
        assert [each["tool"] for each in records] == ["crm.unchat", "crm.cancel"]
        assert all(each["ordered"] == each["principal"] == "a" for each in records)
        assert {"identity", "contract", "rules", "once", "intent", "clean"} <= set(records[0]["checks"])
        assert states(await undo(one)) == ["was_undone", "was_undone"]
        assert len(server.calls("tools/call")) == 4
        assert MAIL.encode() not in w.ledger()


@pytest.mark.parametrize(
    ("gives", "kept"),
    [
        (text({"id": "x"}), True),
        ({"content": [{"type": "text", "text": "It is x."}]}, False),
        ({"content": [*text({"id": "x"})["content"], *text({"id": "y"})["content"]]}, False),
        ({"content": [{"type": "text", "text": '{"id": "x", "id": "y"}'}]}, False),
        ({"content": [], "structuredContent": {"other": 1}}, False),
    ],
)
@played
async def test_what_undoes_is_taken_from_the_data_or_the_one_text(tmp_path: Path, gives: Any, kept: bool) -> None:
    server = Desk()
    server.gives["refund"] = gives
    tools = ENTRIES.replace(", reply: {keep: [state]}", ", reply: {contract: report}")
    async with desk(tmp_path, server, tools) as w:
        one = await client(w, False)
        await do(one, "refund", n=7)
        record = w.records()[-1]
        assert record.get("undo", "") == ("crm.cancel" if kept else "")
        assert any(note.startswith("undo: it is not kept") for note in record.get("notes", [])) != kept
        report = await undo(one)
        assert states(report) == ["undone" if kept else "stopped"]
        assert server.called_with()[1:] == ([("cancel", {"refund": "x"})] if kept else [])


@played
async def test_an_undo_that_the_server_declines_or_loses_stops(tmp_path: Path) -> None:
    server = Desk()
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        await do(one, "refund", n=7)
        server.gives["cancel"] = {"content": [{"type": "text", "text": "no such refund"}], "isError": True}
        [step] = (await undo(one))["steps"]
        assert (step["state"], step["undo"]) == ("stopped", "crm.cancel")
        assert "declined" in step["detail"]
        await do(one, "chat", n=7)
        server.gives["unchat"] = None
        step = (await undo(one))["steps"][0]
        assert (step["state"], "settle" in step["suggestion"]) == ("stopped", True)


@played
async def test_what_the_server_declined_has_no_effect_to_undo(tmp_path: Path) -> None:
    server = Desk()
    no = {"content": [{"type": "text", "text": "no"}], "isError": True}
    server.gives |= {"mail": no, "refund": no}
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        await do(one, "mail", n=1)
        await do(one, "refund", n=1)
        assert (await undo(one))["steps"] == []
        server.gives["mail"] = text({})
        await do(one, "mail", n=1)
        [step] = (await undo(one))["steps"]
        assert "names no tool that undoes it" in step["detail"]


@pytest.mark.parametrize("modern", [False, True])
@played
async def test_calls_by_the_sidecar_s_own_server_are_undone_in_the_same_session(tmp_path: Path, modern: bool) -> None:
    server = Desk(modern)
    async with desk(tmp_path, server, listener=", mcp: {backends: [crm]}") as w:
        one = Client(w, key=KEYS["a"], path="/.toolwall/mcp", modern=True)
        assert "error" not in await do(one, "crm__refund", n=7)
        assert states(await undo(one)) == ["undone"]
        assert server.called_with() == [("refund", {"n": 7}), ("cancel", {"refund": f"{MAIL}-1"})]
        assert len({each.headers.get("mcp-session-id") for each in server.calls("tools/call")}) == 1
        assert [each.called for each in server.heard].count("notifications/initialized") == (0 if modern else 1)


@played
async def test_a_session_that_is_gone_is_begun_anew(tmp_path: Path) -> None:
    server = Desk()
    called, over = server.says["tools/call"], set[str]()
    server.says["tools/call"] = lambda heard: (
        reply(b"", status="404 Not Found", kind="") if heard.headers["mcp-session-id"] in over else called(heard)
    )
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        await do(one, "chat", n=1)
        assert states(await undo(one)) == ["undone"]
        await do(one, "chat", n=2)
        over.add(server.calls("tools/call")[1].headers["mcp-session-id"])
        assert states(await undo(one)) == ["undone", "was_undone"]
        assert server.called_with()[-1] == ("unchat", {"n": 2})


@pytest.mark.parametrize("again", ["its client's session", "none", "the server knows it no more"])
@played
async def test_a_call_is_sent_again_in_its_session_or_where_that_is_over_in_another(tmp_path: Path, again: str) -> None:
    server = Desk()
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        server.gives["mail"] = None
        params = {"name": "mail", "arguments": {"n": 7}, "task": {"ttl": 5}, "_meta": {"progressToken": "p"}}
        headers = [("MCP-Protocol-Version", "2025-11-25")]
        said = last(await one.send(one.message("tools/call", params), headers))["result"]
        assert said["isError"] is True
        lost = w.records()[-1]
        assert lost["outcome"] == "outcome_unknown"
        if again == "none":
            w.sidecar.servers.sessions.forget("crm", one.session)
        over = again == "the server knows it no more"

        def called(heard: Heard) -> Any:
            gone = over and heard.headers.get("mcp-session-id") == one.session
            return reply(b"", status="404 Not Found", kind="") if gone else {"task": {"taskId": "t"}}

        server.says["tools/call"] = called
        code, told = await asyncio.to_thread(ledger, w.folder, "retry", lost["call"])
        assert (code, "the backend answered 200" in told) == (0, True), told
        sent = server.calls("tools/call")[-1]
        assert (sent.headers["mcp-session-id"] == one.session) is not over
        assert (sent.message["params"]["task"], sent.message["params"]["arguments"]) == ({"ttl": 5}, {"n": 7})
        assert ("progressToken" in sent.message["params"]["_meta"]) is not over
        assert (w.records()[-1]["resends"], w.records()[-1]["principal"]) == (lost["call"], "a")


@played
async def test_a_server_that_was_started_for_one_client_gets_nothing_of_another(tmp_path: Path) -> None:
    async def way(*_: Any) -> Any:
        raise AssertionError("nothing is sent there")

    async with desk(tmp_path, server := Desk()) as w:
        one = await client(w, False)
        await do(one, "chat", n=1)
        w.sidecar.servers.ways["crm"] = way
        [step] = (await undo(one))["steps"]
        assert "that client's alone" in step["detail"]
        assert server.called_with() == [("chat", {"n": 1})]
        assert any("that client's alone" in note for note in w.records()[-2]["notes"])


@played
async def test_nobody_undoes_for_others_and_nothing_that_the_rules_refuse(tmp_path: Path) -> None:
    server = Desk()
    policy = "rules: [{id: all, allow: crm.*}, {id: no, deny: crm.unchat, when: args.n > 0}]\n"
    async with desk(tmp_path, server, policy=policy) as w:
        one, other = await client(w, False), await client(w, False, "b")
        await do(one, "chat", n=1)
        assert (await undo(other))["steps"] == []
        [step] = (await undo(one))["steps"]
        assert "refused as denied" in step["detail"]
        assert server.called_with() == [("chat", {"n": 1})]


@played
async def test_what_the_server_asks_meanwhile_is_answered_by_nobody(tmp_path: Path) -> None:
    server = Desk()
    asking = {"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {"message": "Sure?"}}
    called = server.says["tools/call"]

    def says(heard: Heard) -> Any:
        if heard.message["params"]["name"] != "unchat":
            return called(heard)
        return stream(event(asking), event(json.loads(answered(heard, text({})))))

    server.says["tools/call"] = says
    policy = "rules: [{id: all, allow: [crm.*, crm.elicitation/create]}]\n"
    async with desk(tmp_path, server, policy=policy) as w:
        one = await client(w, False)
        await do(one, "chat", n=1)
        assert states(await undo(one)) == ["undone"]
        [refusal] = [each.message for each in server.heard if each.message.get("id") == "q"]
        assert refusal["error"]["code"] == -32601


async def lost(one: Client, server: Desk) -> tuple[int, str]:
    n, gave = next(numbers), server.gives.get("pay")
    server.gives["pay"] = None
    await do(one, "pay", n=n)
    record = next(each for each in reversed(one.wall.records()) if each["tool"] == "crm.pay")
    assert record["executed"] == "unknown"
    server.gives["pay"] = gave or text({"ok": True})
    await asyncio.sleep(0.005)
    return n, record["call"]


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(
    ("found", "end"),
    [
        (text({"state": "paid"}), "done"),
        (text({"state": "none"}), "not-done"),
        ({"content": [], "structuredContent": {"state": "paid"}}, "done"),
        ({"content": [{"type": "text", "text": "busy"}], "isError": True}, ""),
        ({"content": [{"type": "text", "text": "paid"}]}, ""),
        (text({}), ""),
    ],
)
@played
async def test_a_repeat_has_the_server_asked(tmp_path: Path, modern: bool, found: Any, end: str) -> None:
    server = Desk(modern)
    server.gives["find"] = found
    async with desk(tmp_path, server) as w:
        one = await client(w, modern)
        n, first = await lost(one, server)
        before = len(server.calls("tools/call"))
        said = await do(one, "pay", n=n)
        sent = server.called_with()[before:]
        assert sent == [("find", {"n": n}), *([("pay", {"n": n})] if end == "not-done" else [])]
        assert [each["as"] for each in w.records("settled") if each["call"] == first] == ([end] if end else [])
        asked = next(each for each in w.records() if each["tool"] == "crm.find")
        assert asked["settles"] == first
        assert bool(said["result"].get("isError")) == (end != "not-done")


@pytest.mark.parametrize("code", [-32601, -32002])
@played
async def test_an_error_of_the_server_s_is_no_word_that_it_is_not_there(tmp_path: Path, code: int) -> None:
    server = Desk()
    called = server.says["tools/call"]
    error = {"code": code, "message": "Not found"}
    server.says["tools/call"] = lambda heard: (
        reply(json.dumps({"jsonrpc": "2.0", "id": heard.message["id"], "error": error}).encode())
        if heard.message["params"]["name"] == "find"
        else called(heard)
    )
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        n, _ = await lost(one, server)
        assert (await do(one, "pay", n=n))["result"]["isError"] is True
        assert w.records("settled") == []
        assert server.called_with()[-1][0] == "find"


@played
async def test_the_operator_has_the_server_asked(tmp_path: Path) -> None:
    server = Desk()
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        _, call = await lost(one, server)
        code, said = await asyncio.to_thread(ledger, w.folder, "settle", call, "--ask")
        assert code == 0, said
        assert [each["as"] for each in w.records("settled") if each["call"] == call] == ["done"]


@played
async def test_it_has_the_server_asked_also_of_what_was_to_go_on_as_a_task(tmp_path: Path) -> None:
    server = Desk()
    async with desk(tmp_path, server) as w:
        one = await client(w, False)
        server.gives["pay"] = None
        params = {"name": "pay", "arguments": {"n": 7}, "task": {"ttl": 5}}
        await one.send(one.message("tools/call", params), [("MCP-Protocol-Version", "2025-11-25")])
        code, said = await asyncio.to_thread(ledger, w.folder, "settle", w.records()[-1]["call"], "--ask")
        assert code == 0, said
        assert server.called_with()[-1] == ("find", {"n": 7})

"""Requests that clients know by equal ids and tokens, through the socket, at a server that tells callers apart by
nothing: nobody has the answer to, hears of or takes back what another asked for.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import (
    EVENTS,
    FOUND,
    Client,
    Heard,
    Server,
    answered,
    event,
    events,
    last,
    mcp_wall,
    notification,
    played,
)
from tests.proxy.mcp.test_sessions import ANN, BOB, BOTH
from tests.wire import reply


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("id", [7, "7"])
@played
async def test_nobody_takes_back_what_another_asked_for(tmp_path: Path, modern: bool, id: Any) -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def said(heard: Any) -> Any:
        begun.set()
        yield EVENTS
        await go.wait()
        yield event(answered(heard, FOUND))

    server = Server(says={"initialize": lambda heard: reply(answered(heard, {}))})
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        ann, bob = (Client(w, key=key, modern=modern) for key in (ANN, BOB))
        assert "result" in last(await ann.call("find", text="x"))
        server.says["tools/call"] = said
        message = ann.message("tools/call", {"name": "find", "arguments": {"text": "x"}}, id=id)
        called = asyncio.create_task(ann.send(message))
        await begun.wait()
        for one, other in ((bob, id), (ann, str(id) if id == 7 else 7), (ann, None), (ann, [id])):
            assert (await one.tell("notifications/cancelled", requestId=other)).status == 202
        assert server.calls("notifications/cancelled") == []
        assert (await ann.tell("notifications/cancelled", requestId=id)).status == 202
        [known] = [each.message["id"] for each in server.calls("tools/call")[1:]]
        assert [each.message["params"]["requestId"] for each in server.calls("notifications/cancelled")] == [known]
        go.set()
        assert "result" in last(await called)
        await ann.tell("notifications/cancelled", requestId=id)  # too late
        assert len(server.calls("notifications/cancelled")) == 1
        assert len(w.sidecar.servers.under_way) == 0
        told = [each for each in w.records() if each["tool"] == "crm.mcp/notifications/cancelled"]
        assert [each["outcome"] for each in told] == ["ok"] * 6


class Mixing(Server):
    """A server that keeps no sessions and knows its callers by nothing: a request is its id, progress is its token, and
    what is told of one goes to all who are waited for. It answers when `wanted` requests wait."""

    def __init__(self, wanted: int, method: str = "tools/call") -> None:
        super().__init__(says={"initialize": lambda heard: reply(answered(heard, {})), method: self._held})
        self.wanted, self.method = wanted, method
        self.waiting: list[Heard] = []
        self.all = asyncio.Event()
        self.go = asyncio.Event()

    async def _held(self, heard: Heard) -> Any:
        self.waiting.append(heard)
        if len(self.waiting) == self.wanted:
            self.all.set()
        await self.all.wait()
        yield EVENTS
        for each in self.waiting:
            yield event(notification("progress", progressToken=_token(each), progress=1, message=_said(each)))
        await self.go.wait()
        yield event(answered(heard, {"content": [{"type": "text", "text": _said(heard)}]}))


def _token(heard: Heard) -> Any:
    return heard.message["params"]["_meta"]["progressToken"]


def _said(heard: Heard) -> str:
    return str(heard.message["params"]["arguments"]["text"])


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(("id", "token"), [(7, 7), ("a", "a"), (7, "a")])
@played
async def test_equal_ids_and_tokens_do_not_cross(tmp_path: Path, modern: bool, id: Any, token: Any) -> None:
    server = Mixing(3)
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        clients = [Client(w, key=key, modern=modern) for key in (ANN, BOB, BOB)]
        called = {}
        for number, client in enumerate(clients):
            asked = {"name": "find", "arguments": {"text": f"t-{number}"}, "_meta": {"progressToken": token}}
            called[f"t-{number}"] = asyncio.create_task(client.send(client.message("tools/call", asked, id=id)))
        await server.all.wait()
        server.go.set()
        for text, call in called.items():
            *told, said = events(await call)
            assert (said["id"], said["result"]["content"][0]["text"]) == (id, text)
            assert [each["params"] for each in told] == [{"progressToken": token, "progress": 1, "message": text}]
        assert len({heard.message["id"] for heard in server.waiting}) == 3
        assert len({_token(heard) for heard in server.waiting}) == 3


@pytest.mark.parametrize("modern", [False, True])
@played
async def test_who_takes_back_what_has_the_id_of_anothers_takes_back_the_own(tmp_path: Path, modern: bool) -> None:
    server = Mixing(2)
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        ann, bob = (Client(w, key=key, modern=modern) for key in (ANN, BOB))
        called = []
        for client, text in ((ann, "ann"), (bob, "bob")):
            asked = {"name": "find", "arguments": {"text": text}, "_meta": {"progressToken": 1}}
            called.append(asyncio.create_task(client.send(client.message("tools/call", asked, id=5))))
        await server.all.wait()
        assert (await ann.tell("notifications/cancelled", requestId=5)).status == 202
        [cancelled] = server.calls("notifications/cancelled")
        known = cancelled.message["params"]["requestId"]
        assert [_said(heard) for heard in server.waiting if heard.message["id"] == known] == ["ann"]
        server.go.set()
        await asyncio.gather(*called)


@pytest.mark.parametrize("modern", [False, True])
@played
async def test_of_two_clients_of_one_principal_none_takes_back_what_may_be_the_others(
    tmp_path: Path, modern: bool
) -> None:
    server = Mixing(2)
    async with mcp_wall(tmp_path, server) as w:
        one, two = Client(w, modern=modern), Client(w, modern=modern)
        asked = {"name": "find", "arguments": {"text": "x"}, "_meta": {"progressToken": 1}}
        called = [asyncio.create_task(each.send(each.message("tools/call", asked, id=5))) for each in (one, two)]
        await server.all.wait()
        assert (await one.tell("notifications/cancelled", requestId=5)).status == 202
        assert server.calls("notifications/cancelled") == []
        server.go.set()
        assert [last(each)["id"] for each in await asyncio.gather(*called)] == [5, 5]


SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


@played
async def test_subscriptions_of_equal_ids_do_not_cross(tmp_path: Path) -> None:
    """Also at a server that sends on each stream what is for all."""
    asked: list[Heard] = []
    both = asyncio.Event()

    async def listen(heard: Heard) -> Any:
        asked.append(heard)
        if len(asked) == 2:
            both.set()
        await both.wait()
        yield EVENTS
        for number, each in enumerate(asked):
            meta = {SUBSCRIPTION: each.message["id"]}
            yield event(notification("message", level="info", data=number, _meta=meta))
        yield event(answered(heard, {"resultType": "complete", "_meta": {SUBSCRIPTION: heard.message["id"]}}))

    async with mcp_wall(tmp_path, Server(says={"subscriptions/listen": listen}), identity=BOTH) as w:
        clients = [Client(w, key=key, modern=True) for key in (ANN, BOB)]
        wanted = {"notifications": {"toolsListChanged": True}}
        calls = []
        for number, client in enumerate(clients):
            calls.append(asyncio.create_task(client.send(client.message("subscriptions/listen", wanted, id="s"))))
            while len(asked) <= number:
                await asyncio.sleep(0.01)
        for number, said in enumerate(await asyncio.gather(*calls)):
            told, end = events(said)
            assert told["params"] == {"level": "info", "data": number, "_meta": {SUBSCRIPTION: "s"}}
            assert (end["id"], end["result"]["_meta"]) == ("s", {SUBSCRIPTION: "s"})


@played
async def test_sessions_keep_equal_ids_and_tokens_apart(tmp_path: Path) -> None:
    """In a session ids are the client's own, for the server knows whose session it is."""
    server = Mixing(2)
    del server.says["initialize"]
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        clients = [await Client(w, key=key).begin() for key in (BOB, BOB)]
        called = []
        for number, client in enumerate(clients):
            asked = {"name": "find", "arguments": {"text": f"t-{number}"}, "_meta": {"progressToken": 3}}
            called.append(asyncio.create_task(client.send(client.message("tools/call", asked, id=9))))
        await server.all.wait()
        assert (await clients[1].tell("notifications/cancelled", requestId=9)).status == 202
        [cancelled] = server.calls("notifications/cancelled")
        assert cancelled.headers["mcp-session-id"] == clients[1].session != clients[0].session
        server.go.set()
        for number, call in enumerate(called):
            said = last(await call)
            assert (said["id"], said["result"]["content"][0]["text"]) == (9, f"t-{number}")

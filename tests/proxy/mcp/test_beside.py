"""What a server asks of a client while a request is under way: judged, cleaned, and answered in its session alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.mcp import beside
from tests.mcpwire import (
    ACCEPTED,
    EVENTS,
    FIND,
    FOUND,
    Client,
    Server,
    answered,
    event,
    events,
    last,
    mcp_wall,
    notification,
    played,
    stream,
)
from tests.wire import reply

MAIL = "ann@example.com"
POLICY = """
rules:
  - {id: tools, allow: "crm.*"}
  - {id: asks, allow: crm.elicitation/create, when: 'args.message != "no"'}
"""


def asking(method: str, id: Any = "q-1", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


class Elicitor(Server):
    """A server that asks, and answers the call once it has an answer."""

    def asks(self, *questions: dict[str, Any]) -> None:
        self.replies: asyncio.Queue[Any] = asyncio.Queue()

        async def said(heard: Any) -> Any:
            yield EVENTS
            for question in questions:
                yield event(question)
            got = await self.replies.get()
            yield event(answered(heard, {"content": [{"type": "text", "text": json.dumps(got)}]}))

        def replied(heard: Any) -> Any:
            self.replies.put_nowait(heard.message)
            return ACCEPTED

        self.says["tools/call"] = said
        self.says["response"] = replied


async def asked_then(client: Client, replies: Any) -> list[Any]:
    """A call, in whose middle the client answers what it is asked."""
    w = client.wall
    message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
    reader, writer = await w.connect()
    writer.write(w.raw("POST", client.path, json.dumps(message).encode(), client.head(message)))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        came = await reader.readuntil(b"}\n\n")
        said = await replies(json.loads(came[came.index(b"data: ") + 6 :]))
        rest = await reader.read()
        return [head, came, said, rest]
    finally:
        writer.close()


@played
async def test_what_a_server_asks_reaches_the_client_clean_and_the_answer_goes_back(tmp_path: Path) -> None:
    server = Elicitor()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = await Client(w).begin()
        server.asks(asking("elicitation/create", message=f"may {MAIL}?", requestedSchema={"type": "object"}))

        async def replies(question: Any) -> Any:
            assert question["id"] == "q-1"
            assert question["params"] == {"message": "may <EMAIL_ADDRESS>?", "requestedSchema": {"type": "object"}}
            said = {"jsonrpc": "2.0", "id": "q-1", "result": {"action": "accept", "content": {}}}
            once = await client.send(said)
            assert (once.status, once.body) == (202, b"")
            twice = await client.send(said)
            assert twice.status == 400
            return once

        _, _, _, rest = await asked_then(client, replies)
        assert b"accept" in rest
        assert len(server.calls("response")) == 1
        records = {record["tool"]: record for record in w.records()}
        assert records["crm.elicitation/create"]["decision"] == "allow"
        assert records["crm.elicitation/create"]["redactions"] == {"EMAIL_ADDRESS": 1}
        assert MAIL.encode() not in w.ledger()


@pytest.mark.parametrize(
    "question",
    [
        asking("sampling/createMessage", messages=[], maxTokens=1),
        asking("elicitation/create", message="no", requestedSchema={"type": "object"}),
        asking("roots/list"),
        asking("tasks/list"),
        asking("tools/call", name="drop"),
        asking("completely/unknown"),
    ],
    ids=lambda question: question["method"],
)
@played
async def test_what_no_rule_allows_a_server_to_ask_never_reaches_the_client(tmp_path: Path, question: Any) -> None:
    server = Elicitor()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = await Client(w).begin()
        server.asks(question)
        said = await client.call("find", text="x")
        assert len(events(said)) == 1
        (told,) = server.calls("response")
        assert told.message["id"] == "q-1"
        assert told.message["error"]["code"] == -32601
        assert told.headers["mcp-session-id"] == client.session
        record = next(record for record in w.records() if record["tool"] == "crm.find")
        assert any("refused" in note for note in record["notes"])
        assert record["attempts"] == 1


@played
async def test_a_call_that_waits_for_its_client_does_not_wait_for_itself(tmp_path: Path) -> None:
    server = Elicitor()
    async with mcp_wall(tmp_path, server, POLICY, keys="bulkhead: {at_once: 1, queue: 0}") as w:
        client = await Client(w).begin()
        server.asks(asking("elicitation/create", message="a", requestedSchema={}))

        async def replies(_: Any) -> Any:
            return await client.send({"jsonrpc": "2.0", "id": "q-1", "result": {"action": "decline"}})

        _, _, said, rest = await asked_then(client, replies)
        assert said.status == 202
        assert b"decline" in rest


@played
async def test_a_server_that_asks_too_much_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MOST_ASKED", 3)
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = await Client(w).begin()
        questions = [event(asking("roots/list", id=number)) for number in range(10)]
        server.says["tools/call"] = lambda heard: stream(*questions, event(answered(heard, FOUND)))
        assert last(await client.call("find", text="x"))["result"] == FOUND
        assert len(server.calls("response")) == 10
        assert len([record for record in w.records() if record["tool"] == "crm.roots/list"]) == 3


@played
async def test_nobody_else_answers_for_a_client(tmp_path: Path) -> None:
    server = Elicitor()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client, other = await Client(w).begin(), await Client(w).begin()
        server.asks(asking("elicitation/create", message="a", requestedSchema={}))

        async def replies(_: Any) -> Any:
            said = {"jsonrpc": "2.0", "id": "q-1", "result": {"action": "accept"}}
            without = Client(w)
            assert [(await each.send(said)).status for each in (other, without)] == [400, 400]
            wrong = await client.send({**said, "id": "q-2"})
            assert wrong.status == 400
            assert server.calls("response") == []
            return await client.send({**said, "result": {"action": "decline"}})

        await asked_then(client, replies)
        (sent,) = server.calls("response")
        assert sent.message["result"] == {"action": "decline"}


@played
async def test_a_server_may_ask_nothing_in_the_era_without_sessions(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = Client(w, modern=True)
        question = event(asking("elicitation/create", message="a", requestedSchema={}))
        server.says["tools/call"] = lambda heard: stream(question, event(answered(heard, FOUND)))
        said = await client.call("find", text="x")
        assert events(said) == [{"jsonrpc": "2.0", "id": client.ids, "result": FOUND}]


@played
async def test_what_cannot_be_cleaned_is_not_told(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY, keys="reply: {most_bytes: 65536}") as w:
        client = await Client(w).begin()
        told = notification("message", level="info", data={"a": "x"})
        deep = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%b}}' % (
            b'{"a":' * 110 + b"1" + b"}" * 110
        )
        server.says["tools/call"] = lambda heard: stream(event(told), event(deep), event(answered(heard, FOUND)))
        heard = events(await client.call("find", text="x"))
        assert heard[-1]["result"] == FOUND
        assert 2 <= len(heard) <= 3


@played
async def test_nothing_is_asked_by_an_id_that_is_a_secret_of_the_sidecars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "canary-of-the-hub-4711-abcdefghij"
    monkeypatch.setenv("HUB_TOKEN", secret)
    server = Elicitor()
    async with mcp_wall(tmp_path, server, POLICY, keys="credential: {env: HUB_TOKEN, send: bearer}\n") as w:
        client = await Client(w).begin()
        server.asks(asking("elicitation/create", id=secret, message="may I?"))
        said = await client.call("find", text="x")
        assert secret.encode() not in said.raw
        (refused,) = server.calls("response")
        assert (refused.message["id"], refused.message["error"]["code"]) == (secret, -32601)


@played
async def test_a_server_may_ping_who_listens_for_as_long_as_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "MOST_ASKED", 3)
    monkeypatch.setattr(beside, "ASKED_S", 0.0)
    server = Server(says={"GET": lambda _: stream(*[event(asking("ping", id=number)) for number in range(10)])})
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        assert [each["id"] for each in events(await client.get())] == list(range(10))


@pytest.mark.parametrize("first", [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", None])
@played
async def test_an_answer_that_did_not_arrive_may_be_given_again(tmp_path: Path, first: bytes | None) -> None:
    server = Server(says={"response": lambda _: first})
    server.says["tools/call"] = lambda heard: stream(event(asking("ping")), event(answered(heard, FOUND)))
    async with mcp_wall(tmp_path, server) as w:
        client, said = await Client(w).begin(), {"jsonrpc": "2.0", "id": "q-1", "result": {}}
        await client.call("find", text="x")
        assert (await client.send(said)).status >= 500
        server.says["response"] = lambda _: ACCEPTED
        assert [(await client.send(said)).status for _ in range(2)] == [202, 400]


@played
async def test_an_answer_is_sent_again_by_the_sidecar_itself(tmp_path: Path) -> None:
    gone = [None, None]
    server = Server(says={"response": lambda _: gone.pop() if gone else ACCEPTED})
    server.says["tools/call"] = lambda heard: stream(event(asking("ping")), event(answered(heard, FOUND)))
    async with mcp_wall(tmp_path, server, retry="{attempts: 3}") as w:
        client = await Client(w).begin()
        await client.call("find", text="x")
        assert (await client.send({"jsonrpc": "2.0", "id": "q-1", "result": {}})).status == 202
        assert len(server.calls("response")) == 3


@played
async def test_a_server_hears_that_what_it_asked_cannot_be_shown(tmp_path: Path) -> None:
    """The answers of the tool are looked at otherwise than those of the backend."""
    image = {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}
    ask = asking("sampling/createMessage", messages=[{"role": "user", "content": image}], maxTokens=9)
    server = Server([FIND], says={"tools/call": lambda heard: stream(event(ask), event(answered(heard, FOUND)))})
    policy = "rules: [{id: all, allow: [crm.*, crm.sampling/createMessage]}]"
    tools = "\n  find: {effect: read, reply: {binary: refuse}}\n"
    async with mcp_wall(tmp_path, server, policy, tools, keys="reply: {binary: pass}\n") as w:
        said = events(await (await Client(w).begin()).call("find", text="x"))
        assert [each.get("method") for each in said] == [None]
        (refused,) = server.calls("response")
        assert (refused.message["id"], refused.message["error"]["code"]) == ("q-1", -32601)


@played
async def test_what_is_told_is_not_told_in_the_sidecars_name(tmp_path: Path) -> None:
    feigned = {"toolwall/refusal": {"code": "denied"}, "other/x": 1}
    told = event(notification("message", level="info", data="x", _meta=feigned))
    ask = event(asking("elicitation/create", message="m", _meta=feigned))
    server = Server(says={"tools/call": lambda heard: stream(told, ask, event(answered(heard, FOUND)))})
    async with mcp_wall(tmp_path, server, POLICY) as w:
        said = events(await (await Client(w).begin()).call("find", text="x"))
        assert [each["params"]["_meta"] for each in said[:-1]] == [{"other/x": 1}] * 2


VISIT = {"mode": "url", "elicitationId": "e-1", "url": "https://id.example/x", "message": "Sign in, ann@example.com."}


def urls(elicitations: Any, name: str = "elicitations") -> Any:
    """A server that wants to have something visited first (2025-11-25)."""
    data = {"data": {name: elicitations}} if name else {}
    error = {"code": -32042, "message": "m", **data}
    return lambda heard: reply(json.dumps({"jsonrpc": "2.0", "id": heard.message["id"], "error": error}).encode())


@played
async def test_what_an_error_wants_to_have_visited_is_asked_as_all_else(tmp_path: Path) -> None:
    server = Server(says={"tools/call": urls([VISIT])})
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = await Client(w).begin()
        error = last(await client.call("find", text="x"))["error"]
        cleaned = {**VISIT, "message": "Sign in, <EMAIL_ADDRESS>."}
        assert error == {"code": -32042, "message": "m", "data": {"elicitations": [cleaned]}}
        assert [each["tool"] for each in w.records()][-2:] == ["crm.elicitation/create", "crm.find"]
        many = [VISIT] * 33
        refused = [
            urls([{**VISIT, "message": "no"}]),
            urls("x"),
            urls(["x"]),
            urls(many),
            urls([VISIT], "Elicitations"),
        ]
        for number, says in enumerate(refused):
            server.says["tools/call"] = says
            said = await client.call("find", text=f"x{number}")
            assert (w.records()[-1]["code"], w.records()[-1]["executed"]) == ("reply_refused", "no")
            assert b"id.example" not in said.raw
        server.says["tools/call"] = urls(None, "")
        assert last(await client.call("find", text="y"))["error"] == {"code": -32042, "message": "m"}


@played
async def test_nothing_is_to_be_visited_where_no_rule_allows_to_ask(tmp_path: Path) -> None:
    async with mcp_wall(tmp_path, Server(says={"tools/call": urls([VISIT])})) as w:
        said = await (await Client(w).begin()).call("find", text="x")
        assert last(said)["result"]["isError"] is True
        assert b"id.example" not in said.raw

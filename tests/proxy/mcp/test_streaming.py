"""Streams that last: GET of the sessions' era and `subscriptions/listen`, each message judged and cleaned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest

from proxy import reload
from proxy.identity import keyfile
from proxy.mcp import streaming
from proxy.stops.halts import Mark
from proxy.transports import tls
from rules.facts import Principal
from tests.certificates import CLIENT, Authority
from tests.issuer import AUDIENCE, ISSUER, jwks, public, rsa_key, token
from tests.mcpwire import (
    EVENTS,
    FOUND,
    Client,
    Server,
    answered,
    event,
    events,
    mcp_wall,
    notification,
    played,
    stream,
)
from tests.wire import Wall, reply

MAIL = "ann@example.com"
ASKED = {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create", "params": {"message": MAIL}}
POLICY = """
rules:
  - {id: tools, allow: [crm.*, crm.elicitation/create]}
"""


LASTING = ("crm.mcp/stream", "crm.mcp/subscriptions/listen")


def of(said: Any) -> list[Any]:
    return [(each.get("method", each.get("id")), each.get("params", each.get("result"))) for each in events(said)]


@played
async def test_a_stream_of_a_session_is_judged_message_by_message(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: stream(
            event(b"", "e-1"),
            event(notification("message", level="info", data=f"to {MAIL}"), "e-2"),
            event(notification("unheard_of", data=MAIL), "e-3"),
            event({"jsonrpc": "2.0", "id": 1, "result": {"content": [MAIL]}}, "e-4"),
            event(ASKED, "e-5"),
            event({**ASKED, "id": 10, "method": "roots/list"}, "e-6"),
        )
        said = await client.get(more=[("Last-Event-ID", "e-0")])
        assert (said.status, said.headers["content-type"]) == (200, "text/event-stream")
        assert of(said) == [
            ("notifications/message", {"level": "info", "data": "to <EMAIL_ADDRESS>"}),
            ("elicitation/create", {"message": "<EMAIL_ADDRESS>"}),
        ]
        assert [line for line in said.body.split(b"\n") if line.startswith(b"id:")] == [
            b"id: e-1", b"id: e-2", b"id: e-5",
        ]  # fmt: skip
        assert server.calls("GET")[0].headers["last-event-id"] == "e-0"
        assert [sent.message["id"] for sent in server.calls("response")] == [10]
        records = [record for record in w.records() if record["tool"] == "crm.mcp/stream"]
        assert len(records) == 1
        assert MAIL.encode() not in w.ledger()
        answer = await client.send({"jsonrpc": "2.0", "id": 9, "result": {"action": "cancel"}})
        assert answer.status == 202


@played
async def test_a_stream_goes_on_while_it_comes_and_ends_with_the_client(tmp_path: Path) -> None:
    server = Server()

    async def slow() -> Any:
        yield EVENTS
        for number in range(1000):
            yield event(notification("message", level="info", data=number))
            await asyncio.sleep(0.05)

    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: slow()
        reader, writer = await w.connect()
        writer.write(
            w.raw("GET", client.path, b"", [("Accept", "text/event-stream"), ("Mcp-Session-Id", client.session)])
        )
        await asyncio.wait_for(reader.readuntil(b'"data": 1'), 2)
        writer.close()
        await w.backend.hung_up_on()
        await asyncio.sleep(0.02)
        record = w.records()[-1]
        assert (record["tool"], record["outcome"]) == ("crm.mcp/stream", "client_gone")


@played
async def test_a_server_without_a_stream_says_so(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: reply(b"", "Allow: POST, DELETE", status="405 Method Not Allowed", kind="")
        said = await client.get()
        assert (said.status, said.headers["allow"]) == (405, "POST, DELETE")


@pytest.mark.parametrize("bad", [b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}'])
@played
async def test_a_stream_that_cannot_be_trusted_ends(tmp_path: Path, bad: bytes) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: stream(event(bad), event(notification("message", level="info", data="after")))
        said = await client.get()
        assert b"after" not in said.raw
        assert w.records()[-1]["code"] == "reply_refused"


@played
async def test_many_streams_leave_room_for_calls(tmp_path: Path) -> None:
    server = Server()

    async def lasting() -> Any:
        yield EVENTS + event(notification("message", level="info", data="begun"))
        await asyncio.sleep(30)

    async with mcp_wall(tmp_path, server, keys="bulkhead: {at_once: 1, queue: 0}") as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: lasting()
        opened = []
        for _ in range(3):
            reader, writer = await w.connect()
            head = [("Accept", "text/event-stream"), ("Mcp-Session-Id", client.session)]
            writer.write(w.raw("GET", client.path, b"", head))
            await reader.readuntil(b"begun")
            opened.append(writer)
        assert (await client.call("find", text="x")).json["result"]["content"]
        for writer in opened:
            writer.close()


@played
async def test_a_silent_stream_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BEAT_S", 0.05)
    server = Server()

    async def silent() -> Any:
        yield EVENTS
        await asyncio.sleep(0.3)
        yield event(notification("message", level="info", data="at last"))

    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        server.says["GET"] = lambda _: silent()
        said = await client.get()
        assert said.body.count(streaming.COMMENT.strip()) >= 2
        assert len(events(said)) == 1


@played
async def test_a_subscription_lasts_until_the_server_ends_it(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = Client(w, modern=True)
        server.says["subscriptions/listen"] = lambda heard: stream(
            event(notification("subscriptions/acknowledged", notifications={"toolsListChanged": True})),
            event(notification("tools/list_changed")),
            event({"jsonrpc": "2.0", "id": heard.message["id"], "result": {"resultType": "complete", "by": MAIL}}),
        )
        said = await client.ask("subscriptions/listen", notifications={"toolsListChanged": True})
        assert [what for what, _ in of(said)] == [
            "notifications/subscriptions/acknowledged", "notifications/tools/list_changed", 1,
        ]  # fmt: skip
        assert MAIL.encode() not in said.raw
        assert json.loads(json.dumps(events(said)[-1]["result"]["by"])) == "<EMAIL_ADDRESS>"


@pytest.mark.parametrize("how", ["stopped", "revoked", "denied"])
@played
async def test_a_stream_ends_when_its_caller_might_not_open_it_any_more(tmp_path: Path, how: str) -> None:
    go = asyncio.Event()

    async def said(_: Any) -> Any:
        yield EVENTS
        yield event(notification("message", level="info", data="before"))
        await go.wait()
        yield event(notification("message", level="info", data="behind"))
        await asyncio.sleep(60)

    async with mcp_wall(tmp_path, Server(says={"GET": said}), POLICY) as w:
        client = await Client(w).begin()
        reader, writer = await w.connect()
        head = [("Accept", "text/event-stream"), ("Mcp-Session-Id", client.session)]
        writer.write(w.raw("GET", client.path, b"", head))
        assert b"before" in await reader.readuntil(b"before")
        firewall = w.sidecar.firewall
        if how == "stopped":
            firewall.halts.stopped = "a test"
        elif how == "revoked":
            firewall.halts.marks = frozenset({Mark("bot", "")})
        else:
            (tmp_path / "rules" / "policy.yaml").write_text("rules: [{id: none, deny: 'crm.*'}]")
            before = firewall.regime
            while firewall.regime is before:
                await asyncio.sleep(0.05)
        go.set()
        async with asyncio.timeout(5):
            assert b"behind" not in await reader.read()
        writer.close()
        assert [each["outcome"] for each in w.records() if each["tool"] == "crm.mcp/stream"] == ["ok"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((streaming, "LOOK_S"), (keyfile, "LOOK_S"), (tls, "LOOK_S"), (reload, "POLL_S")):
        monkeypatch.setattr(module, name, 0.05)


async def silent(_: Any) -> Any:
    yield EVENTS
    yield event(notification("message", level="info", data="before"))
    await asyncio.sleep(60)


async def ends(w: Wall, raw: bytes, then: Callable[[], object]) -> None:
    """A stream that says nothing more ends after something happened, and its Record is a good one."""
    reader, writer = await w.connect()
    try:
        writer.write(raw)
        await reader.readuntil(b"before")
        then()
        async with asyncio.timeout(8):
            await reader.read()
    finally:
        writer.close()
    assert [each["outcome"] for each in w.records() if each["tool"] in LASTING] == ["ok"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("how", "modern"), [("revoked", False), ("revoked", True), ("roles", False), ("over", False), ("gone", True)]
)
@played
async def test_a_silent_stream_ends_with_the_key_that_opened_it(tmp_path: Path, how: str, modern: bool) -> None:
    path = tmp_path / "keys.yaml"
    key, kept = keyfile.made(Principal("ann", frozenset({"a"})), time(), 2.0 if how == "over" else 3600.0)
    keyfile.add(path, kept, time())
    says = {"GET": silent, "subscriptions/listen": silent}

    def change() -> None:
        if how == "revoked":
            keyfile.revoke(path, "ann")
        elif how == "roles":
            path.write_text(path.read_text().replace('"a"', '"b"'))
        elif how == "gone":
            path.unlink()

    async with mcp_wall(tmp_path, Server(says=says), identity="{key_file: keys.yaml}") as w:
        client = Client(w, modern=modern, key=key)
        await (client.begin() if not modern else asyncio.sleep(0))
        await ends(w, opening(client), change)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["its key is gone", "it is revoked"])
@played
async def test_a_call_whose_caller_counts_no_more_ends_and_is_told_nothing_meanwhile(tmp_path: Path, how: str) -> None:
    path = tmp_path / "keys.yaml"
    key, kept = keyfile.made(Principal("ann"), time())
    keyfile.add(path, kept, time())
    go = asyncio.Event()

    async def slow(heard: Any) -> Any:
        yield EVENTS
        yield event(notification("message", level="info", data="before"))
        await go.wait()
        yield event(notification("message", level="info", data="behind"))
        yield event(ASKED)
        yield event(answered(heard, FOUND))

    server = Server(says={"tools/call": slow})
    async with mcp_wall(tmp_path, server, POLICY, identity="{key_file: keys.yaml}") as w:
        client = await Client(w, key=key).begin()
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        reader, writer = await w.connect()
        try:
            writer.write(w.raw("POST", client.path, json.dumps(message).encode(), client.head(message)))
            first = await reader.readuntil(b"before")
            if how == "its key is gone":
                path.unlink()
            else:
                w.sidecar.firewall.halts.marks = frozenset({Mark("ann", "")})
            await asyncio.sleep(0.1)
            go.set()
            rest = await reader.read()
        finally:
            writer.close()
        assert b"behind" not in first + rest
        assert b"elicitation" not in rest
        assert b'"result"' in rest
        assert [sent.message["error"]["code"] for sent in server.calls("response")] == [-32601]
        [record] = [each for each in w.records() if each["tool"] == "crm.find"]
        assert record["outcome"] == "ok"
        assert any("counts no more" in note for note in record["notes"])


def opening(client: Client, *more: tuple[str, str]) -> bytes:
    """The bytes that open a stream which lasts."""
    if not client.modern:
        named = [("Mcp-Session-Id", client.session), *([("Toolwall-Key", client.key)] if client.key else [])]
        return client.wall.raw("GET", client.path, b"", [("Accept", "text/event-stream"), *named, *more])
    asked = client.message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    return client.wall.raw("POST", client.path, json.dumps(asked).encode(), client.head(asked, more))


@pytest.mark.usefixtures("quick")
@played
async def test_a_silent_stream_ends_with_the_token_that_opened_it(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one")))
    made = {"issuer": ISSUER, "audience": AUDIENCE, "keys": "file:jwks.json", "leeway": "1s"}
    server = Server(says={"subscriptions/listen": silent})
    async with mcp_wall(tmp_path, server, identity=json.dumps({"jwt": [made]})) as w:
        now = int(time())
        bearer = f"Bearer {token(exp=now + 2, iat=now - 10)}"
        await ends(w, opening(Client(w, modern=True), ("Authorization", bearer)), lambda: None)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["its time is over", "nobody vouches for it"])
@played
async def test_a_silent_stream_ends_with_the_certificate_that_opened_it(tmp_path: Path, how: str) -> None:
    servers, clients = Authority.new(), Authority.new("Clients")
    servers.server().write(tmp_path)
    (tmp_path / "clients.pem").write_bytes(clients.own.pem)
    listener = ", tls: {certificate: own.pem, key: own.key, client_ca: clients.pem, client: required}"
    identity = "{certificates: [{subject: 'CN=bot', id: bot}]}"
    server = Server(says={"subscriptions/listen": silent})
    async with mcp_wall(tmp_path, server, identity=identity, listener=listener) as w:
        now = datetime.now(UTC)
        short = timedelta(seconds=3) - timedelta(microseconds=now.microsecond)
        until = short if how == "its time is over" else timedelta(days=1)
        w.tls = servers.client(tmp_path, clients.sign(use=CLIENT, ends=until))

        def change() -> None:
            if how != "its time is over":
                (tmp_path / "clients.pem").write_bytes(Authority.new("Others").own.pem)

        await ends(w, opening(Client(w, modern=True)), change)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["stopped", "revoked", "denied", "without the backend", "other rules"])
@played
async def test_a_silent_stream_ends_too(tmp_path: Path, how: str) -> None:
    rules = tmp_path / "rules"
    async with mcp_wall(tmp_path, Server(says={"GET": silent}), POLICY) as w:
        client = await Client(w).begin()

        def change() -> None:
            if how == "stopped":
                w.sidecar.halting.stop("a test")
            elif how == "revoked":
                w.sidecar.firewall.halts.marks = frozenset({Mark("bot", "")})
            elif how == "denied":
                (rules / "policy.yaml").write_text("rules: [{id: none, deny: 'crm.*'}]")
            elif how == "without the backend":
                (rules / "crm.yaml").unlink()
                (rules / "policy.yaml").write_text("rules: [{id: none, deny: 'erp.*'}]")
                (rules / "erp.yaml").write_text("backend: erp\nurl: http://127.0.0.1:1\ntools: {get: {call: GET /}}")
            else:
                (rules / "crm.yaml").write_text((rules / "crm.yaml").read_text() + "reply: {redact: [EMAIL_ADDRESS]}\n")

        await ends(w, opening(client), change)


@pytest.mark.parametrize("most", [4096, 65536])
@played
async def test_a_stream_tells_something_however_little_an_answer_may_have(tmp_path: Path, most: int) -> None:
    """Whoever comes back would find the same event before it for ever."""
    said = [notification("message", level="info", data="x" * (most // 3)) for _ in range(4)]
    server = Server(says={"GET": lambda _: stream(*map(event, said))})
    async with mcp_wall(tmp_path, server, keys=f"reply: {{most_bytes: {most}}}") as w:
        client = await Client(w).begin()
        assert events(await client.get()) == said[:1]
        assert w.records()[-1]["outcome"] == "ok"

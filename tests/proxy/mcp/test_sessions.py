"""Sessions: whose each is, through the socket and by themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from proxy.errors import Refusal
from proxy.mcp.sessions import MOST_OF_ONE, MOST_WAITING, BadSession, Sessions
from tests.mcpwire import Client, Server, answered, greeting, mcp_wall, played
from tests.wire import reply

ANN, BOB = "twk_" + "a" * 43, "twk_" + "b" * 43
LISTED = ", ".join(
    f"{{id: {name}, sha256: {hashlib.sha256(key.encode()).hexdigest()}}}" for name, key in (("ann", ANN), ("bob", BOB))
)
BOTH = f"{{api_keys: [{LISTED}]}}"
SECRET = "canary-of-the-hub-4711-abcdefghij"


def test_a_session_is_nobody_elses() -> None:
    sessions = Sessions()
    sessions.bind("crm", "s1", "ann")
    assert sessions.of("crm", "s1", "ann") is sessions.of("crm", "s1", "ann")
    for backend, id, principal in (
        ("crm", "s1", "bob"),
        ("crm", "s2", "ann"),
        ("erp", "s1", "ann"),
        ("crm", "", "ann"),
    ):
        with pytest.raises(Refusal) as caught:
            sessions.of(backend, id, principal)
        assert (caught.value.code, caught.value.status) == ("unknown_session", 404)


def test_a_server_cannot_give_one_session_to_two() -> None:
    sessions = Sessions()
    sessions.bind("crm", "s1", "ann")
    sessions.bind("crm", "s1", "ann")
    for id in ("s1", "", "with space", "line\n", "x" * 1025, "ü"):
        with pytest.raises(BadSession):
            sessions.bind("crm", id, "bob")
    sessions.forget("crm", "s1")
    sessions.forget("crm", "s1")
    sessions.bind("crm", "s1", "bob")
    assert len(sessions) == 1


def test_whoever_begins_too_many_loses_its_own_alone() -> None:
    sessions = Sessions()
    sessions.bind("crm", "of-bob", "bob")
    for number in range(MOST_OF_ONE + 5):
        sessions.bind("crm", f"s{number}", "ann")
    assert len(sessions) == MOST_OF_ONE + 1
    assert sessions.of("crm", "of-bob", "bob").principal == "bob"
    with pytest.raises(Refusal):
        sessions.of("crm", "s0", "ann")


def test_what_a_server_asks_is_answered_once_however_its_id_is_spelt() -> None:
    sessions = Sessions()
    sessions.bind("crm", "s1", "ann")
    session = sessions.of("crm", "s1", "ann")
    session.ask(b'"a\\u0062"', "roots/list")
    assert not session.is_free(b'"ab"')
    assert session.answered(b'"a"') is None
    assert session.answered(b'"ab"') == "roots/list"
    assert session.answered(b'"ab"') is None
    session.ask(b"7", "ping")
    session.cancelled("7")
    session.cancelled(7)
    assert session.answered(b"7") is None


def test_a_client_that_answers_nothing_fills_nothing() -> None:
    sessions = Sessions()
    sessions.bind("crm", "s1", "ann")
    session = sessions.of("crm", "s1", "ann")
    for number in range(MOST_WAITING + 1):
        session.ask(b"%d" % number, "ping")
    assert len(session.waiting) == MOST_WAITING
    assert (session.answered(b"0"), session.answered(b"1")) == (None, "ping")


@played
async def test_a_session_in_the_wrong_hands_does_not_exist(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        ann = await Client(w, key=ANN).begin()
        bob = Client(w, key=BOB, session=ann.session)
        lost = Client(w, key=ANN, session="never-was")
        before = len(server.heard)
        for wrong in (bob, lost):
            said = [await wrong.call("find", text="x"), await wrong.get(), await wrong.get("DELETE")]
            said.append(await wrong.tell("notifications/initialized"))
            for each in said:
                assert each.status == 404, each.raw
                assert each.json["error"]["code"]
                assert ann.session.encode() not in each.raw
        assert len(server.heard) == before
        assert {record["code"] for record in w.records()[-8:]} == {"unknown_session"}
        assert (await ann.call("find", text="x")).status == 200
        assert ann.session.encode() not in w.ledger()


@played
async def test_two_principals_get_a_session_each(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        ann, bob = await Client(w, key=ANN).begin(), await Client(w, key=BOB).begin()
        assert ann.session != bob.session
        assert [(await each.call("find", text="x")).status for each in (ann, bob)] == [200, 200]
        assert [sent.headers["mcp-session-id"] for sent in server.calls("tools/call")] == [ann.session, bob.session]


@played
async def test_a_server_that_gives_a_session_to_two_is_refused(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        await Client(w, key=ANN).begin()
        server.sessions = 0
        bob = Client(w, key=BOB)
        said = await bob.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
        assert "mcp-session-id" not in said.headers
        assert said.json["error"]
        assert w.records()[-1]["code"] == "reply_refused"


@played
async def test_a_session_that_the_server_ended_is_over(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        await client.call("find", text="x")
        server.says["tools/call"] = lambda _: reply(b"{}", status="404 Not Found")
        assert (await client.call("find", text="x")).status == 404
        sent = len(server.heard)
        assert (await client.call("find", text="x")).status == 404
        assert len(server.heard) == sent


@played
async def test_a_client_ends_its_session(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        assert (await client.get("DELETE")).status == 405
        server.says["DELETE"] = lambda _: reply(b"", kind="")
        assert (await client.get("DELETE")).status == 204
        assert (await client.call("find", text="x")).status == 404


@played
async def test_a_session_is_one_run(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        for _ in range(2):
            client = await Client(w).begin()
            await client.call("find", text="x")
            await client.call("find", text="y")
        runs = [record["run"] for record in w.records() if record["tool"] == "crm.find"]
        assert runs[0] == runs[1] != runs[2] == runs[3]
        assert [record["step"] for record in w.records() if record["tool"] == "crm.find"] == [1, 2, 1, 2]


@played
async def test_no_session_is_named_by_a_secret_of_the_sidecars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server knows the credential that it is sent; whoever calls does not, and gets it by no id."""
    monkeypatch.setenv("HUB_TOKEN", SECRET)
    server = Server(says={"initialize": lambda heard: reply(answered(heard, greeting()), f"Mcp-Session-Id: {SECRET}")})
    async with mcp_wall(tmp_path, server, keys="credential: {env: HUB_TOKEN, send: bearer}\n") as w:
        info = {"name": "c", "version": "1"}
        said = await Client(w).ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)
        assert server.heard[0].headers["authorization"] == f"Bearer {SECRET}"
        assert said.json["error"]["data"]["code"] == "reply_refused"
        assert SECRET.encode() not in said.raw

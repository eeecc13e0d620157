"""Which revisions of the protocol may be spoken with a server: nothing of another one reaches it, nor comes from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import MODERN, Client, Heard, Server, greeting, mcp_wall, played
from tests.stdiowire import inside
from tests.wire import Reply, Wall

OLD, OLDER = "2025-11-25", "2025-06-18"
ASSUMED = "2025-03-26"
UNSUPPORTED = -32022


def only(*revisions: str) -> str:
    return f"revisions: [{', '.join(revisions)}]"


def speaking(version: str) -> Server:
    def greets(_: Heard) -> Any:
        return greeting(protocolVersion=version)

    return Server(says={"initialize": greets})


async def begin(wall: Wall, version: Any) -> Reply:
    info = {"name": "c", "version": "1"}
    said = {} if version is None else {"protocolVersion": version}
    return await Client(wall).ask("initialize", **said, capabilities={}, clientInfo=info)


def refused(said: Reply, asked: str, *spoken: str) -> None:
    assert said.status == 400
    error = said.json["error"]
    assert (error["code"], error["data"]) == (UNSUPPORTED, {"supported": list(spoken), "requested": asked})


@pytest.mark.parametrize("asked", [OLDER, "2024-11-05", MODERN, "2099-01-01", "", "x" * 64])
@played
async def test_a_session_begins_in_a_revision_that_is_allowed(tmp_path: Path, asked: str) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, keys=only(OLD)) as wall:
        wall.news()
        refused(await begin(wall, asked), asked, OLD)
        (record,) = wall.news()
        assert (record["code"], record["mcp"]["error"]) == ("bad_request", str(UNSUPPORTED))
        assert server.heard == []
        assert (await begin(wall, OLD)).json["result"]["protocolVersion"] == OLD


@pytest.mark.parametrize("asked", [None, 7, {}, [OLD]])
@played
async def test_a_session_that_names_none_does_not_begin(tmp_path: Path, asked: Any) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, keys=only(OLD)) as wall:
        assert "error" in (await begin(wall, asked)).json
        assert server.heard == []


@played
async def test_a_server_does_not_get_its_clients_into_another(tmp_path: Path) -> None:
    async with mcp_wall(tmp_path, speaking(ASSUMED), keys=only(OLD, OLDER)) as wall:
        said = await begin(wall, OLD)
        assert said.json["error"]["data"]["code"] == "reply_refused"
        assert "mcp-session-id" not in said.headers
    (tmp_path / "b").mkdir()
    async with mcp_wall(tmp_path / "b", speaking(OLDER), keys=only(OLD, OLDER)) as wall:
        assert (await begin(wall, OLD)).json["result"]["protocolVersion"] == OLDER


@played
async def test_what_the_head_names_counts_and_what_names_nothing_is_an_old_client(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, keys=only(MODERN, OLD)) as wall:
        client = Client(wall)
        message = client.message("tools/list", {})
        refused(await client.send(message, [("MCP-Protocol-Version", OLDER)]), OLDER, MODERN, OLD)
        refused(await client.send(message), ASSUMED, MODERN, OLD)
        refused(await client.tell("notifications/initialized"), ASSUMED, MODERN, OLD)
        for method in ("GET", "DELETE"):
            assert (await wall.call(method, "/crm/mcp", b"", [("Accept", "text/event-stream")])).status == 400
        assert server.heard == []
        assert (await client.send(message, [("MCP-Protocol-Version", OLD)])).status == 200
        begun = await Client(wall).begin()
        assert (await begun.ask("tools/list")).status == 200
        refused(await begun.send(message, [("MCP-Protocol-Version", OLDER)]), OLDER, MODERN, OLD)
        assert [each.called for each in server.heard] == ["tools/list", "initialize", "tools/list"]


@played
async def test_the_era_without_sessions_can_be_off_and_alone(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, keys=only(OLDER, OLD)) as wall:
        modern = Client(wall, modern=True)
        refused(await modern.ask("server/discover"), MODERN, OLD, OLDER)
        refused(await modern.call("find", text="a"), MODERN, OLD, OLDER)
        assert server.heard == []
    (tmp_path / "b").mkdir()
    async with mcp_wall(tmp_path / "b", server, keys=only(MODERN)) as wall:
        refused(await begin(wall, OLD), OLD, MODERN)
        refused(await Client(wall).call("find", text="a"), ASSUMED, MODERN)
        assert server.heard == []
        assert (await Client(wall, modern=True).call("find", text="a")).status == 200


@played
async def test_a_server_is_said_to_speak_what_may_be_spoken(tmp_path: Path) -> None:
    found = {"resultType": "complete", "supportedVersions": [MODERN, OLD, OLDER], "capabilities": {}}
    server = Server(says={"server/discover": lambda _: {**found, "serverInfo": {"name": "c", "version": "1"}}})
    async with mcp_wall(tmp_path, server, keys=only(MODERN, OLDER)) as wall:
        said = await Client(wall, modern=True).ask("server/discover")
        assert said.json["result"]["supportedVersions"] == [MODERN, OLDER]


@played
async def test_who_may_not_see_a_server_learns_nothing_of_its_revisions(tmp_path: Path) -> None:
    policy = "rules: [{id: others, allow: crm.*, to: {roles: [nobody]}}]"
    async with mcp_wall(tmp_path, Server(), policy=policy, keys=only(OLD)) as wall:
        said = await begin(wall, OLDER)
        assert b"supported" not in said.body
        assert OLD.encode() not in said.body


@played
async def test_the_same_holds_for_a_server_that_is_started(tmp_path: Path) -> None:
    meta = {"protocolVersion": MODERN, "clientInfo": {"name": "c", "version": "1"}, "clientCapabilities": {}}
    async with inside(tmp_path, keys=only(OLD)) as one:
        one.ask(1, "initialize", protocolVersion=OLDER, capabilities={}, clientInfo={"name": "c", "version": "1"})
        assert (await one.answer(1))["error"]["data"] == {"supported": [OLD], "requested": OLDER}
        one.ask(2, "tools/list", _meta={f"io.modelcontextprotocol/{name}": value for name, value in meta.items()})
        assert (await one.answer(2))["error"]["data"] == {"supported": [OLD], "requested": MODERN}
        await one.begin()
        one.call(3, "find", "Ann")
        assert "isError" not in (await one.answer(3))["result"]


def own(wall: Wall) -> Client:
    return Client(wall, path="/.toolwall/mcp", modern=True)


@pytest.mark.parametrize(("revisions", "asked"), [((OLDER,), [OLDER]), ((OLD, OLDER), [OLD])])
@played
async def test_the_sidecar_itself_speaks_what_may_be_spoken(
    tmp_path: Path, revisions: tuple[str, ...], asked: list[str]
) -> None:
    server = speaking(OLDER)
    async with mcp_wall(tmp_path, server, keys=only(*revisions), listener=", mcp: {backends: [crm]}") as wall:
        said = await own(wall).call("crm__find", text="a")
        assert said.json["result"]["content"][0]["text"] == "Ann"
        begun = server.calls("initialize")
        assert [each.message["params"]["protocolVersion"] for each in begun] == asked
        assert server.calls("server/discover") == []


@played
async def test_the_sidecar_speaks_with_no_server_of_another_era(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, keys=only(MODERN), listener=", mcp: {backends: [crm]}") as wall:
        said = await own(wall).call("crm__find", text="a")
        assert json.loads(said.json["result"]["content"][0]["text"])["code"] == "upstream_unreachable"
        assert [each.called for each in server.heard] == ["server/discover"]

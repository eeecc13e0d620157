"""Tools of MCP servers at the sidecar's own server, through the socket: what is not there, and who never meets."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from proxy.mcp import joins, sessions
from proxy.mcp.joins import IDLE_S
from rules.definitions import Definitions, defined, written
from tests.mcpwire import (
    DROP,
    FIND,
    FOUND,
    MODERN,
    Client,
    Heard,
    Server,
    answer,
    answered,
    event,
    events,
    greeting,
    last,
    notification,
    played,
    stream,
)
from tests.wire import Backend, Reply, Wall, reply, wall

PATH = "/.toolwall/mcp"
OUT = {**FIND, "name": "out", "outputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
LATER = {**DROP, "name": "later", "execution": {"taskSupport": "required"}}
PLACE = {
    "name": "place",
    "inputSchema": {"type": "object", "properties": {"place": {"type": "string", "x-mcp-header": "Place"}}},
}
HUB = [FIND, DROP, OUT, LATER, PLACE]
ENTRIES = """
  find: {effect: read}
  drop: {effect: write}
  out: {effect: read, says: Says it all.}
  later: {effect: write}
  place: {effect: read}
"""
KEYS = {name: f"twk_{name * 43}" for name in "ab"}
LISTED = ", ".join(f"{{id: {name}, sha256: {hashlib.sha256(key.encode()).hexdigest()}}}" for name, key in KEYS.items())
BOTH = f"{{api_keys: [{LISTED}]}}"


def discovered(heard: Heard) -> dict[str, Any]:
    return {"resultType": "complete", "supportedVersions": [MODERN], "capabilities": {"tools": {}}}


def called(heard: Heard) -> dict[str, Any]:
    return {"resultType": "complete", **FOUND}


def modern(**says: Any) -> Server:
    """A server without sessions, which knows nothing of those before."""
    refuse = dict.fromkeys(("initialize", "notifications/initialized"), _refuses)
    return Server(tools=HUB, says={"server/discover": discovered, "tools/call": called, **refuse, **says})


def _refuses(heard: Heard) -> bytes:
    return reply(b"", status="400 Bad Request", kind="")


def legacy(**says: Any) -> Server:
    """A server with sessions, which knows nothing else."""

    def strange(heard: Heard) -> bytes:
        return reply(b"no session", status="400 Bad Request", kind="text/plain")

    return Server(tools=HUB, says={"server/discover": strange, **says})


@asynccontextmanager
async def joined(
    folder: Path,
    servers: dict[str, Server],
    names: str = "hub",
    policy: str = "",
    keys: str = "",
    revision: str = "",
    **how: Any,
) -> AsyncIterator[Wall]:
    """A sidecar before an API and some MCP servers, of which the listener names some."""
    (folder / "rules").mkdir()
    opened = []
    accepted = Definitions(tools=defined("tools", HUB), revision=revision)
    for name, server in servers.items():
        backend = Backend(server)
        opened.append(await asyncio.start_server(backend.serve, "127.0.0.1", 0, limit=1 << 22))
        port = opened[-1].sockets[0].getsockname()[1]
        (folder / "rules" / f"{name}.definitions.json").write_bytes(written(accepted))
        (folder / "rules" / f"{name}.yaml").write_text(
            f"backend: {name}\nurl: http://127.0.0.1:{port}/mcp\nmcp: {name}.definitions.json\n"
            f"breaker: off\nretry: {{attempts: 1}}\n{keys}\ntools:\n{ENTRIES}"
        )
    everything = ", ".join(f"{name}.*" for name in ("crm", *servers))
    policy = policy or f"rules: [{{id: all, allow: [{everything}]}}]\n"
    listener = f", mcp: {{backends: [{names}]}}" if names else ""
    api = '  get: {says: Get one., call: "GET /things/{id}", args: {id: {type: integer}}}\n'
    try:
        async with wall(folder, api, policy, listener=listener, **how) as w:
            yield w
    finally:
        for each in opened:
            each.close()


def names(said: Reply) -> list[str]:
    return [each["name"] for each in said.json["result"]["tools"]]


def refused(said: Reply) -> dict[str, Any]:
    result = last(said)["result"]
    assert result["isError"] is True
    return json.loads(result["content"][0]["text"])  # type: ignore[no-any-return]


@played
async def test_what_no_listener_names_is_not_there(tmp_path: Path) -> None:
    hub, fs = legacy(), legacy()
    async with joined(tmp_path, {"hub": hub, "fs": fs}, names="hub") as w:
        client = Client(w, path=PATH)
        listed = names(await client.ask("tools/list"))
        assert listed == ["crm__get", "hub__drop", "hub__find", "hub__out", "hub__place"]
        unknown = (await client.call("fs__find", text="x")).json["error"]
        assert unknown["code"] == -32602
        assert (await client.call("fs__nothing")).json["error"]["message"] == unknown["message"].replace(
            "find", "nothing"
        )
        assert fs.heard == hub.heard == []


@played
async def test_what_only_goes_as_a_task_is_not_there(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        assert (await client.call("hub__later")).json["error"]["message"] == "Unknown tool: hub__later"
        said = await client.ask("tools/call", name="hub__find", arguments={"text": "x"}, task={"ttl": 1000})
        assert said.json["result"] == FOUND
        assert "task" not in hub.calls("tools/call")[0].message["params"]


@pytest.mark.parametrize("name", ["Mcp-Name", "Mcp-Method", "Mcp-Param-Place"])
@played
async def test_a_head_that_says_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        message = client.message("tools/call", {"name": "hub__place", "arguments": {"place": "here"}})
        said = await client.send(message, [(name, "there")])
        assert (said.status, said.json["error"]["code"]) == (400, -32020)
        assert hub.heard == []
        said = await Client(w, path=PATH).call("hub__place", place="here")
        assert said.json["result"] == FOUND


@played
async def test_nothing_is_joined_by_itself(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}, names="") as w:
        client = Client(w, path=PATH)
        assert names(await client.ask("tools/list")) == ["crm__get"]
        assert "error" in (await client.call("hub__find", text="x")).json
        assert hub.heard == []


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("era", [legacy, modern])
@played
async def test_a_call_goes_to_servers_of_both_eras_for_clients_of_both(tmp_path: Path, era: Any, new: bool) -> None:
    hub = era()
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH, modern=new)
        for _ in range(2):
            result = (await client.call("hub__find", text="x")).json["result"]
            assert result == ({"resultType": "complete", **FOUND} if new else FOUND)
        first, second = hub.calls("tools/call")
        assert first.message["params"]["name"] == "find"
        assert first.message["params"]["arguments"] == {"text": "x"}
        assert first.message["id"] != second.message["id"]
        meta = {name for name in first.message["params"]["_meta"] if name.startswith("io.")}
        head = {name: value for name, value in first.headers.items() if name.startswith("mcp-")}
        if era is legacy:
            assert head == {"mcp-protocol-version": "2025-11-25", "mcp-session-id": "s-1"}
            assert meta == set()
            assert len(hub.calls("initialize")) == len(hub.calls("notifications/initialized")) == 1
            assert hub.calls("initialize")[0].message["params"]["capabilities"] == {}
        else:
            assert head == {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "find"}
            assert len(meta) == 3
            assert hub.calls("initialize") == []
        assert len(hub.calls("server/discover")) == 1
        assert len(hub.calls("tools/list")) == 1
        records = w.records()
        assert {(each["tool"], each["protocol"], each["outcome"]) for each in records} == {("hub.find", "mcp", "ok")}


@played
async def test_what_the_rules_refuse_reaches_nobody(tmp_path: Path) -> None:
    hub = legacy()
    policy = "rules: [{id: all, allow: [hub.find, hub.drop]}, {id: no, deny: hub.find, when: args.text == 'x'}]"
    async with joined(tmp_path, {"hub": hub}, policy=policy) as w:
        client = Client(w, path=PATH)
        assert refused(await client.call("hub__find", text="x"))["code"] == "denied"
        assert refused(await client.call("hub__find", text=7))["code"] == "schema_violation"
        assert refused(await client.call("hub__find", text="y", Text="x"))["code"] == "schema_violation"
        hidden = (await client.call("hub__out", text="y")).json["error"]
        assert hidden["message"] == "Unknown tool: hub__out"
        assert names(await client.ask("tools/list")) == ["hub__drop", "hub__find"]
        assert hub.heard == []


@played
async def test_two_principals_never_share_a_session(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}, identity=BOTH) as w:
        ann, bob = Client(w, path=PATH, key=KEYS["a"]), Client(w, path=PATH, key=KEYS["b"])
        for client in (ann, bob, ann, bob):
            assert (await client.call("hub__find", text="x")).json["result"] == FOUND
        assert [each.headers["mcp-session-id"] for each in hub.calls("tools/call")] == ["s-1", "s-2", "s-1", "s-2"]
        for session in ("s-1", "s-2"):  # nor does anybody get into one by its id
            at_hub = Client(w, session=session, path="/hub/mcp", key=KEYS["a"])
            assert (await at_hub.ask("ping")).status == 404
        assert hub.calls("ping") == []


@played
async def test_a_server_that_gives_two_one_session_serves_the_first(tmp_path: Path) -> None:
    hub = legacy(initialize=lambda heard: reply(answered(heard, greeting()), "Mcp-Session-Id: same"))
    async with joined(tmp_path, {"hub": hub}, identity=BOTH) as w:
        ann, bob = Client(w, path=PATH, key=KEYS["a"]), Client(w, path=PATH, key=KEYS["b"])
        assert (await ann.call("hub__find", text="x")).json["result"] == FOUND
        assert refused(await bob.call("hub__find", text="x"))["code"] == "upstream_unreachable"
        assert len(hub.calls("tools/call")) == 1


@played
async def test_a_credential_reaches_those_alone_that_ask_for_it(tmp_path: Path) -> None:
    hub, fs = legacy(), legacy()
    async with joined(tmp_path, {"hub": hub, "fs": fs}, names="hub, fs") as w:
        client = Client(w, path=PATH)
        for tool, arguments in (("hub__find", {"text": "x"}), ("fs__find", {"text": "x"}), ("crm__get", {"id": 7})):
            message = client.message("tools/call", {"name": tool, "arguments": arguments})
            assert "error" not in last(await client.send(message, [("Authorization", "Bearer mine")]))
        assert len(hub.calls("tools/call")) == len(fs.calls("tools/call")) == 1
        assert [each for server in (hub, fs) for each in server.heard if "authorization" in each.headers] == []
        (api,) = [request for request in w.backend.requests if b"/things/7" in request]
        assert b"authorization" not in api.lower()


@played
async def test_another_credential_is_another_session(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}, keys="credential: {send: bearer, from: caller}") as w:
        client = Client(w, path=PATH)
        for token in ("one", "two", "one"):
            message = client.message("tools/call", {"name": "hub__find", "arguments": {"text": "x"}})
            await client.send(message, [("Authorization", f"Bearer {token}")])
        sent = [(each.headers["authorization"], each.headers["mcp-session-id"]) for each in hub.calls("tools/call")]
        assert sent == [("Bearer one", "s-1"), ("Bearer two", "s-2"), ("Bearer one", "s-1")]
        begun = hub.calls("initialize", "notifications/initialized")
        assert [each.headers["authorization"] for each in begun] == ["Bearer one"] * 2 + ["Bearer two"] * 2


@played
async def test_calls_at_once_begin_one_session(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        said = await asyncio.gather(*(Client(w, path=PATH).call("hub__find", text="x") for _ in range(5)))
        assert [each.json["result"] for each in said] == [FOUND] * 5
        assert len(hub.calls("initialize")) == 1


@played
async def test_a_session_that_is_over_is_begun_anew_once(tmp_path: Path) -> None:
    gone = reply(b"", status="404 Not Found", kind="")
    dead: set[str] = set()

    def call(heard: Heard) -> bytes:
        return gone if heard.headers["mcp-session-id"] in dead else answer(heard, FOUND)

    hub = legacy(**{"tools/call": call})
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        assert (await client.call("hub__find", text="x")).json["result"] == FOUND
        dead |= {"s-1"}
        assert (await client.call("hub__find", text="x")).json["result"] == FOUND
        assert [each.headers["mcp-session-id"] for each in hub.calls("tools/call")] == ["s-1", "s-1", "s-2"]
        dead |= {f"s-{number}" for number in range(9)}
        assert refused(await client.call("hub__find", text="x"))["code"] == "upstream_unreachable"
        assert len(hub.calls("tools/call")) == 5


@played
async def test_a_session_that_was_not_begun_to_the_end_is_nobodys(tmp_path: Path) -> None:
    hub = legacy(**{"notifications/initialized": lambda heard: None})
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        assert refused(await client.call("hub__find", text="x"))["code"] == "upstream_unreachable"
        assert hub.calls("tools/call") == []
        del hub.says["notifications/initialized"]
        assert (await client.call("hub__find", text="x")).json["result"] == FOUND
        assert hub.calls("tools/call")[0].headers["mcp-session-id"] == "s-2"


@played
async def test_calls_at_once_in_a_session_that_is_over_begin_one(tmp_path: Path) -> None:
    gone = reply(b"", status="404 Not Found", kind="")

    def call(heard: Heard) -> bytes:
        return gone if heard.headers["mcp-session-id"] == "s-1" else answer(heard, FOUND)

    hub = legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        assert (await Client(w, path=PATH).call("hub__find", text="x")).json["result"] == FOUND
        hub.says["tools/call"] = call
        said = await asyncio.gather(*(Client(w, path=PATH).call("hub__find", text="x") for _ in range(4)))
        assert [each.json["result"] for each in said] == [FOUND] * 4
        assert hub.sessions == 2


@played
async def test_a_session_that_nobody_uses_is_forgotten(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        await client.call("hub__find", text="x")
        joins = w.sidecar.firewall.regime.send.__self__._servers.joins  # type: ignore[attr-defined]
        joins._clock = lambda: monotonic() + IDLE_S
        await client.call("hub__find", text="x")
        assert [each.headers["mcp-session-id"] for each in hub.calls("tools/call")] == ["s-1", "s-2"]
        assert len(joins) == 1


@played
async def test_one_that_hangs_changes_nothing_for_the_others(tmp_path: Path) -> None:
    async def hangs(raw: bytes) -> bytes | None:
        await asyncio.sleep(60)
        return None

    hub, slow = legacy(), legacy()
    async with joined(tmp_path, {"hub": hub, "fs": hangs}, names="hub, fs") as w:  # type: ignore[dict-item]
        client = Client(w, path=PATH)
        waits = asyncio.create_task(client.call("fs__find", text="x"))
        await asyncio.sleep(0.05)
        before = monotonic()
        assert len(names(await client.ask("tools/list"))) == 9
        assert (await client.call("hub__find", text="x")).json["result"] == FOUND
        assert (await client.call("crm__get", id=7)).json["result"]["isError"] is False
        assert monotonic() - before < 1
        assert not waits.done()
        waits.cancel()
    assert slow.heard == []


@pytest.mark.parametrize("status", ["401 Unauthorized", "405 Method Not Allowed", "500 Internal Server Error"])
@played
async def test_one_that_fails_changes_nothing_for_the_others(tmp_path: Path, status: str) -> None:
    async def fails(raw: bytes) -> bytes:
        return reply(b"", status=status, kind="")

    hub = legacy()
    async with joined(tmp_path, {"hub": hub, "fs": fails}, names="hub, fs") as w:  # type: ignore[dict-item]
        client = Client(w, path=PATH)
        for _ in range(2):
            said = await client.call("fs__find", text="x")
            assert said.json["error"]["message"] == f"The server answered with the HTTP status {status[:3]}."
            assert (await client.call("hub__find", text="x")).json["result"] == FOUND
            assert len(names(await client.ask("tools/list"))) == 9


@played
async def test_definitions_are_listed_as_they_were_accepted(tmp_path: Path) -> None:
    hub = legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        shown = {each["name"]: each for each in (await client.ask("tools/list")).json["result"]["tools"]}
        find, out = shown["hub__find"], shown["hub__out"]
        assert (find["description"], find["inputSchema"]) == (FIND["description"], FIND["inputSchema"])
        assert (out["description"], out["outputSchema"]) == ("Says it all.", OUT["outputSchema"])
        assert find["_meta"]["toolwall/tool"] == "hub.find"
        hub.tools = [{**FIND, "description": "Finds them all."}, *HUB[1:]]
        assert refused(await client.call("hub__find", text="x"))["code"] == "denied"
        assert "hub__find" not in names(await client.ask("tools/list"))
        assert hub.calls("tools/call") == []


@played
async def test_a_result_that_its_schema_does_not_allow_is_withheld(tmp_path: Path) -> None:
    hub = legacy(**{"tools/call": lambda heard: {**FOUND, "structuredContent": {"n": "seven"}}})
    async with joined(tmp_path, {"hub": hub}) as w:
        assert refused(await Client(w, path=PATH).call("hub__out", text="x"))["code"] == "reply_refused"
        hub.says["tools/call"] = lambda heard: {**FOUND, "structuredContent": {"n": 7}, "_meta": {"a/b": 1}}
        said = await Client(w, path=PATH).call("hub__out", text="x")
        assert said.json["result"] == {**FOUND, "structuredContent": {"n": 7}, "_meta": {"a/b": 1}}


@pytest.mark.parametrize("era", [legacy, modern])
@played
async def test_progress_reaches_the_client_that_asked_for_it(tmp_path: Path, era: Any) -> None:
    def works(heard: Heard) -> Any:
        token = heard.message["params"]["_meta"].get("progressToken")
        mine = notification("progress", progressToken=token, progress=1, message="ana@example.com")
        other = notification("progress", progressToken="p", progress=2)
        done = json.loads(answered(heard, {"resultType": "complete", **FOUND}))
        asks = {"jsonrpc": "2.0", "id": 9, "method": "roots/list", "params": {}}
        rest = (notification("message", level="info", data="x"), asks, done)
        return stream(*(event(each) for each in (mine, other, *rest)))

    hub = era(**{"tools/call": works})
    async with joined(tmp_path, {"hub": hub}, policy='rules: [{id: all, allow: ["hub.*", "hub.roots/list"]}]') as w:
        client = Client(w, path=PATH)
        said = await client.ask("tools/call", name="hub__find", arguments={"text": "x"}, _meta={"progressToken": "p"})
        told, result = events(said)
        assert told["params"] == {"progressToken": "p", "progress": 1, "message": "<EMAIL_ADDRESS>"}
        assert result["result"] == FOUND
        assert hub.calls("tools/call")[0].message["params"]["_meta"]["progressToken"] != "p"
        [no] = hub.calls("response")
        assert (no.message["id"], no.message["error"]["code"]) == (9, -32601)
        plain = await client.call("hub__find", text="x")
        assert last(plain)["result"] == FOUND


@pytest.mark.parametrize("era", [legacy, modern])
@pytest.mark.parametrize(
    ("least", "told"), [("info", ["info", "error"]), ("error", ["error"]), ("debug", ["debug", "info", "error", "odd"])]
)
@played
async def test_log_messages_reach_a_client_from_the_level_on_that_it_named(
    tmp_path: Path, era: Any, least: str, told: list[str]
) -> None:
    """A server with sessions does not know what the client named."""

    def works(heard: Heard) -> Any:
        logs = [notification("message", level=level, data=1) for level in ("debug", "info", "error", "odd")]
        return stream(*map(event, [*logs, json.loads(answered(heard, {"resultType": "complete", **FOUND}))]))

    async with joined(tmp_path, {"hub": era(**{"tools/call": works})}) as w:
        client, meta = Client(w, path=PATH, modern=True), {"io.modelcontextprotocol/logLevel": least}
        said = events(await client.ask("tools/call", name="hub__find", arguments={"text": "x"}, _meta=meta))
        assert [each["params"]["level"] for each in said[:-1]] == told


@played
async def test_what_a_server_wants_to_know_goes_only_to_who_can_answer(tmp_path: Path) -> None:
    wants = {"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list", "params": {}}}}
    hub = modern(
        **{"tools/call": lambda heard: wants if "inputResponses" not in heard.message["params"] else called(heard)}
    )
    policy = 'rules: [{id: all, allow: ["hub.*", "hub.roots/list"]}]'
    async with joined(tmp_path, {"hub": hub}, policy=policy) as w:
        assert refused(await Client(w, path=PATH).call("hub__find", text="x"))["code"] == "reply_refused"
        new = Client(w, path=PATH, modern=True)
        assert (await new.call("hub__find", text="x")).json["result"] == wants
        call = {"name": "hub__find", "arguments": {"text": "x"}}
        good = await new.ask("tools/call", **call, inputResponses={"a": {"roots": []}})
        assert good.json["result"] == {"resultType": "complete", **FOUND}
        hidden = await new.ask("tools/call", **call, inputResponses={"a": {"action": "accept"}})
        assert hidden.json["error"]["code"] == -32602
        assert len(hub.calls("tools/call")) == 3


@played
async def test_what_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    came = asyncio.Event()

    async def hangs() -> AsyncIterator[bytes]:
        came.set()
        await asyncio.sleep(60)
        yield b""

    hub = legacy(**{"tools/call": lambda heard: hangs()})
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH)
        _, writer = await w.connect()
        message = client.message("tools/call", {"name": "hub__find", "arguments": {"text": "x"}})
        writer.write(w.raw("POST", PATH, json.dumps(message).encode(), client.head(message)))
        await asyncio.wait_for(came.wait(), 5)
        writer.close()
        async with asyncio.timeout(5):
            while not hub.calls("notifications/cancelled"):
                await asyncio.sleep(0.01)
        [cancelled], [call] = hub.calls("notifications/cancelled"), hub.calls("tools/call")
        assert cancelled.message["params"]["requestId"] == call.message["id"]
        assert cancelled.headers["mcp-session-id"] == "s-1"


@pytest.mark.parametrize(("era", "revision"), [(legacy, "2025-06-18"), (modern, MODERN)])
@played
async def test_what_import_found_is_not_asked_again(tmp_path: Path, era: Any, revision: str) -> None:
    hub = era()
    async with joined(tmp_path, {"hub": hub}, revision=revision) as w:
        result = (await Client(w, path=PATH).call("hub__find", text="x")).json["result"]
        assert result == FOUND
        assert hub.calls("server/discover") == []


@pytest.mark.parametrize(("era", "revision"), [(modern, "2025-06-18"), (legacy, MODERN)])
@played
async def test_a_server_that_is_of_another_era_now_fails_once(tmp_path: Path, era: Any, revision: str) -> None:
    says = {"tools/list": lambda heard: {"tools": HUB} if "mcp-session-id" in heard.headers else _refuses(heard)}
    hub = era(**(says if era is legacy else {}))
    async with joined(tmp_path, {"hub": hub}, revision=revision) as w:
        client = Client(w, path=PATH)
        assert "error" in (await client.call("hub__find", text="x")).json
        assert (await client.call("hub__find", text="x")).json["result"] == FOUND


@played
async def test_however_many_credentials_one_brings_nobody_else_loses_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "MOST_OF_ONE", 3)
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 8)
    hub = legacy()
    keys = "credential: {send: bearer, from: caller}"
    async with joined(tmp_path, {"hub": hub}, identity=BOTH, keys=keys) as w:
        own = await Client(w, key=KEYS["b"], path="/hub/mcp").begin()
        ann = Client(w, key=KEYS["a"], path=PATH)
        for number in range(12):
            message = ann.message("tools/call", {"name": "hub__find", "arguments": {"text": "x"}})
            assert "result" in last(await ann.send(message, [("Authorization", f"Bearer {number}")]))
        assert last(await own.call("find", text="x"))["result"] == FOUND

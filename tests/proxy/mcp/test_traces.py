"""What a collector is told of messages of MCP, and which trace the server is told of: bytes on all three sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from rules.definitions import Definitions, defined
from tests.mcpwire import FIND, MODERN, Client, Server, answered, event, mcp_wall, notification, played, stream
from tests.proxy.collecting import FakeCollector, collector, values
from tests.wire import Wall, reply, wall

TRACE, OTHER = "a" * 32, "c" * 32
IN_META, IN_HEAD = f"00-{TRACE}-{'b' * 16}-01", f"00-{OTHER}-{'d' * 16}-01"
REVIEW = {"name": "review", "arguments": [{"name": "text"}]}
README: dict[str, Any] = {"uri": "repo://readme", "name": "readme"}
FILE = {"uriTemplate": "repo://{owner}/{+path}", "name": "file"}
FAILED = {"content": [{"type": "text", "text": "no"}], "isError": True}
POLICY = """
rules:
  - {id: tools, allow: [crm.find, crm.prompts/*, crm.resources/*, crm.elicitation/create]}
  - {id: never, deny: crm.find, when: args.text == "secret"}
"""
MORE = """
prompts: {review: {}}
resources:
  readme: {uri: "repo://readme"}
  file: {template: "repo://{owner}/{+path}"}
"""


class Scene:
    """A sidecar before an MCP server, and the collector that it tells."""

    def __init__(self, wall: Wall, server: Server, fake: FakeCollector) -> None:
        self.wall, self.server, self._fake = wall, server, fake

    def client(self, modern: bool = True) -> Client:
        return Client(self.wall, modern=modern)

    def ended(self) -> list[Span]:
        """All spans. Nothing is told any more after that."""
        self.wall.sidecar.telemetry.close()
        return self._fake.spans()

    @property
    def told(self) -> bytes:
        return b"".join(self._fake.bodies)

    def points(self, name: str) -> list[dict[str, Any]]:
        return [values(point) for point in self._fake.last_metrics()[name].histogram.data_points]


@asynccontextmanager
async def scene(folder: Path, server: Server | None = None, keys: str = "") -> AsyncIterator[Scene]:
    server = server or Server(tools=[FIND])
    accepted = Definitions(
        tools=defined("tools", server.tools),
        prompts=defined("prompts", [REVIEW]),
        resources=defined("resources", [README]),
        templates=defined("templates", [FILE]),
    )
    server.says.setdefault("prompts/list", lambda _: {"prompts": [REVIEW]})
    server.says.setdefault("resources/list", lambda _: {"resources": [README]})
    server.says.setdefault("resources/templates/list", lambda _: {"resourceTemplates": [FILE]})
    with collector() as fake:
        config = f"telemetry: {{otlp: '{fake.url}'}}\n"
        tools = "\n  find: {effect: read}\n"
        async with mcp_wall(folder, server, POLICY, tools, accepted, keys=MORE + keys, config=config) as w:
            yield Scene(w, server, fake)


def named(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found


@played
async def test_one_trace_from_the_agent_through_the_sidecar_to_the_server(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        client = s.client()
        params = {"name": "find", "arguments": {"text": "x"}, "_meta": {"traceparent": IN_META, "tracestate": "v=1"}}
        await client.send(client.message("tools/call", params), [("traceparent", IN_HEAD)])
        (call,) = s.server.calls("tools/call")
        spans = [span for span in s.ended() if span.trace_id.hex() == TRACE]
        above = named(spans, "tools/call crm.find")
        assert above.kind == Span.SPAN_KIND_SERVER
        assert above.parent_span_id.hex() == "b" * 16
        below = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
        assert {span.parent_span_id for span in below} == {above.span_id}
        said = f"00-{TRACE}-{below[-1].span_id.hex()}-01"
        meta = call.message["params"]["_meta"]
        assert (meta["traceparent"], meta["tracestate"]) == (said, "v=1")
        assert (call.headers["traceparent"], call.headers["tracestate"]) == (said, "v=1")
        assert s.wall.records()[-1]["trace"] == TRACE
        assert OTHER.encode() not in s.told
        assert bytes.fromhex(OTHER) not in s.told  # nothing was begun in the trace of the head


@played
async def test_where_the_message_says_nothing_its_head_counts(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        client = s.client()
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        await client.send(message, [("traceparent", IN_HEAD)])
        broken = client.message("tools/call", {"name": "find", "_meta": {"traceparent": "00-x"}})
        await client.send(broken, [("traceparent", IN_HEAD)])
        above = [span for span in s.ended() if span.kind == Span.SPAN_KIND_SERVER]
        assert [span.trace_id.hex() for span in above] == [OTHER, OTHER]
        (call,) = s.server.calls("tools/call")
        assert call.headers["traceparent"] == call.message["params"]["_meta"]["traceparent"]
        assert [each["trace"] for each in s.wall.records()] == [OTHER, OTHER]


@pytest.mark.parametrize("body", [b"{", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"x"}}'])
@played
async def test_a_message_that_could_not_be_read_is_a_span_in_the_trace_of_its_head(tmp_path: Path, body: bytes) -> None:
    async with scene(tmp_path) as s:
        await s.client(modern=False).send(body, [("traceparent", IN_HEAD)])
        (span,) = s.ended()
        assert (span.name, span.trace_id.hex()) == ("mcp", OTHER)
        told = values(span)
        assert told["mcp.method.name"] == "_OTHER"
        assert told["toolwall.code"] == "bad_request"
        assert told["rpc.response.status_code"] in ("-32700", "-32602")
        assert span.status.code == 0
        assert not span.events


@played
async def test_a_refused_call_is_a_span_with_its_decision_and_no_exception(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        client = s.client()
        await client.call("find", text="secret")
        await client.call("drop")
        denied, unknown = s.ended()
        assert denied.name == "tools/call crm.find"
        assert values(denied)["toolwall.decision"] == "deny"
        assert values(denied)["toolwall.code"] == "denied"
        assert values(denied)["toolwall.rules"] == ("never",)
        assert "rpc.response.status_code" not in values(denied)  # it is told as the result of a tool
        assert unknown.name == "tools/call unknown"
        assert values(unknown)["rpc.response.status_code"] == "-32602"
        for span in (denied, unknown):
            assert "error.type" not in values(span)
            assert span.status.code == 0
            assert not span.events
        assert not s.server.calls("tools/call")


@played
async def test_a_span_of_a_message_has_the_conventions_names(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        await s.client().call("find", text="x")
        told = values(named(s.ended(), "tools/call crm.find"))
        assert told["mcp.method.name"] == "tools/call"
        assert told["mcp.protocol.version"] == MODERN
        assert told["gen_ai.tool.name"] == "crm.find"
        assert told["gen_ai.operation.name"] == "execute_tool"
        assert told["jsonrpc.request.id"] == "1"
        assert told["toolwall.protocol"] == "mcp"
        assert not told.keys() & {"http.request.method", "http.response.status_code", "mcp.session.id", "error.type"}
        duration = s.points("mcp.server.operation.duration")
        wanted = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "crm.find", "toolwall.decision": "allow"}
        assert duration == [{**wanted, "mcp.protocol.version": MODERN}]
        assert s.points("gen_ai.execute_tool.duration") == [
            {"gen_ai.tool.name": "crm.find", "toolwall.decision": "allow"}
        ]


@played
async def test_what_is_no_call_of_a_tool_is_none_in_telemetry_either(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    server.says["prompts/get"] = lambda _: {"messages": []}
    server.says["resources/read"] = lambda _: {"contents": []}
    async with scene(tmp_path, server) as s:
        client = s.client()
        await client.ask("prompts/get", name="review", arguments={"text": "x"})
        await client.send(client.message("resources/read", {"uri": "repo://readme"}), [("Mcp-Name", "repo://readme")])
        hidden = "repo://canary-71/a"
        await client.send(client.message("resources/read", {"uri": hidden}), [("Mcp-Name", hidden)])
        await client.ask("tools/list")
        prompt, readme, file, listing = [span for span in s.ended() if span.kind == Span.SPAN_KIND_SERVER]
        assert (prompt.name, values(prompt)["gen_ai.prompt.name"]) == (
            "prompts/get crm.prompts/review",
            "crm.prompts/review",
        )
        assert (readme.name, values(readme)["mcp.resource.uri"]) == ("resources/read", "repo://readme")
        assert (file.name, values(file)["toolwall.tool"]) == ("resources/read", "crm.resources/file")
        assert "mcp.resource.uri" not in values(file)
        assert listing.name == "tools/list"
        for span in (prompt, readme, file, listing):
            assert not values(span).keys() & {"gen_ai.operation.name", "gen_ai.tool.name"}
        assert b"canary-71" not in s.told
        assert s.points("gen_ai.execute_tool.duration") == []
        assert {each["mcp.method.name"] for each in s.points("mcp.server.operation.duration")} == {
            "prompts/get",
            "resources/read",
            "tools/list",
        }


@played
async def test_neither_the_id_of_a_session_nor_a_callers_word_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        client = await s.client(modern=False).begin()
        await client.call("find", text="x")
        await client.send(client.message("canary/method", {}, id="canary-id"))
        await client.send(client.message("tools/call", {"name": "find", "arguments": {"text": "x"}}, id=4111111111))
        sessions = {values(span).get("mcp.session.id") for span in s.ended() if span.kind == Span.SPAN_KIND_SERVER}
        (session,) = sessions
        assert len(session) == 16
        records = s.wall.records()
        assert {each["mcp"].get("session") for each in records} == {session}
        assert [each["mcp"]["method"] for each in records] == ["initialize", "tools/call", "unknown", "tools/call"]
        assert [each["mcp"].get("id") for each in records] == [1, 2, None, None]
        for secret in (client.session, "canary", "4111111111"):
            assert secret.encode() not in s.told
            assert secret not in json.dumps([each["mcp"] for each in records])


@pytest.mark.parametrize(
    ("said", "error", "status"),
    [
        (lambda heard: FAILED, "tool_error", None),
        (lambda heard: reply(error_of(heard, -32603)), "-32603", "-32603"),
        (lambda heard: reply(error_of(heard, 7021994)), "_OTHER", "_OTHER"),
        (lambda heard: reply(b"no", status="502 Bad Gateway", kind="text/plain"), "-32603", "-32603"),
    ],
)
@played
async def test_a_server_that_fails_is_an_error_as_the_convention_wants_it(
    tmp_path: Path, said: Any, error: str, status: str | None
) -> None:
    server = Server(tools=[FIND])
    server.says["tools/call"] = said
    async with scene(tmp_path, server) as s:
        await s.client().call("find", text="x")
        span = named(s.ended(), "tools/call crm.find")
        assert values(span)["error.type"] == error
        assert values(span).get("rpc.response.status_code") == status
        assert span.status.code == 2
        assert not span.status.message
        assert not span.events
        assert s.wall.records()[-1]["mcp"]["error"] == error


def error_of(heard: Any, code: int) -> bytes:
    said = json.loads(answered(heard, {}))
    return json.dumps({"jsonrpc": "2.0", "id": said["id"], "error": {"code": code, "message": "m"}}).encode()


@played
async def test_what_a_server_asks_is_below_the_call_that_it_asks_in(tmp_path: Path) -> None:
    asked = {"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create"}
    form = {"message": "Which?", "requestedSchema": {"type": "object", "properties": {}}}
    server = Server(tools=[FIND])
    server.says["tools/call"] = lambda heard: stream(
        event({**asked, "params": form}), event(notification("message", level="info", data="x")), event(answer(heard))
    )
    async with scene(tmp_path, server) as s:
        client = await s.client(modern=False).begin()
        await client.call("find", text="x")
        spans = s.ended()
        call, question = named(spans, "tools/call crm.find"), named(spans, "elicitation/create")
        assert (question.trace_id, question.parent_span_id) == (call.trace_id, call.span_id)
        assert values(question)["toolwall.tool"] == "crm.elicitation/create"


def answer(heard: Any) -> bytes:
    return answered(heard, {"content": []})


@pytest.mark.parametrize("told", [True, False])
@played
async def test_a_backend_can_be_told_no_trace(tmp_path: Path, told: bool) -> None:
    async with scene(tmp_path, keys="" if told else "trace: false\n") as s:
        client = s.client()
        meta = {"traceparent": IN_META, "tracestate": "v=1", "baggage": "user=7"}
        message = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}, "_meta": meta})
        await client.send(message, [("traceparent", IN_META), ("baggage", "user=7")])
        (call,) = s.server.calls("tools/call")
        assert (TRACE.encode() in call.raw, b"v=1" in call.raw) == (told, told)
        assert ("traceparent" in call.headers, "tracestate" in call.headers) == (told, told)
        assert b"baggage" not in call.raw
        assert named(s.ended(), "tools/call crm.find").trace_id.hex() == TRACE


@pytest.mark.parametrize("told", [True, False])
@played
async def test_so_can_the_backend_of_an_http_api(tmp_path: Path, told: bool) -> None:
    tools = "\n  look: {says: Look., call: GET /look, effect: read}\n"
    async with wall(tmp_path, tools, backend_keys="" if told else "trace: false\n") as w:
        said = await w.call("GET", "/crm/look", b"", [("traceparent", IN_HEAD), ("tracestate", "v=1")])
        assert said.status == 200
        (sent,) = w.backend.requests
        assert (OTHER.encode() in sent, b"v=1" in sent) == (told, told)


@played
async def test_the_sidecars_own_server_is_told_of_in_the_same_way(tmp_path: Path) -> None:
    tools = "\n  look: {says: Look., call: GET /look, effect: read}\n"
    with collector() as fake:
        config = f"telemetry: {{otlp: '{fake.url}'}}\n"
        async with wall(tmp_path, tools, config=config) as w:
            client = Client(w, modern=True, path="/.toolwall/mcp")
            params = {"name": "crm__look", "arguments": {}, "_meta": {"traceparent": IN_META}}
            said = await client.send(client.message("tools/call", params), [("traceparent", IN_HEAD)])
            assert said.json["result"]["isError"] is False
            (sent,) = w.backend.requests
            w.sidecar.telemetry.close()
            above = named(fake.spans(), "tools/call crm.look")
            assert (above.trace_id.hex(), values(above)["mcp.method.name"]) == (TRACE, "tools/call")
            assert f"traceparent: 00-{TRACE}-".encode() in sent
            assert w.records()[-1]["mcp"] == {"method": "tools/call", "revision": MODERN, "id": 1}


@played
async def test_a_call_that_is_none_of_mcp_is_recorded_as_before(tmp_path: Path) -> None:
    tools = "\n  look: {says: Look., call: GET /look, effect: read}\n"
    with collector() as fake:
        async with wall(tmp_path, tools, config=f"telemetry: {{otlp: '{fake.url}'}}\n") as w:
            await w.call("GET", "/crm/look", b"")
            assert "mcp" not in w.records()[-1]
            w.sidecar.telemetry.close()
            above = named(fake.spans(), "execute_tool crm.look")
            assert above.kind == Span.SPAN_KIND_INTERNAL
            assert not [name for name in values(above) if name.startswith(("mcp.", "rpc.", "jsonrpc."))]
            assert values(above)["http.response.status_code"] == 200

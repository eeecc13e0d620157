"""Messages to the sidecar's own MCP server: what is answered at once, how a call is read, how an answer reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import Call, Peer
from proxy.protocols import mcpown
from proxy.protocols.head import Door
from proxy.protocols.jsonrpc import Malformed
from proxy.protocols.mcpown import OwnAsk
from proxy.protocols.rest import Greetings
from rules.facts import Principal, Run
from rules.load import load
from rules.tools import Catalog
from tests.proxy.protocols.mcptools import META, NEW, message

DOOR = Door("d", frozenset({"localhost"}), {})
TOOLS = """
  get: {says: Get., call: "GET /things/{id}", args: {id: {type: integer}, q: {type: string, optional: true}}}
  put: {says: Put., call: "PUT /things/{id}", args: {id: {type: string}, n: {type: integer}}, effect: write}
"""
JSON = [("Content-Type", "application/json")]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "crm.yaml").write_text(
        f"backend: crm\nurl: http://crm.internal/api\ncredential: CRED\ntools:{TOOLS}".replace(
            "credential: CRED", "credential: {from: caller, send: bearer}"
        )
    )
    return load(folder).catalog


def own(method: str, params: Mapping[str, Any], *headers: tuple[str, str], verb: str = "POST", id: Any = 1) -> OwnAsk:
    async def body() -> bytes:
        return message(method, params, id) if id else b'{"jsonrpc":"2.0","method":"%b"}' % method.encode()

    pairs = (("Host", "localhost"), ("Content-Type", "application/json"), *headers)
    raw = tuple((name.encode(), value.encode()) for name, value in pairs)
    ask = OwnAsk(Greetings(DOOR, Peer("::1")), verb, "/.toolwall/mcp", (1, 1), raw, body)
    ask.hail()
    return ask


def modern(method: str, params: Mapping[str, Any], *headers: tuple[str, str]) -> OwnAsk:
    named = [("Mcp-Name", params["name"])] if "name" in params else []
    told = (("MCP-Protocol-Version", NEW), ("Mcp-Method", method), *named, *headers)
    return own(method, {**params, "_meta": META}, *told)


def read(ask: OwnAsk) -> OwnAsk:
    asyncio.run(ask.read())
    return ask


def answered(ask: OwnAsk) -> Any:
    return json.loads(mcpown.answer(read(ask), "1.2"))["result"]


def called(ask: OwnAsk, catalog: Catalog) -> Call:
    async def play() -> Call:
        await ask.read()
        assert ask.is_call
        ask.tools = {tool.name.replace(".", "__"): tool for tool in catalog.tools.values()}
        tool = await ask.find(catalog)
        assert tool is not None
        return await ask.call("c1", tool, Principal("bot"), Run("r", 1))

    return asyncio.run(play())


@pytest.mark.parametrize(
    ("asked", "got"), [("2025-06-18", "2025-06-18"), ("2030-01-01", "2025-11-25"), (7, "2025-11-25")]
)
def test_it_begins_by_the_revision_that_the_client_speaks_if_it_does(asked: Any, got: str) -> None:
    about = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    said = answered(own("initialize", about))
    assert (said["protocolVersion"], said["capabilities"]) == (got, {"tools": {}})
    assert said["serverInfo"] == {"name": "toolwall", "title": "Toolwall", "version": "1.2"}


def test_it_says_what_it_is_to_who_asks_without_a_session() -> None:
    said = answered(modern("server/discover", {}))
    assert NEW in said["supportedVersions"]
    assert (said["resultType"], said["cacheScope"], said["ttlMs"]) == ("complete", "private", 0)
    assert said["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "toolwall"


def test_a_ping_and_a_notification() -> None:
    assert answered(own("ping", {})) == {}
    assert mcpown.answer(read(own("notifications/initialized", {}, id=None)), "1") == b""


@pytest.mark.parametrize(
    "method", ["resources/list", "prompts/get", "logging/setLevel", "sampling/createMessage", "no/such"]
)
def test_what_it_does_not_have(method: str) -> None:
    with pytest.raises(Malformed) as no:
        answered(own(method, {"name": "x", "uri": "a:b", "level": "info"}))
    assert (no.value.rpc, no.value.status) == (-32601, 200)
    with pytest.raises(Malformed) as no:
        answered(modern("tasks/get", {"taskId": "t"}, ("Mcp-Name", "t")))
    assert (no.value.rpc, no.value.status) == (-32601, 404)


def test_there_is_no_stream_no_session_and_no_query() -> None:
    for verb in ("GET", "DELETE", "PUT"):
        with pytest.raises(Malformed) as no:
            read(own("ping", {}, verb=verb))
        assert (no.value.status, no.value.headers) == (405, (("Allow", "POST"),))


def test_a_head_that_says_something_else_is_refused() -> None:
    with pytest.raises(Malformed) as no:
        read(
            own(
                "tools/call", {"name": "crm__get", "_meta": META}, ("MCP-Protocol-Version", NEW), ("Mcp-Method", "ping")
            )
        )
    assert no.value.rpc == -32020


def test_a_call_is_the_request_that_it_would_be_alone(catalog: Catalog) -> None:
    call = called(
        own("tools/call", {"name": "crm__get", "arguments": {"id": 7, "q": "a b"}}, ("Authorization", "Bearer t")),
        catalog,
    )
    assert (call.tool.name, call.arguments) == ("crm.get", {"id": 7, "q": "a b"})
    assert (call.outgoing.method, call.outgoing.target) == ("GET", "/things/7?q=a%20b")
    assert dict(call.outgoing.headers)["authorization"] == "Bearer t"
    call = called(modern("tools/call", {"name": "crm__put", "arguments": {"id": "x y", "n": 2}}), catalog)
    assert (call.outgoing.target, call.outgoing.body) == ("/things/x%20y", b'{"n":2}')


def test_what_does_not_fit_the_contract_is_judged_as_it_came_and_has_no_request(catalog: Catalog) -> None:
    call = called(own("tools/call", {"name": "crm__put", "arguments": {"id": "x", "n": "2"}}), catalog)
    assert call.arguments == {"id": "x", "n": "2"}
    assert call.outgoing.body == b""
    assert called(own("tools/call", {"name": "crm__put"}), catalog).arguments == {}


def test_what_has_no_form_on_the_wire_is_refused_without_its_value(catalog: Catalog) -> None:
    with pytest.raises(Refusal) as no:
        called(own("tools/call", {"name": "crm__put", "arguments": {"id": "47/11", "n": 2}}), catalog)
    assert (no.value.code, "47/11" in no.value.detail) == ("schema_violation", False)


def content(status: int, headers: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
    return json.loads(mcpown.result(read(own("tools/call", {"name": "t"})), status, headers, body, "1"))["result"]  # type: ignore[no-any-return]


def test_an_answer_is_text_with_its_status() -> None:
    said = content(200, [*JSON, ("Toolwall-Redacted", "EMAIL_ADDRESS=1"), ("X-Other", "o")], b'{\n  "a": "b  c"\n}\n')
    assert said["content"] == [{"type": "text", "text": '{"a":"b  c"}'}]
    assert said["isError"] is False
    assert said["_meta"] == {"toolwall/status": 200, "toolwall/redacted": "EMAIL_ADDRESS=1"}
    assert content(404, JSON, b'{"no": 1}')["isError"] is True
    assert content(204, [], b"")["content"] == []
    assert content(200, JSON, b"{ no json")["content"] == [{"type": "text", "text": "{ no json"}]


def test_what_is_no_text_is_content_of_its_kind() -> None:
    [image] = content(200, [("Content-Type", "image/png")], b"\x89PNG")["content"]
    assert image == {"type": "image", "data": "iVBORw==", "mimeType": "image/png"}
    [other] = content(200, [("Content-Type", "application/pdf")], b"%PDF")["content"]
    assert (other["type"], other["resource"]["blob"], other["resource"]["mimeType"]) == (
        "resource",
        "JVBERg==",
        "application/pdf",
    )
    assert content(200, [("Content-Type", "text/plain")], b"\xff")["content"][0]["type"] == "resource"


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from([None, 1, "\t"]),
)
def test_json_loses_its_space_and_nothing_else(value: Any, indent: Any) -> None:
    body = json.dumps(value, indent=indent, separators=(" , ", " : ")).encode()
    assert mcpown._compact(body) == json.dumps(value, separators=(",", ":")).encode()


def test_a_list_is_one_page() -> None:
    tools = b'{"tools":[{"name":"a"}]}\n'
    assert json.loads(mcpown.listing(read(own("tools/list", {})), tools, "1")) == {"result": {"tools": [{"name": "a"}]}}
    said = json.loads(mcpown.listing(read(modern("tools/list", {})), tools, "1"))["result"]
    assert (said["tools"], said["resultType"], said["cacheScope"]) == ([{"name": "a"}], "complete", "private")
    with pytest.raises(Malformed):
        mcpown.listing(read(own("tools/list", {"cursor": "x"})), tools, "1")

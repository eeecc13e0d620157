"""Tools of an MCP server made by hand, and messages to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from proxy.model import Call, Peer
from proxy.protocols.head import Door
from proxy.protocols.mcp import McpAsk
from proxy.protocols.rest import Greetings
from rules.facts import Principal, Run
from rules.schema import Contract
from rules.tools import Catalog, Remote, Reply, Tool
from rules.wire import Slot

DOOR: Final = Door("d", frozenset({"localhost", "gh.example"}), {"gh.example": "gh"})
NEW: Final = "2026-07-28"
OPEN: Final[Mapping[str, Any]] = {"type": "object", "additionalProperties": True}
SEARCH: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"q": {"type": "string"}, "n": {"type": "integer"}, "deep": {"type": "object"}},
}
META: Final[Mapping[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def tool(name: str, remote: Remote, schema: Mapping[str, Any] = OPEN, **more: Any) -> Tool:
    """A tool of the backend `gh`."""
    given = {"effect": "read", "timeout_s": 30.0, "reply": Reply(), "hash": "h", "mcp": remote, **more}
    contract = Contract(schema)
    return Tool(f"gh.{name}", name, "gh", "", "POST", "/", (), {}, contract, **given)


def uri(pattern: str) -> dict[str, Any]:
    """The contract of a template."""
    return {"type": "object", "properties": {"uri": {"type": "string", "pattern": pattern}}, "required": ["uri"]}


def plumbing(*methods: str) -> list[Tool]:
    return [tool(f"mcp/{method}", Remote(method, plumbing=True)) for method in methods]


def catalog(*more: Tool) -> Catalog:
    """A server with some of everything."""
    mirrors = (("N", ("n",)), ("Q", ("q",)), ("Flag", ("deep", "flag")))
    return Catalog(
        (),
        [
            tool("search", Remote("tools/call", "search"), SEARCH),
            tool("mirror", Remote("tools/call", "mirror", mirrors), SEARCH),
            tool("odd", Remote("tools/call", "ä b\n=?base64?x?=")),
            tool("prompts/review", Remote("prompts/get", "review")),
            tool("resources/readme", Remote("resources/read", "repo://readme")),
            tool("resources/file", Remote("resources/read", "repo://{+path}"), uri("^repo://.+$")),
            tool("resources/secret", Remote("resources/read", "repo://secret/{+path}"), uri("^repo://secret/.+$")),
            tool("sampling/createMessage", Remote("sampling/createMessage")),
            tool("elicitation/create", Remote("elicitation/create")),
            *plumbing(
                "initialize", "ping", "server/discover", "tools/list", "prompts/list", "resources/list",
                "resources/templates/list", "resources/subscribe", "completion/complete", "logging/setLevel",
                "subscriptions/listen", "notifications/initialized", "notifications/cancelled", "tasks/get",
                "response", "stream", "close",
            ),
            *more,
        ],
    )  # fmt: skip


CATALOG: Final = catalog()
SLOTS: Final = (Slot("header", "x-key"), Slot("query", "key"), Slot("cookie", "sid"))


def ask(
    body: bytes, *headers: tuple[str, str], method: str = "POST", target: str = "/gh/mcp", host: str = "localhost"
) -> McpAsk:
    """A message as it comes in by the door."""

    async def read() -> bytes:
        return body

    own = [("Host", host), *([("Content-Type", "application/json")] if method == "POST" else [])]
    raw = tuple((name.encode(), value.encode()) for name, value in (*own, *headers))
    return McpAsk(Greetings(DOOR, Peer("::1")), method, target, (1, 1), raw, read)


def message(method: str, params: Mapping[str, Any] | None = None, id: Any = 1) -> bytes:
    said: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
    return json.dumps(said if params is None else {**said, "params": params}).encode()


def modern(
    method: str, params: Mapping[str, Any], *more: tuple[str, str], name: str | None = None, leave: str = ""
) -> McpAsk:
    """A request of the era without sessions, with the headers that it needs but for one that is left out."""
    head = [("MCP-Protocol-Version", NEW), ("Mcp-Method", method)]
    named = name if name is not None else params.get("name", params.get("uri"))
    if named is not None:
        head.append(("Mcp-Name", named))
    head = [pair for pair in head if pair[0] != leave]
    return ask(message(method, {"_meta": META, **params}), *head, *more)


def found(asked: McpAsk, tools: Catalog = CATALOG) -> Tool | None:
    asked.hail()
    return asyncio.run(asked.find(tools))


def called(asked: McpAsk, tools: Catalog = CATALOG) -> Call:
    there = found(asked, tools)
    assert there is not None
    return asyncio.run(asked.call("c1", there, Principal("ann"), Run("r", 1)))


def sent(call: Call) -> Any:
    """The params that go to the server."""
    return json.loads(call.outgoing.body)

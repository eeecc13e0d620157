"""What tests of MCP need: a scripted server that logs bytes, a sidecar before it, and a client that sends messages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from rules.definitions import Definitions, defined, written
from tests.wire import Reply, Wall, perform, reply, wall

MODERN = "2026-07-28"
POLICY = """
rules:
  - {id: tools, allow: "crm.*"}
"""
FIND = {
    "name": "find",
    "description": "Finds customers.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
DROP = {"name": "drop", "description": "Drops one.", "inputSchema": {"type": "object", "properties": {}}}
TOOLS = """
  find: {effect: read}
  drop: {effect: write}
"""
FOUND = {"content": [{"type": "text", "text": "Ann"}]}

Says = Callable[["Heard"], Any]
"""What a server says to a message: a result (dict), bytes of a whole reply, pieces of such, or None to hang up."""


@dataclass
class Heard:
    """One request that reached the server."""

    method: str
    headers: dict[str, str]
    message: dict[str, Any]
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Heard:
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return cls(first.split(" ")[0], headers, json.loads(body) if body else {}, raw)

    @property
    def called(self) -> str:
        """The method of the message, or of HTTP where there is none."""
        return str(self.message.get("method", "response" if self.message else self.method))


ONE_OF_EACH = """
  find: {effect: read}
prompts:
  review: {}
resources:
  readme: {uri: "repo://readme"}
"""
EACH_ACCEPTED = Definitions(
    tools=defined("tools", [FIND]),
    prompts=defined("prompts", [{"name": "review"}]),
    resources=defined("resources", [{"uri": "repo://readme", "name": "readme"}]),
)


@dataclass
class Server:
    """A server that answers as it is told to, and by itself what every client asks first."""

    tools: list[Any] = field(default_factory=lambda: [FIND, DROP])
    says: dict[str, Says] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    sessions: int = 0

    async def __call__(self, raw: bytes) -> Any:
        heard = Heard.parse(raw)
        self.heard.append(heard)
        said = self.says[heard.called](heard) if heard.called in self.says else self._usual(heard)
        return answer(heard, said) if isinstance(said, dict) else said

    def _usual(self, heard: Heard) -> Any:
        if heard.called == "initialize":
            self.sessions += 1
            body = answered(heard, greeting())
            return reply(body, f"Mcp-Session-Id: s-{self.sessions}")
        if heard.called == "tools/list":
            return {"tools": self.tools}
        if heard.called == "tools/call":
            return FOUND
        if "id" not in heard.message or "method" not in heard.message:
            return ACCEPTED if heard.method == "POST" else reply(b"", status="405 Method Not Allowed", kind="")
        return {}

    def calls(self, *methods: str) -> list[Heard]:
        """What was heard of these methods."""
        return [each for each in self.heard if each.called in methods]


ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def greeting(**more: Any) -> dict[str, Any]:
    info = {"name": "crm", "version": "1"}
    return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info, **more}


def answered(heard: Heard, result: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": heard.message.get("id"), "result": result}).encode()


def answer(heard: Heard, result: dict[str, Any]) -> bytes:
    return reply(answered(heard, result))


def event(message: Any, id: str = "") -> bytes:
    said = message if isinstance(message, bytes) else json.dumps(message).encode()
    return (f"id: {id}\n".encode() if id else b"") + b"data: " + said + b"\n\n"


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    """A reply of events that ends with the connection."""
    yield EVENTS
    for piece in pieces:
        yield piece


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


@dataclass
class Client:
    """A client of either era, as one principal."""

    wall: Wall
    session: str = ""
    modern: bool = False
    key: str = ""
    path: str = "/crm/mcp"
    ids: int = 0

    def head(self, message: Any, more: Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
        headers = [("Accept", "application/json, text/event-stream"), *more]
        if self.key:
            headers.append(("Toolwall-Key", self.key))
        if self.session:
            headers.append(("Mcp-Session-Id", self.session))
        if self.modern:
            headers += [("MCP-Protocol-Version", MODERN), ("Mcp-Method", message["method"])]
            headers += [("Mcp-Name", message["params"]["name"])] if "name" in message["params"] else []
        return headers

    def message(self, method: str, params: dict[str, Any], id: Any = None) -> dict[str, Any]:
        self.ids += 1
        if self.modern:
            meta = {"protocolVersion": MODERN, "clientInfo": {"name": "c", "version": "1"}, "clientCapabilities": {}}
            said = {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}
            params = {**params, "_meta": {**said, **params.get("_meta", {})}}
        return {"jsonrpc": "2.0", "id": self.ids if id is None else id, "method": method, "params": params}

    async def send(self, message: Any, more: Iterable[tuple[str, str]] = ()) -> Reply:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.wall.call("POST", self.path, body, self.head(message, more))

    async def ask(self, method: str, **params: Any) -> Reply:
        return await self.send(self.message(method, params))

    async def tell(self, method: str, **params: Any) -> Reply:
        message = self.message(method, params)
        del message["id"]
        return await self.send(message)

    async def call(self, name: str, **arguments: Any) -> Reply:
        return await self.ask("tools/call", name=name, arguments=arguments)

    async def begin(self) -> Client:
        info = {"name": "c", "version": "1"}
        said = await self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)
        assert said.status == 200, said.raw
        self.session = said.headers.get("mcp-session-id", "")
        return self

    async def get(self, method: str = "GET", more: Iterable[tuple[str, str]] = ()) -> Reply:
        headers = [("Accept", "text/event-stream"), ("Mcp-Session-Id", self.session), *more]
        return await self.wall.call(
            method, self.path, b"", [*headers, *([("Toolwall-Key", self.key)] if self.key else [])]
        )


def played(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is one play."""

    @wraps(test)
    def run(*given: Any, **named: Any) -> None:
        perform(test(*given, **named))

    return run


def events(said: Reply) -> list[Any]:
    """The messages of a reply that is a stream."""
    assert said.headers["content-type"] == "text/event-stream", said.raw
    blocks = said.body.split(b"\n\n")
    datas = [b"\n".join(line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")) for block in blocks]
    return [json.loads(data) for data in datas if data.strip()]


def last(said: Reply) -> Any:
    """The answer, in whatever form it came."""
    return events(said)[-1] if said.headers["content-type"] == "text/event-stream" else said.json


@asynccontextmanager
async def mcp_wall(
    folder: Path,
    server: Server,
    policy: str = POLICY,
    tools: str = TOOLS,
    accepted: Definitions | None = None,
    keys: str = "",
    retry: str = "{attempts: 1}",
    **how: Any,
) -> AsyncIterator[Wall]:
    """A sidecar before one MCP server, whose definitions were accepted as they are now."""
    known = accepted or Definitions(tools=defined("tools", server.tools))
    (folder / "rules").mkdir()
    (folder / "rules" / "crm.definitions.json").write_bytes(written(known))
    keys = f"mcp: crm.definitions.json\nbreaker: off\nretry: {retry}\n{keys}"
    async with wall(folder, tools, policy, server, backend_keys=keys, **how) as w:
        yield w

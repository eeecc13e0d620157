"""The sidecar as an MCP server of its own: messages to it, and its answers. Its tools are those of HTTP APIs, and of
other MCP servers where the listener says so."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from proxy.errors import Refusal
from proxy.model import Call, Carried, Hail, Headers, Outgoing
from proxy.protocols import bodies, head, jsonrpc, mcpcontent, mcphead, mcpparams, strictjson, target
from proxy.protocols.jsonrpc import BAD_PARAMS, NO_METHOD, Malformed
from proxy.protocols.mcp import McpAsk
from proxy.protocols.methods import CLIENT, LEGACY, REVISIONS, is_served
from proxy.protocols.writing import CannotWrite, written
from proxy.replies import replyheaders
from rules.facts import Principal, Run
from rules.mcp.plumbing import SAMPLING
from rules.tools import Catalog, Remote, Tool

CALL: Final = "tools/call"
LIST: Final = "tools/list"
_BEGIN: Final = "initialize"
_DISCOVER: Final = "server/discover"
_PING: Final = "ping"
_SERVED: Final = frozenset({CALL, LIST, _BEGIN, _DISCOVER, _PING})
LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
_SERVER: Final = "io.modelcontextprotocol/serverInfo"
_HAS: Final[Mapping[str, Any]] = {"tools": {}}
_UNKEPT: Final = {"ttlMs": 0, "cacheScope": "private"}
"""What is listed holds for one caller, and only until the rules change."""

_ALLOW: Final = (("Allow", "POST"),)
_CARRIED: Final = frozenset({"authorization", "via", "forwarded"})
_TEXT: Final = re.compile(
    r"text/.+|application/(?:.+\+)?(?:json|xml|yaml|x-www-form-urlencoded|x-ndjson|jsonl|javascript)"
)
_UNICODE: Final = frozenset({None, "utf-8", "utf8", "us-ascii", "ascii"})
_MOST_DEPTH: Final = 200
_SPACE: Final = re.compile(rb'("(?:[^"\\]|\\.)*+")|[ \t\r\n]++')
"""A string, which stays, or space between the tokens of JSON."""


class OwnAsk(McpAsk):
    """One message to the sidecar's own server. `read` comes first; a call's tool is looked for among `tools`, by the
    names that models call them by."""

    tools: Mapping[str, Tool] = {}

    def hail(self) -> Hail:
        """What the head says. There are no sessions here."""
        hail = super().hail()
        self.session = ""
        return hail

    @property
    def servers(self) -> frozenset[str]:
        """The MCP servers whose tools are here as well."""
        return self._door.joined

    def hears_log(self, level: Any) -> bool:
        """Whether the client asked for what servers write in their logs while they work for it, and for as little as
        that."""
        least = self.message.params.get("_meta", {}).get(LOG_LEVEL) if self.modern else None
        return least is not None and _rank(level) >= _rank(least)

    async def read(self) -> None:
        """Read the message. Raises Refusal for one that is not for a server as this one is."""
        if self._method != "POST":
            raise _only_post()
        _, self._query = target.split(self._target)
        if self._query:
            raise Malformed("The endpoint of MCP takes no query.")
        self._base = ""
        await self.read_message()
        message = self.message
        if message.kind == "response":
            raise Malformed("Nothing was asked, so there is nothing to answer.")
        if self.is_served:
            mcpparams.check(message.method, message.params, self.modern)

    @property
    def is_served(self) -> bool:
        """Whether this server has the method, in the revision that is spoken."""
        message = self.message
        return message.method in _SERVED and is_served(CLIENT, message.method, message.kind, self.revision)

    @property
    def is_call(self) -> bool:
        """Whether it calls a tool."""
        return self.is_served and self.message.method == CALL

    async def find(self, catalog: Catalog) -> Tool | None:
        self._catalog = catalog
        tool = self.tools.get(self.message.params["name"])
        if tool and tool.mcp:
            self._sampling = catalog.remote(tool.backend, SAMPLING)
            self.also = mcpparams.also(catalog, tool.backend, CALL, self.message.params)
        return tool

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        if tool.mcp:
            return self._passed(call_id, tool, tool.mcp, principal, run)
        arguments = self.message.params.get("arguments", {})
        outgoing = Outgoing(tool.method, tool.path, (), b"")
        if not tool.contract.check(arguments):  # else nothing is sent: the contract says why
            try:
                placed, outgoing = written(tool, arguments, self._carried(tool), self._catalog)
            except CannotWrite as why:
                raise Refusal(
                    "schema_violation", f"The call cannot be sent: {why}.", suggestion="Write the value in another way."
                ) from None
            arguments = placed.arguments
        return self._call(call_id, tool, principal, run, arguments, outgoing, self._seat(f"/{tool.backend}"))

    def _passed(self, call_id: str, tool: Tool, remote: Remote, principal: Principal, run: Run) -> Call:
        """A call of another MCP server's tool. How the server wants it, and in which session, is seen when it is sent.
        Nothing here goes on as a task."""
        arguments = self.message.params.get("arguments", {})
        mcpcontent.refuse_binary(self._sampling, self.message.params.get("inputResponses"))
        if remote.mirrors:
            mcphead.check_mirrors(self._mcp, remote, arguments, required=self.modern)
        params = {name: value for name, value in self.message.params.items() if name != "task"} | {"name": remote.name}
        headers = (*mcpparams.HEADERS, *self._along(tool))
        outgoing = Outgoing("POST", "", headers, mcpparams.written(remote, params, arguments))
        call = self._call(call_id, tool, principal, run, arguments, outgoing, self._seat(f"/{tool.backend}"))
        return call._replace(aside=mcpparams.aside_of(CALL, params))

    def _along(self, tool: Tool) -> Headers:
        return _meant(tool, super()._along(tool))

    def _carried(self, tool: Tool) -> Carried:
        """The caller's own credential, where the backend takes it from the caller."""
        slots = tool.slots
        passed = _meant(tool, tuple(pair for pair in self._greeting.passed if pair[0] in _CARRIED))
        jar = head.cookies(self._head["cookie"]) if slots.cookies and "cookie" in self._head else {}
        cookies = tuple((name, value) for name, value in jar.items() if name in slots.cookies)
        return Carried(self._with_credentials(slots, passed) if tool.credentials else passed, (), cookies)


def _rank(level: Any) -> int:
    """Of a log level, of which one that nobody knows is as little as any."""
    return _LEVELS.index(level) if level in _LEVELS else 0


def _meant(tool: Tool, headers: Headers) -> Headers:
    """Without the caller's Authorization where the backend's file does not ask for it: here one header is there for
    many backends, and a token that is meant for one of them is nothing for the others."""
    return headers if tool.credentials else tuple(pair for pair in headers if pair[0] != "authorization")


def answer(ask: OwnAsk, version: str) -> bytes:
    """The body of the answer to a request that is no call and lists nothing; empty for a notification. Raises
    Malformed."""
    message = ask.message
    if message.kind == "notification":
        return b""
    if not ask.is_served:
        raise Malformed("Method not found", NO_METHOD, http=404 if ask.modern else 200)
    if message.method == _BEGIN:
        asked = message.params.get("protocolVersion")
        revision = asked if asked in LEGACY else LEGACY[0]
        return _result({"protocolVersion": revision, "capabilities": _HAS, "serverInfo": _me(version)})
    if message.method == _DISCOVER:
        about = {"supportedVersions": list(REVISIONS), "capabilities": _HAS}
        return _result({**_stamp(ask, version), **about, **_UNKEPT})
    return _result({})


def listing(ask: OwnAsk, tools: bytes, version: str) -> bytes:
    """The body of an answer with the tools, `{"tools": [...]}` as JSON."""
    if "cursor" in ask.message.params:
        raise Malformed("There is no such page: all tools are on the first.", BAD_PARAMS)
    more = orjson.dumps({**_stamp(ask, version), **_UNKEPT})[1:] if ask.modern else b""
    return b'{"result":%b%b}' % (tools.strip()[:-1], b"," + more if more else b"}")


def result(ask: OwnAsk, status: int, headers: Iterable[tuple[str, str]], body: bytes, version: str) -> bytes:
    """The body of an answer to a call: what the API said, as content that a model reads with few tokens."""
    pairs, stamp = list(headers), _stamp(ask, version)
    meta = {**stamp.get("_meta", {}), "toolwall/status": status, **_told(pairs)}
    return _result({**stamp, "content": _content(pairs, body), "isError": status >= 400, "_meta": meta})


def told(text: bytes, modern: bool) -> bytes:
    """The body of an answer to a call that the sidecar gives by itself."""
    said = {"content": [{"type": "text", "text": text.decode()}], "isError": False}
    return _result({"resultType": "complete", **said} if modern else said)


def passed(body: bytes, modern: bool) -> bytes:
    """The body of another server's answer to a call, as it is; where the client is of the other era, with what that era
    says of results. Raises ValueError where that has no word for it."""
    said = json.loads(body).get("result")
    if said is None or ("resultType" in said) == modern:
        return body
    if modern:
        return _result({"resultType": "complete", **said})
    if said.pop("resultType") != "complete":
        raise ValueError("resultType")
    return _result(said)


def _result(said: Mapping[str, Any]) -> bytes:
    return jsonrpc.written({"result": said})


def _me(version: str) -> dict[str, str]:
    return {"name": "toolwall", "title": "Toolwall", "version": version}


def _stamp(ask: OwnAsk, version: str) -> dict[str, Any]:
    """What every result says in the era without sessions."""
    return {"resultType": "complete", "_meta": {_SERVER: _me(version)}} if ask.modern else {}


def _told(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """What was done to the answer."""
    return {f"toolwall/{name[9:].lower()}": value for name, value in pairs if name.lower().startswith("toolwall-")}


def _content(pairs: list[tuple[str, str]], body: bytes) -> list[dict[str, Any]]:
    if not body:
        return []
    media_type, charset = replyheaders.content_type(pairs)
    plain = charset in _UNICODE and not replyheaders.value(pairs, "content-encoding")
    if plain and _TEXT.fullmatch(media_type):
        try:
            return [{"type": "text", "text": (_compact(body) if bodies.is_json(media_type) else body).decode()}]
        except UnicodeDecodeError:
            pass
    data = b64encode(body).decode()
    kind = media_type.partition("/")[0]
    if kind in ("image", "audio"):
        return [{"type": kind, "data": data, "mimeType": media_type}]
    resource = {"uri": "toolwall:answer", "mimeType": media_type or "application/octet-stream", "blob": data}
    return [{"type": "resource", "resource": resource}]


def _compact(body: bytes) -> bytes:
    """JSON without the space between its tokens; what is none stays."""
    try:
        strictjson.parse(body, _MOST_DEPTH)
    except Refusal:
        return body
    return _SPACE.sub(lambda found: found[1] or b"", body)


def _only_post() -> Malformed:
    no = Malformed("Messages of MCP are sent with POST; nothing is told without being asked for.", http=405)
    no.headers = _ALLOW
    return no

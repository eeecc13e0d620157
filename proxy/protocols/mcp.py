"""MCP over HTTP, both eras: one message is one call of one tool, and its head says what it says. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from proxy.model import Call, Hail, Headers, Outgoing
from proxy.protocols import head, mcphead, mcpmetadata, mcpparams, target
from proxy.protocols.jsonrpc import BAD_PARAMS, NOTHING, Malformed, Message
from proxy.protocols.mcpmessage import MessageAsk, Seat, run_of, trace_of, unsupported
from proxy.protocols.mcpmetadata import PATHS
from proxy.protocols.mcpparams import NAMED, PROTOCOL, ROUTED, WITHOUT_MESSAGE
from proxy.protocols.methods import LEGACY, MODERN, REVISIONS
from proxy.protocols.rest import Greeting, RestAsk
from rules.facts import Principal, Run
from rules.tools import Catalog, Tool

__all__ = ["McpAsk", "Message"]

METHODS: Final = ("POST", "GET", "DELETE")
_ALLOW: Final = (("Allow", ", ".join(METHODS)),)
_ALLOW_MODERN: Final = (("Allow", "POST"),)
_JSON: Final = re.compile(r"application/json(?: *; *charset=\"?utf-?8\"?)?", re.IGNORECASE)
_SESSION: Final = re.compile(r"[!-~]{1,512}")
_RESUMED: Final = re.compile(r"[ -~]{0,1024}")
_PASSED: Final = frozenset({"authorization", "via", "forwarded"})


class _Place(NamedTuple):
    """The endpoint that a request means. `query` is raw."""

    backend: str
    base: str
    query: str


class _Head(NamedTuple):
    """What the head of a message says, and with it what is the same for each message under this head: the next is
    mostly the last again."""

    of: Greeting
    mcp: Mapping[str, str]
    flaw: str
    claimed: str | None
    session: str
    hail: Hail
    passed: Headers
    target: str
    place: _Place | None = None


class McpAsk(MessageAsk, RestAsk):
    """One message of a client. `find` reads it; what it says of itself is known from then on.

    A GET asks for the stream of a session and a DELETE for its end: they have no message.
    """

    assumed = "2025-03-26"  # so says 2025-11-25, basic/transports: later ones name theirs in the head

    @property
    def takes_events(self) -> bool:
        """Whether the client takes a stream of events for an answer. One that says nothing of it may be no client of
        MCP at all."""
        accepted = self._head.get("accept", "")
        return "text/event-stream" in accepted or "*/*" in accepted

    def hail(self) -> Hail:
        """What the head says, and once the message is read what it says of its trace, which counts first."""
        hail = super().hail()
        said: _Head = self._greetings.made
        if said is None or said.of is not self._greeting or said.target != self._target:
            said = self._greetings.made = self._told(hail)
        self._said, self._mcp, self.session = said, said.mcp, said.session
        trace = trace_of(self.message.params.get("_meta"))
        return said.hail._replace(traceparent=trace[0], tracestate=trace[1]) if trace else said.hail

    def _told(self, hail: Hail) -> _Head:
        mcp, flaw = mcphead.told(self._headers)
        claimed = mcp.get("mcp-protocol-version")
        session = "" if claimed in MODERN else mcp.get("mcp-session-id", "")
        if session and not _SESSION.fullmatch(session):
            raise Malformed("`Mcp-Session-Id` is 1 to 512 visible ASCII characters.")
        hail = hail._replace(protocol="mcp", run=hail.run or (run_of(session) if session else ""))
        passed: Headers = tuple(pair for pair in self._greeting.passed if pair[0] in _PASSED)
        return _Head(self._greeting, mcp, flaw, claimed, session, hail, passed, self._target)

    async def find(self, catalog: Catalog) -> Tool | None:
        backend = self._backend()
        if self._method != "POST":
            if self._method not in METHODS:
                raise _not_allowed("Messages of MCP are sent with POST.", _ALLOW)
            return self._without_message(catalog, backend)
        await self.read_message()
        return self._meant(catalog, backend)

    async def read_message(self) -> None:
        """Read what was sent, and compare it with the head. Raises Refusal."""
        if not _JSON.fullmatch(self._head.get("content-type", "")):
            raise Malformed("A message is JSON.", suggestion="Send it with `Content-Type: application/json`.")
        self._read(await self._read_body(), self._door.most_depth)
        self._agree(mcpparams.meta_of(self.message.params))

    def _backend(self) -> str:
        if self._said.place is None:
            self._said = self._greetings.made = self._said._replace(place=self._place())
        assert self._said.place is not None
        backend, self._base, self._query = self._said.place
        return backend

    def _place(self) -> _Place:
        path, query = target.split(self._target)
        backend, base, path = self._door.sought(self._head["host"], path)
        if path not in PATHS:
            raise _not_allowed("Messages of MCP are sent with POST to `/mcp`.", _ALLOW)
        return _Place(backend, base, query)

    def _without_message(self, catalog: Catalog, backend: str) -> Tool | None:
        if self._said.claimed in MODERN:
            raise _not_allowed("This revision of the protocol has POST alone.", _ALLOW_MODERN)
        if self._head.get("content-length", "0") != "0" or "transfer-encoding" in self._head:
            raise Malformed("This request takes no body.")
        self._check_head()
        self._legacy()
        if not _RESUMED.fullmatch(self._mcp.get("last-event-id", "")):
            raise Malformed("`Last-Event-ID` is at most 1,024 ASCII characters.")
        method = WITHOUT_MESSAGE[self._method]
        self.message = NOTHING._replace(method=method)
        return catalog.remote(backend, method)

    def _agree(self, meta: Mapping[str, Any]) -> None:
        """Find out the era, and refuse a head that says something else than the message."""
        self._check_head()
        message, version = self.message, meta.get(PROTOCOL)
        required = False
        if version is None and not (message.kind != "request" and self._said.claimed in MODERN):
            self._legacy()
        elif version is None:
            self._modern(self._said.claimed)
        else:
            required = message.kind == "request"
            mcphead.agree(self._mcp, "mcp-protocol-version", version, required)
            self._modern(version)
        if message.kind != "response":
            mcphead.agree(self._mcp, "mcp-method", message.method, required)
        keys = (ROUTED[message.method],) if message.method in ROUTED else ("name", "uri", "taskId")
        name = next((message.params[key] for key in keys if key in message.params), None)
        mcphead.agree(self._mcp, "mcp-name", name, required and message.method in NAMED)

    def _check_head(self) -> None:
        if self._said.flaw:
            raise mcphead.mismatch(self._said.flaw)

    def _legacy(self) -> None:
        if self._said.claimed in MODERN:
            raise Malformed("The head names a revision in which `_meta` of each request names it as well.", BAD_PARAMS)
        if self._said.claimed is not None and self._said.claimed not in LEGACY:
            raise unsupported(self._said.claimed, REVISIONS)
        self.revision = self._said.claimed or ""

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        remote, arguments = tool.mcp, self._arguments(tool)
        assert remote is not None
        if remote.mirrors:
            mcphead.check_mirrors(self._mcp, remote, arguments, required=self.modern)
        return self._call(
            call_id, tool, principal, run, arguments, self._sent_as(tool, arguments), self._seat(self._base)
        )

    def metadata_for(self, tool: Tool) -> str:
        """Where a client is told how to sign in at a tool's server; empty where its token does not go there."""
        path = self._target.partition("?")[0]
        for_client = mcpmetadata.is_for_client(self._door, tool)
        return mcpmetadata.url_of(self._door, self._head["host"], path) if for_client else ""

    def _seat(self, base: str) -> Seat:
        return Seat(base, self._peer.address, self._door.seen(self._head["host"])[0])

    def _sent_as(self, tool: Tool, arguments: Mapping[str, Any]) -> Outgoing:
        """The message as it goes to the server, under a head of its own."""
        method = self._method
        body = mcpparams.written(tool.mcp, self.message.params, arguments) if method == "POST" and tool.mcp else b""
        query = self._credentials_in_query(tool)
        return Outgoing(method, f"?{query}" if query else "", self._head_of(tool, arguments), body)

    def _head_of(self, tool: Tool, arguments: Mapping[str, Any]) -> Headers:
        own: list[tuple[str, str]] = list(mcpparams.HEADERS if self._method == "POST" else mcpparams.STREAM_HEADERS)
        if self.revision:
            own.append(("mcp-protocol-version", self.revision))
        if self.session:
            own.append(("mcp-session-id", self.session))
        if "last-event-id" in self._mcp and self._method == "GET":
            own.append(("last-event-id", self._mcp["last-event-id"]))
        if tool.mcp and self.message.kind != "response" and (self.modern or "mcp-method" in self._mcp):
            name = mcpparams.name_of(tool.mcp, self.message.params, arguments)
            own += mcpparams.headers_of(tool.mcp, arguments, name)
        return (*own, *self._along(tool))

    def _along(self, tool: Tool) -> Headers:
        """What goes on of the head that is not of MCP, with the caller's credential where the server takes that."""
        passed = self._said.passed
        return (*(self._with_credentials(tool.slots, passed) if tool.credentials else passed), *self._jar(tool))

    def _jar(self, tool: Tool) -> Headers:
        """The cookies that are credentials."""
        if not tool.slots.cookies or "cookie" not in self._head:
            return ()
        jar = head.cookies(self._head["cookie"])
        baked = [f"{name}={value}" for name, value in jar.items() if name in tool.slots.cookies]
        return (("cookie", "; ".join(baked)),) if baked else ()

    def _credentials_in_query(self, tool: Tool) -> str:
        """Nothing else stands in the query of a message."""
        if not self._query:
            return ""
        query = target.without(self._query, tool.slots.dropped)
        if any(name not in tool.slots.query for name, _ in target.raw_pairs(query)):
            raise Malformed("The endpoint of an MCP server takes no query.")
        return query


def _not_allowed(detail: str, allow: Headers) -> Malformed:
    no = Malformed(detail, http=405)
    no.headers = allow
    return no

"""The open Record of one message of MCP, with what its call needs of the message besides arguments."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from proxy.entry import Entries, Entry
from proxy.errors import Refusal
from proxy.firewall import unknown_tool
from proxy.identity.identity import Identify
from proxy.mcp.sessions import Session
from proxy.mcp.tasks import OF_ONE
from proxy.model import NO_HAIL, Hail, Headers, Result
from proxy.protocols import mcpsaid
from proxy.protocols.challenges import NAME as CHALLENGE
from proxy.protocols.challenges import challenged
from proxy.protocols.mcpparams import listened
from proxy.protocols.methods import CLIENT
from proxy.record import Record
from proxy.telemetry.attributes import OTHER, TOOL_ERROR, UNKNOWN
from proxy.telemetry.telemetry import Telemetry, Trace
from rules.decide import Ruleset
from rules.facts import Principal, Run
from rules.mcp.plumbing import CLOSE, LISTEN, RESPONSE, STREAM
from rules.tools import Tool

if TYPE_CHECKING:
    from proxy.mcp.heard import Heard
    from proxy.mcp.servers import Servers
    from proxy.protocols.mcp import McpAsk
    from proxy.protocols.mcpstdio import StdioAsk
    from proxy.protocols.ordered import OrderedMessage

MOST_HASH: Final = 16
"""Hex digits of the hash of a session's id: enough to tell sessions apart."""

FAILED: Final = 400
"""What the result of a tool counts as that says that it failed."""

_CODES: Final = range(-32768, -31999)
"""What JSON-RPC keeps for protocols."""

_COUNTS: Final = re.compile(rb"[0-9]{1,6}")
"""An id that merely counts messages. Any other may be whatever a caller put there."""

_METHODS: Final = frozenset({*CLIENT, STREAM, CLOSE})


class Channel(Protocol):
    """The way to the client while the answer to its message is not there yet."""

    streamed: bool
    """Whether the server gives the answer in a stream of events."""

    record: Record | None
    """Of the call, where it has one already."""

    @property
    def is_open(self) -> bool:
        """Whether the client takes anything but its answer."""

    async def tell(self, message: bytes) -> None:
        """Send one message of the server's at once: one JSON-RPC object, judged and cleaned."""


class MessageEntry(Entry):
    """The open Record of a message, whoever answers it. What is known of a message when it ends is told of it: it may
    be refused before it was read.

    Its place in a trace is known once it is read, for what it says itself counts before what its head says.
    """

    began = ""
    """The id of the session that it began."""

    error = ""
    """The code of the JSON-RPC error that answers it, or that a tool says that it failed."""

    _uri = ""

    def __init__(self, entries: Entries, record: Record, ask: McpAsk | StdioAsk | OrderedMessage) -> None:
        super().__init__(entries, record)
        self.ask = ask

    def hailed(self, hail: Hail) -> None:
        self.hail = hail

    def found(self, tool: Tool) -> None:
        super().found(tool)
        self._placed()
        if self.ask.message.method.startswith("resources/"):
            self._uri = self._declared(tool)

    def hidden(self, tool: Tool | None) -> None:
        super().hidden(tool)
        self._placed()

    def _placed(self) -> None:
        """Whatever can be known of its place in a trace is known."""
        if self.trace is None and self.hail is not NO_HAIL:
            super().hailed(self.ask.hail())

    def _begun(self, telemetry: Telemetry) -> Trace:
        return telemetry.begin(self.hail.traceparent, self.hail.tracestate, self.record.started_ns, is_message=True)

    @property
    def _method(self) -> str:
        """What kind of message it is, in the protocol's own words; a caller's are not told."""
        message = self.ask.message
        known = RESPONSE if message.kind == "response" else message.method
        return known if known == RESPONSE or known in _METHODS else UNKNOWN

    def _declared(self, tool: Tool) -> str:
        """The URI that the message names, where the rules have it as it is: one that fits a template is an argument."""
        uri = self.ask.message.params.get("uri")
        names = [each.mcp.name for each in (tool, *self.ask.also) if each and each.mcp]
        return uri if uri in names and self._entries.shown(uri) == uri else ""

    async def _refused(self, refusal: Refusal) -> Refusal:
        code = mcpsaid.code_of(refusal, self.ask.message, self.ask.revision)
        self.error = said(code) if code else ""
        return await super()._refused(refusal)

    def _line(self) -> dict[str, Any]:
        self._placed()
        session = self.ask.session or self.began
        told: dict[str, int | str] = {"method": self._method}
        if self.ask.revision:
            told["revision"] = self.ask.revision
        if _COUNTS.fullmatch(self.ask.id):
            told["id"] = int(self.ask.id)
        if session:
            told["session"] = self.keyed_hash(session)[:MOST_HASH]
        if self._uri:
            told["uri"] = self._uri
        if self.error:
            told["error"] = self.error
        self.record.mcp = told
        return super()._line()


class McpEntry(MessageEntry):
    """`ask` is the message, read once the tool was looked for. `session` is what it is a part of."""

    session: Session | None = None
    http = 0
    """The status of HTTP with which the server gave an error."""

    joins = False
    """Whether the sidecar speaks to the server in the client's place, in the server's era and a session of its own."""

    session_head: Headers = ()
    """What names that session in the head of a message."""

    def __init__(
        self,
        entries: Entries,
        record: Record,
        ask: McpAsk | StdioAsk | OrderedMessage,
        channel: Channel,
        servers: Servers,
        rules: Ruleset,
        identify: Identify,
    ) -> None:
        super().__init__(entries, record, ask)
        self.channel = channel
        self._identify = identify
        self._servers = servers
        self._rules = rules

    @property
    def id(self) -> bytes:
        """What the server knows the request by: in a session the client's own id, and else one that nobody else has,
        for clients count alike."""
        return self.ask.message.id if self.is_apart or not self.ask.message.id else b'"%b"' % self.record.call.encode()

    @property
    def token(self) -> Any:
        """What the server knows the progress of the request by; None where nobody wants to hear of it."""
        return self.client_token if self.is_apart or self.client_token is None else self.record.call

    @property
    def is_apart(self) -> bool:
        """Whether the server tells the caller from all others: by a session, or as the only one that it was started
        for."""
        return self.session is not None or (self.came is not None and self.came.tool.backend in self._servers.ways)

    @property
    def client_token(self) -> Any:
        """What the client knows that by."""
        meta = self.ask.message.params.get("_meta")
        return meta.get("progressToken") if isinstance(meta, dict) else None

    def wants(self, told: Heard) -> bool:
        """Whether the client is told this notification."""
        return True

    def holds_secret(self, id: bytes) -> bool:
        """Whether an id that a server made up holds what nobody may be told. Ids cannot be cleaned: they come back."""
        return self._entries.known.sees(id)

    def identified(self, principal: Principal, run: Run) -> None:
        super().identified(principal, run)
        self._principal = principal

    async def is_known(self) -> bool:
        """Whether what came with the message still says that it is of the same caller: a key may be gone, and the time
        of a token or a certificate over."""
        try:
            return await self._identify(self.hail) == self._principal
        except Refusal:
            return False

    def found(self, tool: Tool) -> None:
        """The caller may know this tool. Whether it may know what else the message is about, and whether the session is
        its own, comes next. Raises Refusal."""
        if not all(other and self._rules.visible(self._principal, other) for other in self.ask.also):
            raise unknown_tool(self, None)
        self._check_task(tool)
        super().found(tool)
        if not self.joins:  # else the client speaks with the sidecar
            self.ask.check_revision(self._rules.catalog.backends[tool.backend].revisions)
        if self.ask.session:
            self.session = self._servers.sessions.of(tool.backend, self.ask.session, self._principal.id)

    def _check_task(self, tool: Tool) -> None:
        """Raise Refusal where the message names a task that is not the caller's own, as if there were none."""
        message, record = self.ask.message, self.record
        named = [message.params.get("taskId")] if message.method in OF_ONE else []
        if message.method == LISTEN:
            named += listened(message.params, "taskIds")
        if not all(self._servers.tasks.is_of(tool.backend, self._principal.id, id) for id in named):
            record.decision, record.tool, record.effect = "deny", tool.name, tool.effect
            raise Refusal("unknown_tool", "There is no such task.", note="it names a task that is not the caller's")

    async def follow(self, result: Result) -> Result:
        """The answer. Where it says how to sign in, it names the place where the client is told so here: behind all
        cleaning, for that place is ours."""
        self.failed(result.status, result.body.whole or b"")
        if self.came and any(name.lower() == CHALLENGE for name, _ in result.headers):
            place = self.ask.metadata_for(self.came.tool)
            result.headers = challenged(result.headers, place, self.record.notes.append)
        return await super().follow(result)

    def failed(self, status: int, body: bytes) -> None:
        """Note whether a server's answer is an error."""
        if body.startswith(b'{"error"'):
            self.error = said(json.loads(body)["error"].get("code"))
        elif status == FAILED and body:
            self.error = TOOL_ERROR


class OrderedEntry(Entry):
    """The open Record of a message that no client sent."""

    def found(self, tool: Tool) -> None:
        super().found(tool)
        if tool.mcp:
            self.record.mcp = {"method": tool.mcp.method}


class AskedEntry(OrderedEntry):
    """The open Record of what a server asks of a client."""


def said(code: Any) -> str:
    """The code of a JSON-RPC error, where it is one that protocols have: others may say anything."""
    return str(code) if type(code) is int and code in _CODES else OTHER

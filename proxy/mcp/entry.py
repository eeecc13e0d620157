"""The open Record of one message of MCP, with what its call needs of the message besides arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proxy.entry import Entries, Entry
from proxy.firewall import unknown_tool
from proxy.mcp.sessions import Session, Sessions
from proxy.record import Record
from rules.decide import Ruleset
from rules.facts import Principal, Run
from rules.tools import Tool

if TYPE_CHECKING:
    from proxy.protocols.mcp import McpAsk


class Channel(Protocol):
    """The way to the client while the answer to its message is not there yet."""

    streamed: bool
    """Whether the server gives the answer in a stream of events."""

    @property
    def is_open(self) -> bool:
        """Whether the client takes anything but its answer."""

    async def tell(self, message: bytes) -> None:
        """Send one message of the server's at once: one JSON-RPC object, judged and cleaned."""


class McpEntry(Entry):
    """`ask` is the message, read once the tool was looked for. `session` is what it is a part of, and `began` the id of
    the one that it began."""

    session: Session | None = None
    began = ""
    http = 0
    """The status of HTTP with which the server gave an error."""

    def __init__(
        self, entries: Entries, record: Record, ask: McpAsk, channel: Channel, sessions: Sessions, rules: Ruleset
    ) -> None:
        super().__init__(entries, record)
        self.ask = ask
        self.channel = channel
        self._sessions = sessions
        self._rules = rules

    def identified(self, principal: Principal, run: Run) -> None:
        super().identified(principal, run)
        self._principal = principal

    def found(self, tool: Tool) -> None:
        """The caller may know this tool. Whether it may know what else the message is about, and whether the session is
        its own, comes next. Raises Refusal."""
        if not all(other and self._rules.visible(self._principal, other) for other in self.ask.also):
            raise unknown_tool(self, None)
        super().found(tool)
        self._placed()
        if self.ask.session:
            self.session = self._sessions.of(tool.backend, self.ask.session, self._principal.id)

    def hidden(self, tool: Tool | None) -> None:
        super().hidden(tool)
        self._placed()

    def _placed(self) -> None:
        """The message was read. Where it names its place in a trace itself, that counts, and not what its head says."""
        hail = self.ask.hail()
        if (hail.traceparent, hail.tracestate) != (self.hail.traceparent, self.hail.tracestate):
            self.hailed(hail)


class AskedEntry(Entry):
    """The open Record of what a server asks of a client."""

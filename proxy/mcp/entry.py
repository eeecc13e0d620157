"""The open Record of one message of MCP, with what its call needs of the message besides arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proxy.entry import Entries, Entry
from proxy.record import Record

if TYPE_CHECKING:
    from proxy.protocols.mcp import McpAsk


class Channel(Protocol):
    """The way to the client while the answer to its message is not there yet."""

    async def tell(self, message: bytes) -> None:
        """Send one message of the server's at once: one JSON-RPC object, judged and cleaned."""


class McpEntry(Entry):
    """`ask` is the message, read once the tool was looked for."""

    def __init__(self, entries: Entries, record: Record, ask: McpAsk, channel: Channel) -> None:
        super().__init__(entries, record)
        self.ask = ask
        self.channel = channel

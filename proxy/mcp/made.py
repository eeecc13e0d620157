"""Calls that the sidecar makes itself, as orders or to find something out, whatever the backend speaks.

To an MCP server it is a client then, as for those who call `/.toolwall/mcp`: in the server's era, and where the server
keeps sessions in one of the principal's in whose name it calls.
"""

from __future__ import annotations

from time import time_ns
from typing import Any

from proxy.entry import Entry
from proxy.firewall import Firewall
from proxy.identity.identity import static
from proxy.mcp.entry import McpEntry
from proxy.mcp.heard import Heard
from proxy.mcp.servers import Servers
from proxy.model import Hail, Result
from proxy.protocols.ordered import Make, Ordered, OrderedMessage
from proxy.record import Record, new_id
from rules.facts import Principal


class Making:
    """Makes them, through the whole pipeline."""

    def __init__(self, firewall: Firewall, servers: Servers) -> None:
        self.firewall = firewall
        self._servers = servers

    async def __call__(self, listener: str, hail: Hail, tool: str, make: Make, principal: Principal) -> Result:
        """The answer to a call of this tool. Raises Refusal; either way its Record is written."""
        rules, identify = self.firewall.regime.rules, static(principal)
        found = rules.catalog.tools.get(tool)
        if found is None or found.mcp is None:
            return await self.firewall.handle(Ordered(listener, hail, tool, make), identify)
        message = OrderedMessage(listener, hail, tool, make)

        def opened(door: str) -> Entry:
            record = Record(call=new_id(), started_ns=time_ns(), door=door)
            return MadeEntry(self.firewall.entries, record, message, Silent(), self._servers, rules, identify)

        return await self.firewall.handle(message, identify, opened)


class MadeEntry(McpEntry):
    """The Record of such a call to an MCP server. Nobody is there to hear anything but the answer."""

    joins = True

    def wants(self, told: Heard) -> bool:
        """Nothing is told."""
        return False


class Silent:
    """The way to a client that is not there."""

    streamed = False
    record: Record | None = None
    is_open = False

    async def tell(self, message: bytes) -> Any:
        """Nobody hears it."""

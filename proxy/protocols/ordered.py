"""A call that the sidecar makes itself, as an Ask: from there on it goes the way of all calls. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from proxy.errors import Refusal
from proxy.model import Call, Hail, Outgoing
from proxy.protocols.jsonrpc import Message
from proxy.protocols.mcpmessage import MessageAsk
from proxy.protocols.placing import Placed
from proxy.protocols.writing import CannotWrite
from rules.facts import Principal, Run
from rules.tools import Catalog, Tool

PROTOCOL = "order"
DOOR = "orders"
"""The listener of calls that no listener brought."""

Make = Callable[[Tool, Catalog], tuple[Placed, Outgoing]]
"""The arguments and the request of a call, by the rules in force. Raises Refusal, CannotWrite."""


class Ordered:
    """A call of `tool`, made by `make`. `base` and `origin` are what the agent calls the backend by."""

    def __init__(self, listener: str, hail: Hail, tool: str, make: Make, base: str = "", origin: str = "") -> None:
        self.listener = listener
        self._hail = hail
        self._tool = tool
        self._make = make
        self._base = base
        self._origin = origin

    def hail(self) -> Hail:
        return self._hail

    async def find(self, catalog: Catalog) -> Tool | None:
        self._catalog = catalog
        return catalog.tools.get(self._tool)

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        try:
            placed, outgoing = self._make(tool, self._catalog)
        except CannotWrite as why:
            raise Refusal("bad_request", f"The call cannot be written: {why}.", suggestion="Do it by hand.") from None
        return Call(
            id=call_id,
            run=run,
            principal=principal,
            tool=tool,
            arguments=placed.arguments,
            problems=tuple(placed.problems),
            outgoing=outgoing,
            base=self._base,
            peer=self._hail.peer,
            origin=self._origin,
            aside=placed.aside,
        )


class OrderedMessage(MessageAsk, Ordered):
    """The same, of a tool of an MCP server. No client sent it, so it has nothing to say of one."""

    async def find(self, catalog: Catalog) -> Tool | None:
        tool = await Ordered.find(self, catalog)
        if tool is None or tool.mcp is None:
            return None
        self.message = Message("request", b'"order"', tool.mcp.method, {"name": tool.mcp.name}, {})
        return tool

"""What is known of MCP servers while rules come and go: whose sessions there are, and what the servers say today."""

from __future__ import annotations

from time import time_ns

from proxy.body import Body
from proxy.entry import Entry
from proxy.firewall import Firewall
from proxy.identity import static
from proxy.mcp.entry import AskedEntry
from proxy.mcp.exchange import JSON
from proxy.mcp.heard import Heard
from proxy.mcp.pins import Pins
from proxy.mcp.sessions import Sessions
from proxy.model import Call, Outgoing, Result
from proxy.outcomes import whole
from proxy.protocols.ordered import Ordered
from proxy.protocols.placing import Placed
from proxy.record import Record, new_id
from rules.tools import Catalog, Tool

_ENVELOPE = (("content-type", JSON),)


class Servers:
    """`firewall` judges what servers ask; it is there once calls are."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self.pins = Pins()
        self.firewall: Firewall | None = None

    async def ask(self, call: Call, entry: Entry, asked: Heard, tool: Tool) -> bytes:
        """What a server asks of a client while a call is under way, as the client may read it: params, cleaned. It is
        a call of its own, with a Record; nobody but the rules has to allow it. Raises Refusal."""
        firewall = self.firewall
        assert firewall is not None

        def make(_: Tool, __: Catalog) -> tuple[Placed, Outgoing]:
            placed = Placed(0)
            placed.arguments.update(asked.value)
            return placed, Outgoing("POST", "", _ENVELOPE, asked.body)

        def opened(listener: str) -> Entry:
            return AskedEntry(firewall.entries, Record(call=new_id(), started_ns=time_ns(), door=listener))

        hail = entry.hail._replace(once="", reason="", behalf=None)
        ask = Ordered(entry.record.door, hail, tool.name, make, call.base, call.origin)
        result = await firewall.handle(ask, static(call.principal), opened)
        return await whole(entry.record, result.body, tool.reply.most_bytes)


def given(call: Call) -> Result:
    """The "answer" to what a server asks: the very question, for the guards to read before a client does."""
    return Result(200, [("content-type", JSON)], Body.of(call.outgoing.body))

"""Intent: what is about to have effects is on disk before the first byte of it leaves (law 5)."""

from __future__ import annotations

from proxy.entry import Entry
from proxy.model import Call, Result, Send
from rules.decide import Decision
from rules.tools import Tool


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool has effects."""
    return tool.effect != "read"


async def intent(call: Call, entry: Entry, send: Send) -> Result:
    """Write the intent and wait until the disk has it."""
    await entry.intent()
    entry.check("intent")
    return await send(call, entry)

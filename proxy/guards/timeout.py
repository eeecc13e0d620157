"""Timeout: every call ends, and what ended late is not reported as what it is not."""

from __future__ import annotations

import asyncio

from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.outcomes import lost, not_sent


async def timeout(call: Call, entry: Entry, send: Send) -> Result:
    """Bound the time from here to the reply (to its last byte, where it is read whole) by the tool's own limit."""
    try:
        async with asyncio.timeout(call.tool.timeout_s):
            result = await send(call, entry)
    except TimeoutError:
        if entry.sent:
            note = f"no whole reply within {call.tool.timeout_s:g} s"
            raise lost(entry.record, timed_out=True, note=note) from None
        raise not_sent("timeout", "The call took too long.") from None
    entry.check("timeout")
    return result

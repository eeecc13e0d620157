"""The rest of shaped results over MCP: a tool of the sidecar's own, which no backend sees."""

from __future__ import annotations

from proxy.body import Body
from proxy.entry import Entry
from proxy.mcp.entry import MessageEntry
from proxy.model import Call, Result
from proxy.protocols import mcpown
from proxy.protocols.remainder import named
from proxy.replies.pieces import Pieces
from proxy.replies.remainders import CALLED, Owner

_JSON = ("Content-Type", "application/json")


async def rest(pieces: Pieces, call: Call, entry: Entry) -> Result:
    """The answer to a call that asks for the rest of a result. Raises Refusal."""
    owner = Owner(call.principal.id, call.run.id, entry.record.revision)
    body = await pieces.given(entry, named(call.arguments["rest"], call.arguments.get("from")), owner, CALLED)
    is_modern = isinstance(entry, MessageEntry) and entry.ask.modern
    return Result(200, [_JSON], Body.of(mcpown.told(body, is_modern)))

"""Witness: what an answer says of another call is heard before anything is taken out of it.

Only of answers that say something: that it is there (200), or that it is not (404, 410). A backend that fails, is busy,
is still at it (202), or does not let this caller look, says nothing. Nor does an MCP server that gives no result: it
has no word that says so.
"""

from __future__ import annotations

from typing import Any, Final

from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.replies.rawjson import taken_from
from proxy.scanning import Scans
from rules.decide import Decision
from rules.formula import Untold
from rules.tools import Tool

_THERE: Final = 200
_NOT_THERE: Final = frozenset({404, 410})


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool tells of others."""
    return tool.tells


class Witness:
    """The guard, with the threads in which large replies are read."""

    __name__ = "witness"

    def __init__(self, scans: Scans) -> None:
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and let whoever asked hear what came back."""
        result = await send(call, entry)
        hear = entry.hail.behalf.hear if entry.hail.behalf else None
        not_there = result.status in _NOT_THERE and call.tool.mcp is None
        if hear and (result.status == _THERE or not_there):
            reply: Any = None
            try:
                reply = await taken_from(call, entry, result, self._scans)
                hear(result.status, True, reply)
            except Untold:
                hear(result.status, not_there, None)
        entry.check(self.__name__)
        return result

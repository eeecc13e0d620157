"""Bulkhead: a slow backend fills its own places, never the whole sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.health import Health
from proxy.model import Call, Result, Send
from proxy.places import Full
from rules.decide import Decision
from rules.mcp.plumbing import ASKED, LASTING, RESPONSE
from rules.tools import Tool

_FREE: Final = LASTING | {RESPONSE, *ASKED}


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether a call is over some time, and waits for nobody: what is open as long as both sides want would leave no
    place for others, and what a call that has a place waits for must not wait for one itself."""
    return tool.mcp is None or not (tool.mcp.method in _FREE or tool.mcp.method.startswith("notifications/"))


class Bulkhead:
    """The guard, with the places of each backend."""

    __name__ = "bulkhead"

    def __init__(self, healths: Mapping[str, Health]) -> None:
        self._healths = healths

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Hold a place from here to the end of the reply's body. Refuse where none is to be had in time."""
        places = self._healths[call.tool.backend].places
        if not places.take():
            try:
                await places.wait()
            except Full:
                raise _full() from None
        try:
            result = await send(call, entry)
        except BaseException:
            places.give()
            raise
        if result.body.whole is None:
            result.body.when_closed(places.give)
        else:
            places.give()
        entry.check(self.__name__)
        return result


def _full() -> Refusal:
    return Refusal(
        "limit_reached",
        "Too many calls of this backend are under way. Nothing was sent.",
        suggestion="Wait, then repeat the call; make fewer calls at once.",
        retry_after=1,
        note="bulkhead: no place within the time",
    )

"""Warn: what looks made by chance in a cleaned reply is counted for the operator. Nothing is changed, nothing held."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from proxy.body import Body
from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.scanning import INLINE_BYTES, Scans
from redaction.randomness import KIND, Watch
from redaction.scanner import Unreadable
from rules.decide import Decision
from rules.tools import Tool


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool's rules ask for it."""
    return KIND in tool.reply.warn


class Warn:
    """The guard, with the threads in which large bodies are looked at."""

    __name__ = "warn"

    def __init__(self, scans: Scans) -> None:
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and look at what is left of its reply: whole at once, else piece by piece."""
        result = await send(call, entry)
        watch = Watch()
        if result.body.whole is None:
            passed = Body(self._watched(result.body, watch, entry), result.body.close)
            passed.flow = result.body.flow
            result.body = passed
        else:
            await self._see(watch, result.body.whole, entry)
            _tell(entry, watch.close())
        entry.check(self.__name__)
        return result

    async def _watched(self, body: Body, watch: Watch, entry: Entry) -> AsyncGenerator[bytes, None]:
        async for piece in body:
            await self._see(watch, piece, entry)
            _tell(entry, watch.count)  # the caller may leave at any moment
            yield piece
        _tell(entry, watch.close())

    async def _see(self, watch: Watch, data: bytes, entry: Entry) -> None:
        try:
            if len(data) > INLINE_BYTES:
                await self._scans.apart(watch.feed, data)
            else:
                watch.feed(data)
        except Unreadable as busy:  # a warning is never a reason to withhold
            entry.record.notes.append(f"warn: {busy}")


def _tell(entry: Entry, count: int) -> None:
    if count:
        entry.record.warnings = {KIND: count}

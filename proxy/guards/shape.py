"""Shape: of a cleaned answer an agent gets the part that the contract says, and may get the rest piece by piece."""

from __future__ import annotations

import asyncio

from proxy.body import BODILESS, Body, TooLong
from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.outcomes import whole, withheld
from proxy.replies import decoding, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.replies.remainders import ASKED, CALLED, Kept, Owner, Remainders
from proxy.scanning import Scans
from redaction.scanner import Unreadable
from rules.decide import Decision
from rules.mcp.shaping import shaped as result_shaped
from rules.shaping import Answer, Shaped, Shaping, Unshapable, check_stream, is_stream, shaped, told
from rules.tools import Tool

_INLINE_BYTES = 8 * 1024  # a body up to this size is shaped at once: it takes less than the way to a thread and back
# They say which bytes these are, or that some of them can be had: of other bytes than the agent gets.
_OF_BYTES = frozenset({"etag", "last-modified", "accept-ranges"})


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether only a part of the tool's answers is given."""
    return tool.reply.shaping is not None


class Shape:
    """The guard, with the place for what is left out and the threads in which large answers are shaped."""

    __name__ = "shape"

    def __init__(self, remainders: Remainders, scans: Scans) -> None:
        self._remainders = remainders
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and give of what comes back only what its contract says."""
        result = await send(call, entry)
        shaping = call.tool.reply.shaping
        assert shaping is not None
        try:
            await self._shape(call, entry, result, shaping)
        except Unshapable as why:
            await result.body.close()
            raise withheld(entry.record, f"Only a part of it may be given, and {why}.", note=str(why)) from None
        except BaseException:
            await result.body.close()
            raise
        return result

    async def _shape(self, call: Call, entry: Entry, result: Result, shaping: Shaping) -> None:
        if call.outgoing.method == "HEAD" or result.status in BODILESS:
            entry.check(self.__name__)
            return
        media_type, charset = replyheaders.content_type(result.headers)
        is_error = result.status >= 300
        if result.status == 206 or replyheaders.value(result.headers, "content-range"):
            raise Unshapable("it is a range of bytes. Call without `Range`")
        if is_stream(media_type):
            check_stream(shaping, is_error)
            entry.check(self.__name__)
            return
        try:
            answer = Answer(await self._read(call, entry, result), media_type, charset, is_error)
            if answer.body:
                await self._given(call, entry, result, shaping, answer)
        except (Unreadable, Undecodable) as why:
            if call.tool.reply.on_error != "pass":
                raise Unshapable(str(why)) from None
            entry.unchecked(self.__name__, str(why))
            result.headers.append(("toolwall-unchecked", self.__name__))
            return
        entry.check(self.__name__)

    async def _read(self, call: Call, entry: Entry, result: Result) -> bytes:
        """All of the body, decoded. What could only be told at its end is told in the head now."""
        flow, most = result.body.flow, call.tool.reply.most_bytes
        try:
            async with asyncio.timeout(call.tool.timeout_s):
                raw = await whole(entry.record, result.body, most)
        except TimeoutError:
            raise withheld(entry.record, "It did not come to its end in time.") from None
        if flow is not None:
            told = {name.lower(): said for name, said in flow.trailers()}
            result.headers = [pair for pair in result.headers if pair[0] not in told] + [*told.items()]
        result.body = Body.of(raw)
        if coding := replyheaders.value(result.headers, "content-encoding"):
            try:
                raw = decoding.decode(raw, coding, most)
            except TooLong:
                raise Unreadable("it is too large when decoded") from None
        return raw

    async def _given(self, call: Call, entry: Entry, result: Result, shaping: Shaping, answer: Answer) -> None:
        way = CALLED if entry.hail.protocol == "mcp" else ASKED  # who speaks MCP may have no other way
        handle, links = self._remainders.fresh(answer.body, way)
        work = result_shaped if call.tool.mcp else shaped
        if len(answer.body) <= _INLINE_BYTES:
            done = work(shaping, answer, links)
        else:
            done = await self._scans.apart(work, shaping, answer, links)
        if not done.counts:
            return
        if done.parts:
            self._remainders.keep(handle, _kept(call, entry, shaping, done))
        entry.record.shaped = done.counts
        gone = {*_OF_BYTES, "content-encoding"}
        result.headers = [pair for pair in result.headers if pair[0].lower() not in gone]
        result.headers.append(("toolwall-shaped", told(done.counts)))
        result.body = Body.of(done.body)


def _kept(call: Call, entry: Entry, shaping: Shaping, done: Shaped) -> Kept:
    owner = Owner(call.principal.id, call.run.id, entry.record.revision)
    parts = {part.start: part for part in done.parts}
    return Kept(owner, call.id, done.whole, done.is_json, shaping.bounds, parts)

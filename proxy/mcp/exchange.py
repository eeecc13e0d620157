"""One message to an MCP server, and all that the server says to it until it has answered, in whatever form it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from proxy.body import TooLong
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.mcp.entry import McpEntry
from proxy.mcp.events import Event, Events, TooLarge
from proxy.mcp.heard import Heard, Untrue, heard, same_id
from proxy.model import Call, Headers, Outgoing, Result, Send
from proxy.outcomes import lost, oversized, whole, withheld
from proxy.replies import decoding, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.scanning import INLINE_BYTES
from redaction.mediatypes import EVENTS
from rules.urls import Url

T = TypeVar("T")
JSON: Final = "application/json"
MOST_RESUMED: Final = 50
"""How often one stream is taken up again."""

RETRY_MS: Final = 1_000
MOST_RETRY_MS: Final = 60_000
_OF_POST: Final = ("content-type", "accept", "mcp-method", "mcp-name", "mcp-param-", "last-event-id")

Hear = Callable[[Heard], Awaitable[None]]
"""Told each message that is no answer, as soon as it is there."""


class Answered(NamedTuple):
    """What came back: `message` is the answer, None where the reply was none of JSON-RPC."""

    status: int
    headers: list[tuple[str, str]]
    message: Heard | None


class Exchange:
    """Sends for one call. `way` is that to the backend, whose endpoint is its url."""

    def __init__(self, way: Send, call: Call, entry: Entry, url: Url) -> None:
        self._target = call.outgoing.target if url.path else f"/{call.outgoing.target}"
        self._way = way
        self._call = call
        self._entry = entry
        self._most = call.tool.reply.most_bytes
        self._size = 0
        self._resumed = 0
        self._asked, self._asked_from = 0, float("-inf")

    async def send(self, method: str, headers: Headers, body: bytes) -> Result:
        """One HTTP request to the endpoint, and the head of its reply."""
        outgoing = Outgoing(method, self._target, headers, body)
        return await self._way(self._call._replace(outgoing=outgoing), self._entry)

    async def post(self, headers: Headers, body: bytes, id: bytes, hear: Hear) -> Answered:
        """Post a message and wait for the answer to its id. Raises Refusal."""
        result = await self.send("POST", headers, body)
        try:
            return await self._answered(result, headers, id, hear)
        finally:
            await result.body.close()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For what is sent besides the call: the Record tells of the call alone, and nothing of it was sent by that."""
        entry, record = self._entry, self._entry.record
        before = entry.sent, record.attempts, record.upstream_status, self._size
        try:
            yield
        finally:
            entry.sent, record.attempts, record.upstream_status, self._size = before

    def asked_within(self, within_s: float) -> int:
        """One more request of the server's came; how many did within so many seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_from >= within_s:
            self._asked, self._asked_from = 0, now
        self._asked += 1
        return self._asked

    async def plain(self, result: Result, id: bytes) -> Answered:
        """A reply that is no stream."""
        try:
            return await self._answered(result, (), id, _unheard)
        finally:
            await result.body.close()

    async def _answered(self, result: Result, headers: Headers, id: bytes, hear: Hear) -> Answered:
        media_type, _ = replyheaders.content_type(result.headers)
        message = None
        if result.status == 200 and media_type == EVENTS:
            message = await self._streamed(result, headers, id, hear)
            if isinstance(self._entry, McpEntry):
                self._entry.channel.streamed = True
        elif media_type == JSON:
            message = await self._plain(result, id)
        else:
            await whole(self._entry.record, result.body, self._most)
        return Answered(result.status, result.headers, message)

    async def _plain(self, result: Result, id: bytes) -> Heard | None:
        raw = await whole(self._entry.record, result.body, self._most)
        if coding := replyheaders.value(result.headers, "content-encoding"):
            raw = self._decoded(raw, coding)
        good = 200 <= result.status < 300
        if not raw and good:
            return None
        try:
            message = await read(raw)
        except Untrue as why:
            if not good:  # an error of somebody on the way
                return None
            raise self._untrue(str(why)) from None
        if message.kind == "result" and not good:
            return None
        self._check(message, id, strict=good)
        return message

    def _decoded(self, raw: bytes, coding: str) -> bytes:
        try:
            return decoding.decode(raw, coding, self._most)
        except TooLong:
            raise oversized(self._entry.record, self._most) from None
        except Undecodable as why:
            raise self._untrue(str(why)) from None

    def _check(self, message: Heard, id: bytes, *, strict: bool) -> None:
        """Whether it answers what was asked. An error that refuses a message may not know its id."""
        if message.kind not in ("result", "error"):
            raise self._untrue("It is no answer.")
        if not (same_id(message.id, id) or (not strict and message.kind == "error" and not message.id)):
            raise self._untrue("It answers another request.")

    async def _streamed(self, result: Result, headers: Headers, id: bytes, hear: Hear) -> Heard:
        """The answer in a stream, which is taken up again where the server breaks it off and says how."""
        last = Event(b"")
        while True:
            try:
                async for event in self.events(result):
                    last = event if event.retry_ms is not None else event._replace(retry_ms=last.retry_ms)
                    if is_message(event) and (message := await self._told(event, id, hear)):
                        return message
            except Broken:
                pass
            finally:
                await result.body.close()
            result = await self._again(headers, last)

    async def _told(self, event: Event, id: bytes, hear: Hear) -> Heard | None:
        try:
            message = await read(event.data)
        except Untrue as why:
            raise self._untrue(str(why)) from None
        if message.kind in ("request", "notification"):
            await hear(message)
            return None
        self._check(message, id, strict=True)
        return message

    async def events(self, result: Result, lasting: bool = False) -> AsyncIterator[Event]:
        """The events of a reply. Raises Broken where it ended before its end, Refusal where it, or one event of a
        stream that lasts, is too large."""
        if replyheaders.value(result.headers, "content-encoding"):
            raise self._untrue("It is compressed.")
        events, pieces = Events(self._most), aiter(result.body)
        while piece := await _next(pieces):
            self._size += len(piece)
            if self._size > self._most and not lasting:
                raise oversized(self._entry.record, self._most)
            try:
                ready = events.feed(piece)
            except TooLarge:
                raise oversized(self._entry.record, self._most) from None
            for event in ready:
                yield event

    async def _again(self, headers: Headers, last: Event) -> Result:
        """Take the stream up behind the last event."""
        if not last.id or self._resumed >= MOST_RESUMED:
            raise self._lost()
        self._resumed += 1
        wait_ms = RETRY_MS if last.retry_ms is None else min(last.retry_ms, MOST_RETRY_MS)
        await asyncio.sleep(wait_ms / 1000)
        asked = (*listening(headers), ("last-event-id", last.id.decode("ascii")))
        result = await self.send("GET", asked, b"")
        if result.status != 200 or replyheaders.content_type(result.headers)[0] != EVENTS:
            await result.body.close()
            raise self._lost()
        return result

    def _lost(self) -> Refusal:
        return lost(self._entry.record, timed_out=False, note="the server ended its stream without an answer")

    def _untrue(self, why: str) -> Refusal:
        return withheld(self._entry.record, f"The server's answer is not one that can be trusted. {why}", note=why)


async def aside(size: int, work: Callable[..., T], *given: Any) -> T:
    """What `work` gives; about so many bytes that it would hold up other calls it is done in a thread."""
    return work(*given) if size <= INLINE_BYTES else await asyncio.to_thread(work, *given)


async def read(data: bytes) -> Heard:
    """What a server says. Raises Untrue."""
    return await aside(len(data), heard, data)


async def _unheard(_: Heard) -> None:
    return None


def is_message(event: Event) -> bool:
    """Whether it is one that clients of MCP read."""
    return bool(event.data) and event.type in (b"", b"message")


class Broken(Exception):
    """A stream ended in the middle."""


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(pieces, b"")
    except Refusal as no:
        if no.code == "reply_refused":
            raise Broken from None
        raise


def listening(headers: Headers) -> Headers:
    """The head of a request that takes up a stream, from that of a message."""
    kept = [pair for pair in headers if not pair[0].startswith(_OF_POST)]
    return (("accept", EVENTS), *kept)

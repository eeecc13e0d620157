"""Known secrets: whatever a tool's rules say of cleaning, no answer holds one of these values."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Final

from proxy.body import BODILESS, Body, TooLong
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import oversized, whole, withheld
from proxy.record import Record
from proxy.replies import decoding, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.scanning import INLINE_BYTES, Scans
from redaction import streams
from redaction.known import KIND, Known
from redaction.scanner import Cleaned, Unreadable
from redaction.streams import Stage, flows, stage
from redaction.watched import Watched

_AT_ONCE: Final = 32
"""Messages of a stream that go on together where so many came: searching them takes less than a millisecond."""

Alarm = Callable[[set[str], Record], None]
"""Told by their tags which of the sidecar's own credentials stood in an answer, and the Record of its call."""


def _silent(tags: set[str], record: Record) -> None:
    """For a sidecar that sends none."""


class KnownSecrets:
    """The guard, with the values, the threads in which large answers are searched, and who is told what was found."""

    __name__ = "known_secrets"

    def __init__(self, known: Known, scans: Scans, alarm: Alarm = _silent) -> None:
        self._known = known
        self._scans = scans
        self._alarm = alarm

    def __bool__(self) -> bool:
        return bool(self._known)

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and take the values out of what comes back. The body is decoded then; it is whole, unless
        its type is one that flows.

        What cannot be searched is withheld, also where the rules let unchecked answers pass.
        """
        result = await send(call, entry)
        watched = Watched(self._known)
        try:
            if replyheaders.is_cut(result.status, result.headers) and not _is_bare(call, result):
                raise Unreadable("it is a range of bytes, in which one may be cut in two. Call without `Range`")
            if not await self._flowing(call, entry, result, watched):
                await self._search(call, entry, result, watched)
        except BaseException as error:
            await result.body.close()
            if isinstance(error, Unreadable | Undecodable | TooLong):
                raise _unsearched(entry, error) from None
            raise
        finally:
            self._tell(entry, watched)
        entry.check(self.__name__)
        return result

    def _tell(self, entry: Entry, watched: Watched) -> None:
        if watched.tags:
            self._alarm(watched.tags, entry.record)

    async def _flowing(self, call: Call, entry: Entry, result: Result, watched: Watched) -> bool:
        """Clean a body while it comes, where it comes in pieces and is text. Whether it is one."""
        media_type, charset = replyheaders.content_type(result.headers)
        if result.body.whole is not None or not flows(media_type) or _is_bare(call, result):
            return False
        if replyheaders.value(result.headers, "content-encoding"):
            return False
        self._headers(entry, result, watched)
        made, body = stage(watched, media_type, charset), result.body
        pieces = _pieces(made, body, entry, call.tool.reply.most_bytes)
        result.body = Body(self._told_of(pieces, entry, watched), body.close)
        return True

    async def _told_of(
        self, pieces: AsyncGenerator[bytes, None], entry: Entry, watched: Watched
    ) -> AsyncGenerator[bytes, None]:
        """The pieces, and the alarm for what is in them as soon as it is seen."""
        watched.tags.clear()  # of the head, and told
        async with aclosing(pieces):
            try:
                async for piece in pieces:
                    yield piece
            finally:
                self._tell(entry, watched)

    async def _search(self, call: Call, entry: Entry, result: Result, watched: Watched) -> None:
        self._headers(entry, result, watched)
        most = call.tool.reply.most_bytes
        raw = b"" if _is_bare(call, result) else await whole(entry.record, result.body, most)
        await result.body.close()
        coding = replyheaders.value(result.headers, "content-encoding")
        if raw and coding:
            raw = decoding.decode(raw, coding, most)
            result.headers = [pair for pair in result.headers if pair[0].lower() != "content-encoding"]
        cleaned = await self._cleaned(watched, raw, *replyheaders.content_type(result.headers))
        result.body = Body.of(cleaned.value)
        _count(entry, cleaned.counts)

    def _headers(self, entry: Entry, result: Result, watched: Watched) -> None:
        headers = [(name, watched.text(value)) for name, value in result.headers]
        changed = sum(old != new for old, new in zip(result.headers, headers, strict=True))
        result.headers = headers
        _count(entry, Counter({KIND: changed} if changed else ()))

    async def _cleaned(self, watched: Watched, raw: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        if not raw:
            return Cleaned(raw, Counter())
        if len(raw) <= INLINE_BYTES:
            return _clean(watched, raw, media_type, charset)
        return await self._scans.apart(_clean, watched, raw, media_type, charset)


async def _pieces(made: Stage, body: Body, entry: Entry, most: int) -> AsyncGenerator[bytes, None]:
    """A body as its stage lets it go. Nothing but new pieces moves it on: what waits may be half of a value."""
    try:
        async for piece in body:
            if made.size + len(piece) > most:
                raise oversized(entry.record, most)
            for ready in _together(made.feed(piece)):
                yield ready
        for ready in _together(made.close()):
            yield ready
    except Unreadable as why:
        raise _unsearched(entry, why) from None
    finally:
        _count(entry, made.counts)


def _together(turn: Iterator[bytes]) -> Iterator[bytes]:
    """What a turn gives, some of it at once: each piece by itself would cost a turn of the event loop. What was good
    goes out before a fault.
    """
    given: list[bytes] = []
    try:
        for ready in turn:
            given.append(ready)
            if len(given) >= _AT_ONCE:
                yield b"".join(given)
                given = []
    except Unreadable:
        yield b"".join(given)
        raise
    yield b"".join(given)


def _clean(known: Watched, raw: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
    """A whole body, also searched across the fragments of its messages, if it has such."""
    if media_type in streams.TEXTS or not flows(media_type):
        return known.clean(raw, media_type, charset)
    joined = streams.clean(known, raw, media_type, charset)
    cleaned = known.clean(joined.value, media_type, charset)
    return Cleaned(cleaned.value, joined.counts + cleaned.counts)


def _is_bare(call: Call, result: Result) -> bool:
    return call.outgoing.method == "HEAD" or result.status in BODILESS


def _count(entry: Entry, counts: Counter[str]) -> None:
    if counts:
        entry.record.redactions = dict(Counter(entry.record.redactions) + counts)


def _unsearched(entry: Entry, why: Exception) -> Refusal:
    note = str(why) or "it is too large when decoded"
    return withheld(entry.record, f"It could not be searched for known secrets: {note}.", note=note)

"""Bodies that are cleaned while they come: a stage of `redaction.streams`, with a clock and limits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Final

from proxy.body import Body, Ending, Flow
from proxy.entry import Entry
from proxy.outcomes import oversized, withheld
from proxy.scanning import CLOSELY_INLINE_BYTES, INLINE_BYTES, Scans
from redaction.mediatypes import EVENTS, LINES
from redaction.scanner import Unreadable
from redaction.streams import Stage

GRACE_S = 0.25
"""After so long a silence all goes out but what may be the beginning of a finding: longer than the pauses between the
words of a language model, shorter than a person notices."""

REST_S = 2.0
"""After so long a silence the rest goes out too: what has no end by then is not waited for."""

_INLINE_LINES: Final = 64
"""A piece of more lines is cleaned in a thread, however short: each is a message, which takes some 10 to 50 us."""

Keep = Callable[[], Awaitable[None]]
"""Stores what a piece shows before it goes out. Raises Refusal."""


class Flowing:
    """One body on its way: `most` bytes of it at most, and at most `idle_s` seconds between two pieces."""

    def __init__(
        self, body: Body, stage: Stage, entry: Entry, most: int, idle_s: float, keep: Keep | None = None
    ) -> None:
        self._body = body
        self._stage = stage
        self._entry = entry
        self._most = most
        self._idle_s = idle_s
        self._keep = keep
        self._size = 0
        self._told: Counter[str] = Counter()

    def cleaned(self, media_type: str, scans: Scans, apart: bool) -> Body:
        """The body as the caller gets it. With `apart` every piece is scanned in a thread."""
        ending: Ending = "event" if media_type == EVENTS else "line" if media_type in LINES else ""
        body = Body(self._pieces(scans, apart), self._body.close)
        body.flow = Flow(ending, self._trailers)
        return body

    async def _pieces(self, scans: Scans, apart: bool) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._turns()) as turns:  # it may wait for a piece, and must not when the body is closed
            async for turn, part in turns:
                given, fault = await self._taken(turn, scans, apart or not self._is_brief(part))
                self._tell()
                if given:
                    if self._keep is not None:
                        await self._keep()
                    yield given
                if fault:
                    raise withheld(self._entry.record, f"It could not be checked: {fault}.", note=str(fault))

    def _is_brief(self, part: bytes) -> bool:
        """Whether what comes with this part is soon cleaned, with all that was held back before it."""
        lines = part.count(b"\n") + part.count(b"\r")
        return lines <= _INLINE_LINES and self._stage.size + len(part) <= CLOSELY_INLINE_BYTES

    async def _taken(self, turn: Iterator[bytes], scans: Scans, apart: bool) -> tuple[bytes, Unreadable | None]:
        if not apart:
            return _drawn(turn)
        try:
            return await scans.apart(_drawn, turn)
        except Unreadable as busy:
            return b"", busy

    async def _turns(self) -> AsyncGenerator[tuple[Iterator[bytes], bytes], None]:
        """What the stage is to do next, with a part that came, or as none came."""
        pieces, waiting, silent_s = aiter(self._body), None, 0.0
        steps = {GRACE_S: self._stage.pause, REST_S: self._stage.rest}
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(_next(pieces))
                until = next((step for step in (GRACE_S, REST_S) if silent_s < step < self._idle_s), self._idle_s)
                await asyncio.wait({waiting}, timeout=until - silent_s)
                if waiting.done():
                    piece, waiting, silent_s = waiting.result(), None, 0.0
                    if piece is None:
                        break
                    for part in self._parts(piece):
                        yield self._stage.feed(part), part
                elif until >= self._idle_s:
                    raise withheld(self._entry.record, "The backend's reply broke off.", note="it was silent for long")
                else:
                    silent_s = until
                    yield steps[until](), b""
            yield self._stage.close(), b""
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.wait({waiting})

    def _parts(self, piece: bytes) -> Iterator[bytes]:
        taken = piece[: self._most - self._size]
        self._size += len(piece)
        yield from (taken[at : at + INLINE_BYTES] for at in range(0, len(taken), INLINE_BYTES))
        if self._size > self._most:
            raise oversized(self._entry.record, self._most)

    def _tell(self) -> None:
        """The Record says at any moment what was done so far, for the caller may leave at any moment."""
        record = self._entry.record
        if fresh := self._stage.counts - self._told:  # others may count as well
            record.redactions = dict(sorted((Counter(record.redactions) + fresh).items()))
            self._told += fresh
        if self._stage.faults and "clean" not in record.passed_unchecked:
            record.passed_unchecked.append("clean")
            record.notes.append(f"clean: {self._stage.faults[0]}")

    def _trailers(self) -> list[tuple[str, str]]:
        unchecked = [("Toolwall-Unchecked", "clean")] if self._stage.faults else []
        said = ", ".join(f"{kind}={count}" for kind, count in self._entry.record.redactions.items())
        return [*unchecked, *([("Toolwall-Redacted", said)] if said else [])]


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


def _drawn(turn: Iterator[bytes]) -> tuple[bytes, Unreadable | None]:
    """All that a turn gives, and the fault at its end."""
    given: list[bytes] = []
    try:
        given.extend(turn)
    except Unreadable as fault:
        return b"".join(given), fault
    return b"".join(given), None

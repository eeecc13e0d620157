"""The body of a reply: bytes in pieces, closed by name, bounded when read whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Literal, NamedTuple

BODILESS = frozenset({204, 205, 304})
"""Statuses whose replies have no body (RFC 9110, 15)."""


class TooLong(Exception):
    """A body had more bytes than it may have."""


Ending = Literal["event", "line", ""]


class Flow(NamedTuple):
    """Of a body that goes out while it comes: how a refusal in its middle is said, if it can be, and what can be said
    only at its end."""

    ending: Ending
    trailers: Callable[[], list[tuple[str, str]]]


class Body:
    """Pieces of bytes that arrive in time; `async with` closes whatever they come from, on every path."""

    __slots__ = ("_close", "_pieces", "flow", "whole")

    def __init__(self, pieces: AsyncGenerator[bytes, None] | None, close: Callable[[], Awaitable[None]] | None) -> None:
        self.whole: bytes | None = None
        self.flow: Flow | None = None
        self._pieces = pieces
        self._close = close

    @classmethod
    def of(cls, data: bytes) -> Body:
        """A body that is already here in one piece."""
        body = cls(None, None)
        body.whole = data
        return body

    async def __aenter__(self) -> Body:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the pieces and what they come from; a second time does nothing."""
        pieces, close = self._pieces, self._close
        self._pieces = self._close = None
        if pieces is not None:
            await pieces.aclose()
        if close is not None:
            await close()

    def when_closed(self, then: Callable[[], None]) -> None:
        """Have something done once it is closed, behind all else."""
        close = self._close

        async def both() -> None:
            try:
                if close is not None:
                    await close()
            finally:
                then()

        self._close = both

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _one(self.whole or b"") if self._pieces is None else self._pieces

    async def read(self, most: int) -> bytes:
        """All of it. Raises TooLong as soon as more than `most` bytes have come."""
        if self.whole is not None:
            if len(self.whole) > most:
                raise TooLong
            return self.whole
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > most:
                raise TooLong
            pieces.append(piece)
        return b"".join(pieces)


async def _one(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data

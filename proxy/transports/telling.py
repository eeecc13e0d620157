"""Telling: a reply of events that begins before its call is over, written by whoever has something to say."""

from __future__ import annotations

from collections.abc import Iterable
from time import time
from typing import TYPE_CHECKING

from proxy.transports.framing import chunk, chunks, connection, last_chunk
from proxy.transports.heartbeat import Heartbeat
from proxy.transports.reply import head

if TYPE_CHECKING:
    from proxy.transports.connection import Connection


class Telling:
    """The reply to one message of a connection, which may `keep` open behind it. Whoever hung up hears nothing, and
    whoever takes nothing for long is hung up on. `trailers`: the client takes such."""

    def __init__(self, line: Connection, version: tuple[int, ...], keep: bool, trailers: bool) -> None:
        self.begun = False
        self._line = line
        self._version = version
        self._chunked = version >= (1, 1)
        self.keep = keep and self._chunked
        self._trailers = trailers and self._chunked
        self._beats: Heartbeat | None = None

    def begin(self, headers: Iterable[tuple[str, str]], every_s: float) -> None:
        """Send the head; from here on a silence of `every_s` seconds is broken by a comment."""
        self.begun = True
        trailer = "Trailer: Toolwall-Redacted\r\n" if self._trailers else ""
        framing = f"{trailer}{chunks(self._chunked)}{connection(self._version, self.keep)}"
        self._put(head(200, headers, framing, int(time())))
        self._beats = Heartbeat(self._beat, every_s)

    async def say(self, events: bytes) -> None:
        """Send whole events, and wait until they are taken."""
        if self._beats is not None:
            events = self._beats.said(events)
        if not events:  # an empty chunk would be the end
            return
        self._put(chunk(events) if self._chunked else events)
        try:
            await self._line.patiently()
        except TimeoutError:
            self._line.abort()

    def end(self, trailers: list[tuple[str, str]]) -> None:
        """The reply is whole."""
        if self._chunked:
            self._put(last_chunk(trailers if self._trailers else []))

    def stop(self) -> None:
        """No more signs of life."""
        if self._beats is not None:
            self._beats.stop()

    def _beat(self, comment: bytes) -> None:
        self._line.beat(self._chunked, comment)

    def _put(self, data: bytes) -> None:
        if self._line.transport is not None:
            self._line.transport.write(data)

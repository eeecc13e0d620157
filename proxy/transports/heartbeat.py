"""Heartbeat: an event stream that is silent for long says so, lest somebody on the way takes it for dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

COMMENT = b": keep-alive\n\n"
"""An event of no lines but a comment, which readers ignore (HTML Standard, 9.2.5)."""

_MARK = b"\xef\xbb\xbf"
_ENDS = (b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r\n")
_LONGEST_END = 4


class Heartbeat:
    """The beats of one stream: `beat` is called with COMMENT after each `every_s` seconds of silence, but only where no
    event is half way. `said` is told of what was sent.
    """

    def __init__(self, beat: Callable[[bytes], None], every_s: float) -> None:
        self._beat, self._every_s = beat, every_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._tail = b""
        self._beaten = False
        self._timer = self._loop.call_later(every_s, self._look)

    def said(self, piece: bytes) -> bytes:
        """Note a piece that is about to be sent; gives it as it has to be sent.

        A mark of byte order counts at the beginning alone. Where a beat was first it would be text, so it goes.
        """
        if self._beaten and not self._tail:
            piece = piece.removeprefix(_MARK)
        self._last = self._loop.time()
        self._tail = (self._tail + piece[-_LONGEST_END:])[-_LONGEST_END:]
        return piece

    def _look(self) -> None:
        """One timer for the whole stream: it is not set anew by each piece, but looks how long ago the last was."""
        now = self._loop.time()
        due = self._last + self._every_s
        if now >= due:
            if not self._tail or self._tail.endswith(_ENDS):
                self._beaten = True
                self._beat(COMMENT)
            self._last = now
            due = now + self._every_s
        self._timer = self._loop.call_at(due, self._look)

    def stop(self) -> None:
        """No more beats."""
        self._timer.cancel()

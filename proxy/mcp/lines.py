"""Lines of a stream: bytes in, whole lines out, wherever it was cut, and little of one that is too long. No I/O."""

from __future__ import annotations

from typing import Final, NamedTuple

HEAD: Final = 4096
"""Bytes of the beginning, and as many of the end, that are kept of a line that is too long."""


class Line(NamedTuple):
    """One line without its end. Of one that is too long the middle is left out."""

    data: bytes
    is_whole: bool = True


class Lines:
    """The lines of one stream, each of at most `most` bytes. `is_long`: the one that still has no end has more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: list[bytes] = []
        self._size = 0
        self.is_long = False

    def feed(self, piece: bytes) -> list[Line]:
        """The lines that are whole now."""
        *ended, rest = piece.split(b"\n")
        lines = []
        for part in ended:
            self._hold(part)
            lines.append(Line(b"".join(self._held).removesuffix(b"\r"), not self.is_long))
            self._held, self._size, self.is_long = [], 0, False
        self._hold(rest)
        return lines

    def _hold(self, part: bytes) -> None:
        if not part:
            return
        self._held.append(part)
        self._size += len(part)
        if self.is_long or self._size > self._most:
            self.is_long = True
            data = b"".join(self._held)
            self._held = [data[:HEAD], data[max(HEAD, len(data) - HEAD) :]]

    def close(self) -> list[Line]:
        """What stands behind the last end of a line."""
        return self.feed(b"\n") if self._held else []

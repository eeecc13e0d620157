"""Events of a stream (HTML Standard, 9.2): bytes in, whole events out, wherever the stream was cut. No I/O."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_ENDS: Final = re.compile(rb"[\r\n]")
_MARK: Final = b"\xef\xbb\xbf"
_FIELDS: Final = frozenset({b"data", b"id", b"event", b"retry"})
MOST_ID: Final = 1024
"""Bytes of an event's id. It travels in a header when the stream is resumed."""

MOST_RETRY_DIGITS: Final = 9


class TooLarge(Exception):
    """An event has more bytes than one may have."""


class Event(NamedTuple):
    """One event. `id` is the last that the stream named, `retry_ms` what it asks a client to wait before it comes back,
    where it does. One without data is told as well: it may prime a client with an id."""

    data: bytes
    id: bytes = b""
    retry_ms: int | None = None
    type: bytes = b""


PLAIN: Final = Event(b"")


class Events:
    """The events of one stream, each of at most `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = b""
        self._more: list[bytes] = []  # of a line that is still without an end
        self._held = 0
        self._begun = False
        self._id = b""
        self._clear()

    def _clear(self) -> None:
        self._data: list[bytes] = []
        self._retry: int | None = None
        self._type = b""
        self._size = 0
        self._said = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are whole now. Raises TooLarge."""
        if self._begun and not _ENDS.search(piece) and not self._rest.endswith(b"\r"):
            return self._hold(piece)
        data = b"".join((self._rest, *self._more, piece))
        self._more, self._held = [], 0
        if not self._begun and len(data) >= len(_MARK):
            self._begun = True
            data = data.removeprefix(_MARK)
        if not self._begun and _MARK.startswith(data):
            self._rest = data
            return []
        self._begun = True
        return [event for line in self._lines(data) if (event := self._take(line))]

    def _hold(self, piece: bytes) -> list[Event]:
        """Keep what is no whole line, without looking through what came before it again."""
        self._more.append(piece)
        self._held += len(piece)
        if self._size + len(self._rest) + self._held > self._most:
            raise TooLarge
        return []

    def _lines(self, data: bytes) -> list[bytes]:
        """Whole lines. A carriage return at the end of a piece may be half of a line's end."""
        lines, at = [], 0
        for end in _LINE_END.finditer(data):
            if end[0] == b"\r" and end.end() == len(data):
                break
            lines.append(data[at : end.start()])
            at = end.end()
        self._rest = data[at:]
        if self._size + len(self._rest) > self._most:
            raise TooLarge
        return lines

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._ended()
        self._size += len(line)
        if self._size > self._most:
            raise TooLarge
        name, _, value = line.partition(b":")
        if name in _FIELDS:
            self._said = True
            self._put(name, value.removeprefix(b" "))
        return None

    def _put(self, name: bytes, value: bytes) -> None:
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value
        elif name == b"id":
            self._id = value if _is_id(value) else b""
        elif value.isdigit() and len(value) <= MOST_RETRY_DIGITS:
            self._retry = int(value)

    def _ended(self) -> Event | None:
        event = Event(b"\n".join(self._data), self._id, self._retry, self._type) if self._said else None
        self._clear()
        return event


def _is_id(value: bytes) -> bool:
    """Whether it can be given back in a header as it is."""
    return len(value) <= MOST_ID and all(0x20 <= byte < 0x7F for byte in value) and value == value.strip()


def written(data: bytes, event: Event = PLAIN) -> bytes:
    """One event with a JSON text as its data, and what another said of when and from where to come back."""
    lines = b"".join(b"data: %b\n" % line for line in _LINE_END.split(data))
    return _back(event) + b"event: message\n" + lines + b"\n"


def primed(event: Event) -> bytes:
    """An event without data: with an id for a client to come back with, and the time to wait before that."""
    return _back(event) + b"data: \n\n"


def _back(event: Event) -> bytes:
    retry = b"" if event.retry_ms is None else b"retry: %d\n" % event.retry_ms
    return (b"id: %b\n" % event.id if event.id else b"") + retry

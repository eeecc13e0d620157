"""Bodies cleaned while they come: event streams (HTML Standard, 9.2), JSON line by line, plain text.

An event or a line is given out once it is whole, plain text once it is decided on (see `redaction.window`). Text that a
message hands over in fragments, as language models do, is read as one: see `redaction.fragments`.

What a stage gives out in total does not depend on where the stream was cut, nor on pauses; only `rest` lets go what
might have gone on.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from redaction.fragments import Cleaner, Messages
from redaction.mediatypes import CHARSETS, EVENTS, LINES
from redaction.operators import splice
from redaction.scanner import Cleaned, Unreadable
from redaction.window import Edit, Window

TEXTS: Final = frozenset({"text/plain", "text/markdown"})

_MARK: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"[^\n]*\n")
_LINE_OR_CR: Final = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)")


class Stage(Protocol):
    """Changes bytes in flight. Its methods give what is ready, piece by piece, and raise Unreadable behind that."""

    counts: Counter[str]
    """The findings taken out so far, by kind."""
    faults: list[str]
    """Why something was passed unchecked."""

    @property
    def size(self) -> int:
        """How much is held back."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """More of the body came."""

    def pause(self) -> Iterator[bytes]:
        """Nothing came for a while: all goes out but what may be the beginning of a finding."""

    def rest(self) -> Iterator[bytes]:
        """Nothing came for long: all that is whole goes out."""

    def close(self) -> Iterator[bytes]:
        """The body ended."""


def flows(media_type: str) -> bool:
    """Whether bodies of this type can be cleaned while they come."""
    return media_type == EVENTS or media_type in LINES or media_type in TEXTS


def stage(scanner: Cleaner, media_type: str, charset: str | None, passes: bool = False) -> Stage:
    """A stage for a body of this type, in lower case. With `passes` it lets go what it cannot check.

    Raises Unreadable for a body that cannot be checked so.
    """
    encoding = CHARSETS.get((charset or "utf-8").lower())
    if encoding is None:
        raise Unreadable("the charset of the body cannot be checked")
    if scanner.needs_presidio and media_type in TEXTS:
        raise Unreadable("some of the kinds can be found only in a whole text")
    if media_type in TEXTS:
        return _Text(scanner, media_type, charset, passes)
    if encoding not in ("utf-8", "ascii"):
        raise Unreadable("the charset of the body is not UTF-8")
    if media_type in LINES:
        return _Lines(scanner, passes)
    if media_type == EVENTS:
        return _Events(scanner, passes)
    raise Unreadable("the media type of the body cannot be checked while it comes")


def clean(cleaner: Cleaner, body: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
    """A whole body at once, by a stage where messages may hold fragments of a text. Raises Unreadable."""
    if media_type != EVENTS and (media_type not in LINES or charset not in (None, "utf-8")):
        return cleaner.clean(body, media_type, charset)
    way = stage(cleaner, media_type, charset)
    return Cleaned(b"".join([*way.feed(body), *way.close()]), way.counts)


class _Splitter:
    """Lines with their ends: LF, or with `cr` also CR and CRLF. A CR at the end of what came may be half of one."""

    def __init__(self, cr: bool) -> None:
        self.size = 0
        self._cr = cr
        self._pieces: list[bytes] = []

    @property
    def halved(self) -> bool:
        """Whether what came ends with what may be half of an end."""
        return self._cr and bool(self._pieces) and self._pieces[-1].endswith(b"\r")

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now."""
        ended = self.halved or b"\n" in data or (self._cr and b"\r" in data)
        if data:
            self._pieces.append(data)
            self.size += len(data)
        return self._split(False) if ended else []

    def close(self) -> list[bytes]:
        """The rest, of which the last line may have no end."""
        lines = [*self._split(True), *self._pieces]
        self._pieces, self.size = [], 0
        return lines

    def _split(self, final: bool) -> list[bytes]:
        data = b"".join(self._pieces)
        # What has no end yet is left out: the expression would look for one from each of its places.
        ended = max(data.rfind(b"\n"), data.rfind(b"\r") if self._cr else -1) + 1
        lines = (_LINE_OR_CR if self._cr else _LINE).findall(data, 0, ended)
        if lines and not final and self.halved and sum(map(len, lines)) == len(data):
            lines.pop()
        rest = data[sum(map(len, lines)) :]
        self._pieces, self.size = [rest] if rest else [], len(rest)
        return lines


class _Lines:
    """JSON line by line (NDJSON, JSON Lines)."""

    def __init__(self, scanner: Cleaner, passes: bool) -> None:
        self._lines = _Splitter(cr=False)
        self._messages = Messages(scanner, passes, json=True)
        self._passes = passes
        self.counts, self.faults = self._messages.counts, self._messages.faults

    @property
    def size(self) -> int:
        return self._lines.size + self._messages.size

    def feed(self, data: bytes) -> Iterator[bytes]:
        for line in self._lines.feed(data):
            yield from self._put(line)

    def pause(self) -> Iterator[bytes]:
        return self._messages.give("pause")

    def rest(self) -> Iterator[bytes]:
        return self._messages.give("close")

    def close(self) -> Iterator[bytes]:
        for line in self._lines.close():
            yield from self._put(line)
        yield from self._messages.give("close")

    def _put(self, line: bytes) -> Iterator[bytes]:
        try:
            text = _decoded(line)
        except Unreadable as fault:
            if not self._passes:
                raise
            self.faults.append(str(fault))
            return self._messages.put("", lambda _: line)
        return self._messages.put(text, lambda new: line if new is None else new.encode())


class _Events:
    """Server-sent events. Fields, comments and ends of lines stay as they are; comments between events do not wait."""

    def __init__(self, scanner: Cleaner, passes: bool) -> None:
        self._scanner = scanner
        self._passes = passes
        self._lines = _Splitter(cr=True)
        self._messages = Messages(scanner, passes)
        self.counts, self.faults = self._messages.counts, self._messages.faults
        self._event: list[bytes] = []
        self._begun = self._halved = False

    @property
    def size(self) -> int:
        return self._lines.size + self._messages.size + sum(map(len, self._event))

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._halved and data:
            data, self._halved = data.removeprefix(b"\n"), False
        for line in self._lines.feed(data):
            yield from self._take(line)

    def pause(self) -> Iterator[bytes]:
        yield from self._settled()
        yield from self._messages.give("pause")

    def rest(self) -> Iterator[bytes]:
        yield from self._settled()
        yield from self._messages.give("close")

    def close(self) -> Iterator[bytes]:
        for line in self._lines.close():
            yield from self._take(line)
        if self._event:
            yield from self._put()
        yield from self._messages.give("close")

    def _settled(self) -> Iterator[bytes]:
        """A line that ends with CR is whole, whatever comes; an LF that comes adds nothing."""
        if self._lines.halved:
            self._halved = True
            for line in self._lines.close():
                yield from self._take(line)

    def _take(self, line: bytes) -> Iterator[bytes]:
        if line[:1] == b":" and not self._event:
            yield self._cleaned_line(line)
            return
        if line[:1] in b"\r\n" and self._begun and not self._event and not self._messages.size:
            yield line  # it ends nothing
            return
        self._event.append(line)
        if line[:1] in b"\r\n":
            yield from self._put()

    def _put(self) -> Iterator[bytes]:
        lines, self._event = self._event, []
        first, self._begun = not self._begun, True
        try:
            event = _Event(lines, first, self._cleaned_line)
        except Unreadable as fault:
            if not self._passes:
                raise
            self.faults.append(str(fault))
            return self._messages.put("", lambda _: b"".join(lines))
        return self._messages.put(event.data, event.written)

    def _cleaned_line(self, line: bytes) -> bytes:
        """A comment, or a field that is no data."""
        text = _decoded(line)
        cleaned = self._scanner.clean_text(text)
        self.counts.update(cleaned.counts)
        return cleaned.value.encode() if cleaned.counts else line


class _Event:
    """One event: its data, and its lines to be written again."""

    def __init__(self, lines: list[bytes], first: bool, clean: Callable[[bytes], bytes]) -> None:
        self._lines = lines
        bare = [_field(line.removeprefix(_MARK) if first and not number else line) for number, line in enumerate(lines)]
        self._places = [number for number, (name, _) in enumerate(bare) if name == b"data"]
        self.data = _decoded(b"\n".join(bare[number][1] for number in self._places))
        for number, (name, _) in enumerate(bare):
            if name != b"data":
                lines[number] = clean(lines[number])

    def written(self, data: str | None) -> bytes:
        if data is None or not self._places:
            return b"".join(self._lines)
        first = self._places[0]
        line = self._lines[first]
        end = line[len(line.rstrip(b"\r\n")) :] or b"\n"
        new = b"".join(b"data: %b%b" % (each.encode(), end) for each in data.split("\n"))
        before = b"".join(self._lines[:first])
        return (
            before
            + new
            + b"".join(line for at, line in enumerate(self._lines) if at > first and at not in self._places)
        )


def _field(line: bytes) -> tuple[bytes, bytes]:
    """Name and value of a line; the name of a comment is empty."""
    name, _, value = line.rstrip(b"\r\n").partition(b":")
    return name, value.removeprefix(b" ")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:  # it holds the body, so nothing is raised from it
        raise Unreadable("the body is not UTF-8") from None


class _Text:
    """Plain text; held to its end if it may be a JSON document, of which the first sign tells."""

    def __init__(self, scanner: Cleaner, media_type: str, charset: str | None, passes: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._whole = partial(scanner.clean, media_type=media_type, charset=charset)
        self._encoding = CHARSETS[(charset or "utf-8").lower()]
        self._decoder = codecs.getincrementaldecoder(self._encoding)()
        self._window = Window(scanner.edits, scanner.begun)
        self._passes = passes
        self._sign = b""
        self._document: list[bytes] = []

    @property
    def size(self) -> int:
        return self._window.size - self._window.done + sum(map(len, self._document))

    @property
    def _is_text(self) -> bool:
        return bool(self._sign) and self._sign not in b"{["

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._sign = self._sign or data.lstrip()[:1]
        self._document.append(data)
        if self._is_text:
            data, self._document = b"".join(self._document), []
            yield from self._add(data, False)

    def pause(self) -> Iterator[bytes]:
        yield self._shown(*self._window.pause())

    def rest(self) -> Iterator[bytes]:
        yield self._shown(*self._window.close())

    def close(self) -> Iterator[bytes]:
        if self._is_text:
            yield from self._add(b"", True)
            yield self._shown(*self._window.close())
        else:
            body, self._document = b"".join(self._document), []
            yield self._cleaned(body)

    def _cleaned(self, body: bytes) -> bytes:
        try:
            cleaned = self._whole(body)
        except Unreadable as fault:
            self._pass(fault)
            return body
        self.counts.update(cleaned.counts)
        return cleaned.value

    def _add(self, data: bytes, final: bool) -> Iterator[bytes]:
        if self.faults:
            yield data
            return
        try:
            self._window.add(self._decoder.decode(data, final))
        except UnicodeDecodeError:  # it holds the body, so nothing is raised from it
            self._pass(Unreadable(f"the body is not {self._encoding}, which is its charset unless it names another"))
            yield self._shown(*self._window.close())
            yield self._decoder.getstate()[0] + data
            return
        yield self._shown(*self._window.flow())

    def _pass(self, fault: Unreadable) -> None:
        if not self._passes:
            raise fault from None
        self.faults.append(str(fault))

    def _shown(self, text: str, edits: list[Edit]) -> bytes:
        first = self._window.done - len(text)
        self.counts.update(edit.kind for edit in edits)
        return splice(text, ((e.start - first, e.end - first, e.new) for e in edits)).encode(self._encoding, "replace")

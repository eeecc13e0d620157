"""The quick way through a JSON text: only where the scout points is it looked at, string by string."""

import re
from collections.abc import Callable
from typing import NamedTuple

from redaction.engine import Engine, encode, in_characters
from redaction.finding import Finding
from redaction.linear import ANYWHERE
from redaction.unwrap import JSON, unwrap, unwrap_json

# What begins a string or number; a number to its end; what stands between a name and what it names.
_LEAF = re.compile(rb'["\-0-9]')
_NUMBER = re.compile(rb"[0-9.eE+\-]+")
_NAMES = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
# A string, which is a name (1) if a colon follows, an opening (2) or closing (3) bracket.
_STRUCTURE = re.compile(rb'"(?:([^"]*)"[ \t\r\n]*:|[^"]*")|([\[{])|([\]}])')
_NAME, _OPENS, _CLOSES = 1, 2, 3
_QUOTE, _COLON, _LIST = b'":['
_NO_NAME = (b",", b"}", b"]", b"")  # after a string: it is no name
_SPACE, _DIGITS = b" \t\r\n", b"0123456789.eE+-"


class Hit(NamedTuple):
    """A string, name or number of a JSON text that holds findings.

    `start` and `end` are its place in the text, without a string's quotation marks; the findings' offsets are of the
    text too, escapes and all. `is_name`: it is a name in an object.
    """

    start: int
    end: int
    is_name: bool
    is_number: bool
    findings: list[Finding]


def search(data: bytes, engine: Engine) -> list[Hit]:
    """What is found in a valid JSON text in UTF-8, in order, with offsets in bytes. Raises ScanError."""
    flat = unwrap_json(data) if b"\\" in data else None
    text = flat.text if flat else data
    outline: _Outline | None = None
    find_place, at, size = engine.scout.near, 0, len(text)
    while True:
        start, end = find_place(ANYWHERE, text, at, size)[0]
        if start < 0:
            return outline.hits if outline else []
        # What ends one place may begin the next.
        at = end - 1 if end - 1 > start else start + 1
        if flat:
            start, end = flat.outer(start), flat.outer(end)
        outline = outline or _Outline(data, engine)
        if end > outline.done:
            outline.look(start, end)
            if outline.list_named:
                find_place = engine.scout.far


def search_text(text: str, engine: Engine) -> list[Hit]:
    """The same with offsets in code points."""
    data = encode(text)
    hits = search(data, engine)
    if not hits or text.isascii():
        return hits
    offsets = {offset for hit in hits for offset in (hit.start, hit.end)}
    offsets |= {offset for hit in hits for found in hit.findings for offset in (found.start, found.end)}
    at = in_characters(data, offsets)

    def moved(finding: Finding) -> Finding:
        return finding._replace(start=at[finding.start], end=at[finding.end])

    return [
        Hit(at[start], at[end], is_name, is_number, [*map(moved, findings)])
        for start, end, is_name, is_number, findings in hits
    ]


class _Outline:
    """A JSON text, of which as little is read as can be."""

    def __init__(self, data: bytes, engine: Engine) -> None:
        self.hits: list[Hit] = []
        self.done = 0  # all up to here was looked at, and here is no string
        self.list_named = False  # a name that was looked at is that of a list
        self._data, self._engine = data, engine
        # The same text, with every quotation mark that is left the end of a string.
        self._bare = data.replace(rb"\\", b"..").replace(rb"\"", b"..") if b"\\" in data else data
        self._names: _Names | None = None
        self._at = 0

    def look(self, start: int, end: int) -> None:
        """Looks at all that a place touches, and where that is a name, at what it names.

        Places must be asked for in order.
        """
        bare, done = self._bare, self.done
        at = start if start > done else done
        if bare.count(_QUOTE, done, at) & 1:
            at, end = self._string(bare.rfind(_QUOTE, done, at) + 1, end)
        while at < end and (leaf := _LEAF.search(bare, at, end)):
            at = leaf.start()
            if bare[at] == _QUOTE:
                at, end = self._string(at + 1, end)
            else:
                at = self._number(at)
        self.done = at

    def _string(self, left: int, end: int) -> tuple[int, int]:
        """Looks at the string from `left`. Says where it ends, and how far to look at least."""
        bare = self._bare
        right = bare.find(_QUOTE, left)
        named = None if bare[right + 1 : right + 2] in _NO_NAME else _NAMES.match(bare, right + 1)
        if named is None:
            self._at = left - 1
            self._find(left, right, self._key, False, False)
            return right + 1, end
        self._find(left, right, str, True, False)
        value = named.end()
        if bare[value] == _LIST:
            self.list_named = True
        return right + 1, max(end, value + 1)

    def _number(self, left: int) -> int:
        """Looks at the number around `left`. Says where it ends."""
        while left > self.done and self._bare[left - 1] in _DIGITS:
            left -= 1
        right = next(_NUMBER.finditer(self._bare, left)).end()
        self._at = left
        self._find(left, right, self._key, False, True)
        return right

    def _find(self, left: int, right: int, key: Callable[[], str], is_name: bool, is_number: bool) -> None:
        raw = self._data[left:right]
        if b"\\" in raw:
            found = self._find_escaped(raw.decode(), key, left)
        else:
            found = self._engine.find_in(raw, key, is_number, left)
        if found:
            self.hits.append(Hit(left, right, is_name, is_number, found))

    def _find_escaped(self, text: str, key: Callable[[], str], left: int) -> list[Finding]:
        flat = unwrap(text, JSON)
        found: list[Finding] = []
        at = 0
        for kind, start, end, score, detector, _ in self._engine.find(flat.text, key()):
            start, end = flat.outer(start), flat.outer(end)
            left += len(text[at:start].encode())
            at, begun = end, left
            left += len(text[start:end].encode())
            found.append(Finding(kind, begun, left, score, detector))
        return found

    def _key(self) -> str:
        """The name under which the value stands that is looked at."""
        bare, colon = self._bare, self._at - 1
        while colon >= 0 and bare[colon] in _SPACE:
            colon -= 1
        if colon >= 0 and bare[colon] == _COLON:
            right = bare.rfind(_QUOTE, 0, colon)
            left = bare.rfind(_QUOTE, 0, right) + 1
        else:
            self._names = self._names or _Names(bare)
            left, right = self._names.of_list(self._at)
        return unwrap(self._data[left:right].decode(), JSON).text


class _Names:
    """The names of a JSON text, read from its beginning as far as was asked for."""

    def __init__(self, bare: bytes) -> None:
        self._tokens = _STRUCTURE.finditer(bare)
        self._token = next(self._tokens, None)
        self._name = (0, 0)
        self._outer: list[tuple[int, int]] = []

    def of_list(self, at: int) -> tuple[int, int]:
        """Where the name of the list is in which something stands that begins at `at`, an empty place if none is.

        It must be asked for in order.
        """
        while self._token and self._token.start() < at:
            group = self._token.lastindex
            if group == _OPENS:
                self._outer.append(self._name)
            elif group == _CLOSES:
                self._name = self._outer.pop()
            elif group == _NAME:
                self._name = self._token.span(_NAME)
            self._token = next(self._tokens, None)
        return self._name

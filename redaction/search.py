"""The quick way through a JSON text: only where the scout points is it looked at, string by string."""

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial

from redaction.brackets import Brackets
from redaction.engine import Engine, covers, encode, in_characters
from redaction.finding import Finding, Hit, merged
from redaction.keys import LONGEST_NAME, MANIFEST, SCORE, SIGN
from redaction.labels import valued
from redaction.linear import ANYWHERE, matcher
from redaction.named import Note, named
from redaction.unwrap import HIDDEN, read_json, way_out_of_json
from redaction.walk import is_common

# What begins a string or number; a number to its end; what stands between a name and what it names.
_LEAF = re.compile(rb'["\-0-9]')
_NUMBER = re.compile(rb"[0-9.eE+\-]+")
_NAMES = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
# A string, which is a name (1) if a colon follows, an opening (2) or closing (3) bracket.
_STRUCTURE = re.compile(rb'"(?:([^"]*)"[ \t\r\n]*:|[^"]*")|([\[{])|([\]}])')
_TABLE = matcher(r"\[[ \t\r\n]*\[", capture=False)
_MANIFEST = MANIFEST.encode()
_NAME, _OPENS, _CLOSES = 1, 2, 3
# In a text without escapes, a string that may hold JSON with strings.
_INNER = re.compile(rb'"([\[{][^"\x01]*+\x01[^"]*+)"(?![ \t\r\n]*:)')
MOST_OPENED = 3  # JSON in strings of JSON: that many in each other are read
_LOOK_BYTES = 64  # a look at a short string or number costs as much as at that many bytes more
_QUOTE, _COLON, _LIST = b'":['
_NO_NAME = (b",", b"}", b"]", b"")  # after a string: it is no name
_SPACE, _DIGITS = b" \t\r\n", b"0123456789.eE+-"


class Long(Exception):
    """There is more to look at closely than a budget allows."""


class Budget:
    """How many bytes may be looked at closely."""

    __slots__ = ("_left",)

    def __init__(self, most: int) -> None:
        self._left = most

    def spend(self, size: int) -> None:
        """Take off a look at so many bytes. Raises Long."""
        self._left -= size + _LOOK_BYTES
        if self._left < 0:
            raise Long


def search(data: bytes, engine: Engine, deep: int = MOST_OPENED, budget: Budget | None = None) -> list[Hit]:
    """What is found in a valid JSON text in UTF-8, in order, with offsets in bytes. Raises ScanError, and Long where
    the budget is spent; there is none by default.

    Strings that hold a JSON object or array are read as such, `deep` of them in each other.
    """
    budget = budget or Budget(sys.maxsize)
    if b"\\" not in data:
        return _of_lists(_look_through(data, engine, False, budget), data)
    flat = read_json(data)
    hits = _of_lists(_look_through(flat, engine, True, budget), flat)
    if deep and (b'"{' in flat or b'"[' in flat):
        hits = _with_inner(hits, flat, engine, deep - 1, budget)
    return _placed(hits, flat, data) if hits else hits


def search_text(text: str, engine: Engine, deep: int = MOST_OPENED) -> list[Hit]:
    """The same with offsets in code points."""
    data = encode(text)
    hits = search(data, engine, deep)
    if not hits or text.isascii():
        return hits
    offsets = {offset for hit in hits for offset in (hit.start, hit.end)}
    offsets |= {offset for hit in hits for found in hit.findings for offset in (found.start, found.end)}
    at = in_characters(data, offsets).__getitem__
    return [_moved(hit, at(hit.start), at(hit.end), at) for hit in hits]


def _moved(hit: Hit, start: int, end: int, place: Callable[[int], int]) -> Hit:
    found = [f._replace(start=place(f.start), end=place(f.end)) for f in hit.findings]
    return Hit(start, end, hit.is_name, hit.is_number, found)


def _with_inner(hits: list[Hit], flat: bytes, engine: Engine, deep: int, budget: Budget) -> list[Hit]:
    """The hits, those in strings that are JSON found by its structure."""
    at = {hit.start: hit for hit in hits}
    for match in _INNER.finditer(flat):
        inner = match[1].replace(HIDDEN, b'"')
        if not is_common(inner):
            continue
        left = match.start(1)
        found = [each for hit in search(inner, engine, deep, budget) for each in _nested(hit, left)]
        at.pop(left, None)
        if found:
            at[left] = Hit(left, match.end(1), False, False, found)
    return [at[start] for start in sorted(at)]


def _of_lists(hits: list[Hit], text: bytes) -> list[Hit]:
    """The hits, those in strings that are JSON lists of numbers as such. They hold no string that tells of them."""
    return [_of_list(hit, text[hit.start : hit.end]) if text[hit.start] == _LIST else hit for hit in hits]


def _of_list(hit: Hit, inner: bytes) -> Hit:
    if hit.is_name or HIDDEN in inner or not is_common(inner):
        return hit
    findings: list[Finding] = []
    for found in (_of_number(each, inner, hit.start) for each in hit.findings):
        if not findings or found.start >= findings[-1].end:  # else both are in one number
            findings.append(found)
    return hit._replace(findings=findings)


def _of_number(found: Finding, inner: bytes, left: int) -> Finding:
    """A finding with the rest of the numbers that it touches; one of the list as a whole stays."""
    start, end = found.start - left, found.end - left
    if inner[start] not in _DIGITS or inner[end - 1] not in _DIGITS:
        return found
    while inner[start - 1] in _DIGITS:
        start -= 1
    while inner[end] in _DIGITS:
        end += 1
    return found._replace(start=left + start, end=left + end, quotes=1)


def _nested(hit: Hit, left: int) -> Iterator[Finding]:
    """The findings in a leaf of an inner text, which begins at `left`. A number is rewritten as a whole, also where
    only its figures before the point were found."""
    if hit.is_number:
        yield hit.findings[0]._replace(start=left + hit.start, end=left + hit.end, quotes=1)
        return
    for found in hit.findings:
        quotes = found.quotes and found.quotes + 1
        yield found._replace(start=left + found.start, end=left + found.end, quotes=quotes)


def _look_through(text: bytes, engine: Engine, hidden: bool, budget: Budget) -> list[Hit]:
    """What is found in a JSON text without escapes. `hidden`: quotation marks in strings read as HIDDEN."""
    outline = _Outline(text, engine, hidden, budget)
    places, at, near = engine.scout.near(text), 0, True
    while True:
        start, end = places.after(at)
        if start < 0:
            return outline.all()
        # What ended one place may begin the next.
        at = max(outline.look(start, end) - 1, start + 1)
        if near and outline.list_named:
            places, near = engine.scout.far(text), False


def _left_of(text: bytes, at: int) -> int:
    """Where the last character before a place is that is no white space; -1 for none."""
    at -= 1
    while at >= 0 and text[at] in _SPACE:
        at -= 1
    return at


def _placed(hits: list[Hit], flat: bytes, data: bytes) -> list[Hit]:
    """What was found in a text as it reads, with its place under the escapes."""
    bare = data.replace(rb"\\", b"..").replace(rb"\"", b"..")
    quotes = re.finditer(b'"', bare)
    placed: list[Hit] = []
    counted = behind = 0
    for hit in hits:
        # There are as many ends of strings before it in both texts, and from the last on they are alike.
        for _ in range(flat.count(_QUOTE, counted, hit.start)):
            behind = next(quotes).end()
        counted = hit.start
        start = behind + hit.start - 1 - flat.rfind(_QUOTE, 0, hit.start)
        end = start + hit.end - hit.start if hit.is_number else bare.find(_QUOTE, start)
        placed.append(_moved(hit, start, end, _way_out(data[start:end], start, hit.start)))
    return placed


def _way_out(escaped: bytes, start: int, flat_start: int) -> Callable[[int], int]:
    """Where an offset in the text as it reads lies for a string that stands there and here."""
    outer = way_out_of_json(escaped)
    return lambda offset: start + outer(offset - flat_start)


class _Outline:
    """A JSON text without escapes, of which as little is read as can be."""

    def __init__(self, text: bytes, engine: Engine, hidden: bool, budget: Budget) -> None:
        self.hits: list[Hit] = []
        self._spend = budget.spend
        self._done = 0  # all up to here was looked at, and here is no string
        self.list_named = False  # a name that was looked at, and whose words count, is that of a list
        self._text, self._engine, self._hidden = text, engine, hidden
        self._names: _Names | None = None
        self._notes: list[Note] = []
        self._labels: list[int] = []  # where strings begin that read like names which tell something
        self._secrets: list[int] = []  # or like names that patterns need
        self._at = 0
        self._keyed_at, self._known_key = -1, ""
        self._sure: set[int] = set()  # where strings begin that are one finding, surer than what a name tells of it

    def all(self) -> list[Hit]:
        """The hits, with those that names and labels give away."""
        labels = [*self._labels, *self._heads()]
        hits = merged(self.hits, [*self._settings()]) if self._secrets else self.hits
        if not self._notes and not labels:
            return hits
        found = named(self._text, self._notes, self._engine.keys, self._hidden, self._sure, sorted(labels))
        return merged(hits, found)

    def _settings(self) -> Iterator[Hit]:
        """What is found in values beside labels, as if those were their names."""
        text, keys = self._text, self._engine.keys
        for label, left in valued(text, self._secrets, keys, Brackets(text)):
            right = text.find(_QUOTE, left)
            self._spend(right - left)
            name = self._read(label, text.find(_QUOTE, label)).decode()
            if found := self._engine.find_in(self._read(left, right), partial(str, name), False, left):
                yield Hit(left, right, False, False, found)

    def look(self, start: int, end: int) -> int:
        """Looks at all that a place touches, and where that is a name, at what it names. Says how far it looked.

        Places must be asked for in order.
        """
        text, done = self._text, self._done
        at = start if start > done else done
        if text.count(_QUOTE, done, at) & 1:
            at, end = self._string(text.rfind(_QUOTE, done, at) + 1, end)
        while at < end and (leaf := _LEAF.search(text, at, end)):
            at = leaf.start()
            if text[at] == _QUOTE:
                at, end = self._string(at + 1, end)
            else:
                at = self._number(at)
        self._done = at
        return at if at > end else end

    def _string(self, left: int, end: int) -> tuple[int, int]:
        """Looks at the string from `left`. Says where it ends, and how far to look at least."""
        text = self._text
        right = text.find(_QUOTE, left)
        naming = None if text[right + 1 : right + 2] in _NO_NAME else _NAMES.match(text, right + 1)
        self._spend(right - left)
        string = text[left:right].replace(HIDDEN, b'"') if self._hidden else text[left:right]
        if naming is not None:
            return right + 1, max(end, self._told(string, left, right, naming.end()) + 1)
        self._at = left - 1
        found = self._engine.find_in(string, self._key, False, left)
        if found:
            self.hits.append(Hit(left, right, False, False, found))
            if covers(found, right - left, SCORE):
                self._sure.add(left)
        return right + 1, end

    def _told(self, name: bytes, left: int, right: int, value: int) -> int:
        """Looks at a name and notes what it tells about its value, which begins at `value`."""
        found, role, labels = self._engine.name(name, left)
        if found:
            self.hits.append(Hit(left, right, True, False, found))
        if role:
            self._notes.append(Note(left, right, value, role))
        if labels and self._text[value] == _QUOTE:
            self._label(name, value + 1)
        if self._text[value] == _LIST and self._engine.is_context(name):
            self.list_named = True
        return value

    def _label(self, name: bytes, left: int) -> None:
        """Notes the string from `left` if it may be a label that tells something: see `labels`."""
        right = self._text.find(_QUOTE, left)
        label = self._read(left, right) if right - left <= LONGEST_NAME else b""
        role = self._engine.keys.role(label.decode())
        if label == _MANIFEST or (role and role.judge):
            self._labels.append(left)
        if self._engine.keys.is_person(name.decode("utf-8", "replace"), label.decode()):
            self._notes.append(Note(left, right, left - 1, SIGN))
        if label and self._engine.is_context(label):
            self._secrets.append(left)

    def _heads(self) -> list[int]:
        """Where strings in lists begin that may head a column, if there is a table."""
        text, keys = self._text, self._engine.keys
        if not keys.find_heads or _TABLE(ANYWHERE, text, 0, len(text))[0][0] < 0:
            return []
        heads, at = list[int](), 0
        while (at := keys.find_heads(ANYWHERE, text, at, len(text))[0][1]) >= 0:
            right = text.rfind(_QUOTE, 0, at)
            left = text.rfind(_QUOTE, 0, right) + 1
            if right - left <= LONGEST_NAME and text[_left_of(text, left - 1)] != _COLON:
                role = keys.role(self._read(left, right).decode())
                if role and (role.judge or role.beside):
                    heads.append(left)
        return heads

    def _number(self, left: int) -> int:
        """Looks at the number around `left`. Says where it ends."""
        while left > self._done and self._text[left - 1] in _DIGITS:
            left -= 1
        right = next(_NUMBER.finditer(self._text, left)).end()
        self._spend(right - left)
        self._at = left
        found = self._engine.find_in(self._text[left:right], self._key, True, left)
        if found:
            self.hits.append(Hit(left, right, False, True, found))
        return right

    def _read(self, left: int, right: int) -> bytes:
        text = self._text[left:right]
        return text.replace(HIDDEN, b'"') if self._hidden else text

    def _key(self) -> str:
        """The name under which the value stands that is looked at."""
        if self._keyed_at != self._at:
            self._keyed_at, self._known_key = self._at, self._key_there()
        return self._known_key

    def _key_there(self) -> str:
        text, colon = self._text, _left_of(self._text, self._at)
        if colon >= 0 and text[colon] == _COLON:
            right = text.rfind(_QUOTE, 0, colon)
            left = text.rfind(_QUOTE, 0, right) + 1
        else:
            self._names = self._names or _Names(text)
            left, right = self._names.of_list(self._at)
        return self._read(left, right).decode()


class _Names:
    """The names of a JSON text, read from its beginning as far as was asked for."""

    def __init__(self, text: bytes) -> None:
        self._tokens = _STRUCTURE.finditer(text)
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

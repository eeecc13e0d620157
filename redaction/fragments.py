"""Messages of a stream, one JSON value or text each, where a longer text may be handed over in fragments.

Language models send their answers so: `{"delta": {"content": "ana@"}}`, then `{"delta": {"content": "example.org"}}`.
Such fragments are read as the one text that they make, and each message waits until its part of it is decided on.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple, Protocol

import orjson

from redaction import walk
from redaction.finding import Span
from redaction.operators import splice
from redaction.pointers import Path
from redaction.scanner import Cleaned, Unreadable
from redaction.sparing import ALL
from redaction.unwrap import JSON, unwrap
from redaction.window import Edit, Window

When = Literal["flow", "pause", "close"]
Write = Callable[[str | None], bytes]

# Where fragments stand: the delta of OpenAI, Anthropic and Cohere, completions, Gemini, Ollama, TGI.
_PLACE: Final = re.compile(
    r"(?:.*/)?delta(?:/.*)?|/choices/\d+/text|/candidates/\d+/content/parts/\d+/text"
    r"|/message/content|/response|/completion|/token/text"
)
_MAYBE: Final = re.compile(r'"(?:delta|choices|candidates|message|response|completion|token)"[ \t\r\n]*:')
_LABELS: Final = frozenset({"type", "role", "stop_reason", "stop_sequence", "finish_reason", "id", "name", "object"})
# What tells apart the texts of one stream, besides the place.
_TELLING: Final = ("index", "output_index", "content_index", "item_id")
_IN_JSON: Final = ("/arguments", "/partial_json")  # the fragments make a JSON text
_MOST_TEXTS: Final = 64


class Cleaner(Protocol):
    """What cleans a stream: a Scanner, or what is one for known secrets. Its methods may raise Unreadable."""

    needs_presidio: bool

    def edits(self, text: str, left: frozenset[str] = frozenset()) -> list[Edit]:
        """What is to be replaced in plain text, in order; `left` are kinds that are not."""

    def begun(self, text: str) -> int:
        """Where a text ends with the beginning of what is to be replaced, its length if it does not: see Window."""

    def spared(self, data: str, path: Path) -> frozenset[str]:
        """The kinds that are left at a place of a JSON text, or `sparing.ALL`."""

    def clean_text(self, text: str) -> Cleaned[str]:
        """Plain text without findings."""

    def clean_json(self, text: str, written: Sequence[Span] = ()) -> Cleaned[str]:
        """A JSON text without findings; `written` are places where something stands for one already."""

    def clean(self, body: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        """A whole body without findings."""


class _Text:
    """A text that comes in fragments."""

    def __init__(self, find: Callable[[str], list[Edit]], begun: Callable[[str], int]) -> None:
        self.window = Window(find, begun)
        self.edits: list[Edit] = []

    def decide(self, when: When) -> None:
        self.edits += getattr(self.window, when)()[1]

    def between(self, start: int, end: int) -> list[Edit]:
        """The edits that touch a fragment; those before it are forgotten, for fragments are asked for in order."""
        self.edits = [edit for edit in self.edits if edit.end > start]
        return [edit for edit in self.edits if edit.start < end]


class _Fragment(NamedTuple):
    """A string of a message, by its place in the message, and its place in its text."""

    start: int
    end: int
    text: _Text
    first: int
    last: int


class _Message(NamedTuple):
    data: str
    write: Write
    fragments: list[_Fragment]


class Messages:
    """Cleans messages in order. With `passes`, one that cannot be checked is given out as it is, and `faults` says why.
    With `json`, each that is not blank must be JSON.

    A message's `write` makes the bytes that go out, of the new data, or of None where it stays as it was.
    """

    def __init__(self, scanner: Cleaner, passes: bool, json: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.size = 0
        """Characters that wait."""
        self._scanner = scanner
        self._passes = passes
        self._json = json
        self._queue: deque[_Message] = deque()
        self._texts: dict[str, _Text] = {}

    def put(self, data: str, write: Write) -> Iterator[bytes]:
        """One more message; gives what is ready. Raises Unreadable."""
        self._queue.append(_Message(data, write, self._fragments(data)))
        self.size += len(data)
        return self.give("flow")

    def give(self, when: When) -> Iterator[bytes]:
        """What is ready by now."""
        for text in self._texts.values():
            text.decide(when)
        while self._queue and all(each.last <= each.text.window.done for each in self._queue[0].fragments):
            message = self._queue.popleft()
            self.size -= len(message.data)
            yield message.write(self._cleaned(message))

    def _cleaned(self, message: _Message) -> str | None:
        try:
            edits, written = self._joined(message)
            new = self._clean(splice(message.data, edits), written)
        except Unreadable as fault:
            if not self._passes:
                raise
            self.faults.append(str(fault))
            return None
        return None if new == message.data else new

    def _joined(self, message: _Message) -> tuple[list[tuple[int, int, str]], list[Span]]:
        """The edits of the fragments, and where what they write will stand."""
        made: list[tuple[int, int, str]] = []
        written: list[Span] = []
        moved = 0
        for each in message.fragments:
            edits = each.text.between(each.first, each.last)
            if not edits:
                continue
            plain = unwrap(message.data[each.start : each.end], JSON).text
            # What goes over several fragments is written into the first of them.
            news = [(edit, edit.new if edit.start >= each.first else "") for edit in edits]
            self.counts.update(edit.kind for edit in edits if edit.start >= each.first)
            parts = [(max(0, e.start - each.first), min(len(plain), e.end - each.first), new) for e, new in news]
            text, places = _escaped(plain, parts)
            written += [(each.start + moved + start, each.start + moved + end) for start, end in places]
            moved += len(text) - (each.end - each.start)
            made.append((each.start, each.end, text))
        return made, written

    def _clean(self, data: str, written: list[Span]) -> str:
        if (self._json and data.strip()) or _is_json(data):
            cleaned = self._scanner.clean_json(data, written)
        else:
            cleaned = self._scanner.clean_text(data)
        self.counts.update(cleaned.counts)
        return cleaned.value

    def _fragments(self, data: str) -> list[_Fragment]:
        value = _object(data) if _MAYBE.search(data) else None
        if value is None:
            return []
        telling = "|".join(f"{name}={value[name]}" for name in _TELLING if isinstance(value.get(name), str | int))
        leaves = {leaf.start: leaf for leaf in walk.leaves(data) if not (leaf.is_name or leaf.is_number)}
        found = []
        for start, pointer in walk.pointers(data, set(leaves), {}).items():
            if _PLACE.fullmatch(pointer) and pointer.rpartition("/")[2] not in _LABELS:
                left = self._scanner.spared(data, _path(pointer))
                if left == ALL:
                    continue
                in_json = pointer.endswith(_IN_JSON) or "arguments" in str(value.get("type"))
                text = self._text(f"{pointer}|{telling}", in_json, left)
                found.append(_added(text, start, leaves[start].end, unwrap(data[start : leaves[start].end], JSON).text))
        return found

    def _text(self, name: str, in_json: bool, left: frozenset[str]) -> _Text:
        name = f"{name}|{','.join(sorted(left))}"
        text = self._texts.get(name)
        if text is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.pop(next(iter(self._texts))).decide("close")
            find = partial(self._find_in_json if in_json else self._scanner.edits, left=left)
            text = self._texts[name] = _Text(find, self._scanner.begun)
        return text

    def _find_in_json(self, text: str, left: frozenset[str]) -> list[Edit]:
        flat = unwrap(text, JSON)
        edits = self._scanner.edits(flat.text, left)
        return [edit._replace(start=flat.outer(edit.start), end=flat.outer(edit.end)) for edit in edits]


def _escaped(plain: str, parts: list[tuple[int, int, str]]) -> tuple[str, list[Span]]:
    """A text with its parts put in place, as in a string of JSON, and where they stand in that."""
    pieces: list[str] = []
    places: list[Span] = []
    at = size = 0
    for start, end, new in [*parts, (len(plain), len(plain), "")]:
        before, put = (orjson.dumps(each).decode()[1:-1] for each in (plain[at:start], new))
        pieces += before, put
        places.append((size + len(before), size + len(before) + len(put)))
        at, size = end, places[-1][1]
    return "".join(pieces), places


def _path(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _added(text: _Text, start: int, end: int, plain: str) -> _Fragment:
    first = text.window.size
    text.window.add(plain)
    return _Fragment(start, end, text, first, text.window.size)


def _is_json(data: str) -> bool:
    """Whether a message is a JSON object, list or string: then its reader undoes escapes."""
    if data.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        walk.check(data)
    except walk.BadJson:
        return False
    return True


def _object(data: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return value if isinstance(value, dict) else None

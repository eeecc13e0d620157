"""One pass over many patterns, in time linear in the text (RE2, Cox 2010).

A RE2 set says which patterns occur at all; only those are then searched one by one, and only what they hit is checked
by arithmetic and by the words around it. Most texts hold nothing, so most texts cost one pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import re2

from redaction import checks
from redaction.detector import Pattern
from redaction.finding import Finding, resolve

# The automata are built while scanning, within this much memory each. At RE2's default of 8 MiB dense text flushes
# the set's automaton again and again, which costs 40 times the speed.
SET_MEMORY = 128 << 20
PATTERN_MEMORY = 16 << 20
# Where a hit fails its check, the search goes on one byte after the hit's start, so that a value behind a false start
# is not missed; after a long hit it goes on behind it, which keeps the whole linear.
RETRY_BYTES = 64
# How far words are looked for around a hit, in bytes. Presidio looks at five words before; this is about ten.
CONTEXT_BEFORE = 64
CONTEXT_AFTER = 24
UNLESS_BEFORE = 12

Span = tuple[int, int]

NOTHING = r"[^\x{0}-\x{10FFFF}]"  # matches no text
_HUMP = re2.compile(rb"([a-z0-9])([A-Z])")
_SEPARATORS = re2.compile(rb"[^\pL\pN]+")


class ScanError(Exception):
    """The text could not be scanned, so nothing is known about it."""


class Engine:
    """Finds a fixed set of patterns. A `Detector`; safe to use from many threads."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.kinds = frozenset(pattern.kind for pattern in patterns)
        self._matchers = [_Matcher(pattern) for pattern in patterns]
        self._gate = _gate(pattern.regex for pattern in patterns)

    def find(self, text: str, key: str = "", number: bool = False) -> list[Finding]:
        """The findings in `text`, overlaps merged. `number`: the text is a JSON number. Raises ScanError."""
        data = text.encode("utf-8", "replace")  # half a surrogate pair becomes "?": one character for one
        found = [
            matcher.finding(data, span)
            for matcher in self._hit(data)
            if matcher.pattern.numbers or not number
            for span in matcher.confirmed(data, key)
        ]
        return resolve(found if text.isascii() else _in_characters(data, found))

    def candidates(self, text: str) -> list[Span]:
        """Where in `text` something may be, words around it not considered. Raises ScanError.

        Spans of code points, in order. Whatever `find` reports for a part of the text that is cut at quotation marks
        touches one of these.
        """
        data = text.encode("utf-8", "replace")
        found = [matcher.finding(data, span) for matcher in self._hit(data) for span in matcher.checked(data)]
        return [(f.start, f.end) for f in resolve(found if text.isascii() else _in_characters(data, found))]

    def _hit(self, data: bytes) -> list["_Matcher"]:
        hits = self._gate.Match(data)
        if not hits:
            raise ScanError("the scan ran out of memory")
        return [self._matchers[index] for index in hits if index < len(self._matchers)]


class _Matcher:
    """One compiled pattern."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._regex = re2.compile(pattern.regex.encode(), _options(PATTERN_MEMORY))
        self._group = min(1, self._regex.groups)
        self._check: Callable[[str], int] = getattr(checks, pattern.check) if pattern.check else len
        self._context, self._unless = _Words(pattern.context), _Words(pattern.unless)

    def finding(self, data: bytes, span: Span) -> Finding:
        return Finding(self.pattern.kind, *span, self.pattern.score, self.pattern.name)

    def checked(self, data: bytes) -> Iterator[Span]:
        """The hits that pass the pattern's check, as spans of bytes."""
        at = 0
        while match := self._regex.search(data, at):
            start, end = match.span(self._group)
            length = self._length(data[start:end])
            if length:
                at = end if length == end - start else start + length
                yield start, start + length
            else:
                at = match.end() if match.end() - match.start() > RETRY_BYTES else match.start() + 1

    def confirmed(self, data: bytes, key: str) -> Iterator[Span]:
        """The checked hits whose surroundings also fit."""
        if self._unless.end(key):
            return
        named = not self.pattern.context or self._context.end(key)
        for start, end in self.checked(data):
            if (named or self._near_by(data, start, end)) and not self._unless.stand_in(
                data[max(0, start - UNLESS_BEFORE) : start]
            ):
                yield start, end

    def _length(self, hit: bytes) -> int:
        value = hit.decode("utf-8", "replace")
        return len(value[: self._check(value)].encode())

    def _near_by(self, data: bytes, start: int, end: int) -> bool:
        around = data[max(0, start - CONTEXT_BEFORE) : start] + b" | " + data[end : end + CONTEXT_AFTER]
        return self._context.stand_in(around)


class _Words:
    """Whole words in any case, also in snake_case and camelCase, and with a plural s."""

    def __init__(self, words: tuple[str, ...]) -> None:
        either = "|".join(re2.escape(word) for word in words) or NOTHING
        self._text = re2.compile(f"(?i)(?:^|[^a-z])(?:{either})s?(?:[^a-z]|$)".encode())
        # A key must end with the word: `phone_verified_at` holds no phone.
        self._key = re2.compile(
            f"(?i)(?:^|[^a-z])(?:{either})s?(?: (?:number|no|num|nr|value|text|[0-9]+)s?)*$".encode()
        )

    def stand_in(self, data: bytes) -> bool:
        return self._text.search(data) is not None

    def end(self, key: str) -> bool:
        words = _HUMP.sub(rb"\1 \2", key.encode("utf-8", "replace"))
        return self._key.search(_SEPARATORS.sub(b" ", words)) is not None


def _gate(regexes: Iterable[str]) -> "re2.Set":
    """The set of all patterns, and last one that fits every text: an empty answer then means failure, not absence."""
    gate = re2.Set.SearchSet(_options(SET_MEMORY))
    for regex in regexes:
        gate.Add(regex.encode())
    gate.Add(b"")
    gate.Compile()
    return gate


def _options(memory: int) -> "re2.Options":
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False  # a full automaton is no news: RE2 starts it anew by itself
    return options


def _in_characters(data: bytes, findings: list[Finding]) -> list[Finding]:
    """The findings with offsets of bytes turned into offsets of code points."""
    at: dict[int, int] = {}
    last = count = 0
    for offset in sorted({offset for f in findings for offset in (f.start, f.end)}):
        count += len(data[last:offset].decode("utf-8", "replace"))
        at[offset] = count
        last = offset
    return [replace(finding, start=at[finding.start], end=at[finding.end]) for finding in findings]

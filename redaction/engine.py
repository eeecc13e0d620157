"""One pass over many patterns, in time linear in the text (RE2, Cox 2010).

A RE2 set says which patterns occur at all; only those are then searched one by one, and only what they hit is checked
by arithmetic and by the words around it. Most texts hold nothing, so most texts cost one pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import re2

from redaction import checks
from redaction.detector import Pattern
from redaction.finding import Finding, resolve
from redaction.words import Words

# The automata are built while scanning, within this much memory each. At RE2's default of 8 MiB dense text flushes
# the set's automaton again and again, which costs 25 times the speed; 32 MiB hold it. Single patterns need no more.
SET_MEMORY = 64 << 20
PATTERN_MEMORY = 8 << 20
# Where a hit fails its check, the search goes on one byte after the hit's start, so that a value behind a false start
# is not missed; after a long hit it goes on behind it, which keeps the whole linear.
RETRY_BYTES = 64
# How far words are looked for around a hit, in bytes. Presidio looks at five words before; this is about ten.
CONTEXT_BEFORE = 64
CONTEXT_AFTER = 24
UNLESS_BEFORE = 12

Span = tuple[int, int]
Find = Callable[[str, str, bool], list[Finding]]
_ANYWHERE = re2._Anchor.UNANCHORED


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
        data = _encode(text)
        return _find(self._hit(data), text, data, key, number)

    def candidates(self, text: str) -> list["Candidate"]:
        """Where in `text` something may be, in order. Raises ScanError.

        Whatever `find` reports for a part of the text that stands in quotation marks touches a candidate of the same
        pattern.
        """
        data = _encode(text)
        found = [Candidate(start, end, each) for each in self._hit(data) for start, end in each.possible(data)]
        if found and not text.isascii():
            at = _characters(data, {offset for each in found for offset in each[:2]})
            found = [Candidate(at[start], at[end], each) for start, end, each in found]
        found.sort(key=itemgetter(0, 1))
        return found

    def _hit(self, data: bytes) -> list["_Matcher"]:
        hits = self._gate.Match(data)
        if not hits:
            raise ScanError("the scan ran out of memory")
        return [self._matchers[index] for index in hits if index < len(self._matchers)]


class Candidate(NamedTuple):
    """A place where a pattern fits, and perhaps the words around it, which no one has looked at yet."""

    start: int
    end: int
    matcher: "_Matcher"


def find_among(candidates: Iterable[Candidate], text: str, key: str = "", number: bool = False) -> list[Finding]:
    """What `Engine.find` would find in a part of the text in which these are all the candidates. Raises ScanError."""
    return _find({each.matcher: None for each in candidates}, text, _encode(text), key, number)


def settle(candidates: Sequence[Candidate], text: str, key: str) -> list[Finding]:
    """The same for candidates that lie, as they are, within this very text: those that need no words are findings."""
    sure = [
        Finding(each.matcher.pattern.kind, each.start, each.end, each.matcher.pattern.score, each.matcher.pattern.name)
        for each in candidates
        if each.matcher.plain
    ]
    unsure = [each for each in candidates if not each.matcher.plain and not any(_outdoes(one, each) for one in sure)]
    return resolve([*sure, *find_among(unsure, text, key)] if unsure else sure)


def _outdoes(sure: Finding, candidate: Candidate) -> bool:
    """Whether a finding covers a candidate and would name the kind of both."""
    covers = sure.start <= candidate.start and candidate.end <= sure.end
    return covers and sure.score > candidate.matcher.pattern.score


def _find(matchers: "Iterable[_Matcher]", text: str, data: bytes, key: str, number: bool) -> list[Finding]:
    found = [
        Finding(matcher.pattern.kind, start, end, matcher.pattern.score, matcher.pattern.name)
        for matcher in matchers
        if matcher.pattern.numbers or not number
        for start, end in matcher.confirmed(data, key)
    ]
    if not found or text.isascii():
        return resolve(found)
    at = _characters(data, {offset for f in found for offset in (f.start, f.end)})
    return resolve(f._replace(start=at[f.start], end=at[f.end]) for f in found)


class _Matcher:
    """One compiled pattern."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        regex = re2.compile(pattern.regex.encode(), _options(PATTERN_MEMORY))
        self._group = min(1, regex.groups)
        # The compiled expression below the wrapper, whose Match objects and generators cost more than most searches.
        self._search = regex._regexp.Match
        self._check: Callable[[str], int] = getattr(checks, pattern.check) if pattern.check else len
        self.plain = not pattern.context and not pattern.unless
        self._context = Words(pattern.context) if pattern.context else None
        self._unless = Words(pattern.unless) if pattern.unless else None

    def possible(self, data: bytes) -> Iterator[Span]:
        """The hits that pass the check, unless no word that they need is anywhere."""
        return self._checked(data) if not self._context or self._context.may_stand_in(data) else iter(())

    def confirmed(self, data: bytes, key: str) -> Iterator[Span]:
        """The hits that pass the check and whose surroundings fit."""
        if self._unless and self._unless.end(key):
            return iter(())
        context = None if self._context and self._context.end(key) else self._context
        if context and not context.stand_in(data):
            return iter(())
        return (span for span in self._checked(data) if self._fits(data, span, context))

    def _checked(self, data: bytes) -> Iterator[Span]:
        at, size = 0, len(data)
        while at < size:
            spans = self._search(_ANYWHERE, data, at, size)
            start, end = spans[self._group]
            if start < 0:
                return
            length = self._length(data[start:end])
            if length:
                at = end if length == end - start else start + length
                yield start, start + length
            else:
                at = _after(*spans[0])

    def _length(self, hit: bytes) -> int:
        value = hit.decode("utf-8", "replace")
        length = self._check(value)
        return len(hit) if length == len(value) else len(value[:length].encode())

    def _fits(self, data: bytes, span: Span, context: Words | None) -> bool:
        start, end = span
        if self._unless and self._unless.stand_in(data[max(0, start - UNLESS_BEFORE) : start]):
            return False
        around = data[max(0, start - CONTEXT_BEFORE) : start] + b" | " + data[end : end + CONTEXT_AFTER]
        return context is None or context.stand_in(around)


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


def _after(start: int, end: int) -> int:
    """Where to search on behind a hit that is none."""
    return end if end - start > RETRY_BYTES else start + 1


def _encode(text: str) -> bytes:
    """UTF-8, where half a surrogate pair becomes a question mark: one character for one."""
    return text.encode("utf-8", "replace")


def _characters(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """The offset in code points of each offset in bytes."""
    at: dict[int, int] = {}
    last = count = 0
    for offset in sorted(offsets):
        count += len(data[last:offset].decode("utf-8", "replace"))
        at[offset] = count
        last = offset
    return at

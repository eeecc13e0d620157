"""One pass over many patterns, in time linear in the text (RE2, Cox 2010).

A RE2 set says which patterns occur at all; only those are then searched one by one, and only what they hit is checked
by arithmetic and by the words around it. Most texts hold nothing, so most texts cost one pass.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Protocol

from redaction.apart import Gate
from redaction.detector import Pattern
from redaction.finding import Finding, resolve
from redaction.judge import judge
from redaction.keys import Keys, Role, beside
from redaction.linear import ANYWHERE, Expression
from redaction.pairs import Pairs
from redaction.scout import Scout, in_strings
from redaction.words import KEYS_KEPT, Words

# Where a hit fails its check, the search goes on one byte after the hit's start, so that a value behind a false start
# is not missed; after a long hit it goes on behind it, which keeps the whole linear.
RETRY_BYTES = 64
# Where false hits have covered each byte up to there once, and some more, the search goes on behind each as well:
# a text that is all false starts costs little more than others. A list of numbers in groups of four covers each byte
# four times, so that one of eight kilobytes is read in full.
RETRIES_FREE = 24 * 1024
# How far words are looked for around a hit, in bytes. Presidio looks at five words before; this is about ten.
CONTEXT_BEFORE = 64
CONTEXT_AFTER = 24
UNLESS_BEFORE = 12
# The longest name of a JSON object that is kept, in bytes.
LONGEST_KEPT = 64
# The pattern of e-mail addresses; and what stands before a password or token in an address, and how long that may be.
_MAIL = "email"
_USER = re.compile(rb"://[^\s/@]*\Z")
_LONGEST_USER = 160


class ScanError(Exception):
    """The text could not be scanned, so nothing is known about it."""


class Matcher(Protocol):
    """What looks closer where its gate occurs. `numbers`: also at JSON numbers."""

    numbers: bool
    score: float

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what is in `data`, which begins at `first`."""


class Engine:
    """Finds a fixed set of patterns. A `Detector`; safe to use from many threads.

    `gates` are those of what may look on besides, see `opening`.
    """

    def __init__(self, patterns: Sequence[Pattern], keys: Keys | None = None, gates: Sequence[str] = ()) -> None:
        self.keys = Keys(frozenset()) if keys is None else keys
        self.kinds = frozenset(pattern.kind for pattern in patterns)
        pairs = [Pairs(self.keys)] if self.keys.gate else []
        labelled = self.keys.labelled(any(pattern.context for pattern in patterns))
        self.scout = Scout(patterns, (*self.keys.near, *map(in_strings, gates)), labelled)
        gates = [self.keys.gate, *gates] if pairs else gates
        # The surest first.
        ordered = sorted(patterns, key=lambda pattern: -pattern.score)
        made = [_Matcher(pattern) for pattern in ordered]
        self._matchers: list[Matcher] = [*made, *pairs]
        self._contexts = [matcher.context for matcher in made if matcher.context]
        self._gate = Gate([*map(_gate, ordered), *gates])
        self._bare_names: dict[bytes, tuple[Role | None, bool]] = {}
        self._telling: dict[bytes, bool] = {}

    def opening(self, matchers: Sequence[Matcher], tables: Sequence[Matcher] = ()) -> "Engine":
        """The same with what looks closer where the further gates occur, each at its own, and `tables` at that of the
        keys.
        """
        made = copy(self)
        own = self._matchers
        if self.keys.gate and tables:
            own = [*own[:-1], _Together([own[-1], *tables])]
        made._matchers, made._bare_names = [*own, *matchers], {}
        return made

    def find(self, text: str, key: str = "", number: bool = False) -> list[Finding]:
        """The findings in `text`, overlaps merged. `number`: the text is a JSON number. Raises ScanError."""
        data = encode(text)
        found = self.find_in(data, lambda: key, number)
        if not found or text.isascii():
            return found
        at = in_characters(data, {offset for f in found for offset in (f.start, f.end)})
        return [f._replace(start=at[f.start], end=at[f.end]) for f in found]

    def find_in(self, data: bytes, key: Callable[[], str], number: bool, start: int = 0) -> list[Finding]:
        """The same in UTF-8, with offsets in bytes; `data` begins at `start`. The key is asked for where it matters."""
        hits = self._gate.Match(data)
        if not hits:
            raise ScanError("the scan ran out of memory")
        found: list[Finding] = []
        if len(hits) == 1:
            return found
        matchers = self._matchers
        most = len(matchers)
        for index in sorted(hits):
            if index >= most:
                break
            matcher = matchers[index]
            if number and not matcher.numbers:
                continue
            if not found or not covers(found, len(data), matcher.score):
                matcher.find(data, key, start, found)
        return resolve(without_hosts(found, data, start)) if len(found) > 1 else found

    def is_context(self, name: bytes) -> bool:
        """Whether some pattern needs a name like this."""
        known = self._telling.get(name)
        if known is None:
            key = name.decode("utf-8", "replace")
            known = any(context.end(key) for context in self._contexts)
            if len(name) <= LONGEST_KEPT and len(self._telling) < KEYS_KEPT:
                self._telling[name] = known
        return known

    def name(self, name: bytes, start: int) -> tuple[list[Finding], Role | None, bool]:
        """What is found in a name of a JSON object that begins at `start`, what it says of its value, and whether that
        may be a label.

        Those in which nothing is are kept, for they come again and again.
        """
        if name in self._bare_names:
            return [], *self._bare_names[name]
        found = self.find_in(name, str, False, start)
        shown = name.decode("utf-8", "replace")
        meaning = self.keys.role(shown) if self.keys else None, self.keys.words(shown) in beside().labels
        if not found and len(name) <= LONGEST_KEPT and len(self._bare_names) < KEYS_KEPT:
            self._bare_names[name] = meaning
        return found, *meaning


def without_hosts(found: list[Finding], data: bytes, first: int) -> list[Finding]:
    """Those that are no password or token of an address together with its host, which looks like an e-mail address:
    `https://ana:secret@git.example.com`. The host stays. `data` begins at `first`.
    """
    mails = [f for f in found if f.detector == _MAIL]
    if not mails or len(mails) == len(found):
        return found
    others = [f for f in found if f.detector != _MAIL]
    starts = {f.end: f.start for f in sorted(others, key=lambda f: -f.start)}
    return [*others, *(f for f in mails if not _is_host(f, starts, data, first))]


def _is_host(mail: Finding, starts: dict[int, int], data: bytes, first: int) -> bool:
    """Whether a finding that is in the place of user and password of an address covers all before the `@`."""
    start = starts.get(first + data.find(b"@", mail.start - first), mail.end)
    return start <= mail.start and _USER.search(data[max(0, start - first - _LONGEST_USER) : start - first]) is not None


def covers(found: Sequence[Finding], size: int, score: float) -> bool:
    """Whether what was found is one finding of all the text, which less sure ones would not change."""
    return len(found) == 1 and found[0].end - found[0].start == size and found[0].score > score


class _Together:
    """What looks closer at the same gate."""

    numbers = False

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        self._matchers = matchers
        self.score = max(matcher.score for matcher in matchers)

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what each of them finds."""
        for matcher in self._matchers:
            matcher.find(data, key, first, found)


class _Matcher:
    """One compiled pattern."""

    def __init__(self, pattern: Pattern) -> None:
        self.numbers = pattern.numbers
        self.score = pattern.score
        self._kind, self._name = pattern.kind, pattern.name
        self._regex = Expression(pattern.regex)
        self._check = judge(pattern)
        self._keyed = pattern.keyed
        self._plain = not pattern.context and not pattern.unless
        self.context = Words(pattern.context) if pattern.context else None
        self._unless = Words(pattern.unless) if pattern.unless else None

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` the hits that pass the check and whose surroundings fit. `data` begins at `first`."""
        context = None
        if not self._plain:
            name = key()
            if self._unless and self._unless.end(name):
                return
            context = None if self.context and self.context.end(name) else self.context
            if context and (self._keyed or not context.stand_in(data)):
                return
        spent = 0
        at, size, search, group = 0, len(data), self._regex.on(data), min(1, self._regex.groups)
        while at < size:
            places = search(ANYWHERE, data, at, size)
            start, end = places[group]
            if start < 0:
                return
            value = data[start:end].decode("utf-8", "replace")
            length = self._check(value)
            if not length:
                first_byte, behind = places[0]
                spent += behind - first_byte
                again = behind - first_byte <= RETRY_BYTES and spent <= RETRIES_FREE + at
                at = first_byte + 1 if again else behind
                continue
            at = end if length == len(value) else start + len(value[:length].encode())
            if self._plain or self._fits(data, start, at, context):
                found.append(Finding(self._kind, first + start, first + at, self.score, self._name))

    def _fits(self, data: bytes, start: int, end: int, context: Words | None) -> bool:
        if start and self._unless and self._unless.stand_in(data[max(0, start - UNLESS_BEFORE) : start]):
            return False
        if context is None:
            return True
        around = data[max(0, start - CONTEXT_BEFORE) : start] + b" | " + data[end : end + CONTEXT_AFTER]
        return context.stand_in(around)


def _gate(pattern: Pattern) -> str:
    """The gate of a pattern that needs words is loose, for the words that make it tight are not in it."""
    return pattern.regex if pattern.context else pattern.gate or pattern.regex


def encode(text: str) -> bytes:
    """UTF-8, where half a surrogate pair becomes a question mark: one character for one."""
    return text.encode("utf-8", "replace")


def in_characters(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """The offset in code points of each offset in bytes."""
    at: dict[int, int] = {}
    last = count = 0
    for offset in sorted(offsets):
        count += len(data[last:offset].decode("utf-8", "replace"))
        at[offset] = count
        last = offset
    return at

"""Pseudonyms: what stands for the values of one run, and the way back.

A value becomes `<KIND_N>`, numbered by its first appearance, or a surrogate (see `redaction.surrogates`). A value is
what stood in the reply, character by character: another spelling is another value, so that each comes back as it was.
A JSON number and a string of the same digits are two values as well.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from html import escape
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import quote, quote_plus, unquote

from redaction import operators, walk
from redaction.finding import Finding, Hit
from redaction.linear import ANYWHERE, matcher
from redaction.surrogates import surrogate

MOST_VALUES: Final = 10_000
"""Of one run: a model's context holds fewer."""
MOST_TEXT: Final = 1 << 20
"""Characters of the values of one run together."""
MOST_LONG: Final = 4_096
"""Characters of one value; nobody writes to a longer one."""
MOST_RESTORED: Final = 1_000
"""Different values that one call may get back; what comes back is searched for each of them."""

ANY: Final = "*"
"""In place of a kind: every one."""

# A token as it is written, in markup, and in a URL.
_TOKEN: Final = re.compile(r"(?:(<)|(&lt;)|(%3[Cc]))([^\s<>&\"]{1,90}_[1-9][0-9]{0,8})(?(1)>)(?(2)&gt;)(?(3)%3[Ee])")
_WORD: Final = re.compile(r"\w+")
# What goes on behind, or began before, is another word, address or number.
_GOES_ON: Final = re.compile(r"[.@+-]?\w")
_BEGAN: Final = re.compile(r"\w[.@+-]?$")
# What a reader takes for no part of a word, and cannot read as another character together with what stands there.
_APART_BEFORE: Final = re.compile(r"[\s\"'(\[{,.:/=|]|$")
_APART_BEHIND: Final = re.compile(r"[\s\"')\]},.:;!?/|]|$")
_HEX: Final = re.compile("%[0-9A-F]{2}")


class Pseudonym(NamedTuple):
    """A value and what stands for it, the `nth` of its kind. `number`: it was a number of a JSON text."""

    text: str
    kind: str
    nth: int
    value: str
    number: bool = False

    def __repr__(self) -> str:
        return f"Pseudonym({self.text})"


class Pseudonyms:
    """Those of one run. `seed` makes its surrogates, numbers begin behind `base`. With a lock it may be used from many
    threads. `closed`: no value gets a pseudonym any more, and stands as its kind.
    """

    def __init__(self, seed: bytes, base: int = 0, lock: AbstractContextManager[Any] | None = None) -> None:
        self.closed = False
        self._seed, self._base = seed, base
        self._lock = lock or nullcontext()
        self._texts: dict[tuple[str, str, bool], str] = {}
        self._known: dict[str, Pseudonym] = {}
        self._counts: dict[str, int] = {}
        self._values: set[str] = set()
        self._words: dict[str, list[tuple[int, Pseudonym]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"Pseudonyms({len(self)})"

    @property
    def is_full(self) -> bool:
        """Whether a new value would stand as its kind."""
        return self.closed or len(self._texts) >= MOST_VALUES or self._size >= MOST_TEXT

    @property
    def has_surrogates(self) -> bool:
        """Whether any value is another's surrogate."""
        return bool(self._words)

    def load(self, known: Iterable[Pseudonym]) -> None:
        """Take over what was given before."""
        with self._lock:
            for each in known:
                self._add(each)

    def since(self, first: int) -> list[Pseudonym]:
        """All but the first so many, in the order in which they were given."""
        with self._lock:
            return [self._known[text] for text in islice(self._texts.values(), first, None)]

    def give(self, kind: str, value: str, number: bool = False, realistic: bool = False) -> str:
        """What stands for a value from now on; its kind in angle brackets where there is no room for more."""
        key = kind, value, number
        with self._lock:
            if (text := self._texts.get(key)) is not None:
                return text
            if self.is_full or len(value) > MOST_LONG:
                return f"<{kind}>"
            count = self._counts.get(kind, self._base) + 1
            invented = surrogate(kind, value, self._seed, count, self._is_free) if realistic and not number else None
            given = Pseudonym(invented or f"<{kind}_{count}>", kind, count, value, number)
            self._add(given)
            return given.text

    def of(self, text: str) -> Pseudonym | None:
        """The pseudonym that is written so."""
        return self._known.get(text)

    def is_surrogate(self, value: str) -> bool:
        """Whether a value is a surrogate of this run."""
        return self.has_surrogates and value in self._known

    def at(self, text: str, word: re.Match[str]) -> Iterator[tuple[int, int, Pseudonym]]:
        """The surrogate whose first word this is, if it stands there as a whole."""
        for offset, known in self._words.get(word[0], ()):
            start = word.start() - offset
            end = start + len(known.text)
            if start >= 0 and text.startswith(known.text, start) and _stands_alone(text, start, end):
                yield start, end, known

    def _is_free(self, text: str) -> bool:
        return text not in self._known and text not in self._values

    def _add(self, each: Pseudonym) -> None:
        self._texts[each.kind, each.value, each.number] = each.text
        self._known[each.text] = each
        self._values.add(each.value)
        self._size += len(each.value)
        self._counts[each.kind] = max(self._counts.get(each.kind, 0), each.nth)
        if each.text != f"<{each.kind}_{each.nth}>" and (word := _WORD.search(each.text)):
            self._words.setdefault(word[0], []).append((word.start(), each))


class TooMany(Exception):
    """A call asks for more values than it may get back."""


class Restoring:
    """Puts back the values of a run in what one call says: those of the kinds that may be, and no others."""

    def __init__(self, known: Pseudonyms, kinds: frozenset[str]) -> None:
        self.restored: dict[str, Pseudonym] = {}
        """What was put back, by what stood for it."""
        self.joined: set[str] = set()
        """What stood for those that were put into the middle of a word."""
        self._known = known
        self._kinds = kinds
        self._seen: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """How many values of each kind were put back."""
        return +self._seen

    def may_hold(self, text: str) -> bool:
        """Whether it is worth a look."""
        return self._known.has_surrogates or "<" in text or "%3" in text or "&lt;" in text or "\\u003" in text

    def text(self, text: str, name: str = "") -> str:
        """Plain text, percent-encoded text or text with escaped markup, each in its own spelling."""
        return self._written(text, str)

    def markup(self, text: str, name: str = "") -> str:
        """XML or HTML."""
        return self._written(text, escape)

    def number(self, text: str) -> str | None:
        """The number that a whole string stands for, if it was one."""
        known = self._allowed(self._known.of(text))
        return self._noted(known).value if known and known.number else None

    def _written(self, text: str, write: Any) -> str:
        if not self.may_hold(text):
            return text
        edits = sorted([*self._tokens(text, write), *self._surrogates(text, write)], key=lambda edit: edit[:2])
        around = ((edit, text[max(0, edit[0] - 1) : edit[0]], text[edit[1] : edit[1] + 1]) for edit in edits)
        puts = [(edit[0], edit[1], self._put(edit[3], edit[2], before, behind)) for edit, before, behind in around]
        return operators.splice(text, puts)

    def _tokens(self, text: str, write: Any) -> Iterator[tuple[int, int, str, Pseudonym]]:
        for match in _TOKEN.finditer(text):
            encoded = match[3] is not None
            known = self._allowed(self._known.of(f"<{unquote(match[4]) if encoded else match[4]}>"))
            if known:
                way = escape if match[2] else write
                yield *match.span(), quote(known.value, safe="") if encoded else way(known.value), known

    def _surrogates(self, text: str, write: Any) -> Iterator[tuple[int, int, str, Pseudonym]]:
        if not self._known.has_surrogates:
            return
        behind = 0
        for word in _WORD.finditer(text):
            for start, end, known in self._known.at(text, word):
                if start >= behind and self._allowed(known):
                    behind = end
                    yield start, end, write(known.value), known

    def _allowed(self, known: Pseudonym | None) -> Pseudonym | None:
        return known if known and (ANY in self._kinds or known.kind in self._kinds) else None

    def _put(self, known: Pseudonym, new: str, before: str, behind: str) -> str:
        self._noted(known)
        if not (_APART_BEFORE.match(before) and _APART_BEHIND.match(behind)):
            self.joined.add(known.text)
        return new

    def _noted(self, known: Pseudonym) -> Pseudonym:
        self._seen[known.kind] += 1
        self.restored[known.text] = known
        if len(self.restored) > MOST_RESTORED:
            raise TooMany
        return known


class Echo:
    """Finds what was put back into a call in what comes back of it: as it is, percent-encoded, in markup, and with the
    escapes of JSON. Those whose text is `joined` are found within other words too, since they were sent so.
    """

    def __init__(self, restored: Iterable[Pseudonym], joined: Collection[str] = ()) -> None:
        self.spelled: dict[str, str] = {}
        """What is written, by how a value is spelled."""
        self._kind: dict[str, str] = {}
        self._joined: set[str] = set()
        for each in restored:
            for value, text in _spellings(each):
                if each.text in joined:
                    self._joined.add(value)
                self.spelled.setdefault(value, text)
                self._kind.setdefault(value, each.kind)
        longest = sorted(self.spelled, key=lambda value: (-len(value), value))
        self._match = matcher("|".join(map(_literal, longest)), 64 << 20)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._kind.values())

    def is_in(self, text: str) -> bool:
        """Whether a JSON text may hold one of them; under escapes it may."""
        return "\\" in text or next(self._spans(text.encode("utf-8", "surrogatepass")), None) is not None

    def find(self, text: str, key: str = "") -> list[Finding]:
        """Where they stand, not as parts of other words unless they were sent so."""
        found: list[Finding] = []
        for start, end in self._spans(text.encode("utf-8", "surrogatepass")):
            value = text[start:end]
            apart = not (_joins(text[start - 1 : start], value[0]) or _joins(value[-1], text[end : end + 1]))
            if apart or value in self._joined:
                found.append(Finding(self._kind[value], start, end, 1.0, "restored"))
        return found

    def in_json(self, text: str, key: str, number: bool) -> list[Finding]:
        """The same in a leaf of a JSON text; a number is one as a whole or not."""
        if not number:
            return self.find(text, key)
        kind = self._kind.get(text)
        return [Finding(kind, 0, len(text), 1.0, "restored")] if kind else []

    def _spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where something is that looks like one of them, in characters."""
        at = characters = 0
        while (span := self._match(ANYWHERE, data, at, len(data))[0]) != (-1, -1):
            start = characters + len(data[at : span[0]].decode("utf-8", "surrogatepass"))
            at, characters = span[1], start + len(data[slice(*span)].decode("utf-8", "surrogatepass"))
            yield start, characters


class InCall:
    """What a scanner needs to know of the run and the call that it cleans for."""

    def __init__(self, known: Pseudonyms, restored: Iterable[Pseudonym] = (), joined: Collection[str] = ()) -> None:
        self.known = known
        restored = list(restored)
        self.echo = Echo(restored, joined) if restored else None

    def stays(self, value: str) -> str | None:
        """What a found value becomes whatever its kind's operator is: what was put back, and what is no value."""
        if self.echo and (text := self.echo.spelled.get(value)) is not None:
            return text
        return value if self.known.is_surrogate(value) else None

    def values(self, text: str | bytes, found: list[Finding]) -> list[Finding]:
        """The findings without those that are surrogates of the run: they are no values."""
        if not self.known.has_surrogates:
            return found
        slices = ((each, text[each.start : each.end]) for each in found)
        plain = ((each, part if isinstance(part, str) else part.decode()) for each, part in slices)
        return [each for each, part in plain if not self.known.is_surrogate(part)]

    def of_values(self, text: str | bytes, hits: list[Hit]) -> list[Hit]:
        """The same for a JSON text."""
        if not self.known.has_surrogates:
            return hits
        left = (hit._replace(findings=self.values(text, hit.findings)) for hit in hits)
        return [hit for hit in left if hit.findings]

    def echoed(self, text: str) -> list[Hit]:
        """Where a JSON text holds what was put back."""
        return walk.scan(text, self.echo.in_json) if self.echo and self.echo.is_in(text) else []

    def is_quiet(self, detectors: Sequence[object], text: str) -> bool:
        """Whether none of these has to look through a JSON text: most replies hold nothing of what was put back."""
        return self.echo is not None and [*detectors] == [self.echo] and not self.echo.is_in(text)


def _spellings(each: Pseudonym) -> Iterator[tuple[str, str]]:
    yield each.value, each.text
    for encode in (quote, quote_plus):
        value = encode(each.value, safe="")
        yield value, quote(each.text, safe="")
        yield _HEX.sub(lambda found: found[0].lower(), value), quote(each.text, safe="")
    yield escape(each.value), escape(each.text)
    yield json.dumps(each.value)[1:-1], each.text


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not _GOES_ON.match(text, end) and not _BEGAN.search(text[max(0, start - 2) : start])


def _joins(one: str, two: str) -> bool:
    return bool(one) and bool(two) and one.isalnum() and two.isalnum()


def _literal(text: str) -> str:
    """A text as an expression of RE2."""
    return "".join(each if each.isalnum() or each in "_ @-" else f"\\x{{{ord(each):x}}}" for each in text)

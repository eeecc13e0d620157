"""Which fields of a JSON text stay. Every byte of what stays is as it was.

A name that is kept is that of a member of the document, of the objects of a list that is the document, or of the
objects of a list that is one of its members. A name that is dropped is that of a member anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from redaction.operators import splice
from redaction.pointers import At, Pointers, Step, Wild
from redaction.unwrap import JSON, unwrap

_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
TOKEN: Final = re.compile(rf'[^"\[\]{{}},]*+(?:({_STRING})([ \t\r\n]*+:)?|([\[{{])|([\]}}])|(,))')
"""The next token of a JSON text that says how it is built: a string (1) or, with a colon (2), a name; an opening (3) or
closing (4) bracket; a comma (5)."""

STRING, NAME, OPEN, CLOSE, COMMA = 1, 2, 3, 4, 5
_FIELD = re.compile(
    rf'(?:[^"\[\]{{}},]++|{_STRING}(?![ \t\r\n]*+:))*+(?:({_STRING})([ \t\r\n]*+:)|([\[{{])|([\]}}])|(,))'
)
_FLAT = re.compile(rf'(?:[^"\[\]{{}}]++|{_STRING})*+')
# Reads a value and gives its end, ten times as fast as an expression. It is only looked at, so numbers stay text.
_SCAN: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_int=str, parse_float=str).scan_once  # type: ignore[attr-defined]


class Nothing(Exception):
    """Nothing of the document is among what is kept, and what is left would say something else: an empty list does."""


class Fields:
    """What stays of a document: what `keep` names, or everything where it is empty, but for what `drop` names.

    An entry that begins with `/` is a pattern of pointers, any other a name. Raises BadPointer.
    """

    __slots__ = ("_drop", "_keep", "_names")

    def __init__(self, keep: Iterable[str] = (), drop: Iterable[str] = ()) -> None:
        kept, dropped = [*keep], [*drop]
        self._keep = Pointers(steps for each in kept for steps in _of_records(each)) if kept else None
        self._drop = Pointers(each for each in dropped if each.startswith("/"))
        self._names = frozenset(each for each in dropped if not each.startswith("/"))

    def applied(self, text: str) -> tuple[str, int]:
        """A valid JSON text without what goes, and how many fields went. Raises Nothing."""
        if text.lstrip()[:1] not in ("{", "["):
            if self._keep is not None and text.strip() != "null":
                raise Nothing
            return text, 0
        cuts, count = self._walked(text)
        return splice(text, ((start, end, "") for start, end in cuts)), count

    def _walked(self, text: str) -> tuple[list[tuple[int, int]], int]:
        """What is to be cut out, in order, and how many fields that is."""
        cuts: list[tuple[int, int]] = []
        count = 0
        for closed, inside in self._closed(text):
            if closed.is_lost and inside is None and closed.is_array:
                raise Nothing
            if closed.is_lost and inside is not None and (closed.is_array or not inside.is_array):
                inside.dropped = True
            else:
                cuts += closed.cuts()
                count += closed.gone
        return sorted(cuts), count

    def _closed(self, text: str) -> Iterator[tuple[_Holder, _Holder | None]]:
        """The containers that may lose something, each as it closes, with the one it is in."""
        at = len(text) - len(text.lstrip()) + 1
        stack = [_Holder(text[at - 1] == "[", self._keep.start if self._keep else None, self._drop.start, at)]
        while stack and (match := _FIELD.match(text, at)):
            at, group, holder = match.end(), match.lastindex, stack[-1]
            if group == NAME:
                holder.judge(_read(match[1]), self._names)
            elif group == OPEN:
                below = holder.opened(match[3] == "[", at, self._names)
                if below:
                    stack.append(below)
                else:
                    at = closing(text, at)
            elif group in (COMMA, CLOSE):
                holder.end(match.start(group), text, self._names)
                holder.start = at
                if group == CLOSE:
                    stack.pop()
                    yield holder, stack[-1] if stack else None


class _Holder:
    """A container that is looked into. `keep` is None where everything in it stays but for what is dropped."""

    __slots__ = ("_drop", "_ends", "_inner", "_judged", "_keep", "_out", "dropped", "gone", "is_array", "start")

    def __init__(self, is_array: bool, keep: At | None, drop: At, start: int) -> None:
        self.is_array = is_array
        self.start = start
        """Where the element begins that is looked at."""
        self.dropped: bool | None = None
        """Whether that element goes; None while nothing but a plain value was seen of it."""
        self.gone = 0
        self._keep, self._drop = keep, drop
        self._ends: list[tuple[int, int, bool]] = []
        self._judged = False

    def judge(self, step: str | int, names: frozenset[str]) -> None:
        """The element has this name, or index: what of it stays?"""
        keep = self._keep and self._keep.step(step)
        drop = self._drop.step(step)
        self._inner = None if keep is None or keep.ends else keep, drop
        self._out = drop.ends or (not self.is_array and step in names)
        self._judged = True

    def opened(self, is_array: bool, at: int, names: frozenset[str]) -> _Holder | None:
        """What is to be looked at of a container in the element; None where all of it stays, or goes."""
        if not self._judged:
            self.judge(len(self._ends), names)
        keep, drop = self._inner
        self.dropped = self._out or (keep is not None and not keep)
        if self.dropped or (keep is None and not drop and not names):
            return None
        return _Holder(is_array, keep, drop, at)

    def end(self, at: int, text: str, names: frozenset[str]) -> None:
        """The element ends here. Where the container is empty there is none."""
        if not self._judged:
            if not self._ends and not text[self.start : at].strip():
                return
            self.judge(len(self._ends), names)
        dropped = self._out or self._inner[0] is not None if self.dropped is None else self.dropped
        self._ends.append((self.start, at, dropped))
        self.gone += dropped
        self._judged, self.dropped = False, None

    @property
    def is_lost(self) -> bool:
        """Whether it held something, and nothing of that stays."""
        return bool(self._ends) and self.gone == len(self._ends)

    def cuts(self) -> Iterator[tuple[int, int]]:
        """Each element that goes takes the comma before it along; those before the first that stays, that behind."""
        if not self.gone:
            return
        first = next((index for index, each in enumerate(self._ends) if not each[2]), None)
        if first is None:
            yield self._ends[0][0], self._ends[-1][1]
            return
        if first:
            yield self._ends[0][0], self._ends[first][0]
        for before, each in zip(self._ends[first:], self._ends[first + 1 :], strict=False):
            if each[2]:
                yield before[1], each[1]


def closing(text: str, at: int) -> int:
    """Just behind the bracket that closes the container that opens before `at`, of a valid JSON text."""
    try:
        return _SCAN(text, at - 1)[1]
    except RecursionError:
        pass
    depth = 1
    while depth:
        at = over(_FLAT, text, at) + 1
        depth += 1 if text[at - 1] in "[{" else -1
    return at


def over(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Just behind what the pattern fits here. It has to fit the empty text too."""
    match = pattern.match(text, at)
    assert match is not None
    return match.end()


def _of_records(entry: str) -> list[str | tuple[Step, ...]]:
    """The places that an entry of `keep` means."""
    return [entry] if entry.startswith("/") else [(entry,), (Wild.INDEX, entry), (Wild.ANY, Wild.INDEX, entry)]


def _read(string: str) -> str:
    return unwrap(string[1:-1], JSON).text

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
_MEMBER = re.compile(rf"[ \t\r\n,]*+({_STRING})[ \t\r\n]*+:[ \t\r\n]*+")
_PLAIN = re.compile(rf"(?:{_STRING}|[^ \t\r\n,}}]++)?+")
_FLAT = re.compile(rf'(?:[^"\[\]{{}}]++|{_STRING})*+')
# Reads a value and gives its end, ten times as fast as an expression. It is only looked at, so numbers stay text.
_SCAN: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_int=str, parse_float=str).scan_once  # type: ignore[attr-defined]


class Nothing(Exception):
    """Nothing of the document is among what is kept, and what is left would say something else: an empty list does."""


class Fields:
    """What stays of a document: what `keep` names, or everything where it is empty, but for what `drop` names.

    An entry that begins with `/` is a pattern of pointers, any other a name. Raises BadPointer.
    """

    __slots__ = ("_top",)

    def __init__(self, keep: Iterable[str] = (), drop: Iterable[str] = ()) -> None:
        kept, dropped = [*keep], [*drop]
        places = Pointers(steps for each in kept for steps in _of_records(each)).start if kept else None
        gone = Pointers(each for each in dropped if each.startswith("/")).start
        self._top = _Look(places, gone, frozenset(each for each in dropped if not each.startswith("/")))

    def applied(self, text: str) -> tuple[str, int]:
        """A valid JSON text without what goes, and how many fields went. Raises Nothing."""
        if text.lstrip()[:1] not in ("{", "["):
            if self._top.plain_goes and text.strip() != "null":
                raise Nothing
            return text, 0
        cuts: list[tuple[int, int]] = []
        count = 0
        for closed, inside in self._closed(text):
            if closed.is_lost and inside is None and closed.is_array:
                raise Nothing
            if closed.is_lost and inside is not None and (closed.is_array or not inside.is_array):
                inside.goes = True
            else:
                cuts += closed.cuts()
                count += closed.gone
        return splice(text, ((start, end, "") for start, end in sorted(cuts))), count

    def _closed(self, text: str) -> Iterator[tuple[_Holder, _Holder | None]]:
        """The containers that may lose something, each as it closes, with the one it is in."""
        at = len(text) - len(text.lstrip()) + 1
        stack = [_Holder(text[at - 1] == "[", self._top, at)]
        tokens = _FIELD.finditer(text, at)
        while stack and (match := next(tokens, None)):
            at, group, holder = match.end(), match.lastindex, stack[-1]
            if group == NAME:
                holder.judge(_read(match[1]))
            elif group == OPEN:
                if (look := holder.opened()) is None:
                    tokens = _FIELD.finditer(text, closing(text, at))
                else:
                    stack.append(_Holder(match[3] == "[", look, at))
            else:
                holder.end(match.start(group or 0), text)
                holder.start = at
                if group == CLOSE:
                    stack.pop()
                    yield holder, stack[-1] if stack else None


class _Look:
    """What stays at one place of a document: everything but what is dropped, where `keep` is None."""

    __slots__ = ("_drop", "_keep", "_known", "_names", "_steps", "plain_goes")

    def __init__(self, keep: At | None, drop: At, names: frozenset[str]) -> None:
        self._keep, self._drop, self._names = keep, drop, names
        self._known = names | drop.named | (keep.named if keep else frozenset())
        self._steps: dict[str | bool, _Look | bool] = {}  # no more than names are known
        self.plain_goes = keep is not None
        """Whether what is here goes if it is no container."""

    def at(self, step: str | int) -> _Look | bool:
        """What is to be looked at in the member of this name or the item of this index; whether it stays, if that is
        known of all of it."""
        is_item = isinstance(step, int)
        if is_item and str(step) in self._known:
            return self._below(step)
        key = step if step in self._known else is_item
        known = self._steps.get(key)
        if known is None:
            known = self._steps[key] = self._below(step)
        return known

    def _below(self, step: str | int) -> _Look | bool:
        drop = self._drop.step(step)
        if drop.ends or step in self._names:
            return False
        keep = self._keep and self._keep.step(step)
        if keep is not None and not keep:
            return False
        if keep is None or keep.ends:
            return _Look(None, drop, self._names) if drop or self._names else True
        return _Look(keep, drop, self._names)


class _Holder:
    """A container that is looked into, element by element."""

    __slots__ = ("_before", "_count", "_cuts", "_first", "_look", "_verdict", "goes", "gone", "is_array", "start")

    def __init__(self, is_array: bool, look: _Look, start: int) -> None:
        self.is_array = is_array
        self.start = start
        """Where the element begins that is looked at."""
        self.goes: bool | None = None
        """Whether that element goes; None while nothing but a plain value was seen of it."""
        self.gone = 0
        self._look = look
        self._verdict: _Look | bool | None = None
        self._count, self._first, self._before = 0, start, start
        self._cuts: list[tuple[int, int]] = []

    def judge(self, step: str | int) -> _Look | bool:
        """The element has this name, or index: what of it stays?"""
        self._verdict = verdict = self._look.at(step)
        return verdict

    def opened(self) -> _Look | None:
        """What is to be looked at of a container in the element; None where all of it stays, or goes."""
        verdict = self.judge(self._count) if self._verdict is None else self._verdict
        if isinstance(verdict, _Look):
            self.goes = False
            return verdict
        self.goes = not verdict
        return None

    def end(self, at: int, text: str) -> None:
        """The element ends here. Where the container is empty there is none."""
        verdict = self._verdict
        if verdict is None:
            if not self._count and not text[self.start : at].strip():
                return
            verdict = self.judge(self._count)
        goes = self.goes
        if goes is None:
            goes = verdict.plain_goes if isinstance(verdict, _Look) else not verdict
        if goes:
            self.gone += 1
            if self.gone <= self._count:  # one before it stays
                self._cuts.append((self._before, at))
        elif self.gone == self._count > 0:
            self._cuts.append((self._first, self.start))
        self._count += 1
        self._before = at
        self._verdict = self.goes = None

    @property
    def is_lost(self) -> bool:
        """Whether it held something, and nothing of that stays."""
        return 0 < self._count == self.gone

    def cuts(self) -> list[tuple[int, int]]:
        """Each element that goes takes the comma before it along; those before the first that stays, that behind."""
        return [(self._first, self._before)] if self.is_lost else self._cuts


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


def members(text: str) -> dict[str, str]:
    """The members of a JSON object, each with the text of its value, byte for byte."""
    found = {}
    at = text.index("{") + 1
    while match := _MEMBER.match(text, at):
        at = match.end()
        end = closing(text, at + 1) if text[at] in "[{" else over(_PLAIN, text, at)
        found[_read(match[1])], at = text[at:end], end
    return found


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

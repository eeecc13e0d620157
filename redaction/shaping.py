"""Long replies made short: lists of few items, texts of few characters, so many bytes in all. JSON stays JSON.

Every byte of what stays is as it was. Where something was left out stands a mark that says how much, and where to get
it: behind a text that was cut, in a member beside a list that was cut, and where no member can stand, as its last item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

from redaction.fields import CLOSE, COMMA, NAME, OPEN, STRING, TOKEN, closing, over
from redaction.operators import splice
from redaction.unwrap import JSON

LEFT_OUT: Final = ":left_out"
"""The member beside a list that was cut has the list's name with this behind it."""

T = TypeVar("T")

MARK_ROOM: Final = 128
"""Bytes that a mark may take, at most."""

_ITEM = re.compile(r'(?:[^"\[\]{},]++|"(?:[^"\\]|\\.)*+")*+')
_FINDING = re.compile(r"<[A-Z][A-Z0-9_]*+[0-9a-f]*+(?::[A-Za-z0-9_-]*+)?>")  # what stands in the place of one
_FINDING_MOST = 1_024
# How short texts, and then lists, are made in turn, until a reply fits: a long text says most at its beginning, and of
# a list many short items say more than few long ones.
_FLOORS = ((1_000, 10), (100, 1))


Ends = dict[int, tuple[int, int]]
"""Of lists, by the place where they begin: the place behind them, and how many items they have."""


class Unfit(Exception):
    """It cannot be made as short as it has to be."""


class Bounds(NamedTuple):
    """How much of a reply is given at once; 0 is no bound. `most` items of each list, `longest` characters of each
    text, `fit` bytes in all."""

    most: int = 0
    longest: int = 0
    fit: int = 0


UNBOUNDED: Final = Bounds()


class Links(NamedTuple):
    """How the rest can be had: `prefix` says it, and behind it comes the place of what was cut, counted from `base`.
    `room` is how many have a link."""

    prefix: str = ""
    room: int = 0
    base: int = 0

    def to(self, place: int) -> str:
        """The link to what was cut at a place."""
        return f"{self.prefix}{self.base + place}"


class Part(NamedTuple):
    """A text or list of which the first `shown` characters or items were given: its place, with a list's brackets."""

    start: int
    end: int
    shown: int
    is_list: bool


class Short(NamedTuple):
    """A shaped text, how many items are missing and texts were cut, and those parts for which there is a link."""

    text: str
    items: int = 0
    texts: int = 0
    parts: tuple[Part, ...] = ()


class Piece(NamedTuple):
    """The next of a part: how much of it, and how much is left behind that."""

    short: Short
    shown: int
    left: int


def shortened(text: str, bounds: Bounds, links: Links, encoding: str = "utf-8") -> Short:
    """A valid JSON text within the bounds. Raises Unfit."""
    return _fitting(text, bounds, links, encoding, None).short


def cut(text: str, bounds: Bounds, links: Links, encoding: str = "utf-8") -> Short:
    """A text that is no JSON within the bounds; lists it has none. Raises Unfit."""
    end = min(bounds.longest or len(text), len(text))
    if bounds.fit and len(text[:end].encode(encoding)) + MARK_ROOM * (end < len(text)) > bounds.fit:
        if bounds.fit <= MARK_ROOM:
            raise Unfit
        end = len(text.encode(encoding)[: bounds.fit - MARK_ROOM].decode(encoding, "ignore"))
    end = _past_finding(text, 0, end, len(text))
    if end == len(text):
        return Short(text)
    part = Part(0, len(text), end, False)
    link = links.to(0) if links.room else ""
    return Short(text[:end] + _mark(len(text) - end, link), 0, 1, (part,) if link else ())


def next_text(text: str, part: Part, since: int, most: int, escaped: bool) -> Piece | None:
    """The next characters of a text, from the one with the number `since`; None where it has no more. With `escaped` it
    is a string of JSON, whose escapes stay as they are."""
    start = _after(text, part.start, part.end, since, escaped)
    if start >= part.end:
        return None
    end = _past_finding(text, start, _after(text, start, part.end, most, escaped), part.end)
    return Piece(Short(text[start:end]), _length(text, start, end, escaped), _length(text, end, part.end, escaped))


def next_items(text: str, part: Part, since: int, bounds: Bounds, links: Links) -> Piece | None:
    """The next items of a list, as a list, from the one with the number `since`; None where it has no more. Raises
    Unfit."""
    at = _item(text, part.start + 1, since)
    if at is None:
        return None
    done = _fitting(text, bounds, links, "utf-8", at)
    return Piece(done.short, done.shown, done.left)


def _fitting(text: str, bounds: Bounds, links: Links, encoding: str, at: int | None) -> _Pass:
    """The document, or the items of a list from `at` on, as long as the bounds allow."""
    ends: Ends = {}
    if not bounds.fit:
        return _Pass(text, bounds, links, at, ends)
    return fitting(bounds, lambda each: _tried(text, each, links, encoding, at, ends))


def fitting(bounds: Bounds, tried: Callable[[Bounds], T | None]) -> T:
    """What `tried` makes with these bounds, or with the widest that are narrower with which it fits: it gives None
    where it does not. Raises Unfit."""
    ladder = [bounds, *_shorter(bounds)]
    found, low, high = None, 0, len(ladder)
    while low < high:
        middle = low and (low + high) // 2  # the bounds as they are come first
        if (one := tried(ladder[middle])) is None:
            low = middle + 1
        else:
            found, high = one, middle
    if found is None:
        raise Unfit
    return found


def _shorter(bounds: Bounds) -> Iterator[Bounds]:
    """Bounds that leave less and less."""
    most, longest = bounds.most or bounds.fit, bounds.longest or bounds.fit
    most, longest = min(most, bounds.fit), min(longest, bounds.fit)
    for least_text, least_items in _FLOORS:
        while longest > least_text:
            longest = max(least_text, longest // 2)
            yield Bounds(most, longest, bounds.fit)
        while most > least_items:
            most = max(least_items, most // 2)
            yield Bounds(most, longest, bounds.fit)


def _tried(text: str, bounds: Bounds, links: Links, encoding: str, at: int | None, ends: Ends) -> _Pass | None:
    try:
        done = _Pass(text, bounds, links, at, ends)
    except Unfit:
        return None
    return done if len(done.short.text.encode(encoding)) <= bounds.fit else None


class _Holder:
    """A container that is open."""

    __slots__ = ("count", "is_array", "name", "start")

    def __init__(self, start: int, is_array: bool) -> None:
        self.start, self.is_array = start, is_array
        self.count = 0
        """Commas so far."""
        self.name = ""
        """Of the member that is looked at, as it is written."""


class _Pass:
    """One walk through a document, or through the rest of a list. Raises Unfit as soon as too much has to be given."""

    def __init__(self, text: str, bounds: Bounds, links: Links, at: int | None, ends: Ends) -> None:
        self._text = text
        self._ends = ends
        self._bounds = bounds
        self._links = links
        self._edits: list[tuple[int, int, str]] = []
        self._saved = self._items = self._texts = 0
        self._parts: list[Part] = []
        self._beside = f'{LEFT_OUT}"' not in text  # else a member could come to stand there twice
        self.shown = self.left = 0
        """Of the list whose rest is walked through: items that are given, and that are left behind those."""
        self._from = at
        end = self._walk(at or 0, [] if at is None else [_Holder(-1, True)])
        pieces = splice(text[:end], self._edits)[at or 0 :]
        text = pieces if at is None else "[" + pieces
        self.short = Short(text, self._items, self._texts, tuple(self._parts))

    def _walk(self, at: int, stack: list[_Holder]) -> int:
        text, most, first = self._text, self._bounds.most, at
        tokens = TOKEN.finditer(text, at)
        while match := next(tokens, None):
            at, group = match.end(), match.lastindex
            if group == STRING:
                self._string(match.start(1) + 1, match.end(1) - 1)
            elif group == NAME:
                stack[-1].name = match[1][1:-1]
            elif group == OPEN:
                stack.append(_Holder(match.start(3), match[3] == "["))
            else:
                holder = stack[-1]
                holder.count += 1
                if group == COMMA and holder.is_array and holder.count == most:
                    at = self._list(stack, match.start(5), at)
                    group, tokens = CLOSE, TOKEN.finditer(text, at)
                if group == CLOSE:
                    stack.pop()
                    if not stack:
                        self.shown = holder.count
                        return at if self._from is not None else len(text)
            if self._bounds.fit and at - first - self._saved > self._bounds.fit:
                raise Unfit
        return len(text)

    def _string(self, start: int, end: int) -> None:
        longest = self._bounds.longest
        if not longest or end - start <= longest:
            return
        cut = _past_finding(self._text, start, _after(self._text, start, end, longest, True), end)
        if cut >= end:
            return
        shown, left = (_length(self._text, *span, True) for span in ((start, cut), (cut, end)))
        self._texts += 1
        self._edit(cut, end, _mark(left, self._link(Part(start, end, shown, False))))

    def _list(self, stack: list[_Holder], comma: int, at: int) -> int:
        """Cut the innermost list at a comma. Gives the place behind it."""
        holder = stack[-1]
        if holder.start not in self._ends:
            end, left = _passed(self._text, at)
            self._ends[holder.start] = end, left + holder.count
        end, items = self._ends[holder.start]
        left = items - holder.count
        self._items += left
        if holder.start < 0:
            self.left = left
            self._edit(comma, end - 1, "")
            return end
        mark = said(left, "items", self._link(Part(holder.start, end, holder.count, True)))
        name = stack[-2].name + LEFT_OUT if len(stack) > 1 and not stack[-2].is_array else ""
        if name and self._beside:
            self._edit(comma, end - 1, "")
            self._edit(end, end, f', "{name}": "{mark}"')
        else:
            self._edit(comma, end - 1, f', "{mark}"')
        return end

    def _edit(self, start: int, end: int, new: str) -> None:
        self._edits.append((start, end, new))
        self._saved += end - start - len(new)

    def _link(self, part: Part) -> str:
        if len(self._parts) >= self._links.room:
            return ""
        self._parts.append(part)
        return self._links.to(part.start)


def said(left: int, what: str, link: str) -> str:
    """How much was left out, and where to get it."""
    return f"{left} more {what[: -1 if left == 1 else None]}" + (f": {link}" if link else "")


def _mark(left: int, link: str) -> str:
    return f"... [{said(left, 'characters', link)}]"


def _passed(text: str, at: int) -> tuple[int, int]:
    """From behind a comma of a list: the place behind the list, and how many items that were."""
    items = 1
    while True:
        at = over(_ITEM, text, at) + 1
        if text[at - 1] == ",":
            items += 1
        elif text[at - 1] in "[{":
            at = closing(text, at)
        else:
            return at, items


def _item(text: str, at: int, number: int) -> int | None:
    """Where the item of this number begins, counted from a place at which one does; None if the list ends before."""
    while number:
        at = over(_ITEM, text, at) + 1
        if text[at - 1] == ",":
            number -= 1
        elif text[at - 1] in "[{":
            at = closing(text, at)
        else:
            return None
    return at


def _after(text: str, start: int, end: int, count: int, escaped: bool) -> int:
    """The place `count` characters behind `start`, or the end."""
    if not escaped or text.find("\\", start, min(end, start + count)) < 0:
        return min(end, start + count)
    at = start
    for escape in JSON.pattern.finditer(text, start, end):
        plain = escape.start() - at
        if count <= plain:
            return at + count
        count -= plain + 1
        at = escape.end()
    return min(end, at + count)


def _length(text: str, start: int, end: int, escaped: bool) -> int:
    """How many characters that are."""
    if not escaped or text.find("\\", start, end) < 0:
        return end - start
    return len(JSON.pattern.sub("x", text[start:end]))


def _past_finding(text: str, start: int, at: int, end: int) -> int:
    """`at`, or a place close by where it would cut what stands for a finding in two. Never `start` itself."""
    first = text.rfind("<", max(start, at - _FINDING_MOST), at)
    match = _FINDING.match(text, first, end) if first >= 0 else None
    if match is None or match.end() <= at:
        return at
    return match.end() if first == start else first

"""Which patterns take exponential time in engines that backtrack?

Those in which some text can lead around a loop in two ways: each further round doubles the ways, and a text that fails
at the end makes the engine try them all ("exponential degree of ambiguity", Weber and Seidl 1991). The pattern becomes
a position automaton; transitions carry how many ways lead there without reading anything, where two count as many.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parse  # type: ignore[attr-defined]
from typing import Any, Final

MOST_POSITIONS: Final = 400
"""Characters and classes of a pattern, after its repeats are written out. A larger pattern is not looked at."""

MOST_STEPS: Final = 1_000_000
"""Pairs of transitions that are followed for one pattern."""

WRITTEN_OUT: Final = 6
"""Repeats up to this many times are written out; beyond, they count as a loop, which they resemble in cost."""

_BAR: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\|", re.DOTALL)
"""An escape, a class, or the bar between two alternatives."""

LAST: Final = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]
"""Code points, as inclusive ranges."""


@dataclass(slots=True)
class _Part:
    """A piece of the automaton: where it begins and ends, in how many ways each, and the ways to read nothing."""

    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    empty: int = 0


class _TooLarge(Exception):
    """More than is looked at."""


@lru_cache(maxsize=4096)
def explodes(pattern: str) -> bool:
    """Whether an engine that backtracks can take exponential time on it. False for what is no pattern of Python's
    dialect (which is close to that of ECMA-262), and for one that is too large to tell.
    """
    try:
        automaton = _Automaton(sre_parse.parse(_translated(pattern), re.ASCII))
    except (re.error, _TooLarge, RecursionError, OverflowError, ValueError):
        return False
    return automaton.is_ambiguous()


def _translated(pattern: str) -> str:
    """ECMA-262 spellings in Python's: classes of Unicode properties are about any letter here."""
    pattern = re.sub(r"\\[pP]\{[^}]*\}", r"\\w", pattern)
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    # Python's parser would make one class of the characters in a|[ab], in which two ways lead on; a group keeps them.
    return _BAR.sub(lambda found: "()|" if found[0] == "|" else found[0], pattern)


class _Automaton:
    """Positions of a pattern, what each reads, and how many ways lead from one to the next."""

    def __init__(self, tree: Any) -> None:
        self.reads: list[Ranges] = []
        self.follow: dict[int, dict[int, int]] = defaultdict(dict)
        self._sequence(tree)

    def _sequence(self, items: Iterable[Any]) -> _Part:
        whole = _Part(empty=1)
        for operator, argument in items:
            whole = self._then(whole, self._one(operator, argument))
        return whole

    def _then(self, left: _Part, right: _Part) -> _Part:
        self._link(left.last, right.first)
        first = _plus(left.first, right.first, left.empty)
        return _Part(first, _plus(right.last, left.last, right.empty), min(left.empty * right.empty, 2))

    def _link(self, ends: dict[int, int], starts: dict[int, int]) -> None:
        for end, ways in ends.items():
            for start, more in starts.items():
                self.follow[end][start] = min(self.follow[end].get(start, 0) + ways * more, 2)

    def _one(self, operator: Any, argument: Any) -> _Part:
        if operator in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            return self._character(_ranges([(operator, argument)]))
        if operator is sre.SUBPATTERN:
            return self._sequence(argument[3])
        if operator is sre.BRANCH:
            return self._branch(argument[1])
        if operator in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._repeat(*argument)
        if operator in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            return _Part(empty=1)
        raise _TooLarge

    def _character(self, ranges: Ranges) -> _Part:
        if len(self.reads) >= MOST_POSITIONS:
            raise _TooLarge
        self.reads.append(ranges)
        here = len(self.reads) - 1
        return _Part({here: 1}, {here: 1})

    def _branch(self, ways: Iterable[Any]) -> _Part:
        whole = _Part()
        for way in ways:
            part = self._sequence(way)
            whole.first |= part.first
            whole.last |= part.last
            whole.empty = min(whole.empty + part.empty, 2)
        return whole

    def _repeat(self, least: int, most: int, items: Any) -> _Part:
        whole = _Part(empty=1)
        for _ in range(min(least, WRITTEN_OUT)):
            whole = self._then(whole, self._sequence(items))
        if most > WRITTEN_OUT:
            return self._then(whole, self._loop(items)) if least <= 1 or most > least else whole
        rest = _Part(empty=1)
        for _ in range(most - least):
            part = self._then(self._sequence(items), rest)
            rest = _Part(part.first, part.last, min(part.empty + 1, 2))
        return self._then(whole, rest)

    def _loop(self, items: Any) -> _Part:
        """Any number of times. An engine that has read nothing in a round goes on behind the loop."""
        part = self._sequence(items)
        self._link(part.last, part.first)
        return _Part(part.first, part.last, 2 if part.empty else 1)

    def is_ambiguous(self) -> bool:
        """Whether two ways lead around some loop while they read the same text."""
        steps = MOST_STEPS
        for loop in _components(range(len(self.reads)), lambda one: self.follow[one]):
            inside = set(loop)
            if any(ways > 1 and to in inside for one in loop for to, ways in self.follow[one].items()):
                return True
            steps -= sum(len(self.follow[one].keys() & inside) for one in loop) ** 2
            if steps < 0:
                return False
            if self._two_ways(loop, inside):
                return True
        return False

    def _two_ways(self, loop: list[int], inside: set[int]) -> bool:
        """Whether a pair of equal positions and a pair of different ones lie on one circle of pairs."""

        def after(pair: tuple[int, int]) -> Iterable[tuple[int, int]]:
            for left in self.follow[pair[0]].keys() & inside:
                for right in self.follow[pair[1]].keys() & inside:
                    if _overlap(self.reads[left], self.reads[right]):
                        yield left, right

        for circle in _components([(one, one) for one in loop], after):
            kinds = {left == right for left, right in circle}
            if len(kinds) == 2:
                return True
        return False


def _plus(left: dict[int, int], right: dict[int, int], ways: int) -> dict[int, int]:
    """Both, where `ways` lead to the right one."""
    if not ways:
        return left
    return {**left, **{one: min(left.get(one, 0) + more * ways, 2) for one, more in right.items()}}


def _components(roots: Iterable[Any], after: Any) -> list[list[Any]]:
    """The strongly connected components that hold a circle (Tarjan 1972), without recursion."""
    index: dict[Any, int] = {}
    low: dict[Any, int] = {}
    stack: list[Any] = []
    on_stack: set[Any] = set()
    found: list[list[Any]] = []
    for root in roots:
        todo = [(root, iter(()), True)] if root not in index else []
        while todo:
            node, below, new = todo.pop()
            if new:
                index[node] = low[node] = len(index)
                stack.append(node)
                on_stack.add(node)
                below = iter(after(node))
            child: Any
            for child in below:
                if child not in index:
                    todo += [(node, below, False), (child, iter(()), True)]
                    break
                if child in on_stack:
                    low[node] = min(low[node], index[child])
            else:
                if todo:
                    parent = todo[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    cut = stack.index(node)
                    component, stack = stack[cut:], stack[:cut]
                    on_stack -= set(component)
                    if len(component) > 1 or node in set(after(node)):
                        found.append(component)
    return found


_CLASSES: Final[dict[Any, Ranges]] = {
    sre.CATEGORY_DIGIT: ((48, 57),),
    sre.CATEGORY_SPACE: ((9, 13), (28, 32), (160, 160)),
    sre.CATEGORY_WORD: ((48, 57), (65, 90), (95, 95), (97, 122)),
}
_OPPOSITE: Final = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
}


def _ranges(items: Iterable[Any]) -> Ranges:
    """What a set of the parser's items reads."""
    found: list[tuple[int, int]] = []
    negated = False
    for operator, argument in items:
        if operator is sre.NEGATE:
            negated = True
        elif operator is sre.LITERAL:
            found.append((argument, argument))
        elif operator is sre.NOT_LITERAL:
            found += _others([(argument, argument)])
        elif operator is sre.RANGE:
            found.append(argument)
        elif operator is sre.IN:
            found += _ranges(argument)
        elif operator is sre.CATEGORY:
            known = _OPPOSITE.get(argument)
            found += _CLASSES[argument] if known is None else _others(_CLASSES[known])
        else:
            found.append((0, LAST))
    return tuple(_others(found) if negated else found)


def _others(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The code points outside of the ranges."""
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    return [*found, (at, LAST)] if at <= LAST else found


def _overlap(left: Ranges, right: Ranges) -> bool:
    return any(low <= end and start <= high for low, high in left for start, end in right)

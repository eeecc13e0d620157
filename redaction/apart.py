"""Which expressions belong into one automaton, and which apart.

A state of an automaton for many expressions stands for the progress of each, so expressions of different sorts make a
state for every combination: three hundred in one automaton read unseen text at half a megabyte a second, for each byte
makes a new state; in five automata they read it ten times as fast, although each of them reads all of it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

import re2

from redaction.linear import options

# The automata are built while scanning, within this much memory each. At RE2's default of 8 MiB dense text flushes
# an automaton again and again, which costs 25 times the speed; 32 MiB hold it.
MEMORY = 64 << 20
# Calling five automata takes longer than one reads a short text.
SHORT = 512

# What may stand before the first character: boundaries, and beginnings of groups.
_BOUNDARY: Final = re.compile(r"\\b|\(\?:\\b\|\w+\)|\(\?:\^\|(?:=\|)?\[[^\]]*\]\)")
_BEFORE: Final = re.compile(rf"(?:{_BOUNDARY.pattern}|\((?:\?:)?)+")
_CLASS: Final = re.compile(r"\[|\\[dpswS]")
_COUNTED: Final = re.compile(r"\{\d\d")


def sort_of(expression: str) -> str:
    """The sort of an expression in RE2 syntax, by how it begins: expressions of one sort share an automaton.

    - `words`: letters of either case;
    - `counted`: a run of some ten characters of a class or more, which may begin anywhere;
    - `classes`: another character of a class, as numbers do;
    - `bounded`: fixed characters behind a boundary;
    - `fixed`: fixed characters.
    """
    if "(?i" in expression:
        return "words"
    before = _BEFORE.match(expression)
    if _CLASS.match(expression, before.end() if before else 0):
        return "counted" if _COUNTED.search(expression) else "classes"
    return "bounded" if _BOUNDARY.match(expression) else "fixed"


def apart(expressions: Sequence[str]) -> Iterator[list[int]]:
    """The places of the expressions of each sort, in order."""
    sorts: dict[str, list[int]] = {}
    for place, expression in enumerate(expressions):
        sorts.setdefault(sort_of(expression), []).append(place)
    yield from sorts.values()


class Gate:
    """Which of some expressions occur in a text; it answers as a `re2.Set` does: with their places, in any order, and
    their number; nothing at all where memory ran out."""

    def __init__(self, expressions: Sequence[str]) -> None:
        self._fence = len(expressions)
        self._expressions = expressions
        self._whole = _set(expressions)

    @cached_property
    def _parts(self) -> list[tuple["re2._re2.Set", list[int]]]:
        """Made for the first text that is not short."""
        made = self._expressions
        return [(_set([made[place] for place in places]), places) for places in apart(made)]

    def Match(self, data: bytes) -> list[int]:  # noqa: N802  # as in re2.Set
        """Which occur."""
        hits: list[int]
        if len(data) <= SHORT:
            hits = self._whole.Match(data)
            return hits
        hits = []
        for part, places in self._parts:
            found = part.Match(data)
            if not found:
                return []
            hits += [places[place] for place in found if place < len(places)]
        hits.append(self._fence)
        return hits


def _set(expressions: Sequence[str]) -> "re2._re2.Set":
    """The set, and last in it what fits every text: an empty answer then means failure, not absence.

    It fits only at the end: RE2 notes a match at every byte where one is, which halves its speed.
    """
    made = re2.Set.SearchSet(options(MEMORY))
    for expression in expressions:
        made.Add(expression.encode())
    made.Add(rb"\z")
    made.Compile()
    return made._set  # its wrapper costs as much as it does on a short text

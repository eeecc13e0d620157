"""Names that differ from declared ones in their case alone: some servers (Go's encoding/json, ASP.NET) take them for
those, so what stands under them would reach a declared argument without having been judged as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple

from rules.samples import Guide

Place = tuple[str | int, ...]


class Lookalike(NamedTuple):
    """A name at a place of the arguments, and the names that are declared there."""

    place: Place
    name: str
    declared: frozenset[str]


class Lookalikes:
    """Finds them in the arguments of one contract."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    @cached_property
    def _folded(self) -> Mapping[str, list[str]]:
        """The declared names, by what they are without case."""
        folded: dict[str, list[str]] = {}
        for name in self._guide.declared():
            folded.setdefault(name.casefold(), []).append(name)
        return folded

    @cached_property
    def _plain(self) -> frozenset[str]:
        """The declared names that no other is like."""
        return frozenset(names[0] for names in self._folded.values() if len(names) == 1)

    def find(self, args: Mapping[str, Any]) -> Lookalike | None:
        """The first of them, or None. The arguments are of a bounded depth."""
        return self._find(args) if self._may_hold(args) else None

    def _may_hold(self, args: Mapping[str, Any]) -> bool:
        """Whether a name anywhere is like one that is declared anywhere: hardly ever, so nobody notes where it is."""
        level: list[Any] = [args]
        while level:
            for one in level:
                if type(one) is dict and not one.keys() <= self._plain and any(map(self._is_suspect, one)):
                    return True
            level = [
                below
                for one in level
                for below in (one.values() if type(one) is dict else one)
                if type(below) in _CONTAINERS
            ]
        return False

    def _is_suspect(self, name: str) -> bool:
        return name not in self._plain and name.casefold() in self._folded

    def _find(self, args: Mapping[str, Any]) -> Lookalike | None:
        there: dict[Place, frozenset[str]] = {}
        for place, held in _objects(args):
            for name in filter(self._is_suspect, held):
                key = self._guide.anonymous(place)
                if key not in there:
                    there[key] = self._guide.names_at(key)
                if name not in there[key] and not there[key].isdisjoint(self._folded[name.casefold()]):
                    return Lookalike(place, name, there[key])
        return None


_CONTAINERS: Final = frozenset({dict, list})


def _objects(args: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    todo: list[tuple[Place, Any]] = [((), args)]
    while todo:
        place, here = todo.pop()
        if type(here) is dict:
            yield place, here
        parts = here.items() if type(here) is dict else enumerate(here)
        todo += [((*place, part), below) for part, below in parts if type(below) in _CONTAINERS]

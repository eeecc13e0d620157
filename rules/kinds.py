"""What text on the wire can stand for: the types that a contract allows at a place, found when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rules.samples import Guide

MOST_DEPTH: Final = 10
"""Levels that can be told apart in names such as `a[b][c]`. Published APIs stay under 6; `qs` reads 5."""

MOST_KEPT: Final = 10_000
"""Places of one contract that are remembered. Schemas can loop, so there is no end to them by themselves."""

SCALARS: Final = ("boolean", "integer", "number", "string")
_NAMES: Final[Mapping[type, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_Places = list[tuple[str, Mapping[str, Any]]]


class Kind:
    """The types that a place allows; none where the contract says nothing.

    `words` are the only texts allowed where the place allows text and lists it, else None. `simple` is the one type
    that any text there is read as, and empty where that depends on the text.
    """

    __slots__ = ("_below", "_depth", "_guide", "_kept", "_names", "_places", "simple", "types", "words")

    def __init__(self, guide: Guide | None = None, places: _Places | None = None) -> None:
        self._guide = guide
        self._places = places or []
        self._below: dict[str | int, Kind] = {}
        self._names: frozenset[str] | None = None
        self._kept = [0]
        self._depth = 0
        here = [one for _, one in self._places]
        self.types = _all_types(here)
        self.words = _words(here) if len(self.types) > 1 else None
        self.simple = _simple(self.types, self.words)

    @property
    def is_list(self) -> bool:
        """Whether an array may stand there."""
        return "array" in self.types

    @property
    def is_map(self) -> bool:
        """Whether an object may stand there."""
        return "object" in self.types

    @property
    def is_scalar(self) -> bool:
        """Whether text, a number or a boolean may stand there."""
        return not self.types or not self.types.isdisjoint(SCALARS)

    @property
    def names(self) -> frozenset[str]:
        """The declared members."""
        if self._names is None:
            self._names = frozenset(name for _, one in self._places for name in _mapping(one.get("properties")))
        return self._names

    @property
    def is_open(self) -> bool:
        """Whether members that are not declared may come: the author says so, or declares none at all."""
        said = [one["additionalProperties"] for _, one in self._places if "additionalProperties" in one]
        return not any(one is False for one in said) and (bool(said) or not self.names)

    @property
    def listed(self) -> frozenset[str]:
        """The texts that the author lists, where only listed ones may stand there."""
        return _words([one for _, one in self._places]) or frozenset()

    def item(self) -> Kind:
        """What the items of an array are."""
        return self._find(0)

    def member(self, name: str) -> Kind:
        """What one member of an object is."""
        return self._find(name if name in self.names else "")

    def _find(self, part: str | int) -> Kind:
        found = self._below.get(part)
        if found is None:
            found = self._made(part)
            if self._kept[0] < MOST_KEPT:
                self._kept[0] += 1
                self._below[part] = found
        return found

    def _made(self, part: str | int) -> Kind:
        if self._guide is None or self._depth >= MOST_DEPTH:
            return TEXT
        made = Kind(self._guide, self._guide.below(self._places, part))
        made._kept, made._depth = self._kept, self._depth + 1
        return made

    def __repr__(self) -> str:
        return f"Kind({' or '.join(sorted(self.types)) or 'anything'})"


def kinds(guide: Guide) -> Kind:
    """What the arguments of a contract are, as a whole."""
    return Kind(guide, guide.top())


def _all_types(here: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    here = list(here)
    types = {one for schema in here for one in _types(schema)} - {"null"}
    if not types and any("properties" in one or "additionalProperties" in one for one in here):
        return frozenset({"object"})
    if not types and any("items" in one for one in here):
        return frozenset({"array"})
    return frozenset(types - {"integer"} if "number" in types else types)


def _types(schema: Mapping[str, Any]) -> set[str]:
    said = schema.get("type")
    if said is not None:
        return set(said) if isinstance(said, list) else {said}
    return {_NAMES[type(value)] for value in _shown(schema) or () if type(value) in _NAMES}


def _words(here: Iterable[Mapping[str, Any]]) -> frozenset[str] | None:
    """The texts that are listed, or None where one of the subschemas allows text without a list."""
    words: set[str] = set()
    for schema in here:
        shown = _shown(schema)
        if shown is None and "string" in _types(schema):
            return None
        words.update(one for one in shown or () if isinstance(one, str))
    return frozenset(words)


def _shown(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    shown = schema.get("enum")
    return shown if isinstance(shown, list) else None


def _simple(types: frozenset[str], words: frozenset[str] | None) -> str:
    if not types:
        return "string"
    if not types <= set(SCALARS):
        return ""
    if len(types) == 1:
        return next(iter(types))
    return "string" if "string" in types and words is None else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


TEXT: Final = Kind()
"""Of what no contract speaks."""

"""`readOnly` and `writeOnly`: which members of a schema do not travel in requests, and which not in replies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from rules.openapi.references import BadReference, Document, Spot

Side = Literal["request", "reply"]

_HIDDEN: Final[Mapping[Side, str]] = {"request": "readOnly", "reply": "writeOnly"}


class Marks:
    """Looks the marks of a document's schemas up, and remembers what it found."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._edges: dict[tuple[str, str], tuple[set[str], list[Spot], bool]] = {}
        self._known: dict[tuple[str, str, str], bool] = {}

    def hidden(self, schema: Any, file: str, side: Side) -> frozenset[str]:
        """The members of an object that do not travel on this side, those of its `allOf` too."""
        found: set[str] = set()
        seen: set[int] = set()
        todo = [self._follow(schema, file)]
        while todo:
            spot = todo.pop()
            if not isinstance(spot.value, dict) or id(spot.value) in seen:
                continue
            seen.add(id(spot.value))
            members = mapping(spot.value.get("properties")).items()
            found.update(name for name, one in members if self._is_hidden(one, spot.file, side))
            todo += [self._follow(branch, spot.file) for branch in sequence(spot.value.get("allOf"))]
        return frozenset(found)

    def _is_hidden(self, schema: Any, file: str, side: Side) -> bool:
        """Whether the mark stands beside a reference, or where it leads."""
        mark = _HIDDEN[side]
        if not isinstance(schema, dict):
            return False
        return schema.get(mark) is True or mapping(self._follow(schema, file).value).get(mark) is True

    def _follow(self, schema: Any, file: str) -> Spot:
        try:
            return self._document.follow(schema, file)
        except BadReference:
            return Spot(file, "", {})

    def differs(self, spot: Spot, side: Side) -> bool:
        """Whether something that does not travel on this side can be reached from a place."""
        mark = _HIDDEN[side]
        known = self._known.get((spot.file, spot.pointer, mark))
        if known is not None:
            return known
        found, seen = self._search(spot, mark)
        for file, pointer in [(spot.file, spot.pointer)] if found else seen:
            self._known[file, pointer, mark] = found
        return found

    def refers(self, spot: Spot) -> bool:
        """Whether a `$ref` stands in what is there."""
        return self._edges_of(spot)[2]

    def _search(self, start: Spot, mark: str) -> tuple[bool, set[tuple[str, str]]]:
        seen = {(start.file, start.pointer)}
        todo = [start]
        while todo:
            words, below, _ = self._edges_of(todo.pop())
            fresh = [one for one in below if (one.file, one.pointer) not in seen]
            if mark in words or any(self._known.get((one.file, one.pointer, mark)) for one in fresh):
                return True, seen
            seen.update((one.file, one.pointer) for one in fresh)
            todo += fresh
        return False, seen

    def _edges_of(self, spot: Spot) -> tuple[set[str], list[Spot], bool]:
        """The marks that stand in a schema, where its references lead, and whether there are any."""
        key = (spot.file, spot.pointer)
        if key not in self._edges:
            words: set[str] = set()
            below: list[Spot] = []
            refers = False
            for part in parts(spot.value):
                words.update(word for word in _HIDDEN.values() if part.get(word) is True)
                if "$ref" in part:
                    refers = True
                    try:
                        below.append(self._document.find(part["$ref"], spot.file))
                    except BadReference:
                        continue
            self._edges[key] = words, below, refers
        return self._edges[key]


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a value, itself first."""
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            yield here
            todo += here.values()
        elif isinstance(here, list):
            todo += here


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def expected(value: Any, what: str, told: list[str]) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one, of which is told unless nothing stands there."""
    if value is not None and not isinstance(value, dict):
        told.append(f"{what} is left out: it is no object")
    return mapping(value)


def listed(value: Any, what: str, told: list[str]) -> list[Any]:
    """The same for a list."""
    if value is not None and not isinstance(value, list):
        told.append(f"{what} are left out: they are no list")
    return sequence(value)

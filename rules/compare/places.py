"""Where two schemas part, and what several schemas of one place say about a member of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from rules.compare.scalars import atoms, fulfils, listed
from rules.compare.side import Here, as_dict, as_list

OTHERS: Final = "*"
"""In a path: the names that are not declared."""

ITEMS: Final = "[]"
"""In a path: the items of an array."""

CHOICES: Final = ("anyOf", "oneOf")
"""Keywords of which a value fulfils one branch at least."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where the narrow schema may allow what the wide one does not.

    `word` is the keyword of the wide schema, `wide` its value there and `narrow` that of the narrow schema (None
    where it has none). Of an `enum`, `narrow` are the values beyond it. `false` stands for a place where the wide
    schema allows nothing. `sure` tells a gap that was found from one that could not be ruled out.
    """

    path: Path
    word: str
    wide: Any = None
    narrow: Any = None
    sure: bool = True


def dicts(nodes: Iterable[Here]) -> list[tuple[str, Mapping[str, Any]]]:
    """The schemas that are not just true or false."""
    return [(base, node) for base, node in nodes if isinstance(node, dict)]


def plain_of(nodes: Iterable[Here]) -> list[Mapping[str, Any]]:
    """The same without where they lie."""
    return [node for _, node in dicts(nodes)]


def is_impossible(nodes: Sequence[Here]) -> bool:
    """Whether surely no value fulfils all of these schemas."""
    plain = plain_of(nodes)
    return any(node is False for _, node in nodes) or not atoms(plain) or listed(plain) == []


def said(nodes: Sequence[Here], word: str) -> Any:
    """The value of a keyword in the first schema that has it, or None."""
    return next((node[word] for node in plain_of(nodes) if word in node), None)


def declared(nodes: Iterable[Here]) -> list[str]:
    """The names that stand under `properties`."""
    return list(dict.fromkeys(name for _, node in dicts(nodes) for name in as_dict(node.get("properties"))))


def patterns(nodes: Iterable[Here]) -> list[str]:
    """The patterns of names."""
    return list(dict.fromkeys(one for _, node in dicts(nodes) for one in as_dict(node.get("patternProperties"))))


@lru_cache(maxsize=4_096)
def matches(pattern: str, name: str) -> bool:
    """Whether a name surely matches a pattern of names."""
    return fulfils(name, {"pattern": pattern})


@lru_cache(maxsize=4_096)
def may_match(pattern: str, name: str) -> bool:
    """Whether a name may match: also where the pattern cannot be read."""
    return not fulfils(name, {"not": {"pattern": pattern}})


def of_name(nodes: Iterable[Here], name: str) -> list[Here]:
    """What is surely asked of the member with this name."""
    found: list[Here] = []
    for base, node in dicts(nodes):
        own, by_pattern = as_dict(node.get("properties")), as_dict(node.get("patternProperties"))
        found += [(base, own[name])] if name in own else []
        found += [(base, schema) for pattern, schema in by_pattern.items() if matches(pattern, name)]
        if name not in own and "additionalProperties" in node and not any(may_match(one, name) for one in by_pattern):
            found.append((base, node["additionalProperties"]))
    return found


def of_pattern(nodes: Iterable[Here], pattern: str) -> list[Here]:
    """What is surely asked of members that are not declared and whose name matches this pattern."""
    found: list[Here] = []
    for base, node in dicts(nodes):
        by_pattern = as_dict(node.get("patternProperties"))
        if pattern in by_pattern:
            found.append((base, by_pattern[pattern]))
        elif not by_pattern and "additionalProperties" in node:
            found.append((base, node["additionalProperties"]))
    return found


def of_others(nodes: Iterable[Here]) -> list[Here]:
    """What is surely asked of members that are neither declared nor match a pattern."""
    return [(base, node["additionalProperties"]) for base, node in dicts(nodes) if "additionalProperties" in node]


def of_index(nodes: Iterable[Here], index: int) -> list[Here]:
    """What is surely asked of the item at an index, counted from 0."""
    found: list[Here] = []
    for base, node in dicts(nodes):
        first = as_list(node.get("prefixItems"))
        if isinstance(most := node.get("maxItems"), int) and most <= index:
            found.append((base, False))
        elif index < len(first) or "items" in node:
            found.append((base, first[index] if index < len(first) else node["items"]))
    return found

"""How much work a schema makes of a value: branches within branches multiply, and validators try every one of them.

`anyOf` over three members of a tree, ten levels deep, is 59,000 ways through some 70 bytes of JSON. Whoever could send
that would stop the event loop, so what would take too many steps is not tried at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from rules.bulk import elements
from rules.samples import Guide, Node

MOST_STEPS: Final = 5_000
"""Subschemas that judging one value may visit, all branches taken: a few milliseconds for the validator."""

MOST_STEPS_EXPLAINED: Final = 2_000
"""The same where every branch's complaint is collected, which costs several times as much."""

_STEPS_A_PART: Final = 20
"""What each item and member may add: a long list is not much work for each of its items."""

_MOST_AT_ONE_PLACE: Final = 1_000
_MOST_SEEN: Final = 20_000
_SAME: Final = ("not", "if", "then", "else")
_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_MAPS: Final = ("dependentSchemas", "dependencies")
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties")
_ITEMS: Final = ("items", "contains", "additionalItems", "unevaluatedItems")


class Effort:
    """Estimates the work of one schema. Safe to use from many threads."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    @cached_property
    def multiplies(self) -> bool:
        """Whether some value could make too much work: branches come back to themselves, or are many at one place."""
        sizes: dict[int, int] = {}
        under_way: set[int] = set()
        branches = loops = False
        todo: list[tuple[str, Any, bool]] = [(base, node, False) for base, node in self._guide.root()]
        while todo and len(sizes) + len(under_way) < _MOST_SEEN:
            base, node, leaving = todo.pop()
            key = id(node)
            if leaving:
                under_way.discard(key)
                sizes[key] = min(_MOST_SEEN, 1 + sum(sizes.get(id(one), 1) for _, one in self._beside(base, node)))
            elif isinstance(node, dict) and key not in sizes:
                loops = loops or key in under_way
                branches = branches or any(len(node.get(word) or ()) > 1 for word in _BRANCHES)
                if key not in under_way:
                    under_way.add(key)
                    todo.append((base, node, True))
                    todo += [(at, one, False) for at, one in (*self._beside(base, node), *_under(base, node))]
        return bool(todo) or (branches and loops) or max(sizes.values(), default=0) > _MOST_AT_ONE_PLACE

    def exceeds(self, value: Any, most: int) -> bool:
        """Whether judging `value` visits more than `most` subschemas, and _STEPS_A_PART for each of its parts."""
        most += _STEPS_A_PART * elements(value)
        todo: list[tuple[str, Any, Any]] = [(base, node, value) for base, node in self._guide.root()]
        steps = 0
        while todo:
            base, node, here = todo.pop()
            steps += 1
            if steps > most:
                return True
            if isinstance(node, dict):
                todo.extend((at, one, here) for at, one in self._beside(base, node))
                todo.extend((base, one, below) for one, below in _inside(node, here))
        return False

    def _beside(self, base: str, node: dict[str, Any]) -> Iterator[Node]:
        """The subschemas that speak of the same value."""
        target = self._guide.follow(node, base)
        if target:
            yield target
        for word in _BRANCHES:
            if isinstance(node.get(word), list):
                yield from ((base, one) for one in node[word])
        yield from ((base, node[word]) for word in _SAME if word in node)
        for word in _MAPS:
            if isinstance(node.get(word), dict):
                yield from ((base, one) for one in node[word].values())


def _inside(node: dict[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
    """The subschemas of what a value holds, each with that part of it."""
    if isinstance(value, dict):
        properties = node.get("properties")
        declared = properties if isinstance(properties, dict) else {}
        yield from ((declared[name], below) for name, below in value.items() if name in declared)
        patterns = node.get("patternProperties")
        for one in patterns.values() if isinstance(patterns, dict) else ():
            yield from ((one, below) for below in value.values())
        for word in _OTHERS:
            if isinstance(node.get(word), dict):
                yield from ((node[word], below) for name, below in value.items() if name not in declared)
    elif isinstance(value, list):
        for word in _ITEMS:
            if isinstance(node.get(word), dict):
                yield from ((node[word], below) for below in value)
        first = node.get("prefixItems", node.get("items"))
        yield from zip(first, value, strict=False) if isinstance(first, list) else ()


def _under(base: str, node: dict[str, Any]) -> Iterator[Node]:
    """The subschemas of what a value could hold."""
    for word in ("properties", "patternProperties"):
        if isinstance(node.get(word), dict):
            yield from ((base, one) for one in node[word].values())
    words = (
        "additionalProperties",
        "unevaluatedProperties",
        "items",
        "contains",
        "additionalItems",
        "unevaluatedItems",
    )
    yield from ((base, node[word]) for word in words if isinstance(node.get(word), dict))
    for word in ("prefixItems", "items"):
        if isinstance(node.get(word), list):
            yield from ((base, one) for one in node[word])

"""Limits of rules files become Limits: `20/hour`, or a mapping with `calls`, `at_once` and `per`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules.obligations import Limit, Per
from rules.shape import duration
from rules.source import LoadProblem, Node

_WORDS: Final = {"second": "s", "minute": "m", "hour": "h", "day": "d"}

OF_RULE: Final[tuple[Per, ...]] = ("principal", "tool")
"""What a rule's limit is kept for when it does not say."""


def read_limits(
    node: Node | None, owner: str, per: tuple[Per, ...] = ()
) -> tuple[tuple[Limit, ...], list[LoadProblem]]:
    """The limits under a key `limit`, whose shape was checked. `per` is what they are kept for unless they say."""
    found: dict[tuple[tuple[Per, ...], float], Limit] = {}
    problems: list[LoadProblem] = []
    for item in node.each() if node else ():
        for limit in _read(item, owner, per, problems):
            if (limit.per, limit.within_s) in found:
                problems.append(item.problem("says the same twice", "keep the lower one"))
            found[limit.per, limit.within_s] = limit
    return tuple(found.values()), problems


def _read(node: Node, owner: str, per: tuple[Per, ...], problems: list[LoadProblem]) -> Iterator[Limit]:
    if not isinstance(node.value, dict):
        yield Limit(owner, per, *_rate(node.value))
        return
    if said := node.under("per"):
        per = _per(said, problems)
    calls, at_once = node.get("calls"), node.get("at_once")
    if not calls and not at_once:
        problems.append(node.problem("limits nothing", "say how many calls: `calls: 20/hour` or `at_once: 3`"))
    if calls:
        yield Limit(owner, per, *_rate(calls.value))
    if at_once:
        yield Limit(owner, per, at_once.value)


def _per(said: list[Node], problems: list[LoadProblem]) -> tuple[Per, ...]:
    names = {node.value for node in said}
    if "all" in names and len(names) > 1:
        problems.append(
            said[0].problem("all callers together cannot be kept apart", "name `all` alone, or leave it out")
        )
    return tuple(sorted(names - {"all"}))


def _rate(text: str) -> tuple[int, float]:
    """Calls, and seconds: of `20/hour` 20 and 3600."""
    calls, _, time = text.partition("/")
    unit = _WORDS.get(time, time)
    return int(calls), duration(unit if unit[0].isdigit() else f"1{unit}")

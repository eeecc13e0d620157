"""Caching: for how long the answer of a read may be given again, and which answers a write makes stale."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rules.naming import matches_pattern
from rules.shape import duration
from rules.source import LoadProblem, Node


@dataclass(frozen=True, slots=True)
class Caching:
    """The answer of a read is given again for `for_s` seconds, to the principal who asked or, where it is `shared`, to
    any that may call the tool. For `stale_s` seconds more it stands in where the backend gives none. `by_token`: it
    also depends on the token that the principal came with.
    """

    for_s: float
    shared: bool = False
    stale_s: float = 0.0
    by_token: bool = False


def read_caching(
    node: Node | None, effect: str, is_looked_at: bool, by_token: bool = False
) -> tuple[Caching | None, list[LoadProblem]]:
    """The key `cache` of a tool, whose form was checked, and what is wrong with it. Answers that nobody looks at are
    never kept, and those to the caller's own token never shared.
    """
    if node is None:
        return None, []
    if not is_looked_at:
        return None, [node.problem("keeps nothing where `redact` is off", "let `redact` name one kind at least")]
    if effect != "read":
        return None, [node.problem("is for reads, and this tool has effects", "leave it out")]
    if not node.items():
        return Caching(duration(node.value), by_token=by_token), []
    shared, stale = node.get("shared"), node.get("stale")
    is_shared = bool(shared and shared.value)
    if shared and is_shared and by_token:
        return None, [shared.problem("cannot be, for each caller has a token of its own there", "leave it out")]
    stale_s = duration(stale.value) if stale else 0.0
    return Caching(duration(node.value["for"].value), is_shared, stale_s, by_token), []


def read_invalidates(
    node: Node | None, effect: str, backend: str, tools: Collection[str]
) -> tuple[frozenset[str], list[LoadProblem]]:
    """The full names of the tools whose answers a call makes stale, and what is wrong with the key `invalidates`.

    `tools` are the short names of the backend's tools, which its patterns speak of.
    """
    if node is None:
        return frozenset(), []
    if effect == "read":
        return frozenset(), [node.problem("is for tools with effects, and this one reads", "leave it out")]
    found: set[str] = set()
    problems: list[LoadProblem] = []
    for one in node.each():
        meant = [short for short in tools if matches_pattern(one.value, short)]
        found.update(f"{backend}.{short}" for short in meant)
        if not meant:
            problems.append(one.problem(f"{one.value} matches no tool of this file", "use names as under `tools`"))
    return frozenset(found), problems

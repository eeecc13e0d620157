"""What changed from one set of rules to the next, in words for the log and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from rules.decide import Ruleset
from rules.rule import Rule
from rules.tools import Backend, Tool

MOST_NAMES = 10
"""Names in one line; of the others only the number is told."""


def changes(old: Ruleset, new: Ruleset) -> tuple[str, ...]:
    """One line for each kind of change, such as `tools added: crm.find, crm.get`; none where all means the same.

    Where something stands in its file does not matter. Changed examples and comments are not told.
    """
    pairs: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any], Callable[[Any], Any]], ...] = (
        ("backends", old.catalog.backends, new.catalog.backends, _backend),
        ("tools", _chosen(old), _chosen(new), _tool),
        ("rules", _by_id(old), _by_id(new), _rule),
    )
    return tuple(line for what, before, after, meaning in pairs for line in _lines(what, before, after, meaning))


def _lines(
    what: str, before: Mapping[str, Any], after: Mapping[str, Any], meaning: Callable[[Any], Any]
) -> Iterator[str]:
    found = {
        "added": after.keys() - before.keys(),
        "removed": before.keys() - after.keys(),
        "changed": {name for name in before.keys() & after.keys() if meaning(before[name]) != meaning(after[name])},
    }
    return (f"{what} {how}: {_listed(sorted(names))}" for how, names in found.items() if names)


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _chosen(rules: Ruleset) -> dict[str, Tool]:
    return {name: tool for name, tool in rules.catalog.tools.items() if tool.is_chosen}


def _by_id(rules: Ruleset) -> dict[str, Rule]:
    return {rule.id: rule for rule in rules.rules}


def _backend(backend: Backend) -> Backend:
    return replace(backend, tools=())


def _tool(tool: Tool) -> tuple[Any, ...]:
    """`hash` stands for the contract of the arguments and the tool's own text, but not for files about replies."""
    return replace(tool, file="", line=0), tool.replies and tool.replies.documents()


def _rule(rule: Rule) -> tuple[Any, ...]:
    """A condition is compared by its text: compiled ones are equal only to themselves."""
    return replace(rule, when=None, file="", line=0), rule.when and rule.when.text

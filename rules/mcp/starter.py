"""The first files of an MCP server: what it has, with effects that are guessed, and rules that allow little."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rules.definitions import Definition, Definitions
from rules.documents import BadSchema
from rules.grammar import NAME
from rules.mcp.meaning import MEANINGS, Meant
from rules.mcp.schemas import LEFT_OUT
from rules.mcp.templates import MOST as MOST_TEMPLATES
from rules.mcp.templates import collide
from rules.openapi.effects import guess
from rules.openapi.names import MOST_TOOL, Unique, tool_name
from rules.openapi.policy import Roles, starter
from rules.openapi.yamltext import comment, lines
from rules.tools import Harm

_GRAVER: Final = ("read", "write", "irreversible", "admin")


@dataclass(slots=True)
class Started:
    """The entries of the backend's file, by key and short name, their contracts by what stands in rules, and what was
    left out and why."""

    entries: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    contracts: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def count(self, effect: str) -> int:
        """How many tools have an effect."""
        return sum(one["effect"] == effect for one in self.entries.get("tools", {}).values())


def effect_of(name: str, definition: Definition) -> Harm:
    """A guess from a tool's name and from what its server says of it: the graver of the two. Nothing that does not
    say that it only reads is taken for a read."""
    said = definition.get("annotations")
    said = said if isinstance(said, dict) else {}
    named = guess("POST", "/", name)
    if said.get("readOnlyHint") is True:
        return named if _GRAVER.index(named) > _GRAVER.index("write") else "read"
    least: Harm = "irreversible" if said.get("destructiveHint") is True else "write"
    return max(named, least, key=_GRAVER.index)


def _said(name: str, definition: Definition) -> dict[str, Any]:
    """What stands in a tool's entry. What seems to ask a question is asked as often as somebody wants to know."""
    effect = effect_of(name, definition)
    asks = effect != "read" and guess("POST", "/", name) == "read"
    return {"effect": effect, "guessed": True, **({"repeatable": True} if asks else {})}


def started(found: Definitions) -> Started:
    """Entries for all that can be used of what a server has."""
    made = Started()
    for one, meant in _usable("tools", found, made):
        _put(made, "tools", _short(one), one, meant, _said(one, meant.definition))
    for one, meant in _usable("prompts", found, made):
        _put(made, "prompts", _short(one), one, meant, {})
    for one, meant in _usable("resources", found, made):
        _put(made, "resources", _short(str(meant.definition.get("name") or one)), "", meant, {"uri": one})
    kept: list[str] = []
    for one, meant in _usable("templates", found, made):
        if len(kept) == MOST_TEMPLATES:
            made.left.append(f"template {one}: there are more than {MOST_TEMPLATES}")
            continue
        if one in found.resources:
            made.left.append(f"template {one}: it is listed as a resource too")
            continue
        if other := next((each for each in kept if collide(each, one)), ""):
            made.left.append(f"template {one}: cannot be told apart from {other}")
            continue
        kept.append(one)
        _put(made, "resources", _short(str(meant.definition.get("name") or one)), "", meant, {"template": one})
    return made


def _usable(kind: str, found: Definitions, made: Started) -> Iterator[tuple[str, Meant]]:
    for name, one in found.of(kind).items():
        try:
            meant = MEANINGS[kind](name, one)
        except BadSchema as bad:
            made.left.append(f"{kind.removesuffix('s')} {name}: {bad.flaws[0].message}")
            continue
        if left := meant.contract.schema.get(LEFT_OUT, ""):
            made.left.append(f"{kind.removesuffix('s')} {name} is there, but its contract lacks {left}")
        yield name, meant


def _short(name: str) -> str:
    return name if re.fullmatch(NAME, name) else tool_name(name, "the", "/resource")


def _put(made: Started, key: str, wanted: str, name: str, meant: Meant, said: dict[str, Any]) -> None:
    """Add an entry under a short name that is free."""
    below = made.entries.setdefault(key, {})
    short = wanted if wanted not in below and len(wanted) <= MOST_TOOL else Unique(MOST_TOOL, below).name(wanted)
    below[short] = {"name": name, **said} if name and name != short else said
    before = "" if key == "tools" else f"{key}/"
    made.contracts[f"{before}{short}"] = {"effect": said.get("effect", "read"), "input": meant.contract.schema}


def backend_file(head: list[str], backend: Mapping[str, Any], made: Started) -> str:
    """The text of the backend's file. `backend` is what stands before the entries."""
    text = [*comment([*head, "Effects are guessed: look at each tool, then delete its line `guessed: true`."])]
    text += lines(dict(backend))
    for key, entries in made.entries.items():
        text.append(f"{key}:")
        text += lines(entries, 2)
    if made.left:
        text += comment(["What could not be taken over:", *made.left])
    return "\n".join(text) + "\n"


def policy_file(name: str, made: Started, roles: Roles) -> str:
    """The text of the starter rules."""
    return starter(name, made.contracts, {}, roles)

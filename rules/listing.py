"""The tool listing: what one caller may use, in the forms that providers of models and MCP clients read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rules.bundle import bundled, flat, shortened
from rules.decide import Ruleset, terms
from rules.facts import Principal
from rules.naming import matches_pattern
from rules.rule import Rule
from rules.tools import Catalog, Tool
from rules.wire import Param

Format = Literal["openai", "anthropic", "mcp", "json"]
Need = Literal["never", "sometimes", "always"]

FORMATS: Final[tuple[Format, ...]] = ("openai", "anthropic", "mcp", "json")

MANY_TOOLS = 20
"""Tools of one caller from which on models choose badly: providers advise to stay below."""

MOST_NAME = 64
"""Characters of a function's name: `^[a-zA-Z0-9_-]{1,64}$` is what all providers take."""

MOST_DESCRIPTION = 1024
"""Characters of a function's description: the least bound among the providers."""

MOST_SCHEMA = 32 * 1024
"""Bytes of one tool's schema in the forms for models. A larger one is shortened: no model reads it."""

MOST_EXACT = 1024 * 1024
"""The same in the form `json`, which is for programs."""

MOST_EXAMPLES = 3

_DIGITS: Final = 8
_NEEDS: Final[Mapping[Need, str]] = {
    "never": "",
    "sometimes": " Some calls wait until a human has approved them.",
    "always": " Each call waits until a human has approved it.",
}
_EFFECTS: Final[Mapping[str, str]] = {
    "read": "Changes nothing.",
    "write": "Changes data.",
    "irreversible": "Cannot be undone.",
    "admin": "Administers the system.",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One tool as one caller sees it. `function` is its name for models, `base` what stands before its path at the
    door.
    """

    tool: Tool
    function: str
    approval: Need
    base: str
    examples: tuple[Mapping[str, Any], ...]

    @property
    def description(self) -> str:
        """What it is for, what it does to the world, and whether a human is asked."""
        tool = self.tool
        terms = f"{_EFFECTS[tool.effect]}{_NEEDS[self.approval]}"
        says = " ".join(tool.says.split()) or tool.call
        room = MOST_DESCRIPTION - len(terms) - 1
        return f"{says if len(says) <= room else says[: room - 4] + ' ...'} {terms}"


def visible(ruleset: Ruleset, principal: Principal) -> tuple[Tool, ...]:
    """The functions that some rule could allow to this principal, by name: no other is ever told of."""
    tools = [tool for _, tool in sorted(ruleset.catalog.tools.items()) if tool.is_function]
    return tuple(tool for tool in tools if ruleset.visible(principal, tool))


def approval(ruleset: Ruleset, principal: Principal, tool: Tool) -> Need:
    """Whether calls of this principal to a tool that it may use wait for a human.

    A rule without a condition grants every call. More granting rules only ever add an approval (see `terms`), so the
    fewest that can grant together tell whether there is a call without one, and all of them whether there is one with.
    """
    grants = ruleset.grants(principal, tool)
    sure = [rule for rule in grants if rule.when is None]
    fewest: Iterable[list[Rule]] = [sure] if sure else [[rule] for rule in grants]
    if not terms(tool, grants)[0]:
        return "never"
    return "always" if all(terms(tool, few)[0] for few in fewest) else "sometimes"


def listed(ruleset: Ruleset, principal: Principal, pattern: str = "*", hosted: str = "") -> tuple[Listed, ...]:
    """What a principal may use of the tools that fit a pattern.

    Where the Host chose a backend, `hosted` is its name: only its tools can be reached there, by their own path.
    """
    names = functions(ruleset.catalog)
    return tuple(
        Listed(
            tool,
            names[tool.name],
            approval(ruleset, principal, tool),
            "" if hosted else f"/{tool.backend}",
            tuple(_examples(ruleset, principal, tool)),
        )
        for tool in visible(ruleset, principal)
        if matches_pattern(pattern, tool.name) and hosted in ("", tool.backend)
    )


def functions(catalog: Catalog) -> dict[str, str]:
    """For each tool the name by which models call it: `crm.get_customer` is `crm__get_customer`.

    The first `__` stands for the dot. Where that would be too long or could be read in two ways, the end is a piece of
    the SHA-256 of the tool's name instead; the form `json` says which name is meant. All names differ, and none
    depends on who asks.
    """
    found = {tool.name: _plain(tool) for tool in catalog.tools.values() if tool.is_function}
    taken = {name for name in found.values() if name}
    for name in sorted(name for name, plain in found.items() if not plain):
        digest = hashlib.sha256(name.encode()).hexdigest()
        digits = _DIGITS
        while (made := _cut(name, digest[:digits])) in taken:
            digits += 1
        taken.add(made)
        found[name] = made
    return found


def _plain(tool: Tool) -> str:
    """The readable name, or nothing where it would be too long or the way back not clear."""
    clear = "__" not in tool.backend and not tool.backend.endswith("_")
    name = f"{tool.backend}__{tool.short}"
    return name if clear and len(name) <= MOST_NAME else ""


def _cut(name: str, digits: str) -> str:
    return f"{name.replace('.', '__')[: MOST_NAME - len(digits) - 1]}_{digits}"


def _examples(ruleset: Ruleset, principal: Principal, tool: Tool) -> Iterator[Mapping[str, Any]]:
    """Arguments that fit: those of the authors' examples that speak of such a caller, else made."""
    found: list[Mapping[str, Any]] = []
    for each in ruleset.examples:
        good = each.tool == tool.name and each.expect in ("allow", "approval")
        if good and _speaks_of(each.principal, principal) and each.args not in found:
            found.append(each.args)
    if not found and isinstance(made := tool.contract.example(), dict):
        found.append(made)
    yield from found[:MOST_EXAMPLES]


def _speaks_of(imagined: Principal, principal: Principal) -> bool:
    """Whether an example's caller could be this one: it has no role, id, agent or user that this one has not."""
    who = (imagined.id, imagined.agent, imagined.user)
    known = (("example", principal.id), ("", principal.agent), ("", principal.user))
    return imagined.roles <= principal.roles and all(one in each for one, each in zip(who, known, strict=True))


def rendered(tools: Iterable[Listed], form: Format) -> dict[str, Any]:
    """The listing as a JSON object with the member `tools`."""
    write = {"openai": _openai, "anthropic": _anthropic, "mcp": _mcp, "json": _json}[form]
    return {"tools": [write(each) for each in tools]}


def _openai(each: Listed) -> dict[str, Any]:
    function = {"name": each.function, "description": each.description, "parameters": _for_models(each)}
    return {"type": "function", "function": function}


def _anthropic(each: Listed) -> dict[str, Any]:
    return {"name": each.function, "description": each.description, "input_schema": _for_models(each)}


def _mcp(each: Listed) -> dict[str, Any]:
    effect = each.tool.effect
    return {
        "name": each.function,
        "description": each.description,
        "inputSchema": _for_models(each),
        "annotations": {"readOnlyHint": effect == "read", "destructiveHint": effect in ("irreversible", "admin")},
        "_meta": {"toolwall/tool": each.tool.name, "toolwall/effect": effect, "toolwall/approval": each.approval},
    }


def _json(each: Listed) -> dict[str, Any]:
    tool = each.tool
    schema, exact = bundled(tool.contract)
    if len(json.dumps(schema)) > MOST_EXACT:
        schema, exact = shortened(flat(tool.contract, schema), tool.contract), False
    entry = {
        "name": tool.name,
        "function": each.function,
        "says": tool.says,
        "effect": tool.effect,
        "approval": each.approval,
        **_way(each),
        "input": schema,
        "examples": list(each.examples),
    }
    if tool.body_wire:
        entry["body"] = list(tool.body_types)
    if passing := [slot for slot in tool.credentials if slot.passes]:
        entry["credentials"] = [{"send": slot.send, "name": slot.name} for slot in passing]
    return entry if exact else entry | {"shortened": True}


def _way(each: Listed) -> dict[str, Any]:
    """How it is called at the door: by a request of its own, or by a message to the endpoint of an MCP server."""
    tool = each.tool
    if tool.mcp:
        return {"mcp": {"endpoint": f"{each.base}/mcp", "method": tool.mcp.method, "name": tool.mcp.name}}
    return {"method": tool.method, "path": each.base + tool.path, "arguments": _places(tool)}


def _for_models(each: Listed) -> dict[str, Any]:
    contract = each.tool.contract
    shape = flat(contract, bundled(contract)[0])
    if len(json.dumps(shape)) > MOST_SCHEMA:
        shape = shortened(shape, contract)
    return shape | ({"examples": list(each.examples)} if each.examples else {})


def _places(tool: Tool) -> dict[str, Any]:
    """Where each argument travels: its place, its name there, and how arrays and objects are written."""
    places = {param.name: _place(param) for param in tool.params}
    if tool.whole_body:
        return places | {"body": {"in": "body"}}
    fields = {param.name: _place(param) for param in tool.body_params}
    return places | {name: {"in": "body", "name": wire} for name, wire in tool.body_wire.items()} | fields


def _place(param: Param) -> dict[str, Any]:
    place: dict[str, Any] = {"in": param.place, "name": param.wire}
    return place if param.is_plain else place | {"style": param.style, "explode": param.explode}

"""Starter rules for an imported backend: who may read, who may write, what a human confirms, what stays shut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.documents import BadSchema, Library
from rules.openapi.yamltext import comment, lines
from rules.problems import NO_EXAMPLE
from rules.schema import Contract

MOST_TRIED: Final = 40
"""Tools of one effect that are looked at for an example."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who may do what, by role: placeholders until somebody names them."""

    reader: str = "reader"
    writer: str = "writer"
    approver: str = "approver"


def starter(name: str, tools: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, Any], roles: Roles) -> str:
    """The text of the policy file."""
    by_effect: dict[str, list[str]] = {}
    for short, tool in tools.items():
        by_effect.setdefault(tool["effect"], []).append(f"{name}.{short}")
    head = comment(
        [
            f"Starter rules for {name}. Whatever no rule allows is refused.",
            f"Give agents the role {roles.reader} or {roles.writer} (`api_keys` in toolwall.yaml), or write your own.",
        ]
    )
    return (
        "\n".join([*head, *_rules(name, by_effect, roles), *_examples(name, tools, by_effect, schemas, roles)]) + "\n"
    )


def _rules(name: str, by_effect: Mapping[str, list[str]], roles: Roles) -> Iterator[str]:
    if not by_effect:
        yield from comment(["There are no tools, so there are no rules."])
        return
    yield "rules:"
    makers = {"read": _reads, "write": _writes, "irreversible": _irreversible, "admin": _admin}
    for effect, make in makers.items():
        if effect in by_effect:
            yield from make(name, by_effect[effect], roles)


def _reads(name: str, tools: list[str], roles: Roles) -> Iterator[str]:
    rule = {"id": f"{name}-reads", "says": "Looking changes nothing.", "allow": tools, "to": {"roles": [roles.reader]}}
    yield from lines([rule], 2)


def _writes(name: str, tools: list[str], roles: Roles) -> Iterator[str]:
    rule = {"id": f"{name}-writes", "says": "Changes that can be taken back.", "allow": tools}
    yield from lines([{**rule, "to": {"roles": [roles.writer]}}], 2)


def _irreversible(name: str, tools: list[str], roles: Roles) -> Iterator[str]:
    yield from comment(["Each of these calls waits until somebody with the role below says yes."], 2)
    rule = {"id": f"{name}-irreversible", "says": "What cannot be taken back needs a human.", "allow": tools}
    approval = {"approval": {"by": roles.approver, "within": "15m"}}
    yield from lines([{**rule, "to": {"roles": [roles.writer]}, "require": approval}], 2)


def _admin(name: str, tools: list[str], roles: Roles) -> Iterator[str]:
    yield from comment(
        [
            "These look like administration: rights, keys, settings of everybody. Any deny wins, so to open one,",
            "take it out of this list and write an `allow` for it with `require: {approval: {by: ..., within: ...}}`.",
        ],
        2,
    )
    yield from lines([{"id": f"{name}-admin", "says": "Administration stays shut.", "deny": tools}], 2)


_EXPECTED: Final = {"read": "allow", "write": "allow", "irreversible": "approval", "admin": "deny"}


def _examples(
    name: str,
    tools: Mapping[str, Mapping[str, Any]],
    by_effect: Mapping[str, list[str]],
    schemas: Mapping[str, Any],
    roles: Roles,
) -> Iterator[str]:
    """One example that its rule decides for each effect, and one caller who has no role for it."""
    library = Library(None, schemas)
    found: list[dict[str, Any]] = []
    for effect in (one for one in _EXPECTED if one in by_effect):
        role = roles.reader if effect == "read" else roles.writer
        for full in sorted(by_effect[effect], key=lambda one: _needs(tools[one.partition(".")[2]]))[:MOST_TRIED]:
            args = _arguments(tools[full.partition(".")[2]], library)
            if args is not None:
                found += _pair(full, args, role, _EXPECTED[effect])
                break
    if found:
        yield "examples:"
        yield from comment(["`toolwall test` runs these; write one for each rule of your own."], 2)
        yield from lines(found, 2)


def _arguments(tool: Mapping[str, Any], library: Library) -> dict[str, Any] | None:
    """Arguments that the contract of a tool allows, or None where none were found."""
    try:
        made = Contract(contract(tool), library).example()
    except BadSchema:
        return None
    return None if made is NO_EXAMPLE else made


def _pair(full: str, args: dict[str, Any], role: str, expect: str) -> Iterator[dict[str, Any]]:
    with_args = {"args": args} if args else {}
    yield {"as": {"roles": [role]}, "call": full, **with_args, "expect": expect}
    if expect != "deny":
        yield {"as": {"roles": ["nobody"]}, "call": full, **with_args, "expect": "deny"}


def contract(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, with references as they stand in the rules folder."""
    if "input" in tool:
        return dict(tool["input"])
    args = {name: dict(one) for name, one in tool.get("args", {}).items()}
    optional = {name for name, one in args.items() if one.pop("optional", False)}
    return {
        "type": "object",
        "properties": args,
        "required": [name for name in args if name not in optional],
        "additionalProperties": False,
    }


def _needs(tool: Mapping[str, Any]) -> tuple[int, int]:
    """How much a call of a tool has to say: examples are best where they are short."""
    schema = contract(tool)
    needed = schema.get("required", [])
    return len(needed), sum("$ref" in str(schema.get("properties", {}).get(name)) for name in needed)

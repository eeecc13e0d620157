"""Undo: which tool takes back what a call did, and where its arguments come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from rules.cel import BadCondition
from rules.formula import ARGS, REPLY, Formula
from rules.problems import closest, listed
from rules.shape import DURATION, Form, Key, Table, Text, duration
from rules.source import LoadProblem, Node
from rules.tools import Taken, Tool, Undo

WITHIN_S: Final = 24 * 3600.0
"""How long a call can be undone, unless its contract says otherwise."""

_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")
SHORT: Final = Text(r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", "the short name of a tool of this file")
WITH: Final = Table(Text(), like="an argument's name", may_be_empty=True)
UNDO: Final = Form(
    {
        "tool": Key(SHORT, "The tool of this backend that undoes it.", required=True),
        "with": Key(
            WITH, "Its arguments: for each an expression in CEL over `args` and `reply`, the answer as JSON.", True
        ),
        "within": Key(_Duration, "For how long it can be undone; 24h without it."),
    }
)


def read_undos(root: Node, tools: Collection[Tool]) -> tuple[list[Tool], list[LoadProblem]]:
    """The tools of a backend's file with what their keys `undo` say, and what is wrong with these."""
    known, names = {tool.short: tool for tool in tools}, names_of(root)
    made: list[Tool] = []
    problems: list[LoadProblem] = []
    for tool in tools:
        node = _node(root, tool.short)
        undo, wrong = _undo(node, tool, known, names) if node else (None, [])
        problems += wrong
        made.append(replace(tool, undo=undo) if undo else tool)
    return made, problems


def _node(root: Node, short: str) -> Node | None:
    tools = root.get("tools")
    tool = tools.get(short) if tools else None
    return tool.get("undo") if tool else None


def names_of(root: Node) -> list[str]:
    """The short names of all tools of a file, also of those that cannot be used."""
    tools = root.get("tools")
    return [short for short, _ in tools.items()] if tools else []


def _undo(
    node: Node, tool: Tool, known: Mapping[str, Tool], names: Collection[str]
) -> tuple[Undo | None, list[LoadProblem]]:
    if tool.effect == "read":
        return None, [node.problem("is for tools with effects, and this one reads", "leave it out")]
    by, problems = target(node, known, names)
    if by is None:
        return None, problems
    if by.effect == "read":
        problems.append(node.value["tool"].problem(f"{by.short} reads, so it undoes nothing", "name another tool"))
    elif by.once is None:
        hint = "take `repeatable` away there: what undoes must be done once"
        problems.append(node.value["tool"].problem(f"{by.short} is repeatable", hint))
    taken, wrong = read_with(node.value["with"], tool, by, (ARGS, REPLY))
    if by.short == tool.short and all(formula.text == f"args.{name}" for name, formula in taken):
        problems.append(node.problem("would do the same again", "let other arguments undo it, or another tool"))
    within = node.get("within")
    undo = Undo(by.name, taken, duration(within.value) if within else WITHIN_S)
    problems += wrong
    return (None, problems) if problems else (undo, [])


def target(node: Node, known: Mapping[str, Tool], names: Collection[str]) -> tuple[Tool | None, list[LoadProblem]]:
    """The tool that the key `tool` names. None without a problem where that tool has problems of its own."""
    said = node.value["tool"]
    if said.value in known:
        return known[said.value], []
    if said.value in names:
        return None, []
    near = closest(said.value, names)
    hint = f"did you mean {near}?" if near else f"this file has: {listed(sorted(names))}"
    return None, [said.problem(f"there is no tool {said.value} in this file", hint)]


def read_with(node: Node, tool: Tool, by: Tool, names: tuple[str, ...]) -> tuple[Taken, list[LoadProblem]]:
    """The arguments of a call of `by`, as formulas over one of `tool`; `names` are what these may use."""
    problems: list[LoadProblem] = []
    taken: list[tuple[str, Formula]] = []
    for name, said in node.items():
        if name not in by.contract.names and not by.contract.is_open:
            near = closest(name, by.contract.names)
            hint = f"did you mean {near}?" if near else f"it has: {listed(sorted(by.contract.names))}"
            problems.append(node.key_problem(name, f"is no argument of {by.short}", hint))
        try:
            formula = Formula(said.value, names)
        except BadCondition as bad:
            problems.append(said.problem(str(bad), bad.hint))
            continue
        problems += arguments_of(formula, said, tool)
        taken.append((name, formula))
    given = {name for name, _ in node.items()}
    for name in sorted(by.contract.guide.required() - given):
        problems.append(node.problem(f"lacks {name}, which {by.short} requires", "say where it comes from"))
    if not by.writes_as and any(by.travels(name)[0] == "body" for name in given):
        hint = "name a tool whose body is JSON, a form or text"
        problems.append(node.problem(f"{by.short} takes a body that cannot be written from values", hint))
    return tuple(taken), problems


def arguments_of(formula: Formula, node: Node, tool: Tool) -> list[LoadProblem]:
    """What is wrong with the arguments that a formula asks for."""
    problems = []
    required = tool.contract.guide.required()
    for name, asks in formula.arguments.items():
        if name not in tool.contract.names:
            near = closest(name, tool.contract.names)
            hint = f"did you mean args.{near}?" if near else "name an argument of this tool"
            problems.append(node.problem(f"args.{name} is no argument of {tool.short}", hint))
        elif name not in required and not asks:
            hint = f"such as has(args.{name}) ? args.{name} : ..."
            problems.append(node.problem(f"args.{name} is optional, so it may be missing", hint))
    return problems


def taken(pairs: Taken, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that the formulas give. Raises Untold."""
    return {name: formula.value(facts) for name, formula in pairs}

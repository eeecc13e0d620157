"""Settling: which tool tells whether a call was carried out, where its answer was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from rules.cel import BadCondition
from rules.formula import ARGS, REPLY, STATUS, Formula
from rules.shape import DURATION, Form, Key, Text, duration
from rules.source import LoadProblem, Node
from rules.tools import SettleBy, Tool
from rules.undo import SHORT, WITH, arguments_of, names_of, read_with, target

AFTER_S: Final = 60.0
"""How long after a lost answer it counts that nothing is there: the backend may still have been at it."""

SETTLE_BY: Final = Form(
    {
        "tool": Key(SHORT, "The tool of this backend that tells it, which reads.", required=True),
        "with": Key(WITH, "Its arguments: for each an expression in CEL over `args`, those of the call.", True),
        "done": Key(
            Text(), "What is true where it was done, false where not: CEL over `args`, `status` and `reply`.", True
        ),
        "after": Key(
            Text(DURATION, "a duration such as 500ms, 10s or 15m"),
            "From when on it counts that it was not done; 1m without it.",
        ),
    }
)


def read_settle_by(root: Node, tools: Collection[Tool]) -> tuple[list[Tool], list[LoadProblem]]:
    """The tools of a backend's file with what their keys `settle_by` say, and what is wrong with these."""
    known, names = {tool.short: tool for tool in tools}, names_of(root)
    found: dict[str, SettleBy] = {}
    problems: list[LoadProblem] = []
    for tool in tools:
        if node := _node(root, tool.short):
            settle_by, wrong = _settle_by(node, tool, known, names)
            problems += wrong
            if settle_by:
                found[tool.short] = settle_by
    asked = {each.tool for each in found.values()}
    if not found:
        return [*tools], problems
    return [replace(tool, settle_by=found.get(tool.short), tells=tool.name in asked) for tool in tools], problems


def _node(root: Node, short: str) -> Node | None:
    tools = root.get("tools")
    tool = tools.get(short) if tools else None
    return tool.get("settle_by") if tool else None


def _settle_by(
    node: Node, tool: Tool, known: Mapping[str, Tool], names: Collection[str]
) -> tuple[SettleBy | None, list[LoadProblem]]:
    if tool.effect == "read":
        return None, [node.problem("is for tools with effects, and this one reads", "leave it out")]
    by, problems = target(node, known, names)
    if by is None:
        return None, problems
    if by.effect != "read":
        problems.append(node.value["tool"].problem(f"{by.short} has effects", "name a tool that reads"))
    taken, wrong = read_with(node.value["with"], tool, by, (ARGS,))
    done, bad = _done(node.value["done"], tool)
    after, problems = node.get("after"), [*problems, *wrong, *bad]
    if problems or done is None:
        return None, problems
    return SettleBy(by.name, taken, done, duration(after.value) if after else AFTER_S), []


def _done(node: Node, tool: Tool) -> tuple[Formula | None, list[LoadProblem]]:
    try:
        done = Formula(node.value, (ARGS, REPLY, STATUS), is_question=True)
    except BadCondition as bad:
        return None, [node.problem(str(bad), bad.hint)]
    if not done.uses & {REPLY, STATUS}:
        return None, [node.problem("does not look at the answer", "ask for `reply` or `status`")]
    return done, arguments_of(done, node, tool)

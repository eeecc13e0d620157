"""Calls that follow a call of an MCP server's tool: what undoes it, and what tells whether it was carried out."""

from __future__ import annotations

from collections.abc import Iterator

from rules.definitions import Definitions
from rules.formula import REPLY, STATUS
from rules.settle import read_settle_by
from rules.source import LoadProblem, Node
from rules.tools import Tool
from rules.undo import read_undos

_KEYS = ("undo", "settle_by")


def read_following(root: Node, tools: list[Tool], accepted: Definitions) -> tuple[list[Tool], list[LoadProblem]]:
    """The tools of a server's file with what their keys `undo` and `settle_by` say, and what is wrong with these."""
    if root.text("url").startswith("stdio:"):
        return tools, list(_out_of_place(root))
    tools, problems = read_undos(root, tools)
    tools, besides = read_settle_by(root, tools)
    shorts = {tool.name: tool for tool in tools}
    for tool in tools:
        for key, by in zip(_KEYS, (tool.undo, tool.settle_by), strict=True):
            if by is not None:
                besides += _uncallable(root.value["tools"].value[tool.short].value[key], shorts[by.tool], accepted)
        if tool.settle_by:
            besides += _questions(root.value["tools"].value[tool.short].value["settle_by"], tool)
    return tools, [*problems, *besides]


def _out_of_place(root: Node) -> Iterator[LoadProblem]:
    below = root.get("tools")
    for _, node in below.items() if below else ():
        for key in _KEYS:
            if node.get(key):
                hint = "leave it out: what is undone there is undone by the client"
                yield node.key_problem(key, "has no place where `url` is stdio: such a server has one client", hint)


def _uncallable(node: Node, by: Tool, accepted: Definitions) -> Iterator[LoadProblem]:
    execution = accepted.tools.get(by.mcp.name, {}).get("execution") if by.mcp else None
    if isinstance(execution, dict) and execution.get("taskSupport") == "required":
        yield node.value["tool"].problem(
            f"{by.short} only goes as a task, and nobody would wait for it", "name another"
        )


def _questions(node: Node, tool: Tool) -> Iterator[LoadProblem]:
    """An MCP server has no status that says that something is not there."""
    assert tool.settle_by is not None
    if STATUS in tool.settle_by.done.uses or REPLY not in tool.settle_by.done.uses:
        hint = "ask for `reply`, such as size(reply.orders) > 0"
        yield node.value["done"].problem("looks at `status`, which an MCP server does not have", hint)

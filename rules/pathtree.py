"""The tree of the path templates of one backend and method: which tools a path means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rules.template import Segment, parse

if TYPE_CHECKING:
    from rules.tools import Tool


class Node:
    """One place in the tree of templates of a backend and method."""

    __slots__ = ("literals", "params", "tools")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.params: list[tuple[Segment, Node]] = []
        self.tools: list[Tool] | None = None


def grow(node: Node, tool: Tool) -> None:
    """Add a tool below the root."""
    for segment in parse(tool.path):
        node = _child(node, segment)
    node.tools = [*(node.tools or ()), tool]


def _child(node: Node, segment: Segment) -> Node:
    if not segment.names:
        return node.literals.setdefault(segment.texts[0], Node())
    for known, below in node.params:
        if known.texts == segment.texts:
            return below
    below = Node()
    node.params.append((segment, below))
    node.params.sort(key=lambda pair: pair[0].weight)
    return below


def walk(node: Node, segments: Sequence[str], index: int, values: list[str]) -> list[Tool] | None:
    """The tools at the end of the segments; `values` collects what the parameters took."""
    if index == len(segments):
        return node.tools
    text = segments[index]
    below = node.literals.get(text)
    if below is not None and (tools := walk(below, segments, index + 1, values)) is not None:
        return tools
    for segment, below in node.params:
        if (found := segment.values(text)) is not None:
            values.extend(found)
            if (tools := walk(below, segments, index + 1, values)) is not None:
                return tools
            del values[-len(found) :]
    return None

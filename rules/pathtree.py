"""The tree of the path templates of one backend and method: which tools a path means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rules.template import Segment, loose, parse, trimmed

if TYPE_CHECKING:
    from rules.tools import Tool


class Node:
    """One place in the tree of templates of a backend and method."""

    __slots__ = ("literals", "params", "tools")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.params: list[tuple[Segment, Node]] = []
        self.tools: list[Tool] | None = None


class Tree:
    """The templates of one backend and method, and the same as others may read them."""

    __slots__ = ("_loose", "_root")

    def __init__(self) -> None:
        self._root = Node()
        self._loose = Node()

    def grow(self, tool: Tool) -> None:
        """Add a tool."""
        segments = parse(tool.path)
        _grow(self._root, segments, tool)
        _grow(self._loose, [segment.loosely() for segment in segments], tool)

    def find(self, path: str) -> tuple[list[Tool], list[str]] | None:
        """The tools that a path means, and what their parameters take of it.

        None also where it means others for a server that decodes it first, or that does not tell case apart, or drops
        spaces around a segment and dots behind it: there `/things/%65xport`, `/things/Export` and `/things/export%20`
        are `/things/export`, here they would be things of that name.
        """
        values: list[str] = []
        tools = walk(self._root, path.split("/"), 1, values)
        if tools is None or (values and not self._is_plain(path, tools)):
            return None
        return tools, values

    def _is_plain(self, path: str, tools: list[Tool]) -> bool:
        segments = [loose(segment) for segment in path.split("/")]
        short = trimmed(segments)
        return self._means(segments, tools) and (short == segments or self._means(short, tools))

    def _means(self, segments: list[str], tools: list[Tool]) -> bool:
        others = walk(self._loose, segments, 1, [])
        return others is not None and all(tool in others for tool in tools)


def _grow(node: Node, segments: Sequence[Segment], tool: Tool) -> None:
    for segment in segments:
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

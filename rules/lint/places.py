"""Where things stand in the files: a loaded tool knows its first line, a review wants the line of the argument."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from rules.rule import Rule
from rules.source import Node, read
from rules.tools import Tool

Place = tuple[str, int]
"""A file, relative to the rules folder, and a line."""


class Places:
    """Reads a file again when the first of its places is asked for, but for those whose `documents` are known. Without
    a folder a place is the thing's own."""

    def __init__(self, folder: Path | None, documents: Mapping[str, Node] = MappingProxyType({})) -> None:
        self._folder = folder
        self._roots: dict[str, Node | None] = dict(documents)
        self._rules: dict[str, dict[str, Node]] = {}

    def tool(self, tool: Tool, *path: str) -> Place:
        """The deepest key of `path` that this tool's mapping has."""
        node = self._tool(tool)
        return tool.file, (_line(node, path) if node else 0) or tool.line

    def argument(self, tool: Tool, name: str) -> Place:
        """The line that declares an argument; that of the contract where it lies in another file."""
        node = self._tool(tool)
        word = "input" if node and node.get("input") else "args"
        return self.tool(tool, word, *(("properties",) if word == "input" else ()), name)

    def rule(self, rule: Rule, *path: str) -> Place:
        """The deepest key of `path` that this rule has."""
        if rule.file not in self._rules:
            root = self._root(rule.file)
            self._rules[rule.file] = {node.text("id"): node for node in root.under("rules")} if root else {}
        node = self._rules[rule.file].get(rule.id)
        return rule.file, (_line(node, path) if node else 0) or rule.line

    def backend(self, file: str, *path: str) -> Place:
        """The deepest key of `path` that a backend file has."""
        root = self._root(file)
        return file, (_line(root, path) if root else 0) or 1

    def chosen(self, tool: Tool, key: str) -> bool:
        """Whether the author wrote this key for the tool or for its backend. Without files: yes."""
        root, node = self._root(tool.file), self._tool(tool)
        return root is None or node is None or bool(node.get(key) or root.get(key))

    def _tool(self, tool: Tool) -> Node | None:
        root = self._root(tool.file)
        kind, slash, name = tool.short.partition("/")
        tools = root.get(kind if slash else "tools") if root else None
        return tools.get(name if slash else tool.short) if tools else None

    def _root(self, file: str) -> Node | None:
        if file not in self._roots:
            self._roots[file] = _parsed(self._folder, file)
        return self._roots[file]


def _parsed(folder: Path | None, file: str) -> Node | None:
    """A file's document; None where it is gone since it was loaded."""
    if folder is None or not file:
        return None
    try:
        return read(file, (folder / file).read_bytes())[0]
    except OSError:
        return None


def _line(node: Node | None, path: tuple[str, ...]) -> int:
    """The line of the deepest key that is there; 0 where none is."""
    line = 0
    for key in path:
        below = node.get(key) if node else None
        if node is None or below is None:
            break
        line = node.keys[key][0]
        node = below
    return line

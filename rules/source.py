"""YAML with positions: every value knows its file, line, column and path.

YAML 1.2 core schema (yaml.org/spec/1.2.2, 10.3): `NO`, `on` and `yes` are text, `0o17` is octal, `1_000` is text.
Anchors, aliases, tags, merge keys, second documents and duplicate keys are errors: what a reviewer reads is what
counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

try:
    from yaml import CLoader as Loader
except ImportError:  # a PyYAML that was built without libyaml
    from yaml import Loader  # type: ignore[assignment]

MOST_DEPTH = 64
"""Nesting of a file. Rules need 12 levels and contracts some 30; reading recurses."""

MOST_DIGITS = 400
"""Of a number. Python refuses to read 4,300 digits; no JSON number needs 400."""

_QUOTED: Final = frozenset(("'", '"', "|", ">"))
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL: Final = {**dict.fromkeys(("true", "True", "TRUE"), True), **dict.fromkeys(("false", "False", "FALSE"), False)}
_INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_STATUS: Final = re.compile(r"[1-5][0-9]{2}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True, order=True)
class LoadProblem:
    """Something wrong in a rules file: where (line and column count from 1), what, and what to do about it."""

    file: str
    line: int
    col: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        where = f"{self.path}: " if self.path else ""
        # One problem is one line, whatever a key holds.
        return f"{self.file}:{self.line}:{self.col}: {where}{self.message}{hint}".replace("\n", "\\n")


@dataclass(slots=True)
class Node:
    """A value of a file: a dict of Nodes, a list of Nodes, or a scalar as JSON has it. `keys` says where keys stand."""

    value: Any
    file: str
    line: int
    col: int
    path: str = ""
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    def problem(self, message: str, hint: str = "") -> LoadProblem:
        """A problem with this value."""
        return LoadProblem(self.file, self.line, self.col, self.path, message, hint)

    def key_problem(self, key: str, message: str, hint: str = "") -> LoadProblem:
        """A problem with one of this mapping's keys."""
        line, col = self.keys.get(key, (self.line, self.col))
        return LoadProblem(self.file, line, col, _join(self.path, key), message, hint)

    def get(self, key: str) -> Node | None:
        """The value under a key, where this is a mapping that has it."""
        found: Node | None = self.value.get(key) if isinstance(self.value, dict) else None
        return found

    def items(self) -> list[tuple[str, Node]]:
        """The members of a mapping; nothing for anything else."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def under(self, key: str) -> list[Node]:
        """The items of the list under a key; nothing where there is none. One value counts as a list of one."""
        found = self.get(key)
        return found.each() if found else []

    def text(self, key: str) -> str:
        """The text under a key; empty where there is none."""
        found = self.get(key)
        return str(found.value) if found else ""

    def each(self) -> list[Node]:
        """The items of a list; a single value is a list of one."""
        return list(self.value) if isinstance(self.value, list) else [self]

    def plain(self) -> Any:
        """The value as plain JSON."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value

    def at(self, path: tuple[str | int, ...], message: str, hint: str = "") -> LoadProblem:
        """A problem with what lies at a path below, as near as this file shows it."""
        here = self
        for index, part in enumerate(path):
            below = here.value[part] if _has(here.value, part) else None
            if below is None:
                break
            if index == len(path) - 1 and isinstance(part, str):
                return here.key_problem(part, message, hint)
            here = below
        return here.problem(message, hint)


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _join(path: str, part: str | int) -> str:
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


def read(file: str, data: bytes) -> tuple[Node | None, list[LoadProblem]]:
    """Parse one file. Returns its only document (None where it is empty or cannot be read) and all problems."""
    problems: list[LoadProblem] = []
    try:
        text = data.decode("utf-8-sig")
        return _Reader(file, yaml.parse(text, Loader=Loader), problems).document(), problems
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(LoadProblem(file, line, 1, "", "is not UTF-8", "save the file as UTF-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        hint = "indent with spaces, never with tabs" if mark and text[mark.index : mark.index + 1] == "\t" else ""
        problems.append(LoadProblem(file, line, col, "", f"is not YAML: {error.problem or error.context}", hint))
    except yaml.YAMLError as error:
        problems.append(LoadProblem(file, 1, 1, "", f"is not YAML: {str(error).partition(chr(10))[0]}"))
    return None, problems


class _Reader:
    """Builds Nodes from the parser's events and notes what has no place in a rules file."""

    def __init__(self, file: str, events: Iterator[Any], problems: list[LoadProblem]) -> None:
        self.file = file
        self.events = events
        self.problems = problems

    def document(self) -> Node | None:
        """The single document of the stream."""
        next(self.events)
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._wrong(event, "", "starts a second document", "put it into a file of its own")
                    return root
                root = self._value(next(self.events), "", 0)
        return None if root is None or root.value is None else root

    def _value(self, event: Any, path: str, depth: int) -> Node:
        node = Node(None, self.file, event.start_mark.line + 1, event.start_mark.column + 1, path)
        if isinstance(event, yaml.AliasEvent):
            self._wrong(event, path, "is an alias", "write the value out: what is read is what counts")
            return node
        self._refuse_decoration(event, path)
        if isinstance(event, yaml.ScalarEvent):
            node.value = self._scalar(event, path)
        elif depth >= MOST_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MOST_DEPTH} levels", problem_mark=event.start_mark)
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = self._sequence(path, depth + 1)
        else:
            node.value = self._mapping(node, path, depth + 1)
        return node

    def _refuse_decoration(self, event: Any, path: str) -> None:
        if event.anchor:
            self._wrong(event, path, "has an anchor", "write the value out where it is used")
        if event.tag not in (None, "!"):
            self._wrong(event, path, "has a tag", "remove it: quotes make text, everything else reads as JSON would")

    def _sequence(self, path: str, depth: int) -> list[Node]:
        nodes: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            nodes.append(self._value(event, _join(path, len(nodes)), depth))
        return nodes

    def _mapping(self, node: Node, path: str, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, path, depth)
            below = self._value(next(self.events), _join(path, key or "?"), depth)
            if key is None:
                continue
            if key in members:
                hint = f"it stands first in line {node.keys[key][0]}"
                self._wrong(event, _join(path, key), "is a duplicate key", hint)
                continue
            members[key] = below
            node.keys[key] = (event.start_mark.line + 1, event.start_mark.column + 1)
        return members

    def _key(self, event: Any, path: str, depth: int) -> str | None:
        key = self._value(event, path, depth).value
        if isinstance(key, int) and _STATUS.fullmatch(event.value):
            return str(event.value)  # an HTTP status is written without quotes everywhere, and can be read in one way
        if not isinstance(key, str):
            self._wrong(event, path, "has a key that is not text", "put the key into quotes")
        elif key == "<<" and event.style not in _QUOTED:
            self._wrong(event, path, "has a merge key", "write the values out: what is read is what counts")
        else:
            return key
        return None

    def _scalar(self, event: Any, path: str) -> Any:
        text: str = event.value
        if event.style in _QUOTED:
            return text
        if len(text) > MOST_DIGITS and _FLOAT.fullmatch(text):
            self._wrong(event, path, f"has more than {MOST_DIGITS} digits")
            return None
        value = scalar(text)
        if _NOT_FINITE.fullmatch(text) or value in (math.inf, -math.inf):
            self._wrong(event, path, "is not a number that JSON has")
            return None
        return value

    def _wrong(self, event: Any, path: str, message: str, hint: str = "") -> None:
        mark = event.start_mark
        self.problems.append(LoadProblem(self.file, mark.line + 1, mark.column + 1, path, message, hint))


_BASES: Final[dict[str, Callable[[str], int]]] = {"0o": lambda t: int(t, 8), "0x": lambda t: int(t, 16)}


def scalar(text: str) -> Any:
    """A plain scalar under the YAML 1.2 core schema: null, boolean, integer, float, else text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return _BASES.get(text[:2], int)(text)
    return float(text) if _FLOAT.fullmatch(text) else text

"""Placing arguments: from path, query, headers, cookies and body into one object, as the contract declares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.protocols import head, target
from proxy.protocols.arguments import gather
from rules.problems import Problem, undeclared
from rules.tools import Tool
from rules.wire import Param


@dataclass(slots=True)
class Placed:
    """The arguments found so far, and what was wrong with them. `most_depth` bounds the levels of JSON text."""

    most_depth: int = 64
    arguments: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def undeclared(self, place: str, names: list[str], known: Iterable[str]) -> None:
        """Note names that the contract does not have there. They are not said back: any text can be a name."""
        if names:
            self.problems.append(Problem("", f"the {place} {undeclared(names, known)}"))


def path(placed: Placed, tool: Tool, segments: Mapping[str, str]) -> None:
    """`segments` are the raw path segments by the wire names of their parameters."""
    for param in tool.params:
        if param.place == "path":
            placed.arguments[param.name] = _path_value(placed, param, segments[param.wire])


def _path_value(placed: Placed, param: Param, segment: str) -> Any:
    text = target.decode(segment)
    matrix = param.style == "matrix"
    if (target.has_slash(segment) and not param.encoded_slash) or (";" in segment and not matrix):
        raise head.bad("The path holds an encoded slash or a `;` where the contract has none.")
    text = text.removeprefix(f";{param.wire}=") if matrix else text
    return gather([text], param.kind, param.name, placed.most_depth)


def query(placed: Placed, tool: Tool, pairs: list[tuple[str, str]]) -> None:
    """`pairs` are the decoded names and values of the query."""
    if not pairs:
        return
    params = {param.wire: param for param in tool.params if param.place == "query"}
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    for name, found in values.items():
        if (param := params.get(name)) is not None:
            placed.arguments[param.name] = gather(found, param.kind, param.name, placed.most_depth)
    placed.undeclared("query", [name for name in values if name not in params], params)


def headers(placed: Placed, tool: Tool, pairs: list[tuple[str, str]], jar: Mapping[str, str]) -> None:
    """Declared headers and cookies; all others are not arguments."""
    for param in tool.params:
        if param.place == "header":
            found = [value for name, value in pairs if name == param.wire.lower()]
        elif param.place == "cookie":
            found = [jar[param.wire]] if param.wire in jar else []
        else:
            continue
        if found:
            placed.arguments[param.name] = gather(found, param.kind, param.name, placed.most_depth)


def body(placed: Placed, tool: Tool, value: Any) -> None:
    """The parsed JSON body."""
    if tool.whole_body:
        placed.arguments["body"] = value
        return
    if not isinstance(value, dict):
        placed.problems.append(Problem("", "the body must be a JSON object"))
        return
    names = {wire: name for name, wire in tool.body_wire.items()}
    taken = {param.name for param in tool.params} | tool.body_wire.keys()
    strange = []
    for key, item in value.items():
        if (name := names.get(key)) is not None:
            placed.arguments[name] = item
        elif tool.body_open and key not in taken:
            placed.arguments[key] = item
        else:
            strange.append(key)
    placed.undeclared("body", strange, names)

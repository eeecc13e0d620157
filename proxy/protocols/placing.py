"""Placing arguments: from path, query, headers, cookies and body into one object, as the contract declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.protocols import fields, head, styles, target
from proxy.protocols.arguments import gather, typed
from rules.kinds import TEXT
from rules.problems import Problem, undeclared
from rules.tools import Tool
from rules.wire import Param

_COOKIE_CODE = re.compile(r'".*"$|.*%[0-9A-Fa-f]{2}')


@dataclass(slots=True)
class Placed:
    """The arguments found so far, what was wrong with them, and what goes along beside them. `most_depth` bounds the
    levels of JSON text."""

    most_depth: int = 64
    arguments: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    aside: dict[str, Any] = field(default_factory=dict)

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
    if (target.has_slash(segment) and not param.encoded_slash) or (";" in segment and param.style != "matrix"):
        raise head.bad("The path holds an encoded slash or a `;` where the contract has none.")
    if param.is_plain:
        return typed(text, param.kind.simple)
    return styles.read(param, segment, target.decode, placed.most_depth)


def query(placed: Placed, tool: Tool, query: str) -> None:
    """`query` is the raw query. What travels in a slot of the caller's credential is no argument."""
    if not query:
        return
    names = tool.query
    if tool.slots.query or not names.is_simple:
        pairs = _without_slots(target.raw_pairs(query), tool)
        found, strange = fields.collect(names, pairs, target.decode_plus, placed.most_depth)
        placed.arguments.update(found)
        placed.undeclared("query", [name for name, _ in strange], (*names.own, *names.deep, *names.members))
        return
    params = names.own
    values: dict[str, list[str]] = {}
    for name, value in target.pairs(query):
        values.setdefault(name, []).append(value)
    for name, texts in values.items():
        param = params.get(name)
        if param is not None and param.is_plain and len(texts) == 1:
            placed.arguments[param.name] = typed(texts[0], param.kind.simple)
        elif param is not None:
            placed.arguments[param.name] = gather(texts, param.kind, param.name, placed.most_depth)
    placed.undeclared("query", [name for name in values if name not in params], params)


def _without_slots(pairs: fields.Pairs, tool: Tool) -> fields.Pairs:
    names = [name for name, _ in pairs if name in tool.slots.query]
    if len(set(names)) != len(names):
        raise head.bad("A credential is given more than once.")
    return [pair for pair in pairs if pair[0] not in tool.slots.query]


def headers(placed: Placed, tool: Tool, pairs: list[tuple[str, str]], jar: Mapping[str, str]) -> None:
    """Declared headers and cookies; all others are not arguments."""
    for param in tool.params:
        if param.place == "header":
            found = [value for name, value in pairs if name == param.wire.lower()]
            if found:
                placed.arguments[param.name] = _header_value(placed, param, found)
    if tool.cookies:
        crumbs = [(name, value) for name, value in jar.items() if name in tool.cookies]
        if any(_COOKIE_CODE.match(value) for _, value in crumbs):
            raise head.bad(
                "A cookie that is an argument has quotes around it or a %-escape, which servers read differently."
            )
        arguments, _ = fields.collect(tool.jar, crumbs, str, placed.most_depth)
        placed.arguments.update(arguments)


def _header_value(placed: Placed, param: Param, values: list[str]) -> Any:
    """A list may come in several lines and with spaces around its commas (RFC 9110, 5.3 and 5.6.1)."""
    if param.style == "json" or not (param.kind.is_list or param.kind.is_map):
        text = gather(values, TEXT, param.name, placed.most_depth)
    else:
        text = ",".join(values)
    return styles.read(param, text, str if param.style == "json" else str.strip, placed.most_depth)


def body(placed: Placed, tool: Tool, value: Any) -> None:
    """The parsed JSON body."""
    if tool.whole_body:
        methods = set(filter(fields.is_method, value)) if isinstance(value, dict) else set()
        if methods and not methods <= tool.contract.guide.names_at(("body",)):
            raise head.bad("The body holds a name that some servers take for the method of the request.")
        placed.arguments["body"] = value
        return
    if not isinstance(value, dict):
        placed.problems.append(Problem("", "the body must be a JSON object"))
        return
    names = {wire: name for name, wire in tool.body_wire.items()}
    strange = {}
    for key, item in value.items():
        if (name := names.get(key)) is not None:
            placed.arguments[name] = item
        else:
            strange[key] = item
    others(placed, tool, strange)


def others(placed: Placed, tool: Tool, strange: Mapping[str, Any]) -> None:
    """Members of a body that are not declared: arguments where the contract is open, unless they could be taken for
    arguments that travel elsewhere, by a server that does not tell case apart for declared ones, or for the method.
    """
    if not strange:
        return
    elsewhere = [name for param in tool.params for name in (param.name, param.wire)]
    taken = {name.casefold() for name in (*elsewhere, *tool.body_wire.values(), *tool.body_wire)}
    free = {
        name: value
        for name, value in strange.items()
        if tool.body_open and name.casefold() not in taken and not fields.is_method(name)
    }
    placed.arguments.update(free)
    placed.undeclared("body", [name for name in strange if name not in free], tool.body_wire.values())

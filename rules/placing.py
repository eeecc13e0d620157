"""Where each argument travels: path, query, header, cookie or body, and under which name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rules.problems import closest
from rules.schema import Contract
from rules.source import LoadProblem, Node
from rules.template import Segment
from rules.tools import Param

_IN_QUERY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""`token` of RFC 9110, 5.6.2: what a header or cookie name may be."""
_OURS: Final = frozenset(
    {
        *("accept-encoding", "traceparent", "tracestate"),
        *("authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect"),
        *("forwarded", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "via"),
    }
)
"""Headers that frame the message or carry credentials: never an argument."""
_SIMPLE: Final = ("string", "integer", "number", "boolean")


@dataclass(slots=True)
class Placed:
    """Where the arguments of one tool travel. `problems` are the author's."""

    params: list[Param] = field(default_factory=list)
    body_wire: dict[str, str] = field(default_factory=dict)
    whole_body: bool = False
    problems: list[LoadProblem] = field(default_factory=list)


def place(node: Node, method: str, segments: Iterable[Segment], contract: Contract) -> Placed:
    """Place every declared argument of a tool. `node` is the tool's mapping in its file."""
    told = node.get("in")
    names = contract.guide.properties()
    in_path = [segment.name for segment in segments if segment.name]
    placed = Placed(problems=list(_misplaced(node, told, names.keys(), in_path)))
    for name in sorted(names, key=lambda one: (in_path.index(one) if one in in_path else len(in_path), one)):
        where = _place_of(name, method, in_path, told)
        wire = name if name in in_path else _wire(name, where, names.keys())
        if where == "body":
            placed.body_wire[name] = wire
        else:
            placed.params.append(Param(name, wire, where, _kind(names[name])))  # type: ignore[arg-type]
    _settle_body(placed, told)
    _set_options(placed, told)
    placed.problems += _wrong_params(node, placed)
    return placed


def _place_of(name: str, method: str, in_path: list[str], told: Node | None) -> str:
    said = told.get(name) if told else None
    if name in in_path:
        return "path"
    if said and isinstance(said.value, str):
        return said.value
    return "query" if method in _IN_QUERY else "body"


def _wire(name: str, where: str, names: Iterable[str]) -> str:
    """`query_id` travels as `id` in the query where another argument is called `id`."""
    bare = name.removeprefix(f"{where}_")
    return bare if bare != name and bare in names else name


def _settle_body(placed: Placed, told: Node | None) -> None:
    """An argument `body` that is alone in the body is the body itself, unless `in` says that it is a member."""
    placed.whole_body = list(placed.body_wire) == ["body"] and not (told and told.get("body"))


def _set_options(placed: Placed, told: Node | None) -> None:
    for index, param in enumerate(placed.params):
        said = told.get(param.name) if told else None
        options = said.get("path") if said else None
        if options and param.place == "path":
            slash = options.get("encoded_slash")
            placed.params[index] = replace(
                param, encoded_slash=bool(slash and slash.value), matrix=options.get("style") is not None
            )


def _kind(subschemas: Iterable[Mapping[str, Any]]) -> str:
    """How a text of the wire becomes a value: `string`, `array of integer` ... or empty where it cannot."""
    types: set[str] = set()
    items: list[Mapping[str, Any]] = []
    for schema in subschemas:
        types.update(_types(schema))
        if isinstance(schema.get("items"), dict):
            items.append(schema["items"])
    types.discard("null")
    if types == {"integer", "number"}:
        return "number"
    if types == {"array"}:
        inner = _kind(items)
        return f"array of {inner}" if inner in _SIMPLE else ""
    if "string" in types or not types:
        return "string"
    return types.pop() if len(types) == 1 and types <= set(_SIMPLE) else ""


def _types(schema: Mapping[str, Any]) -> set[str]:
    said = schema.get("type")
    if said is not None:
        return set(said) if isinstance(said, list) else {said}
    shown = schema.get("enum", [schema["const"]] if "const" in schema else [])
    kinds: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {kinds[type(value)] for value in shown if type(value) in kinds}


def _misplaced(node: Node, told: Node | None, names: Iterable[str], in_path: list[str]) -> Iterator[LoadProblem]:
    names = set(names)
    for name in in_path:
        if name not in names:
            near = closest(name, names)
            hint = f"did you mean {near}?" if near else "declare it under args"
            yield node.at(("call",), f"has the path parameter {name}, which is no argument", hint)
    for name, said in told.items() if told else ():
        if name not in names:
            near = closest(name, names)
            hint = f"did you mean {near}?" if near else ""
            yield told.key_problem(name, "is no argument of this tool", hint)  # type: ignore[union-attr]
        elif (said.value == "path" or isinstance(said.value, dict)) and name not in in_path:
            yield said.problem("is not in the path of call", f"write {{{name}}} there")
        elif said.value != "path" and isinstance(said.value, str) and name in in_path:
            yield said.problem("is in the path of call", "remove this line, or rename one of the two")


def _wrong_params(node: Node, placed: Placed) -> Iterator[LoadProblem]:
    seen: set[tuple[str, str]] = set()
    wires: list[tuple[str, str, str]] = [(param.name, param.place, param.wire) for param in placed.params]
    wires += [(name, "body", wire) for name, wire in placed.body_wire.items()]
    for name, where, wire in wires:
        key = (where, wire.lower() if where == "header" else wire)
        if key in seen:
            yield _about(node, name, f"travels as {wire} in the {where}, like another argument")
        seen.add(key)
    for param in placed.params:
        yield from _wrong_param(node, param)


def _wrong_param(node: Node, param: Param) -> Iterator[LoadProblem]:
    wire = param.wire.lower()
    if not param.kind:
        yield _about(node, param.name, f"cannot travel in the {param.place}: give it one simple type")
    elif param.kind.startswith("array") and param.place != "query":
        yield _about(node, param.name, f"is an array, which cannot travel in the {param.place}")
    if param.place in ("header", "cookie") and not _TOKEN.fullmatch(wire):
        yield _about(node, param.name, f"is not a name that a {param.place} can have")
    if param.place == "header" and (wire in _OURS or wire.startswith("toolwall-")):
        yield _about(node, param.name, "is a header that is never an argument")


def _about(node: Node, name: str, message: str) -> LoadProblem:
    """A problem with an argument, at the line that declares or places it."""
    for word in ("in", "args"):
        below = node.get(word)
        if below and below.get(name):
            return below.key_problem(name, message)
    return node.at(("input",), f"{name}: {message}")

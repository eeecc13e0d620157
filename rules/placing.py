"""Where each argument travels: path, query, header, cookie or body, and under which name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rules.kinds import TEXT, Kind, kinds
from rules.problems import closest
from rules.schema import Contract
from rules.source import LoadProblem, Node
from rules.template import Segment
from rules.wire import FORM_TYPE, JSON_TYPES, MULTIPART_TYPE, Param, Slot

IN_QUERY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""`token` of RFC 9110, 5.6.2: what a header or cookie name may be."""
NEVER_ARGUMENTS: Final = frozenset(
    {
        *("accept-encoding", "traceparent", "tracestate"),
        *("authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect"),
        *("forwarded", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "via"),
    }
)
"""Headers that frame the message or carry credentials: never an argument."""
_NOTHING: Final = Node({}, "", 1, 1)
_STYLE: Final = {"path": "simple", "header": "simple"}
_JSON_TYPE: Final = re.compile(r"application/(json|[a-z0-9.+-]+\+json|\*)|\*/\*")


@dataclass(slots=True)
class Placed:
    """Where the arguments of one tool travel. `body_params` stays empty where no body is a form. `problems` are the
    author's.
    """

    params: list[Param] = field(default_factory=list)
    body_wire: dict[str, str] = field(default_factory=dict)
    body_params: list[Param] = field(default_factory=list)
    body_rest: Kind = TEXT
    body_types: tuple[str, ...] = JSON_TYPES
    whole_body: bool = False
    problems: list[LoadProblem] = field(default_factory=list)


def place(node: Node, method: str, segments: Sequence[Segment], contract: Contract, slots: Iterable[Slot]) -> Placed:
    """Place every declared argument of a tool. `node` is the tool's mapping in its file."""
    told = node.get("in")
    names = contract.names
    whole = kinds(contract.guide)
    in_path = [name for segment in segments for name in segment.names]
    placed = Placed(problems=list(_misplaced(node, told, names, in_path)), body_types=_body_types(node))
    placed.problems += _spelt_otherwise(node, segments, names)
    for name in sorted(names, key=lambda one: (in_path.index(one) if one in in_path else len(in_path), one)):
        where = _place_of(name, method, in_path, told)
        wire = name if name in in_path else _wire(name, where, names)
        param = _param(name, wire, where, whole.member(name), told)
        if where == "body":
            placed.body_wire[name] = param.wire
            placed.body_params.append(param)
        else:
            placed.params.append(param)
    _settle_body(placed, told, whole, node.get("body") is not None)
    placed.problems += [*_wrong_params(node, placed, slots), *_wrong_body(node, placed)]
    return placed


def is_credential_name(where: str, name: str) -> bool:
    """Whether a header or cookie of this name can hold a credential of the backend."""
    low = name.lower()
    taken = where == "header" and ((low in NEVER_ARGUMENTS - {"authorization"}) or low.startswith("toolwall-"))
    return bool(TOKEN.fullmatch(name)) and not taken


def _body_types(node: Node) -> tuple[str, ...]:
    said = [str(one.value).lower() for one in node.under("body")]
    return tuple(dict.fromkeys(said)) or JSON_TYPES


def _place_of(name: str, method: str, in_path: list[str], told: Node | None) -> str:
    said = told.get(name) if told else None
    if name in in_path:
        return "path"
    if said:
        return str(said.value) if isinstance(said.value, str) else next(iter(said.value))
    return "query" if method in IN_QUERY else "body"


def _wire(name: str, where: str, names: Iterable[str]) -> str:
    """`query_id` travels as `id` in the query where another argument is called `id`."""
    bare = name.removeprefix(f"{where}_")
    return bare if bare != name and bare in names else name


def _param(name: str, wire: str, where: Any, kind: Kind, told: Node | None) -> Param:
    """One argument with what `in` says of it. Without a word about it everything has the usual style of its place; an
    object in a form is JSON text then (OpenAPI 3.1, 4.8.15.1.1), or is written with brackets like arrays, as many do.
    """
    said = told.get(name) if told else None
    options = (said.get(where) if said else None) or _NOTHING
    style: Any = "json" if _flag(options, "json") else options.text("style")
    if not style:
        is_object = where == "body" and kind.is_map and options.get("explode") is None
        style = "json" if is_object and not kind.is_list and not kind.is_scalar else _STYLE.get(where, "form")
    explode = options.get("explode")
    usual = style == "form" and not (where == "cookie" and kind.is_list)  # a cookie cannot come twice
    return Param(
        name=name,
        wire=options.text("name") or wire,
        place=where,
        kind=kind,
        style=style,
        explode=bool(explode.value) if explode else usual,
        brackets=where == "body" and (kind.is_map or kind.is_list) and not options.value.keys() - {"name"},
        encoded_slash=_flag(options, "encoded_slash"),
    )


def _flag(options: Node, key: str) -> bool:
    said = options.get(key)
    return bool(said and said.value)


def _settle_body(placed: Placed, told: Node | None, whole: Kind, said: bool) -> None:
    """An argument `body` that is alone in the body is the body itself, unless `in` says that it is a member. An object
    is, where the media types are said: else it could as well be a member. As a form it is an object of fields.
    """
    alone = list(placed.body_wire) == ["body"] and not (told and told.get("body"))
    placed.whole_body = alone and (said or whole.member("body").types != {"object"})
    if not any(one in (FORM_TYPE, MULTIPART_TYPE) or one.endswith("*") for one in placed.body_types):
        placed.body_params = []
        return
    body = whole.member("body") if placed.whole_body else whole
    placed.body_rest = body.member("")
    if placed.whole_body:
        placed.body_params = [_param(name, name, "body", body.member(name), None) for name in sorted(body.names)]


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
        elif (said.value == "path" or said.get("path")) and name not in in_path:
            yield said.problem("is not in the path of call", f"write {{{name}}} there")
        elif said.value != "path" and not said.get("path") and name in in_path:
            yield said.problem("is in the path of call", "remove this line, or rename one of the two")


def _spelt_otherwise(node: Node, segments: Sequence[Segment], names: Iterable[str]) -> Iterator[LoadProblem]:
    """`/things/:id`, as routers of other programs write it, would be literal text here, and `id` go into the query."""
    literal = {segment.texts[0] for segment in segments if not segment.names}
    for name in sorted(names):
        if f":{name}" in literal:
            yield node.at(("call",), f"holds :{name}, which is literal text", f"write {{{name}}}")


def _wrong_params(node: Node, placed: Placed, slots: Iterable[Slot]) -> Iterator[LoadProblem]:
    seen: set[tuple[str, str]] = {(slot.send, slot.name) for slot in slots}
    wires: list[tuple[str, str, str]] = [(param.name, param.place, param.wire) for param in placed.params]
    wires += [(name, "body", wire) for name, wire in placed.body_wire.items()]
    for name, where, wire in wires:
        key = (where, wire.lower() if where == "header" else wire)
        if key in seen:
            yield _about(node, name, f"travels as {wire} in the {where}, like another argument or a credential")
        seen.add(key)
    for param in placed.params:
        yield from _wrong_param(node, param)


def _wrong_param(node: Node, param: Param) -> Iterator[LoadProblem]:
    wire = param.wire.lower()
    if param.place in ("header", "cookie") and not TOKEN.fullmatch(wire):
        yield _about(node, param.name, f"is not a name that a {param.place} can have")
    if param.place == "header" and (wire in NEVER_ARGUMENTS or wire.startswith("toolwall-")):
        yield _about(node, param.name, "is a header that is never an argument")


def _wrong_body(node: Node, placed: Placed) -> Iterator[LoadProblem]:
    """A media type that could never be read."""
    forms = (FORM_TYPE, MULTIPART_TYPE)
    for said in node.under("body"):
        kind = said.value.lower()
        plain = kind not in forms and not _JSON_TYPE.fullmatch(kind)
        if plain and not placed.whole_body:
            yield said.problem("needs an argument `body`, alone in the body", "it is the text, or base64 of the bytes")


def _about(node: Node, name: str, message: str) -> LoadProblem:
    """A problem with an argument, at the line that declares or places it."""
    for word in ("in", "args"):
        below = node.get(word)
        if below and below.get(name):
            return below.key_problem(name, message)
    return node.at(("input",), f"{name}: {message}")

"""Writing: from arguments to a request, for calls that the sidecar makes itself. No I/O.

Whatever is written is read again as if it had come in by a door, and what it means then has to be what was meant: so
what has no form on the wire that everybody reads alike is not sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from proxy.errors import Refusal
from proxy.model import Call, Carried, Outgoing
from proxy.protocols import head, mcpparams, target
from proxy.protocols.again import again
from proxy.protocols.placing import Placed
from rules.template import parse
from rules.tools import Catalog, Remote, Tool
from rules.wire import FORM_TYPE, JSON_TYPE, Param

Pairs = list[tuple[str, str]]

_WAY: Final = frozenset({"authorization", "via", "forwarded"})
_PREFIX: Final = {"label": ".{0}", "matrix": ";{1}={0}"}
_JOINT: Final = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}
# RFC 9110, 5.5, and 6265, 4.1.1: what a header's value may hold, and a cookie's.
_HEADER: Final = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?")
_COOKIE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")


class CannotWrite(Exception):
    """These arguments have no form on the wire. The text says which, and holds no value."""


def carried(call: Call) -> Carried:
    """What a call brought along."""
    return brought(call.tool, call.outgoing)


def brought(tool: Tool, outgoing: Outgoing) -> Carried:
    """What a request brings along besides its arguments."""
    slots = tool.slots
    headers = tuple(pair for pair in outgoing.headers if pair[0] in _WAY | slots.headers)
    _, _, query = outgoing.target.partition("?")
    parts = [part for part in query.split("&") if target.decode_plus(part.partition("=")[0]) in slots.query]
    cookies: Pairs = []
    for name, value in outgoing.headers if slots.cookies else ():
        if name == "cookie":
            cookies += [pair for pair in head.cookies(value).items() if pair[0] in slots.cookies]
    return Carried(headers, tuple(filter(None, parts)), tuple(cookies))


def written(tool: Tool, arguments: Mapping[str, Any], along: Carried, catalog: Catalog) -> tuple[Placed, Outgoing]:
    """The request that means these arguments, and what it means when it is read. Raises CannotWrite."""
    try:
        placed, outgoing = again(tool, _outgoing(tool, arguments, along), catalog)
    except Refusal as no:
        raise CannotWrite(f"what would be sent is refused: {no.detail}") from None
    except ValueError:  # half of a surrogate pair, or a number that JSON does not have
        raise CannotWrite("a value cannot be written down") from None
    if placed.problems or placed.arguments.keys() != arguments.keys():
        raise CannotWrite("what would be sent means something else")
    for name, value in arguments.items():
        if not _is_same(value, placed.arguments[name]):
            raise CannotWrite(f"the argument {name} would mean something else")
    return placed, outgoing


def _outgoing(tool: Tool, arguments: Mapping[str, Any], along: Carried) -> Outgoing:
    if tool.mcp:
        return _message(tool.mcp, arguments, along)
    known = {param.name: param for param in tool.params}
    there = {name: known[name] for name in arguments if name in known}

    def at(place: str) -> list[tuple[Param, Any]]:
        return [(param, arguments[name]) for name, param in there.items() if param.place == place]

    pairs = [f"{name}={value}" for param, value in at("query") for name, value in _named(param, value)]
    query = "&".join([*pairs, *along.query])
    headers = [(param.wire.lower(), _in_head(param, value, _HEADER)) for param, value in at("header")]
    crumbs = [(param.wire, _in_head(param, value, _COOKIE)) for param, value in at("cookie")]
    headers += _baked((*crumbs, *along.cookies))
    body, kind = _body(tool, {name: value for name, value in arguments.items() if name not in known})
    headers += [("content-type", kind)] if body else []
    path = _path(tool, {param.name: _in_path(param, value) for param, value in at("path")})
    return Outgoing(tool.method, f"{path}?{query}" if query else path, (*headers, *along.headers), body)


def _message(remote: Remote, arguments: Mapping[str, Any], along: Carried) -> Outgoing:
    """What an MCP server is sent. How it wants it, and in which session, is seen when it is sent."""
    query = "&".join(along.query)
    headers = (*mcpparams.HEADERS, *_baked(along.cookies), *along.headers)
    body = mcpparams.written(remote, {"name": remote.name}, arguments)
    return Outgoing("POST", f"?{query}" if query else "", headers, body)


def _baked(crumbs: Iterable[tuple[str, str]]) -> Pairs:
    """The header that takes cookies along, where there are any."""
    jar = "; ".join(f"{name}={value}" for name, value in crumbs)
    return [("cookie", jar)] if jar else []


def _path(tool: Tool, values: Mapping[str, str]) -> str:
    made = []
    for segment in parse(tool.path):
        if missing := [name for name in segment.names if name not in values]:
            raise CannotWrite(f"the path needs {missing[0]}")
        pieces = [*(values[name] for name in segment.names), ""]
        made.append("".join(text + piece for text, piece in zip(segment.texts, pieces, strict=True)))
    return "/" + "/".join(made)


def _in_path(param: Param, value: Any) -> str:
    if param.style == "json":
        return quote(_json(value), safe="")
    if isinstance(value, list) and param.explode and param.style != "simple":
        raise _not(param.name)
    items = value if isinstance(value, list) else [value]
    text = ",".join(quote(_text(param.name, item), safe="") for item in items)
    return _PREFIX.get(param.style, "{0}").format(text, param.wire)


def _named(param: Param, value: Any) -> Pairs:
    """The names and values, both encoded, of one argument in a query or a form."""
    name = quote(param.wire, safe="")
    if param.style == "json":
        return [(name, quote(_json(value), safe=""))]
    if not isinstance(value, list):
        return [(name, quote(_text(param.name, value), safe=""))]
    items = [quote(_text(param.name, item), safe="") for item in value]
    if param.style == "deepObject":
        return [(f"{name}%5B%5D", item) for item in items]
    return [(name, item) for item in items] if param.explode else [(name, _JOINT.get(param.style, ",").join(items))]


def _in_head(param: Param, value: Any, allowed: re.Pattern[str]) -> str:
    items = value if isinstance(value, list) else [value]
    text = _json(value) if param.style == "json" else ",".join(_text(param.name, item) for item in items)
    if not allowed.fullmatch(text):
        raise _not(param.name)
    return text


def _body(tool: Tool, values: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body and its media type; empty where no argument travels there."""
    kind = tool.writes_as
    if not values:
        return b"", ""
    if not kind:
        raise CannotWrite("its body cannot be written from values")
    if kind == FORM_TYPE:
        return _form(tool, values["body"] if tool.whole_body else values), kind
    if kind == JSON_TYPE or kind.endswith("+json"):
        members = {tool.body_wire.get(name, name): value for name, value in values.items()}
        return _json(values["body"] if tool.whole_body else members).encode(), kind
    return _text("body", values["body"]).encode(), kind


def _form(tool: Tool, values: Any) -> bytes:
    params = {param.name: param for param in tool.body_params}
    if not isinstance(values, Mapping):
        raise _not("body")
    if unknown := [name for name in values if name not in params]:
        raise _not(unknown[0])
    pairs: Iterable[Pairs] = (_named(params[name], value) for name, value in values.items())
    return "&".join(f"{name}={value}" for each in pairs for name, value in each).encode()


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, list | Mapping):
        raise _not(name)
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _not(name: str) -> CannotWrite:
    return CannotWrite(f"the argument {name} has no form in which it can be sent")


def _is_same(meant: Any, read: Any) -> bool:
    """Whether a value was read as it was meant. What travels as text may have become a number there, or the reverse."""
    if isinstance(meant, list) and isinstance(read, list):
        return len(meant) == len(read) and all(map(_is_same, meant, read))
    if isinstance(meant, dict) and isinstance(read, dict):
        return meant.keys() == read.keys() and all(_is_same(meant[name], read[name]) for name in meant)
    if isinstance(meant, list | dict) or isinstance(read, list | dict):
        return False
    return json.dumps(meant).strip('"') == json.dumps(read).strip('"')

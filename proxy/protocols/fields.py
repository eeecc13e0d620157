"""Names and values of a query or a form, gathered into arguments as their styles say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from proxy.errors import Refusal
from proxy.protocols import deep, styles, target
from proxy.protocols.arguments import gather
from proxy.protocols.styles import Decode
from rules.wire import Fields, Param

MOST_FIELDS = 1_000
"""Names of one query or form, as Django and Starlette count them; reading one costs more than its bytes."""

_COMMA = re.compile("%2[Cc]")
_INNER = re.compile(r"[\[.]")
_NO_VARIABLE = re.compile(r"[ .\[]")

Pairs = list[tuple[str, str]]
"""Decoded names with raw values."""


def collect(names: Fields, pairs: Pairs, decode: Decode, most_depth: int) -> tuple[dict[str, Any], Pairs]:
    """The arguments that the names stand for, and the pairs that stand for none.

    Raises Refusal for a value that could be read in two ways, and for more than MOST_FIELDS of them.
    """
    if len(pairs) > MOST_FIELDS:
        raise Refusal("too_large", f"There are more than {MOST_FIELDS} fields.", suggestion="Send fewer at once.")
    own, spread, nested, strange = _sorted(names, pairs)
    arguments: dict[str, Any] = {}
    found: list[tuple[Param, Any]] = [
        *((param, _own(param, raws, decode, most_depth)) for param, raws in own),
        *((param, deep.read(param, _decoded(raws, decode), most_depth)) for param, raws in nested),
        *((param, _members(param, members, decode, most_depth)) for param, members in spread),
    ]
    for param, value in found:
        if param.name in arguments:
            raise styles.not_in_style(param)
        arguments[param.name] = value
    return arguments, strange


def are_taken_for(strange: Iterable[str], names: Fields) -> bool:
    """Whether some servers would read undeclared names as declared ones, or as another method: PHP, Rails and `qs` read
    `a[]` as `a`, PHP `a.b` and `a b` as `a_b`, Spring `a.b` as a member of `a`; some drop spaces or what follows a NUL,
    and some do not tell case apart.
    """
    known = {_bare(each) for each in (*names.own, *names.deep, *names.members)}
    known |= {_variable(each) for each in known}
    for name in map(_bare, strange):
        if not known.isdisjoint((name, _variable(name), _INNER.split(name, 1)[0].strip())) or is_method(name):
            return True
    return False


def is_method(name: str) -> bool:
    """Whether some servers take a field of this name for the request's method (Rails, Laravel, ASP.NET)."""
    return _bare(name) in ("_method", "x-http-method-override")


def _bare(name: str) -> str:
    return name.partition("\0")[0].strip().casefold()


def _variable(bare: str) -> str:
    """A name as PHP has it, which makes a variable of it."""
    return _NO_VARIABLE.sub("_", bare)


_Own = Iterable[tuple[Param, list[str]]]
_Spread = Iterable[tuple[Param, dict[str, list[str]]]]
_Nested = Iterable[tuple[Param, list[tuple[list[str], str]]]]


def _sorted(names: Fields, pairs: Pairs) -> tuple[_Own, _Spread, _Nested, Pairs]:
    """The pairs by what they belong to. A name of an argument's own comes before what it could mean otherwise."""
    own: dict[str, list[str]] = {}
    spread: dict[str, dict[str, list[str]]] = {}
    nested: dict[str, list[tuple[list[str], str]]] = {}
    params: dict[str, Param] = {}
    strange: Pairs = []
    for name, raw in pairs:
        if name in names.own:
            own.setdefault(name, []).append(raw)
        elif (keys := deep.split(name) if names.deep else None) and keys[0] in names.deep:
            nested.setdefault(keys[0], []).append((keys[1], raw))
        elif (param := names.members.get(name, names.rest)) is not None:
            params[param.name] = param
            spread.setdefault(param.name, {}).setdefault(name, []).append(raw)
        else:
            strange.append((name, raw))
    if names.rest is not None:
        free = [name for name in spread.get(names.rest.name, ()) if name not in names.members]
        if are_taken_for(free, names):
            raise styles.not_in_style(names.rest)
    return (
        [(names.own[name], raws) for name, raws in own.items()],
        [(params[name], members) for name, members in spread.items()],
        [(names.deep[name], raws) for name, raws in nested.items()],
        strange,
    )


def _own(param: Param, raws: list[str], decode: Decode, most_depth: int) -> Any:
    if param.style == "deepObject" and not param.kind.is_scalar and not param.kind.is_list:
        raise styles.not_in_style(param)
    if param.style == "deepObject" or (param.explode and param.style != "json"):
        return gather([decode(raw) for raw in raws], param.kind, param.name, most_depth)
    if len(raws) > 1:
        raise styles.not_in_style(param)
    return styles.read(param, raws[0], decode, most_depth)


def _decoded(raws: Iterable[tuple[list[str], str]], decode: Decode) -> list[tuple[list[str], str]]:
    return [(keys, decode(raw)) for keys, raw in raws]


def _members(param: Param, members: dict[str, list[str]], decode: Decode, most_depth: int) -> dict[str, Any]:
    """An object whose members travel under their own names."""
    kind = param.kind
    return {
        name: gather([decode(raw) for raw in raws], kind.member(name), param.name, most_depth)
        for name, raws in members.items()
    }


def with_raw_commas(names: Fields, query: str) -> str:
    """The query with raw commas in lists that join their items and came with every comma encoded.

    So the URL libraries of most clients write them. Raw, they mean the same to a backend that splits before it decodes
    and to one that decodes first, so this is what is judged and sent.
    """
    if names.is_simple or "%2c" not in query.lower():
        return query
    return "&".join(_with_raw_commas(names, part) for part in query.split("&"))


def _with_raw_commas(names: Fields, part: str) -> str:
    name, _, raw = part.partition("=")
    param = names.own.get(target.decode_plus(name))
    if param is None or param.style != "form" or param.explode or not param.kind.is_list or "," in raw:
        return part
    is_one = target.decode_plus(raw) in param.kind.item().listed
    return part if is_one else f"{name}={_COMMA.sub(',', raw)}"

"""A condition in plain words, for people who do not read CEL. What has no plain words stays CEL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from rules.expressions import Expr, parse
from rules.when import When

_COMPARED: Final[Mapping[str, tuple[str, str]]] = {
    "_<_": ("is below", "is at least"),
    "_<=_": ("is at most", "is above"),
    "_>_": ("is above", "is at most"),
    "_>=_": ("is at least", "is below"),
    "_==_": ("is", "is not"),
    "_!=_": ("is not", "is"),
    "contains": ("contains", "does not contain"),
    "startsWith": ("begins with", "does not begin with"),
    "endsWith": ("ends with", "does not end with"),
    "matches": ("matches", "does not match"),
}
_TIMES: Final[Mapping[str, str]] = {
    "getHours": "the hour",
    "getMinutes": "the minute",
    "getDayOfWeek": "the weekday (Sunday is 0)",
    "getDate": "the day of the month",
    "getMonth": "the month (January is 0)",
    "getFullYear": "the year",
}
_FIELDS: Final[Mapping[tuple[str, str], str]] = {
    ("principal", "id"): "the caller's id",
    ("principal", "roles"): "the caller's roles",
    ("principal", "agent"): "the agent",
    ("principal", "user"): "the user",
    ("run", "id"): "the run",
    ("run", "step"): "the step of the run",
    ("network", "peer"): "the caller's address",
    ("tool", "name"): "the tool",
    ("tool", "backend"): "the backend",
    ("tool", "effect"): "the tool's effect",
    ("tool", "method"): "the tool's method",
}


class _NoWords(Exception):
    """There are no plain words for an expression."""


def spoken(when: When) -> str:
    """The condition in words, or empty where there are none that are as exact as the condition itself."""
    try:
        return _says(parse(when.serialized()), True)
    except (_NoWords, ValueError, RecursionError):
        return ""


def _says(expr: Expr, yes: bool) -> str:
    """What an expression asks for, or its contrary."""
    if expr.what == "has":
        return f"{_thing(Expr('select', expr.name, parts=expr.parts))} is {'given' if yes else 'not given'}"
    if expr.what != "call":
        raise _NoWords
    if expr.name == "!_":
        return _says(expr.parts[0], not yes)
    if expr.name in ("_&&_", "_||_"):
        return _joined(expr, yes)
    if expr.name == "@in":
        return _among(*expr.parts, yes=yes)
    if expr.name in _COMPARED and len(expr.parts) == 2:
        return f"{_thing(expr.parts[0])} {_COMPARED[expr.name][not yes]} {_thing(expr.parts[1])}"
    raise _NoWords


def _joined(expr: Expr, yes: bool) -> str:
    """Parts joined by `and` or `or`, with the inner ones in brackets where both occur."""
    both = (expr.name == "_&&_") is yes
    parts = []
    for part in _flat(expr, expr.name):
        inner = _bare(part)
        mixed = inner.what == "call" and inner.name in ("_&&_", "_||_")
        parts.append(f"({_says(part, yes)})" if mixed else _says(part, yes))
    return (" and " if both else " or ").join(parts)


def _flat(expr: Expr, name: str) -> list[Expr]:
    if expr.what == "call" and expr.name == name:
        return [each for part in expr.parts for each in _flat(part, name)]
    return [expr]


def _bare(expr: Expr) -> Expr:
    while expr.what == "call" and expr.name == "!_":
        expr = expr.parts[0]
    return expr


def _among(item: Expr, group: Expr, *, yes: bool) -> str:
    if group.what == "list" and group.parts:
        options = _listed([_thing(each) for each in group.parts])
        return f"{_thing(item)} is {'' if yes else 'not '}one of {options}"
    if group.what == "list":
        raise _NoWords
    return f"{_thing(group)} {'hold' if yes else 'do not hold'} {_thing(item)}"


def _listed(options: Sequence[str]) -> str:
    return " or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)


def _thing(expr: Expr) -> str:
    """What a comparison speaks about."""
    if expr.what == "const" and isinstance(expr.value, str | int | float | bool):
        return json.dumps(expr.value, ensure_ascii=False)
    if expr.what in ("select", "call") and (path := _path(expr)):
        return path
    if expr.what != "call":
        raise _NoWords
    if expr.name == "size" and len(expr.parts) == 1:
        return f"the size of {_thing(expr.parts[0])}"
    if expr.name in _TIMES and expr.parts[0] == Expr("ident", "time"):
        zone = expr.parts[1].value if len(expr.parts) > 1 else "UTC"
        if isinstance(zone, str):
            return f"{_TIMES[expr.name]} in {zone}"
    raise _NoWords


def _path(expr: Expr) -> str:
    """`args.a.b` and `args["a"]` as the argument's name, other variables in words; empty for anything else."""
    names: list[str] = []
    while expr.what != "ident":
        if expr.what == "select":
            names.append(expr.name)
        elif expr.what == "call" and expr.name == "_[_]" and isinstance(expr.parts[1].value, str):
            names.append(expr.parts[1].value)
        else:
            return ""
        expr = expr.parts[0]
    names.reverse()
    if expr.name == "args":
        return ".".join(names)
    return _FIELDS.get((expr.name, names[0]), "") if len(names) == 1 else ""

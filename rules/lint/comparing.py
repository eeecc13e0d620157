"""How two values compare, what a comparison tells of a place, and values in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rules.expressions import Expr
from rules.lint.values import ANY, ANYTHING, NUMBERS, Value, any_of, constant, kinds_of, meet, scalar

Path = tuple[str, ...]
Known = Mapping[Path, Value]
"""What is known of places besides their schema, because another part of the condition has asked."""

COMPARISONS: Final = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
ORDERED: Final = (NUMBERS, *map(frozenset, (["string"], ["bool"], ["bytes"], ["timestamp"], ["duration"])))
"""Types that `<` compares with each other (cel-spec, Ordering)."""

MOST_SHOWN: Final = 6
"""Constants that are named in words."""

MOST_KINDS: Final = 3
"""Types that are named in words; what can be more than these can be about anything."""

SMALLEST: Final = 1e-300
"""What a bound that excludes 0 begins with is shown as 0."""

_WORDS: Final[Mapping[str, str]] = {
    "null": "null",
    "bool": "a boolean",
    "int": "an integer",
    "uint": "an unsigned integer",
    "double": "a number",
    "string": "a string",
    "bytes": "bytes",
    "list": "a list",
    "map": "an object",
    "timestamp": "a timestamp",
    "duration": "a duration",
    "type": "a type",
}
TYPES: Final = {
    "null_type": "null",
    **{name: name for name in ("int", "uint", "double", "string", "bool", "bytes", "list", "map")},
}
"""What a condition compares type(...) with."""

_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_DENIED: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}


def literal(expr: Expr) -> Value:
    """A constant of the expression."""
    if expr.name == "uint":
        return constant([expr.value], frozenset({"uint"}))
    return constant([expr.value], exact_kinds(expr.value))


def exact_kinds(value: Any) -> frozenset[str]:
    """The type of a constant in CEL, where 5 and 5.0 differ."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return frozenset({"double" if isinstance(value, float) else "int"})
    return kinds_of(value)


def ordered(sign: str, left: Value, right: Value) -> list[bool]:
    """What a comparison of two numbers can answer, by their bounds."""
    if sign in (">", ">="):
        return ordered(_TURNED[sign], right, left)
    if sign == "<":
        return _answers(left.high < right.low, left.low >= right.high)
    return _answers(left.high <= right.low, left.low > right.high)


def _answers(always: bool, never: bool) -> list[bool]:
    return [True] if always else [False] if never else [True, False]


def path_of(expr: Expr) -> Path:
    """The place that an expression names, as in args.customer.id; empty where it is none."""
    if expr.what == "ident":
        return (expr.name,)
    if expr.what == "select":
        name = expr.name
    elif expr.what == "call" and expr.name == "_[_]" and isinstance(expr.parts[1].value, str):
        name = expr.parts[1].value
    else:
        return ()
    owner = path_of(expr.parts[0])
    return (*owner, name) if owner else ()


def implied(expr: Expr, way: bool) -> dict[Path, Value]:
    """What is known of places where an expression is yes (or, with `way` False, no)."""
    if expr.what != "call":
        return asked_for(expr, way)
    if expr.name == "!_":
        return implied(expr.parts[0], not way)
    if expr.name == ("_&&_" if way else "_||_"):
        first, second = (implied(part, way) for part in expr.parts)
        return {
            path: meet(first.get(path, ANYTHING), second.get(path, ANYTHING)) for path in first.keys() | second.keys()
        }
    if expr.name == "@in" and way:
        path, listed = path_of(expr.parts[0]), constants_of(expr.parts[1])
        some = any_of(constant([one], loose_kinds(exact_kinds(one))) for one in listed or ())
        return {path: some if listed else ANYTHING} if path else {}
    return told_by(expr, way)


def asked_for(expr: Expr, way: bool) -> dict[Path, Value]:
    """The places that are there where an expression is yes (or no), because has() asks for them."""
    if expr.what == "has" and way:
        owner = path_of(expr.parts[0])
        return {(*owner, expr.name): ANYTHING} if owner else {}
    if expr.what == "call" and expr.name == "!_":
        return asked_for(expr.parts[0], not way)
    if expr.what == "call" and expr.name == ("_&&_" if way else "_||_"):
        return asked_for(expr.parts[0], way) | asked_for(expr.parts[1], way)
    return {}


def constants_of(expr: Expr) -> list[Any] | None:
    """The items of a list of constants; None for any other expression."""
    whole = expr.what == "list" and all(part.what == "const" for part in expr.parts)
    return [part.value for part in expr.parts] if whole and all(scalar(part.value) for part in expr.parts) else None


def told_by(expr: Expr, way: bool) -> dict[Path, Value]:
    """What a comparison of a place with a constant tells of the place, where its answer is `way`."""
    if expr.name not in COMPARISONS:
        return {}
    sign = expr.name.strip("_")
    left, right = expr.parts
    if (left.name, right.what) == ("type", "ident") and left.parts and (sign == "==") is way:
        return {path_of(left.parts[0]): Value(frozenset({TYPES.get(right.name, right.name)}))}
    if left.what == "const":
        left, right, sign = right, left, _TURNED[sign]
    path = path_of(left)
    if not path or right.what != "const":
        return {}
    return {path: _range(sign if way else _DENIED[sign], right.value)}


def _range(sign: str, value: Any) -> Value:
    if sign == "==" and scalar(value):
        return constant([value], loose_kinds(exact_kinds(value)))
    if sign == "!=" and value is None:
        return replace(ANYTHING, kinds=ANY - {"null"})
    if not isinstance(value, int | float) or isinstance(value, bool) or sign == "!=":
        return ANYTHING
    above, below = math.nextafter(value, math.inf), math.nextafter(value, -math.inf)
    low = {">": above, ">=": value}.get(sign, -math.inf)
    return Value(NUMBERS, low=low, high={"<": below, "<=": value}.get(sign, math.inf))


def loose_kinds(kinds: frozenset[str]) -> frozenset[str]:
    """With all types of numbers where there is one: `==` compares across them."""
    return kinds | NUMBERS if kinds & NUMBERS else kinds


def subject(value: Value) -> str:
    """The place where a value is from."""
    return ".".join(value.path) or "a value"


def in_words(value: Value) -> str:
    """What a value can be."""
    if value.consts is not None and 0 < len(value.consts) <= MOST_SHOWN:
        shown = sorted(_shown(one[1]) for one in value.consts)
        return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"
    kinds = value.kinds - {"int"} if "double" in value.kinds else value.kinds
    if not kinds:
        return "nothing"
    if len(kinds) > MOST_KINDS:
        return "anything"
    return " or ".join(_WORDS[kind] for kind in sorted(kinds)) + _bounds(value)


def _bounds(value: Value) -> str:
    if not value.numeric:
        return ""
    low, high = (0.0 if abs(bound) < SMALLEST else bound for bound in (value.low, value.high))
    shown = f" from {low:.12g}" if math.isfinite(low) else ""
    return shown + (f" to {high:.12g}" if math.isfinite(high) else "")


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)

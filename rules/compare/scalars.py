"""The keywords of JSON Schema that hold no schemas: does what one side asks for follow from the other side?

Each answer is about sets of values: `follows` is True only where every value of the narrow side surely fulfils the
keyword of the wide side (JSON Schema 2020-12 validation, sections 6 and 7, formats asserted).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import jsonschema_rs

from rules.compare.side import same

MOST_VALUES: Final = 5_000
"""Values of an `enum` that are looked at one by one."""

Nodes = Sequence[Mapping[str, Any]]
"""Schemas that one value has to fulfil at once."""

_ATOMS: Final[Mapping[str, frozenset[str]]] = {
    **{name: frozenset((name,)) for name in ("null", "boolean", "object", "array", "string")},
    "integer": frozenset(("integer",)),
    "number": frozenset(("integer", "fraction")),
}
ALL: Final = frozenset().union(*_ATOMS.values())
_NUMBERS: Final = _ATOMS["number"]
_OBJECTS: Final = frozenset(("object",))
_ARRAYS: Final = frozenset(("array",))
_STRINGS: Final = frozenset(("string",))
_FEW: Final[Mapping[frozenset[str], list[Any]]] = {_ATOMS["null"]: [None], _ATOMS["boolean"]: [False, True]}
SPEAKS_OF: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBERS),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), _STRINGS),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems", "items", "prefixItems", "contains"), _ARRAYS),
    **dict.fromkeys(("unevaluatedItems", "minContains", "maxContains"), _ARRAYS),
    **dict.fromkeys(("minProperties", "maxProperties", "required", "dependentRequired"), _OBJECTS),
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties", "propertyNames"), _OBJECTS),
    **dict.fromkeys(("dependentSchemas", "unevaluatedProperties"), _OBJECTS),
}
"""The types about which a keyword speaks; values of other types fulfil it."""


def atoms(nodes: Nodes) -> frozenset[str]:
    """The types that a value may have. `number` is two: integers and other numbers."""
    found = ALL
    for node in nodes:
        if "type" in node:
            said = node["type"] if isinstance(node["type"], list) else [node["type"]]
            found &= frozenset().union(*(_ATOMS.get(name, ALL) for name in said))
    values = listed(nodes)
    return found if values is None else found & frozenset(map(atom, values))


def atom(value: Any) -> str:
    """The type of one value: 1.0 is an integer."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "integer" if float(value).is_integer() else "fraction"
    return "array" if isinstance(value, list) else "object"


def listed(nodes: Nodes) -> list[Any] | None:
    """The values among which a value has to be, as `enum` and `const` say; None where nothing says it."""
    lists = [node["enum"] for node in nodes if isinstance(node.get("enum"), list)]
    lists += [[node["const"]] for node in nodes if "const" in node]
    if not lists or any(len(one) > MOST_VALUES for one in lists):
        return None
    return [value for value in lists[0] if all(_within(value, other) for other in lists[1:])]


def values(nodes: Nodes) -> list[Any] | None:
    """All values that a place can have, where they are few: those of `listed`, of booleans and of null."""
    few = listed(nodes)
    if few is None:
        few = _FEW.get(atoms(nodes))
    return few and [value for value in few if all(fulfils(value, _simple(node)) for node in nodes)]


def fulfils(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is valid under keywords that hold no `$ref`. What cannot be checked is not fulfilled."""
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, offline=True, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
        ).is_valid(value)
    except (ValueError, jsonschema_rs.ReferencingError):
        return False


def beyond(node: Mapping[str, Any], word: str, few: Iterable[Any]) -> list[Any]:
    """Those of a few values that do not fulfil one keyword."""
    return [value for value in few if not fulfils(value, {word: node[word]})]


def follows(word: str, asked: Any, nodes: Nodes) -> bool:
    """Whether every value of the nodes surely fulfils `{word: asked}`. What is no schema proves nothing."""
    try:
        return FOLLOWS[word](asked, nodes)
    except (TypeError, ValueError, ArithmeticError, AttributeError, KeyError):
        return False


def _type(asked: Any, nodes: Nodes) -> bool:
    names = asked if isinstance(asked, list) else [asked]
    return atoms(nodes) <= frozenset().union(*(_ATOMS[name] for name in names))


def _never(asked: Any, nodes: Nodes) -> bool:
    return False


def _most(word: str) -> Callable[[Any, Nodes], bool]:
    return lambda asked, nodes: any(word in node and node[word] <= asked for node in nodes)


def _least(word: str) -> Callable[[Any, Nodes], bool]:
    return lambda asked, nodes: asked <= 0 or any(word in node and node[word] >= asked for node in nodes)


def _least_properties(asked: Any, nodes: Nodes) -> bool:
    required = {name for node in nodes for name in node.get("required", [])}
    return len(required) >= asked or _least("minProperties")(asked, nodes)


def _same(word: str) -> Callable[[Any, Nodes], bool]:
    return lambda asked, nodes: any(word in node and same(node[word], asked) for node in nodes)


def _unique(asked: Any, nodes: Nodes) -> bool:
    return asked is False or any(node.get("uniqueItems") is True or node.get("maxItems", 2) <= 1 for node in nodes)


def _multiple(asked: Any, nodes: Nodes) -> bool:
    steps = [node["multipleOf"] for node in nodes if "multipleOf" in node]
    steps += [1] if "fraction" not in atoms(nodes) else []
    return any(_fraction(step) % _fraction(asked) == 0 for step in steps)


def _fraction(number: int | float) -> Fraction:
    return Fraction(str(number))


def _bound(sign: int, strict: bool) -> Callable[[Any, Nodes], bool]:
    """Of the four bounds of numbers: those with sign -1 are turned round, so that all are upper ones."""

    def answer(asked: Any, nodes: Nodes) -> bool:
        whole = "fraction" not in atoms(nodes)
        limit = _upper(sign * _fraction(asked), strict, whole)
        return any(_upper(*one, whole) <= limit for one in _uppers(sign, nodes))

    return answer


def _uppers(sign: int, nodes: Nodes) -> list[tuple[Fraction, bool]]:
    words = ("maximum", "exclusiveMaximum") if sign > 0 else ("minimum", "exclusiveMinimum")
    return [(sign * _fraction(node[word]), word == words[1]) for node in nodes for word in words if word in node]


def _upper(limit: Fraction, strict: bool, whole: bool) -> tuple[Fraction, bool]:
    """A bound such that a smaller one is a tighter one; of integers, the largest that is allowed."""
    if whole:
        return Fraction(math.ceil(limit) - 1 if strict else math.floor(limit)), True
    return limit, not strict


def _simple(node: Mapping[str, Any]) -> dict[str, Any]:
    return {word: node[word] for word in node if word in FOLLOWS}


def _within(value: Any, some: Iterable[Any]) -> bool:
    return any(same(value, other) for other in some)


FOLLOWS: Final[Mapping[str, Callable[[Any, Nodes], bool]]] = {
    "type": _type,
    "enum": _never,
    "const": _never,
    "maximum": _bound(1, False),
    "exclusiveMaximum": _bound(1, True),
    "minimum": _bound(-1, False),
    "exclusiveMinimum": _bound(-1, True),
    "multipleOf": _multiple,
    **{word: _most(word) for word in ("maxLength", "maxItems", "maxProperties")},
    **{word: _least(word) for word in ("minLength", "minItems")},
    "minProperties": _least_properties,
    "uniqueItems": _unique,
    "pattern": _same("pattern"),
    "format": _same("format"),
}
"""Per keyword that holds no schema, whether it follows. `enum` follows only from a few values, tried one by one."""

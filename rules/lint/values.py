"""What a place can hold: an over-approximation of the values that a JSON Schema allows there.

Everything that is not understood widens it, so "can never be" is sure and "may be" is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final, Literal
from urllib.parse import unquote, urldefrag, urljoin

from rules.documents import ROOT
from rules.schema import Contract

NUMBERS: Final = frozenset({"int", "uint", "double"})
JSON: Final = frozenset({"null", "bool", "int", "double", "string", "list", "map"})
ANY: Final = JSON | {"uint", "bytes", "timestamp", "duration", "type"}
"""The types of CEL."""

MOST_DEEP: Final = 24
"""References and applicators that are followed at one place; beyond, it may be anything."""

MOST_STEPS: Final = 1_000
"""Subschemas that are looked at for one place: branches that refer to each other multiply with every reference."""

MOST_ALTERNATIVES: Final = 16
"""Shapes that an object at one place may have; beyond, its members may be anything."""

LARGEST: Final = 1e300
"""Bounds beyond it bind nothing that CEL could compare."""

_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "null": frozenset({"null"}),
    "boolean": frozenset({"bool"}),
    "integer": frozenset({"int"}),
    "number": frozenset({"int", "double"}),
    "string": frozenset({"string"}),
    "array": frozenset({"list"}),
    "object": frozenset({"map"}),
}
Scalar = tuple[str, Any]
"""A constant with its type, where all numbers are one type: in Python True is 1."""
Node = tuple[str, Any]
"""A schema, and the URI against which its references count."""
Presence = Literal["always", "maybe", "never"]


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression can be. `kinds` are types of CEL; none means that it can never be anything.

    `consts` are all values it can have (None: not known); `low` and `high` bound its numbers, `longest` its texts and
    `most` its lists. `formed` texts have a format or pattern. `shapes` are the schemas of which one describes it, each
    a conjunction. `path` leads to it from `args` or another variable. With `trouble` it may not be answerable.
    """

    kinds: frozenset[str] = ANY
    consts: frozenset[Scalar] | None = None
    low: float = -math.inf
    high: float = math.inf
    longest: float = math.inf
    most: float = math.inf
    formed: bool = False
    shapes: tuple[tuple[Node, ...], ...] | None = None
    path: tuple[str, ...] = ()
    trouble: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it is a number, whatever it is."""
        return bool(self.kinds) and self.kinds <= NUMBERS

    def shapes_of(self, kind: str) -> list[tuple[Node, ...]]:
        """Those of its shapes that describe an object ("map") or list."""
        return [shape for shape in self.shapes or () if all(kind in _types(one) for _, one in shape)]

    def names(self) -> list[str]:
        """The members that are declared for an object."""
        declared = (one.get("properties") for shape in self.shapes_of("map") for _, one in shape)
        return sorted({name for properties in declared for name in _mapped(properties)})

    @property
    def is_free(self) -> bool:
        """Whether it can be an object that declares no member, or lets in others in so many words."""
        return "map" in self.kinds and (self.shapes is None or any(map(_is_free, self.shapes_of("map"))))

    def said(self, word: str) -> frozenset[str]:
        """What its schemas say under a keyword that holds text."""
        nodes = [one for shape in self.shapes or () for _, one in shape]
        return frozenset(one[word] for one in nodes if isinstance(one.get(word), str))


ANYTHING: Final = Value()
NOTHING: Final = Value(
    frozenset(), frozenset(), low=math.inf, high=-math.inf, longest=-math.inf, most=-math.inf, formed=True, shapes=()
)


def scalar(value: Any) -> Scalar | None:
    """A constant of JSON or CEL; None for what is made of parts."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", value
    return ("string", value) if isinstance(value, str) else None


def kinds_of(value: Any) -> frozenset[str]:
    """The types that a JSON value can have in CEL: 5 and 5.0 are the same to a schema."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return frozenset({"int", "double"})
    found = scalar(value)
    return frozenset({found[0]}) if found else frozenset({"list"}) if isinstance(value, list) else frozenset({"map"})


def constant(values: Iterable[Any], kinds: frozenset[str] | None = None) -> Value:
    """One of these constants."""
    listed = list(values)
    known = [scalar(value) for value in listed]
    types = kinds if kinds is not None else frozenset(kind for value in listed for kind in kinds_of(value))
    if any(one is None for one in known):
        return tidy(Value(types))
    return tidy(Value(types, frozenset(one for one in known if one)))


def tidy(value: Value) -> Value:
    """With bounds that follow from the constants, and none for types that it cannot have."""
    if value.consts is not None:
        kept = frozenset(one for one in value.consts if _within(one, value))
        numbers = [one[1] for one in kept if one[0] == "number"]
        texts = [len(one[1]) for one in kept if one[0] == "string"]
        bounds = min(numbers, default=math.inf), max(numbers, default=-math.inf)
        value = replace(value, consts=kept, low=bounds[0], high=bounds[1], longest=max(texts, default=-math.inf))
        value = replace(value, kinds=value.kinds & _kinds_of_consts(kept) if kept else frozenset())
    if not value.kinds & NUMBERS:
        value = replace(value, low=math.inf, high=-math.inf)
    elif value.low > value.high:
        value = replace(value, kinds=value.kinds - NUMBERS)
    if "string" not in value.kinds:
        value = replace(value, longest=-math.inf, formed=True)
    if "list" not in value.kinds:
        value = replace(value, most=-math.inf)
    return value


def _within(one: Scalar, value: Value) -> bool:
    if one[0] == "number":
        return bool(value.kinds & NUMBERS) and value.low <= one[1] <= value.high
    return one[0] in value.kinds and not (one[0] == "string" and len(one[1]) > value.longest)


def _kinds_of_consts(consts: Iterable[Scalar]) -> frozenset[str]:
    return frozenset(kind for name, _ in consts for kind in (NUMBERS if name == "number" else (name,)))


def meet(first: Value, second: Value) -> Value:
    """What both allow."""
    consts = first.consts if second.consts is None else second.consts
    if first.consts is not None and second.consts is not None:
        consts = first.consts & second.consts
    return tidy(
        Value(
            first.kinds & second.kinds,
            consts,
            max(first.low, second.low),
            min(first.high, second.high),
            min(first.longest, second.longest),
            min(first.most, second.most),
            first.formed or second.formed,
            _both(first.shapes, second.shapes),
            first.path or second.path,
            first.trouble or second.trouble,
        )
    )


def join(first: Value, second: Value) -> Value:
    """What one of the two allows."""
    shapes = None if first.shapes is None or second.shapes is None else first.shapes + second.shapes
    return Value(
        first.kinds | second.kinds,
        None if first.consts is None or second.consts is None else first.consts | second.consts,
        min(first.low, second.low),
        max(first.high, second.high),
        max(first.longest, second.longest),
        max(first.most, second.most),
        first.formed and second.formed,
        None if shapes and len(shapes) > MOST_ALTERNATIVES else shapes,
        first.path if first.path == second.path else (),
        first.trouble or second.trouble,
    )


def any_of(values: Iterable[Value]) -> Value:
    """What one of them allows; nothing where there is none."""
    return reduce(join, values, NOTHING)


def _both(
    first: tuple[tuple[Node, ...], ...] | None, second: tuple[tuple[Node, ...], ...] | None
) -> tuple[tuple[Node, ...], ...] | None:
    """Conjunctions that have a part of each. One that is too large is left at the first, which is wider."""
    if first is None or second is None:
        return second if first is None else first
    if len(first) * len(second) > MOST_ALTERNATIVES:
        return first
    return tuple((*one, *other) for one in first for other in second)


class Schemas:
    """Reads the values of places from one contract."""

    def __init__(self, contract: Contract) -> None:
        self._documents: dict[str, Any] = {**contract.documents, ROOT: contract.schema}
        self._closed = not contract.is_open
        self._steps = 0
        self.root = replace(self.describe((ROOT, contract.schema)), path=("args",))
        """All arguments."""

    def describe(self, node: Node) -> Value:
        """What a schema allows."""
        self._steps = 0
        return self._describe(node, MOST_DEEP)

    def _describe(self, node: Node, deep: int) -> Value:
        base, schema = node
        if schema is False:
            return NOTHING
        self._steps += 1
        if not isinstance(schema, dict) or deep <= 0 or self._steps > MOST_STEPS:
            return ANYTHING
        value = tidy(replace(_own(schema), shapes=((node,),)))
        target = self._follow(base, schema)
        if target:
            value = meet(value, self._describe(target, deep - 1))
        for one in _listed(schema.get("allOf")):
            value = meet(value, self._describe((base, one), deep - 1))
        for word in ("anyOf", "oneOf"):
            if branches := _listed(schema.get(word)):
                value = meet(value, any_of(self._describe((base, one), deep - 1) for one in branches))
        return value

    def member(self, value: Value, name: str) -> tuple[Value, Presence]:
        """What an object holds under a name, and whether it always does."""
        if "map" not in value.kinds:
            return NOTHING, "never"
        if value.shapes is None:
            return ANYTHING, "maybe"
        found = [self._member(shape, name, value.path) for shape in value.shapes_of("map")]
        there = [one for one, presence in found if presence != "never"]
        always = all(presence == "always" for _, presence in found)
        return any_of(there), "always" if there and always else "maybe" if there else "never"

    def declared(self, value: Value, name: str) -> Value:
        """What an object holds under a name by those of its shapes that declare it."""
        shapes = value.shapes_of("map")
        those = [shape for shape in shapes if any(name in _mapped(one.get("properties")) for _, one in shape)]
        return any_of(self._member(shape, name, value.path)[0] for shape in those)

    def _member(self, shape: tuple[Node, ...], name: str, path: tuple[str, ...]) -> tuple[Value, Presence]:
        declared = [(base, one["properties"][name]) for base, one in shape if name in _mapped(one.get("properties"))]
        required = any(name in _listed(one.get("required")) for _, one in shape)
        if declared:
            return reduce(meet, (self.describe(one) for one in declared)), "always" if required else "maybe"
        top = path == ("args",)
        return (NOTHING, "never") if (top and self._closed) or _is_closed(shape) else (ANYTHING, "maybe")

    def item(self, value: Value) -> Value:
        """What each item of a list can be."""
        if value.shapes is None:
            return ANYTHING
        shapes = value.shapes_of("list")
        return any_of(reduce(meet, (self._item(node) for node in shape), ANYTHING) for shape in shapes)

    def _item(self, node: Node) -> Value:
        base, schema = node
        items = schema.get("items", True)
        each = [*_listed(schema.get("prefixItems")), *_listed(items)]
        rest = schema.get("additionalItems", True) if isinstance(items, list) else items
        return any_of(self.describe((base, one)) for one in [*each, rest])

    def _follow(self, base: str, schema: Mapping[str, Any]) -> Node | None:
        """Where `$ref` leads. What is not found, as an `$id` or `$anchor`, may be anything."""
        ref = schema.get("$ref")
        if not isinstance(ref, str):
            return None
        uri, fragment = urldefrag(urljoin(base, ref))
        here = self._documents.get(uri)
        for part in fragment.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(here, list) and key.isascii() and key.isdigit() and int(key) < len(here):
                here = here[int(key)]
            else:
                here = here.get(key) if isinstance(here, dict) else None
        return None if here is None or (fragment and not fragment.startswith("/")) else (uri, here)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    said = schema.get("type")
    names = said if isinstance(said, list) else [said] if said is not None else list(_TYPES)
    return frozenset[str]().union(*(_TYPES.get(name, JSON) for name in names))


def _own(schema: Mapping[str, Any]) -> Value:
    """What the keywords of one schema say by themselves."""
    kinds = _types(schema)
    low, high = _bounds(schema, kinds)
    value = Value(
        kinds,
        low=low,
        high=high,
        longest=_number(schema.get("maxLength"), math.inf),
        most=_number(schema.get("maxItems"), math.inf),
        formed="format" in schema or "pattern" in schema,
    )
    shown = schema["enum"] if isinstance(schema.get("enum"), list) else None
    if "const" in schema:
        shown = [schema["const"]]
    return value if shown is None else meet(value, constant(shown))


def _bounds(schema: Mapping[str, Any], kinds: frozenset[str]) -> tuple[float, float]:
    """The least and greatest number. In draft-04 `exclusiveMinimum` is a boolean beside `minimum`."""

    def beyond(bound: float, towards: float) -> float:
        if math.isinf(bound):
            return bound
        fraction = "double" in kinds or not float(bound).is_integer()
        return math.nextafter(bound, towards) if fraction else bound + math.copysign(1, towards)

    low, high = _number(schema.get("minimum"), -math.inf), _number(schema.get("maximum"), math.inf)
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    low = beyond(low, math.inf) if over is True else max(low, beyond(_number(over, -math.inf), math.inf))
    high = beyond(high, -math.inf) if under is True else min(high, beyond(_number(under, math.inf), -math.inf))
    return low, high


def _number(value: Any, default: float) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return value if known else default


def _is_closed(shape: Iterable[Node]) -> bool:
    return any(
        not one.get("patternProperties")
        and (one.get("additionalProperties") is False or one.get("unevaluatedProperties") is False)
        for _, one in shape
    )


def _is_free(shape: Iterable[Node]) -> bool:
    """Whether nothing says what its members may be, how many, or under which names."""
    nodes = [one for _, one in shape]
    words = ("additionalProperties", "unevaluatedProperties", "maxProperties", "propertyNames")
    bound = any(one.get(word, True) not in (True, {}) for one in nodes for word in words)
    declared = any(one.get("properties") for one in nodes)
    meant = any(one.get(word) in (True, {}) for one in nodes for word in words[:2])
    return not bound and (meant or not declared)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapped(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

"""Random schemas, and schemas that differ from them in a keyword: what a comparison of schemas is tried with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

import jsonschema_rs

from rules.dialects import DRAFT202012, subschemas

TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
NAMES = ["a", "b", "c", "x1"]
PATTERNS = ["^a", "b$", "[0-9]"]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, 5, 10, -1, 1.5, 2.0, 10.5),
    *("", "a", "ab", "abc", "x1", "2026-01-31", [], [1], [1, 1], ["a"], [1, "a", None]),
    *({}, {"a": 1}, {"a": "ab"}, {"b": 1}, {"a": 1, "b": 2}, {"a": {"a": 1}}, {"x1": "a"}, {"a": None, "c": [1]}),
]
Make = Callable[[Random, int], Any]


def schema(random: Random, depth: int) -> Any:
    """A schema; `#/$defs/A` may be referred to."""
    if depth <= 0 or random.random() < 0.1:
        small = [True, False, {}, {"type": random.choice(TYPES)}, {"enum": random.sample(VALUES, 3)}]
        return random.choice([*small, {"const": random.choice(VALUES)}, {"$ref": "#/$defs/A"}])
    return {word: MAKE[word](random, depth - 1) for word in random.sample(list(MAKE), random.randint(1, 4))}


def whole(random: Random) -> dict[str, Any]:
    """A schema with its definition."""
    top = schema(random, 3)
    return {**(top if isinstance(top, dict) else {}), "$defs": {"A": schema(random, 2)}}


def mutated(random: Random, old: dict[str, Any]) -> dict[str, Any]:
    """The same with one keyword added, changed or taken away somewhere."""
    new = copy.deepcopy(old)
    node = random.choice([here for _, here in subschemas(new, DRAFT202012) if isinstance(here, dict)])
    words = [word for word in node if word in MAKE]
    if words and random.random() < 0.35:
        del node[random.choice(words)]
    else:
        word = random.choice(words if words and random.random() < 0.4 else list(MAKE))
        node[word] = MAKE[word](random, 1)
    return new


def value(random: Random, depth: int) -> Any:
    """A JSON value."""
    if depth == 0 or random.random() < 0.4:
        return random.choice(VALUES)
    if random.random() < 0.4:
        return [value(random, depth - 1) for _ in range(random.randint(0, 3))]
    return {name: value(random, depth - 1) for name in random.sample(NAMES, random.randint(0, 3))}


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _one_of(*options: Any) -> Make:
    return lambda random, depth: random.choice(options)


def _some(options: list[Any], least: int, most: int) -> Make:
    return lambda random, depth: random.sample(options, random.randint(least, most))


def _schemas(most: int) -> Make:
    return lambda random, depth: [schema(random, depth) for _ in range(random.randint(1, most))]


def _map(names: list[str], most: int) -> Make:
    return lambda random, depth: {name: schema(random, depth) for name in random.sample(names, random.randint(1, most))}


MAKE: dict[str, Make] = {
    "type": lambda random, depth: random.choice([random.choice(TYPES), random.sample(TYPES, 2)]),
    "enum": _some(VALUES, 1, 5),
    "const": _one_of(*VALUES),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _one_of(0, 1, 1.5, 2, 10)),
    "multipleOf": _one_of(1, 2, 0.5, 5),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minContains"), _one_of(0, 1, 2, 3)),
    **dict.fromkeys(("minProperties", "maxProperties", "maxContains"), _one_of(0, 1, 2)),
    "uniqueItems": _one_of(True, False),
    "pattern": _one_of(*PATTERNS),
    "format": _one_of("date", "email"),
    "required": _some(NAMES, 0, 2),
    "dependentRequired": lambda random, depth: {"a": random.sample(NAMES, 1)},
    "properties": _map(NAMES, 3),
    "patternProperties": _map(PATTERNS, 1),
    "dependentSchemas": _map(["a"], 1),
    **dict.fromkeys(
        ("additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else"), schema
    ),
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), schema),
    **dict.fromkeys(("anyOf", "oneOf"), _schemas(3)),
    **dict.fromkeys(("allOf", "prefixItems"), _schemas(2)),
}

"""What is wrong with arguments, said so that a model can mend them, without ever repeating a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

NO_EXAMPLE: Final = object()
"""Stands where the schema shows no example: `None` would be the JSON null."""

MOST_PROBLEMS = 16
"""A model mends a few problems at a time; more would only fill its context."""

MOST_VALUE = 80
"""Characters of a value of the schema that a problem shows."""

MOST_NAMES, MOST_NAME = 8, 64
"""Undeclared names, and characters of each, that are compared with declared ones: it costs far more than reading."""

MOST_SHOWN = 20
"""Options of an enum or declared names that a problem lists."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which arguments break their contract. `path` is a JSON pointer (RFC 6901) into the arguments.

    `problem` reads "is a string, must be an integer" and never holds the rejected value. `example` comes from the
    schema alone, or is NO_EXAMPLE.
    """

    path: str
    problem: str
    example: Any = NO_EXAMPLE


_TYPES: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
_NAMES: Final = {
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "array": "an array",
    "object": "an object",
    "null": "null",
}


def type_of(value: Any) -> str:
    """`a string`, `an integer`, `null` ...: what JSON calls the type of a value."""
    return _TYPES.get(type(value), "a value that JSON does not know")


def pointer(parts: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901) from its unescaped parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or an empty string."""
    names = sorted(known)
    lowered = {one.lower(): one for one in names}
    found = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else ""


def undeclared(names: Iterable[str], known: Iterable[str]) -> str:
    """How to say that names are not declared, without repeating them: the caller knows what it sent."""
    known = sorted(known)
    few = [name[:MOST_NAME] for name in islice(names, MOST_NAMES)]
    meant = sorted({near for name in few if (near := closest(name, known))})
    says = "holds a name that is not declared"
    if meant:
        says += f" (did you mean {' or '.join(meant[:MOST_SHOWN])}?)"
    return f"{says}; declared: {listed(known)}"


def listed(options: Sequence[Any]) -> str:
    """Options joined for reading, the rest counted."""
    shown = ", ".join(str(one) for one in options[:MOST_SHOWN])
    rest = len(options) - MOST_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown or "none"


def _shown(value: Any) -> str:
    """A value of the schema: text as it is, all else as JSON, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_VALUE else text[:MOST_VALUE] + " ..."


def _must_be(types: Iterable[str]) -> str:
    return "must be " + " or ".join(sorted(_NAMES[one] for one in types))


_SAYINGS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "const": lambda d: f"must be {_shown(d['expected_value'])}",
    "contains": lambda d: "does not hold the items that it must hold",
    "enum": lambda d: f"must be one of: {listed([_shown(one) for one in d['options']])}",
    "exclusiveMaximum": lambda d: f"must be less than {d['limit']}",
    "exclusiveMinimum": lambda d: f"must be more than {d['limit']}",
    "falseSchema": lambda d: "is not allowed",
    "format": lambda d: f"must be of the format {d['format']}",
    "maxItems": lambda d: f"must have at most {d['limit']} items",
    "maxLength": lambda d: f"must have at most {d['limit']} characters",
    "maxProperties": lambda d: f"must have at most {d['limit']} names",
    "maximum": lambda d: f"must be at most {d['limit']}",
    "minItems": lambda d: f"must have at least {d['limit']} items",
    "minLength": lambda d: f"must have at least {d['limit']} characters",
    "minProperties": lambda d: f"must have at least {d['limit']} names",
    "minimum": lambda d: f"must be at least {d['limit']}",
    "multipleOf": lambda d: f"must be a multiple of {d['multiple_of']}",
    "not": lambda d: "is of a form that is not allowed",
    "oneOf": lambda d: "must fit exactly one of the allowed forms",
    "anyOf": lambda d: "fits none of the allowed forms",
    "pattern": lambda d: f"must match the pattern {d['pattern']}",
    "propertyNames": lambda d: "holds a name of a form that is not allowed",
    "uniqueItems": lambda d: "must not hold the same item twice",
    "additionalItems": lambda d: "has more items than are allowed",
    "unevaluatedItems": lambda d: "has items that are not allowed",
}


def phrase(error: Any) -> str:
    """One sentence part for one error of jsonschema-rs, from what the schema says and never from the instance."""
    kind, details = error.kind.name, error.kind.as_dict()
    if kind == "type":
        return f"is {type_of(error.instance)}, {_must_be(details['types'])}"
    if kind in ("anyOf", "oneOf") and (types := _types_of_branches(error, details["context"])):
        return f"is {type_of(error.instance)}, {_must_be(types)}"
    say = _SAYINGS.get(kind)
    return say(details) if say else "does not fit its schema"


def _types_of_branches(error: Any, context: Sequence[Sequence[Any]]) -> set[str]:
    """The types that the branches ask for, where each branch failed for nothing but its type."""
    types: set[str] = set()
    for branch in context:
        if len(branch) != 1 or branch[0].kind.name != "type" or branch[0].instance_path != error.instance_path:
            return set()
        types.update(branch[0].kind.as_dict()["types"])
    return types

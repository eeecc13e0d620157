"""The schemas of an MCP server as contracts. They are not trusted: no file, no network, bounded in all ways.

What JSON Schema ignores (an unknown keyword or format) is ignored here too, other than in contracts of one's own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs

from rules.dialects import DIALECTS, Dialect, Flaw, dialect_of, subschemas
from rules.documents import BadSchema
from rules.replies import Replies, Shape
from rules.schema import Contract
from rules.usable import usable_pattern

LEFT_OUT: Final = "x-toolwall-left-out"
"""The keyword under which a contract tells what of the server's schema it does not hold."""

MOST_MENDED: Final = 32
"""Keywords of one schema that are left out because they are no JSON Schema."""

_RESULT: Final = ("result", "structuredContent")
_WITHIN: Final = "".join(f"/properties/{name}" for name in _RESULT)
_TIED: Final = frozenset({"$id", "id", "$recursiveRef", "$dynamicRef"})
_LATEST: Final = DIALECTS[-1].uri
_NAMES: Final = {
    **{dialect.uri.partition("//")[2]: dialect.uri for dialect in DIALECTS},
    "": _LATEST,
    "json-schema.org/schema": _LATEST,
    "spec.openapis.org/oas/3.1/dialect/base": _LATEST,
}
"""Dialects, without the scheme of a URI. The last has words of its own, which say nothing of what fits."""

_IN_REFERENCES: Final = "/%~!$&'()*+,;=:@?-._"
"""What stands in the fragment of a URI as it is (RFC 3986, 3.5), beside letters and digits."""


def contract(schema: Any) -> Contract:
    """The contract of a tool's arguments. Raises BadSchema."""
    made, left = _usable(schema, "inputSchema")
    if made.get("type", "object") != "object":
        raise BadSchema([Flaw(("type",), "must be object")])
    made = _declared({**made, "type": "object"})
    return Contract(_told(made, left), foreign=True)


def replies(schema: Any) -> Replies:
    """What the results of a tool look like that has this schema for its structured content. Raises BadSchema."""
    made, left = _usable(schema, "outputSchema")
    dialect = dialect_of(made)
    named = {"$schema": made.pop("$schema")} if "$schema" in made else {}
    made.pop("$id", None)
    for _, here in subschemas(made, dialect):
        if isinstance(here, dict):
            tied = _TIED & dialect.keywords.keys()
            if found := sorted(tied & {word for word in here if isinstance(here[word], str)}):
                raise BadSchema([Flaw((found[0],), "cannot be followed in an outputSchema")])
            if isinstance(here.get("$ref"), str) and (here["$ref"] == "#" or here["$ref"].startswith("#/")):
                here["$ref"] = f"#{_WITHIN}{here['$ref'][1:]}"
    for name in reversed(_RESULT):
        made = {"properties": {name: made}}
    return Replies({"200": {"application/json": Shape(_told({**named, **made}, left), foreign=True)}})


def prompt(arguments: Any) -> Contract:
    """The contract of a prompt's arguments, which are texts. Raises BadSchema."""
    listed: list[Any] = arguments if isinstance(arguments, list) else [] if arguments is None else [None]
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed):
        raise BadSchema([Flaw(("arguments",), "must be a list of arguments with names")])
    properties = {one["name"]: _argument(one) for one in listed}
    if len(properties) != len(listed):
        raise BadSchema([Flaw(("arguments",), "holds a name twice")])
    required = [one["name"] for one in listed if one.get("required") is True]
    made = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Contract(made, foreign=True)


def _argument(one: Mapping[str, Any]) -> dict[str, Any]:
    said = one.get("description")
    return {"type": "string", **({"description": said} if isinstance(said, str) else {})}


@cache
def anything() -> Contract:
    """The contract of a method whose parameters are the protocol's own."""
    return Contract({"type": "object", "additionalProperties": True})


REST_SAYS: Final = (
    "Gives the next piece of what was left out of a result. Where something was left out the result says so, with "
    "`rest` and how much that is. Changes nothing."
)


@cache
def rest() -> Contract:
    """The contract of what gives the rest of shaped results."""
    place = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,80}$", "description": "As it stands in the result."}
    since = {"type": "integer", "minimum": 0, "description": "The number of the character or item to go on from."}
    named = {"rest": place, "from": since}
    return Contract({"type": "object", "properties": named, "required": ["rest"], "additionalProperties": False})


def _usable(schema: Any, word: str) -> tuple[dict[str, Any], list[str]]:
    """A copy that can be compiled, and what had to be left out. Raises BadSchema."""
    if not isinstance(schema, dict):
        raise BadSchema([Flaw((), f"{word} must be an object")])
    made = copy.deepcopy(schema)
    made.pop(LEFT_OUT, None)
    uri = made.get("$schema")
    if isinstance(uri, str) and (known := _NAMES.get(uri.removesuffix("#").rpartition("://")[2])):
        made["$schema"] = known
    try:
        dialect = dialect_of(made)
    except ValueError as error:
        raise BadSchema([Flaw(("$schema",), "names an unknown dialect", str(error))]) from None
    for _, here in subschemas(made, dialect):
        if isinstance(here, dict):
            _spell(here)
    left = list(_without_patterns(made, dialect))
    for _ in range(MOST_MENDED):
        wrong = _no_keyword(made, dialect)
        if wrong is None:
            break
        left.append(wrong)
    return made, left


def _spell(here: dict[str, Any]) -> None:
    """Spell what can mean one thing only as a validator wants it."""
    ref, named, required = here.get("$ref"), here.get("$id"), here.get("required")
    if isinstance(ref, str) and ref.startswith("#/"):
        here["$ref"] = f"#{quote(ref[1:], safe=_IN_REFERENCES)}"
    if isinstance(named, str) and named.startswith("#/"):  # it tells where it stands, and nobody refers to that
        del here["$id"]
    if isinstance(required, list) and all(isinstance(name, str) for name in required):
        here["required"] = list(dict.fromkeys(required))


def _without_patterns(schema: Any, dialect: Dialect) -> Iterator[str]:
    """Take out the patterns that do not run in linear time: what they forbid is left to the server."""
    for _, here in subschemas(schema, dialect):
        if not isinstance(here, dict):
            continue
        if "pattern" in here and not usable_pattern(here["pattern"]):
            del here["pattern"]
            yield "a pattern that does not run in linear time"
        named = here.get("patternProperties")
        named = named if isinstance(named, dict) else {}
        for pattern in list(named):
            if not usable_pattern(pattern):
                del named[pattern]
                yield "a pattern of names that does not run in linear time"


def _no_keyword(schema: dict[str, Any], dialect: Dialect) -> str | None:
    """Take out one keyword whose value is none of its dialect, such as `required: true`; None where all are good."""
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        path = error.instance_path
        for length in range(len(path), 0, -1):
            if _take_out(schema, path[:length], dialect):
                return f"the keyword {path[length - 1]}, which is none of JSON Schema {dialect.name}"
    return None


def _take_out(schema: Any, path: list[str | int], dialect: Dialect) -> bool:
    """Whether the path led to a keyword, which is gone now."""
    *above, word = path
    for place, here in subschemas(schema, dialect):
        if list(place) == above and isinstance(here, dict) and word in here and word in dialect.keywords:
            del here[word]
            return True
    return False


def _declared(schema: dict[str, Any]) -> dict[str, Any]:
    """What is required is declared, and what patterns leave open is closed: as the house reads contracts."""
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(required, list):
        known = properties if isinstance(properties, dict) else {}
        schema = {**schema, "properties": {**known, **{name: True for name in required if name not in known}}}
    if "patternProperties" in schema and not {"additionalProperties", "unevaluatedProperties"} & schema.keys():
        schema = {**schema, "additionalProperties": False}
    return schema


def _told(schema: dict[str, Any], left: list[str]) -> dict[str, Any]:
    return {**schema, LEFT_OUT: "; ".join(dict.fromkeys(left))} if left else schema

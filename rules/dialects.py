"""The dialects of JSON Schema: which keywords and formats each one knows, and who validates it.

An unknown keyword or format is ignored by every validator, so a misspelt `minimum` would protect nothing. Here it is
an error. Sources: the specifications of draft-04, 06, 07, 2019-09 and 2020-12 at json-schema.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import jsonschema_rs

from rules.problems import closest

Form = Literal["data", "schema", "schemas", "map", "items", "dependencies"]
Path = tuple[str | int, ...]

MOST_DEPTH = 64
"""Nesting of a schema. Published contracts stay under 30; validators recurse."""

MOST_NODES = 20_000
"""Subschemas of one contract: the largest real operation known has some thousands."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One version of JSON Schema. `keywords` says of each keyword where its subschemas are."""

    name: str
    number: int
    uri: str
    keywords: Mapping[str, Form]
    formats: frozenset[str]
    fast: type[jsonschema_rs.Validator]
    ref_hides_siblings: bool


def _forms(form: Form, names: str) -> dict[str, Form]:
    return dict.fromkeys(names.split(), form)


_DRAFT4: Final[dict[str, Form]] = {
    **_forms("data", "$schema $ref title description default multipleOf maximum exclusiveMaximum minimum"),
    **_forms("data", "exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxProperties"),
    **_forms("data", "minProperties required enum type format"),
    **_forms("schema", "not additionalProperties additionalItems"),
    **_forms("schemas", "allOf anyOf oneOf"),
    **_forms("map", "properties patternProperties definitions"),
    "items": "items",
    "dependencies": "dependencies",
}
_DRAFT6: Final[dict[str, Form]] = {
    **_DRAFT4,
    **_forms("data", "$id const examples"),
    **_forms("schema", "contains propertyNames"),
}
_DRAFT7: Final[dict[str, Form]] = {
    **_DRAFT6,
    **_forms("data", "$comment readOnly writeOnly contentMediaType contentEncoding"),
    **_forms("schema", "if then else"),
}
_2019: Final[dict[str, Form]] = {
    **{name: form for name, form in _DRAFT7.items() if name != "dependencies"},
    **_forms("data", "$anchor $recursiveRef $recursiveAnchor dependentRequired maxContains minContains deprecated"),
    **_forms("schema", "unevaluatedItems unevaluatedProperties contentSchema"),
    **_forms("map", "$defs dependentSchemas"),
}
_2020: Final[dict[str, Form]] = {
    **{name: form for name, form in _2019.items() if name not in ("additionalItems",) and "recursive" not in name},
    **_forms("data", "$dynamicRef $dynamicAnchor"),
    **_forms("schema", "items"),
    **_forms("schemas", "prefixItems"),
}

_FORMATS4: Final = frozenset(["date-time", "email", "hostname", "ipv4", "ipv6", "uri"])
_FORMATS6: Final = _FORMATS4 | frozenset(["uri-reference", "uri-template", "json-pointer"])
_FORMATS7: Final = _FORMATS6 | frozenset(
    ["date", "time", "regex", "relative-json-pointer", "idn-email", "idn-hostname", "iri", "iri-reference"]
)
_FORMATS19: Final = _FORMATS7 | frozenset(["duration", "uuid"])

DRAFT4: Final = Dialect(
    "draft-04",
    4,
    "http://json-schema.org/draft-04/schema",
    {**_DRAFT4, "id": "data"},
    _FORMATS4,
    jsonschema_rs.Draft4Validator,
    True,
)
DRAFT6: Final = Dialect(
    "draft-06",
    6,
    "http://json-schema.org/draft-06/schema",
    _DRAFT6,
    _FORMATS6,
    jsonschema_rs.Draft6Validator,
    True,
)
DRAFT7: Final = Dialect(
    "draft-07",
    7,
    "http://json-schema.org/draft-07/schema",
    _DRAFT7,
    _FORMATS7,
    jsonschema_rs.Draft7Validator,
    True,
)
DRAFT201909: Final = Dialect(
    "2019-09",
    19,
    "https://json-schema.org/draft/2019-09/schema",
    _2019,
    _FORMATS19,
    jsonschema_rs.Draft201909Validator,
    False,
)
DRAFT202012: Final = Dialect(
    "2020-12",
    20,
    "https://json-schema.org/draft/2020-12/schema",
    _2020,
    _FORMATS19,
    jsonschema_rs.Draft202012Validator,
    False,
)
DIALECTS: Final = (DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012)
_BY_URI: Final = {dialect.uri: dialect for dialect in DIALECTS}

_INSTEAD: Final = {
    "dependencies": "dependentRequired or dependentSchemas",
    "additionalItems": "items beside prefixItems",
    "nullable": 'type: [..., "null"]',
    "example": "examples",
    "id": "$id",
    "$recursiveRef": "$dynamicRef",
    "$recursiveAnchor": "$dynamicAnchor",
}
_UNASSERTED: Final = frozenset(["int32", "int64", "float", "double", "byte", "binary", "password", "decimal"])
_BESIDE_REF: Final = frozenset(
    ["$ref", "$schema", "$id", "id", "title", "description", "$comment", "definitions", "default", "examples"]
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong in a schema: where in it, what, and what to do."""

    path: Path
    message: str
    hint: str = ""


def dialect_of(schema: Any) -> Dialect:
    """The dialect that `$schema` names; 2020-12 without one. Raises ValueError for one that is not known."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    if uri is None:
        return DRAFT202012
    found = _BY_URI.get(str(uri).removesuffix("#"))
    if found is None:
        raise ValueError(f"known are: {', '.join(_BY_URI)}")
    return found


def subschemas(schema: Any, dialect: Dialect) -> Iterator[tuple[Path, Any]]:
    """Every subschema with its path, the schema itself first. Yields one node beyond MOST_NODES at most."""
    todo: list[tuple[Path, Any]] = [((), schema)]
    for _ in range(MOST_NODES + 1):
        if not todo:
            return
        path, here = todo.pop()
        yield path, here
        if isinstance(here, dict) and len(path) <= 2 * MOST_DEPTH:
            for keyword, value in here.items():
                todo.extend(_children((*path, keyword), value, dialect.keywords.get(keyword, "data")))


def _children(path: Path, value: Any, form: Form) -> list[tuple[Path, Any]]:
    """The subschemas right under one keyword."""
    if isinstance(value, list) and form in ("schemas", "items"):
        return [((*path, index), one) for index, one in enumerate(value)]
    if isinstance(value, dict) and form in ("map", "dependencies"):
        return [((*path, name), one) for name, one in value.items() if not isinstance(one, list)]
    return [(path, value)] if form in ("schema", "items") else []


def flaws(schema: Any, dialect: Dialect, foreign: bool = False) -> list[Flaw]:
    """What a validator would silently ignore: unknown keywords and formats, neighbours of `$ref`, excess. Of a
    `foreign` schema, whose author nobody can ask, only excess counts."""
    found: list[Flaw] = []
    for count, (path, here) in enumerate(subschemas(schema, dialect)):
        if len(path) > 2 * MOST_DEPTH or count >= MOST_NODES:
            return [*found, Flaw(path, f"is larger than {MOST_NODES} subschemas or deeper than {MOST_DEPTH}")]
        if isinstance(here, dict) and not foreign:
            found += _flaws_here(path, here, dialect)
    return found


def _flaws_here(path: Path, here: Mapping[str, Any], dialect: Dialect) -> list[Flaw]:
    found = [
        Flaw((*path, word), f"is not a keyword of JSON Schema {dialect.name}", _meant(word, dialect.keywords))
        for word in here
        if word not in dialect.keywords and not word.startswith("x-")
    ]
    if dialect.ref_hides_siblings and "$ref" in here:
        found += [
            Flaw((*path, word), f"has no effect beside $ref in {dialect.name}", "put both into allOf")
            for word in here
            if word not in _BESIDE_REF and word in dialect.keywords
        ]
    known = here.get("format")
    if isinstance(known, str) and known not in dialect.formats:
        found.append(
            Flaw((*path, "format"), f"names a format that {dialect.name} cannot check", _format(known, dialect))
        )
    return found


def _meant(word: str, known: Mapping[str, Form]) -> str:
    if word in _INSTEAD:
        return f"use {_INSTEAD[word]}"
    near = closest(word, known)
    return f"did you mean {near}?" if near else "names that begin with x- are free"


def _format(name: str, dialect: Dialect) -> str:
    if name in _UNASSERTED:
        return "say it with minimum and maximum, pattern or maxLength"
    near = closest(name, dialect.formats)
    return f"did you mean {near}?" if near else f"known are: {', '.join(sorted(dialect.formats))}"

"""A second opinion on arguments: `jsonschema`, with what it does inexactly or in unbounded time put right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import jsonschema
import jsonschema_rs
import referencing
import referencing.jsonschema

from rules.dialects import Dialect
from rules.documents import ROOT

_BASES: Final[Mapping[int, tuple[Any, Any]]] = {
    4: (jsonschema.Draft4Validator, referencing.jsonschema.DRAFT4),
    6: (jsonschema.Draft6Validator, referencing.jsonschema.DRAFT6),
    7: (jsonschema.Draft7Validator, referencing.jsonschema.DRAFT7),
    19: (jsonschema.Draft201909Validator, referencing.jsonschema.DRAFT201909),
    20: (jsonschema.Draft202012Validator, referencing.jsonschema.DRAFT202012),
}


def second_opinion(schema: Any, dialect: Dialect, documents: Mapping[str, Any]) -> Any:
    """A `jsonschema` validator of a dialect for a schema and the documents it leads to; `is_valid` may raise.

    It asserts no formats: there jsonschema-rs follows the JSON-Schema-Test-Suite, and `jsonschema` does not.
    """
    base, specification = _BASES[dialect.number]
    registry: Any = referencing.Registry().with_resources(
        (uri, specification.create_resource(_unnamed(document))) for uri, document in documents.items()
    )
    if isinstance(schema, dict) and specification.id_of(schema) is None:
        schema = {"id" if dialect.number == 4 else "$id": ROOT, **schema}
    return _exact(base)(_unnamed(schema), registry=registry)


def _unnamed(schema: Any) -> Any:
    """Without `$schema`, at which `jsonschema` would go back to its own class, without our keywords."""
    return {word: value for word, value in schema.items() if word != "$schema"} if isinstance(schema, dict) else schema


@lru_cache(maxsize=len(_BASES))
def _exact(base: Any) -> Any:
    keywords = {"pattern": _pattern, "multipleOf": _multiple_of, "uniqueItems": _unique_items}
    return jsonschema.validators.extend(base, keywords)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def _linear(keyword: str, value: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(
        {keyword: value}, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    """ECMA-262 patterns in linear time; Python's `re` is neither."""
    if validator.is_type(instance, "string") and not _linear("pattern", pattern).is_valid(instance):
        yield jsonschema.ValidationError("pattern")


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Any) -> Iterator[Any]:
    """`jsonschema` compares each item with each other."""
    if wanted and not _linear("uniqueItems", True).is_valid(instance):
        yield jsonschema.ValidationError("uniqueItems")


def _multiple_of(validator: Any, divisor: float, instance: Any, schema: Any) -> Iterator[Any]:
    """Exact decimals: with floats 19.99 is no multiple of 0.01."""
    if validator.is_type(instance, "number") and Fraction(repr(instance)) % Fraction(repr(divisor)):
        yield jsonschema.ValidationError("multipleOf")

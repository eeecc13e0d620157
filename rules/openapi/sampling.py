"""Arguments that a contract allows, for the examples beside starter rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rules.dialects import DRAFT202012
from rules.documents import BadSchema
from rules.schema import compiled

_FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uri-reference": "/example",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
}
_MOST_DEPTH: Final = 6
_MOST_TEXT: Final = 64


def arguments(schema: Mapping[str, Any], documents: Mapping[str, Any]) -> dict[str, Any] | None:
    """The required arguments of a contract, or None where none were found that it allows. References are in full."""
    properties = schema.get("properties", {})
    made = {name: _sample(properties.get(name, {}), 0) for name in schema.get("required", ())}
    try:
        return made if compiled(schema, DRAFT202012, documents).is_valid(made) else None
    except (BadSchema, ValueError):
        return None


def _sample(schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _MOST_DEPTH:
        return None
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("allOf", "anyOf", "oneOf"):
        if schema.get(word):
            return _sample(schema[word][0], depth + 1)
    said = schema.get("type", "string")
    return _of_type(said[0] if isinstance(said, list) else said, schema, depth)


def _of_type(kind: str, schema: Mapping[str, Any], depth: int) -> Any:
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _sample(properties.get(name, {}), depth + 1) for name in schema.get("required", ())}
    if kind == "array":
        return [_sample(schema.get("items", {}), depth + 1)] * min(max(schema.get("minItems", 1), 0), 3)
    if kind == "string":
        text = _FORMATS.get(schema.get("format", ""), "text")
        return (text * (_MOST_TEXT // 4))[: max(schema.get("minLength", 0), 4)] if text == "text" else text
    return {"boolean": True}.get(kind)


def _number(schema: Mapping[str, Any]) -> Any:
    if "minimum" in schema:
        return max(schema["minimum"], min(1, schema.get("maximum", 1)))
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return min(1, schema.get("maximum", 1))

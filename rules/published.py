"""The JSON Schema of rules files, for editors: made from the description that the loader checks with."""

from __future__ import annotations

from typing import Any, Final

from rules.grammar import BACKEND, POLICY
from rules.mcp.grammar import MCP_BACKEND
from rules.shape import (
    MOST_SIZE,
    SIZE,
    Anything,
    Choice,
    Either,
    Flag,
    Form,
    JsonSchema,
    Key,
    Many,
    Number,
    Shape,
    Size,
    Table,
    Text,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """One JSON Schema (2020-12) for all kinds of rules files: a file with the key `backend` is a backend file, and with
    `mcp` beside it that of an MCP server."""
    backends = {"if": {"required": ["mcp"]}, "then": published(MCP_BACKEND), "else": published(BACKEND)}
    return {
        "$schema": DIALECT,
        "title": "Rules of Toolwall",
        "if": {"required": ["backend"]},
        "then": backends,
        "else": published(POLICY),
    }


def published(shape: Shape) -> dict[str, Any]:
    """A shape as JSON Schema."""
    match shape:
        case Text(pattern, like):
            return {"type": "string", "pattern": pattern, "description": like}
        case Choice(options):
            return {"enum": list(options)}
        case Flag():
            return {"type": "boolean"}
        case Size():
            number = {"type": "integer", "minimum": 1, "maximum": MOST_SIZE}
            return {"oneOf": [number, {"type": "string", "pattern": SIZE}]}
        case Number(least, most, whole):
            return {"type": "integer" if whole else "number", "minimum": least, "maximum": most}
        case Anything():
            return {}
        case JsonSchema(optional):
            return _schema_of_schemas(optional)
        case Many():
            return _many(shape)
        case Either(simple, mapping):
            several = ["array", "object"] if isinstance(mapping, Many) and mapping.or_one else "array"
            type_of = several if isinstance(mapping, Many) else "object"
            return {"if": {"type": type_of}, "then": published(mapping), "else": published(simple)}
        case Table():
            return _table(shape)
        case Form():
            return _form(shape)


def _schema_of_schemas(optional: bool) -> dict[str, Any]:
    """Any JSON Schema; what is in it is left to the loader, which knows five dialects."""
    said = {"properties": {"optional": {"type": "boolean"}}} if optional else {}
    return {"type": ["object", "boolean"], "description": "A JSON Schema.", **said}


def _many(shape: Many) -> dict[str, Any]:
    item = published(shape.item)
    several = {"type": "array", "items": item, "minItems": 1}
    return {"if": {"type": "array"}, "then": several, "else": item} if shape.or_one else several


def _table(shape: Table) -> dict[str, Any]:
    made = {
        "type": "object",
        "additionalProperties": published(shape.item),
        "propertyNames": {"pattern": shape.names, "description": shape.like},
    }
    return made if shape.may_be_empty else {**made, "minProperties": 1}


def _form(form: Form) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "properties": {name: _key(key) for name, key in form.keys.items()},
        "additionalProperties": False,
    }
    if required := [name for name, key in form.keys.items() if key.required]:
        made["required"] = required
    if not form.may_be_empty:
        made["minProperties"] = 1
    if form.one_of:
        made["oneOf"] = [{"required": [name]} for name in form.one_of]
    if form.at_most_one:
        made["not"] = {"required": list(form.at_most_one)}
    return made


def _key(key: Key) -> dict[str, Any]:
    return {**published(key.shape), "description": key.says}

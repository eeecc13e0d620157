"""From the dialects of OpenAPI (Swagger 2.0, OpenAPI 3.0 and 3.1) to JSON Schema 2020-12, one schema object at a time.

Only what a single schema object says is here; where its subschemas and references lead is in rules.openapi.schemas.
Sources: the Schema Objects of the OpenAPI Specification 2.0, 3.0.4 and 3.1.1; JSON Schema 2020-12.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rules.dialects import DRAFT202012
from rules.openapi.names import word_set
from rules.openapi.texts import MOST_DESCRIPTION, plain
from rules.usable import usable_pattern

Said = Callable[[str], None]
"""Takes one sentence about something that was left out or changed."""

_TYPES: Final = word_set("null boolean object array number string integer")
_TYPE_ALIASES: Final = {
    **dict.fromkeys(word_set("str text date datetime date-time file binary uuid uri url email password"), "string"),
    **dict.fromkeys(word_set("int int32 int64 long short byte"), "integer"),
    **dict.fromkeys(word_set("float double decimal"), "number"),
    **dict.fromkeys(word_set("bool"), "boolean"),
    **dict.fromkeys(word_set("list set"), "array"),
    **dict.fromkeys(word_set("dict map hash json struct"), "object"),
}
_ANY: Final = word_set("any mixed unknown undefined")
_FORMAT_ALIASES: Final = {
    "datetime": "date-time",
    "dateTime": "date-time",
    "url": "uri",
    "guid": "uuid",
    "UUID": "uuid",
    "ip": "ipv4",
    "ip-address": "ipv4",
    "host-name": "hostname",
}
_MISREAD: Final = frozenset(("ip", "ip-address", "regex", "idn-email", "idn-hostname"))
"""Formats that publishers use for more than validators accept."""

_RANGES: Final = {"int32": (-(2**31), 2**31 - 1)}
"""Of formats that bound a number. Those of int64 are left to the backend: in every file they would be noise."""
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS: Final = (
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("minContains", "maxContains"),
)
MOST_SHOWN: Final = 60
"""Characters of an example or default: what is longer is documentation, not a hint."""

COMBINATORS: Final = ("$ref", "allOf", "anyOf", "oneOf", "not", "const")


def plain_part(schema: Mapping[str, Any], said: Said) -> dict[str, Any]:
    """What a schema object says besides its subschemas, in a stable order. Never raises."""
    types = _types(schema, said)
    out: dict[str, Any] = {}
    if text := plain(schema.get("description"), MOST_DESCRIPTION):
        out["description"] = text
    if types:
        out["type"] = types[0] if len(types) == 1 else types
    out.update(_format(schema, types, said))
    out.update(_enum(schema, types, said))
    out.update(_counts(schema, said))
    out.update(_bounds(schema, types, said))
    out.update(_pattern(schema, said))
    out.update(_shown(schema))
    return out


def is_nullable(schema: Mapping[str, Any]) -> bool:
    """Whether null is allowed besides what the schema says (OpenAPI 3.0, and a habit from 2.0)."""
    return schema.get("nullable") is True or schema.get("x-nullable") is True


def with_null(out: dict[str, Any]) -> dict[str, Any]:
    """A translated schema that allows null too. One without a type or enum allows it already."""
    if any(word in out for word in COMBINATORS):
        inner = {word: value for word, value in out.items() if word != "description"}
        beside = {"description": out["description"]} if "description" in out else {}
        return {**beside, "anyOf": [inner, {"type": "null"}]}
    if "type" in out:
        types = out["type"] if isinstance(out["type"], list) else [out["type"]]
        out["type"] = [*types, *(["null"] if "null" not in types else [])]
    if "enum" in out and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]
    return out


def _types(schema: Mapping[str, Any], said: Said) -> list[str]:
    given = schema.get("type")
    names = given if isinstance(given, list) else [given]
    found: list[str] = []
    for name in names:
        if name is None and given is None:
            continue
        word = "null" if name is None else _type(name)
        if not word:
            if str(name).lower() not in _ANY:
                said(f"the type {_quote(name)} is none of JSON Schema; any type passes here")
            return []
        found += [word] if word not in found else []
    return found


def _type(name: Any) -> str:
    if not isinstance(name, str):
        return ""
    low = name.strip().lower()
    return low if low in _TYPES else _TYPE_ALIASES.get(low, "")


def _format(schema: Mapping[str, Any], types: list[str], said: Said) -> Iterator[tuple[str, Any]]:
    name = schema.get("format")
    if name is None and str(schema.get("type")).lower() in ("file", "binary"):
        name = "binary"
    if not isinstance(name, str) or (types and "string" not in types):
        return
    if name in ("byte", "binary"):
        yield "contentEncoding", "base64"
    elif isinstance(encoding := schema.get("contentEncoding"), str):
        yield "contentEncoding", encoding
    known = _FORMAT_ALIASES.get(name, name)
    if known in DRAFT202012.formats and name not in _MISREAD:
        yield "format", known


def _enum(schema: Mapping[str, Any], types: list[str], said: Said) -> Iterator[tuple[str, Any]]:
    if "const" in schema:
        yield "const", schema["const"]
    given = schema.get("enum")
    if given is None:
        return
    if not isinstance(given, list) or not given:
        said("an enum that is no list of values is left out")
        return
    values: list[Any] = []
    for value in (_fitted(one, types) for one in given):
        if not any(value == one and type(value) is type(one) for one in values[-200:]):
            values.append(value)
    yield "enum", values


def _fitted(value: Any, types: list[str]) -> Any:
    """A value of an enum in the type that stands beside it: publishers forget quotes, and put too many."""
    if types == ["string"] and isinstance(value, bool | int | float):
        return json.dumps(value)
    if types == ["integer"] and isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 20:
        return int(value)
    if types == ["boolean"] and value in ("true", "false"):
        return value == "true"
    return value


def _counts(schema: Mapping[str, Any], said: Said) -> Iterator[tuple[str, Any]]:
    for word in _COUNTS if not schema.keys().isdisjoint(_COUNTS) else ():
        value = _number(schema.get(word))
        if value is not None and value >= 0 and value == int(value):
            yield word, int(value)
        elif word in schema and schema[word] is not None:
            said(f"{word} is no count and is left out")
    if schema.get("uniqueItems") is True:
        yield "uniqueItems", True


def _bounds(schema: Mapping[str, Any], types: list[str], said: Said) -> Iterator[tuple[str, Any]]:
    """Bounds; those of drafts before 6 are exclusive by a boolean beside them."""
    for word in _NUMBERS if not schema.keys().isdisjoint(_NUMBERS) else ():
        given = schema.get(word)
        if given is None or isinstance(given, bool):
            continue
        value = _number(given)
        if value is None:
            said(f"{word} is no number and is left out")
            continue
        exclusive = "exclusive" + word[0].upper() + word[1:]
        yield (exclusive if schema.get(exclusive) is True else word), value
    if (step := _number(schema.get("multipleOf"))) is not None and step > 0:
        yield "multipleOf", step
    least, most = _RANGES.get(str(schema.get("format")), (None, None))
    if least is not None and "integer" in types:
        yield from () if _has(schema, "minimum", "exclusiveMinimum") else (("minimum", least),)
        yield from () if _has(schema, "maximum", "exclusiveMaximum") else (("maximum", most),)


def _has(schema: Mapping[str, Any], *names: str) -> bool:
    return any(_number(schema.get(name)) is not None for name in names)


def _number(value: Any) -> int | float | None:
    """A number that was meant as one; a text counts where it reads as one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        value = int(value) if math.isfinite(value) and value == int(value) else value
    return value if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)) else None


def _pattern(schema: Mapping[str, Any], said: Said) -> Iterator[tuple[str, Any]]:
    given = schema.get("pattern")
    if given is None:
        return
    pattern = usable_pattern(given)
    if pattern:
        yield "pattern", pattern
    else:
        said(f"the pattern {_quote(given)} is left out: patterns here run in linear time, without look-around")


def _shown(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A short example and default: they make refusals and listings useful."""
    examples = schema.get("examples")
    example = examples[0] if isinstance(examples, list) and examples else schema.get("example")
    if _is_short(schema.get("default")):
        yield "default", schema["default"]
    if _is_short(example):
        yield "examples", [example]


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MOST_SHOWN and value.isprintable()
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))


def _quote(value: Any) -> str:
    text = str(value)
    return f"`{text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + '...'}`"

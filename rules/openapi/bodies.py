"""Request bodies: which media types a tool takes, and whether its fields are arguments or the body is one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rules.openapi.marks import mapping, sequence
from rules.openapi.names import word_set
from rules.openapi.operation import Body
from rules.openapi.references import BadReference, Spot
from rules.openapi.schemas import Schemas, Translated

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"

MOST_FIELDS: Final = 200
"""Arguments that a body may become; one with more stays whole."""

_JSON_TYPE: Final = re.compile(r"application/(json|[a-z0-9.*+-]+\+json|\*)|\*/\*|text/json")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/([a-z0-9!#$&^_.+-]{1,127}|\*)|\*/\*")
_PLAIN: Final = word_set(
    """type properties required allOf description title example examples default externalDocs xml discriminator
    readOnly writeOnly deprecated additionalProperties $schema $comment format"""
)
"""Keywords of an object whose members can be arguments; with any other the body stays whole."""


@dataclass(slots=True)
class Fields:
    """What a body becomes. `members` are fields with their schemas; or `whole` is the schema of the argument `body`.

    `types` are the media types, `all_or_none` tells that the body may be missing but its required fields then too.
    """

    types: list[str] = field(default_factory=list)
    members: dict[str, Translated] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    whole: Translated | None = None
    is_required: bool = False
    encodings: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def media_type(text: str) -> str:
    """A media type without parameters in lower case; empty where it is none. Of `*+json` a range is left."""
    bare = text.partition(";")[0].strip().lower().replace("/*+json", "/*")
    return bare if _MEDIA_TYPE.fullmatch(bare) else ""


def is_json(kind: str) -> bool:
    """Whether bodies of this media type are read as JSON here."""
    return _JSON_TYPE.fullmatch(kind) is not None


def read(body: Body, schemas: Schemas, hint: str) -> Fields:
    """A body as arguments. `hint` names files for schemas that are too large for a tool."""
    fields = Fields(is_required=body.required)
    first, schema = _first(body)
    fields.types = _types(body, first, schema, fields)
    fields.encodings = next((one for kind, one in body.encodings.items() if media_type(kind) in (FORM, MULTIPART)), {})
    if not is_json(first) and first not in (FORM, MULTIPART):
        text = {"type": "string"} if first.startswith("text/") else {"type": "string", "contentEncoding": "base64"}
        fields.whole = text
        return fields
    members = _members(schema, body.file, schemas)
    if members is None or not 0 < len(members[0]) <= MOST_FIELDS:
        fields.whole = schemas.inline(schema if schema is not None else {}, body.file, "request", f"{hint}.body")
        return fields
    for name, (one, file) in members[0].items():
        fields.members[name] = schemas.inline(one, file, "request", f"{hint}.{name}")
    fields.required = [name for name in members[1] if name in fields.members]
    if lost := [name for name in members[1] if name not in fields.members]:
        fields.warnings.append(f"its body requires {', '.join(lost)}, which it does not declare")
    return fields


def _first(body: Body) -> tuple[str, Any]:
    """The media type that decides, with its schema: JSON before forms before all others."""
    known = [(media_type(raw), schema) for raw, schema in body.content.items()]
    for wanted in (
        lambda one: is_json(one) and one not in ("*/*", "application/*"),
        is_json,
        (FORM, MULTIPART).__contains__,
    ):
        for kind, schema in known:
            if wanted(kind):
                return kind, schema
    return next(((kind, schema) for kind, schema in known if kind), (JSON, {}))


def _types(body: Body, first: str, schema: Any, fields: Fields) -> list[str]:
    """The media types that mean the same arguments as the first one; of the others is told."""
    types: list[str] = []
    for raw, other in body.content.items():
        kind = media_type(raw)
        alike = is_json(kind) or kind in (FORM, MULTIPART)
        if (
            kind == first
            or (alike and other == schema)
            or (not alike and not is_json(first) and first not in (FORM, MULTIPART))
        ):
            types.append(_own_type(kind))
        else:
            fields.warnings.append(f"bodies of the type {raw[:60]} are left out: they differ from {first}")
    return list(dict.fromkeys(types)) or [JSON]


def _own_type(kind: str) -> str:
    """How a rules file says a media type: `*/*` and text/json mean JSON."""
    return JSON if kind in ("*/*", "text/json") else kind


_Members = tuple[dict[str, tuple[Any, str]], list[str]]


def _members(schema: Any, file: str, schemas: Schemas) -> _Members | None:
    """The fields of an object with the file each stands in, and the required ones; None where it must stay whole.

    The objects under `allOf` are parts of it; each is looked at once.
    """
    found: dict[str, tuple[Any, str]] = {}
    required: list[str] = []
    seen: set[int] = set()
    todo = [(schema, file)]
    while todo:
        spot = _followed(schemas, *todo.pop(0))
        if not isinstance(spot.value, dict) or not _is_plain(spot.value):
            return None
        if "" in mapping(spot.value.get("properties")):
            return None  # no argument travels without a name
        if id(spot.value) in seen:
            continue
        seen.add(id(spot.value))
        for name, one in mapping(spot.value.get("properties")).items():
            if found.setdefault(name, (one, spot.file)) != (one, spot.file):
                return None
        required += [name for name in sequence(spot.value.get("required")) if isinstance(name, str)]
        todo += [(branch, spot.file) for branch in sequence(spot.value.get("allOf"))]
    hidden = schemas.marks.hidden(schema, file, "request")
    return (
        {name: one for name, one in found.items() if name not in hidden},
        [name for name in dict.fromkeys(required) if name not in hidden],
    )


def _followed(schemas: Schemas, schema: Any, file: str) -> Spot:
    try:
        return schemas.document.follow(schema, file)
    except BadReference:
        return Spot(file, "", None)


def _is_plain(said: Mapping[str, Any]) -> bool:
    """Whether an object says nothing that its members as arguments could not say."""
    words = {word for word in said if not word.startswith("x-")}
    is_object = said.get("type", "object") == "object" and said.get("nullable") is not True
    return is_object and words <= _PLAIN and said.get("additionalProperties", False) is False

"""The schemas of a document as JSON Schema 2020-12: those that are shared become files that refer to each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from rules.openapi.dialect import is_nullable, plain_part, with_null
from rules.openapi.marks import Marks, Side, mapping, sequence
from rules.openapi.names import Unique, file_name
from rules.openapi.references import BadReference, Document, Spot
from rules.openapi.texts import MOST_DESCRIPTION, plain
from rules.usable import usable_pattern

Translated = dict[str, Any] | bool

MOST_NESTING: Final = 40
"""Subschemas within each other in one file: what is nested deeper is not taken over."""

MOST_INLINE: Final = 300
"""Characters of JSON that stand in a tool itself; a larger schema gets a file of its own."""

_ONE: Final = (
    *("additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_LOST: Final = ("$dynamicRef", "$recursiveRef", "dependencies")
_Below = Iterator[tuple[str, Any]]


class _Here(NamedTuple):
    """Where a schema stands: the document's file, the side of the call, how deep; and what was said of it."""

    file: str
    side: Side
    depth: int
    said: list[str]

    def below(self) -> _Here:
        return _Here(self.file, self.side, self.depth + 1, [])


class Schemas:
    """Translates schemas and collects the files that they share.

    `files` maps a file's name, as in `Order.json`, to its schema; references in translated schemas are such names.
    `warn` is told what could not be taken over. `modern`: what stands beside a `$ref` counts (OpenAPI 3.1).
    """

    def __init__(self, document: Document, modern: bool, warn: Callable[[str], None]) -> None:
        self.document = document
        self.files: dict[str, Translated] = {}
        self.marks = Marks(document)
        self._modern = modern
        self._warn = warn
        self._names = Unique()
        self._known: dict[tuple[str, str, str], str] = {}
        self._by_content: dict[bytes, str] = {}
        self._todo: list[tuple[str, Spot, Side]] = []

    def inline(self, schema: Any, file: str, side: Side, hint: str) -> Translated:
        """A schema for a tool: in itself where it is small, else a reference to a file, named after `hint`.

        `file` is where the schema stands in the document.
        """
        made = self._dissolved(schema, file, side)
        if made is None:
            made = self.translate(schema, file, side)
        if not isinstance(made, dict) or "$ref" in made or is_small(made):
            return made
        return {"$ref": self.own_file(made, hint)}

    def _dissolved(self, schema: Any, file: str, side: Side) -> Translated | None:
        """What a reference leads to, where that is small and refers to nothing itself."""
        if not (isinstance(schema, dict) and "$ref" in schema):
            return None
        try:
            spot = self.document.follow(schema, file)
        except BadReference:
            return None
        if not isinstance(spot.value, dict) or self.marks.refers(spot):
            return None
        made = self.translate({**spot.value, **_beside(schema)}, spot.file, side)
        return made if is_small(made) else None

    def own_file(self, schema: dict[str, Any], hint: str) -> str:
        """A file for a translated schema; the same schema is written once."""
        content = _canonical(schema)
        if content not in self._by_content:
            name = self._names.name(file_name(hint)) + ".json"
            self._by_content[content] = name
            self.files[name] = schema
        return self._by_content[content]

    def finish(self) -> None:
        """Translate every file that was referred to."""
        while self._todo:
            name, spot, side = self._todo.pop()
            self.files[name] = self.translate(spot.value, spot.file, side)

    def translate(self, schema: Any, file: str, side: Side) -> Translated:
        """One schema with everything in it; what it refers to becomes a file."""
        return self._translate(schema, _Here(file, side, 0, []))

    def _translate(self, schema: Any, here: _Here) -> Translated:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            self._warn("a schema that is no mapping is taken as any value")
            return {}
        if here.depth > MOST_NESTING:
            self._warn(f"a schema nested deeper than {MOST_NESTING} levels is left out")
            return here.side == "reply"
        out = self._reference(schema, here) if "$ref" in schema else self._content(schema, here)
        if is_nullable(schema):
            out = with_null(out)
        for sentence in here.said:
            self._warn(sentence)
        return {**out, "$comment": "; ".join(here.said)} if here.said else out

    def _reference(self, schema: dict[str, Any], here: _Here) -> dict[str, Any]:
        try:
            found: dict[str, Any] = {"$ref": self.file_of(self.document.find(schema["$ref"], here.file), here.side)}
        except BadReference as error:
            closed = here.side == "request"
            here.said.append(f"{error}; {'no value passes here' if closed else 'any value passes here'}")
            found = {"not": {}} if closed else {}
        if self._modern:
            beside = {word: value for word, value in schema.items() if word != "$ref"}
            return {**self._content(beside, here), **found}
        text = plain(schema.get("description"), MOST_DESCRIPTION)
        return {"description": text, **found} if text else found

    def file_of(self, spot: Spot, side: Side) -> str:
        """The file that holds what a reference leads to, on this side of a call; both sides share it if they can."""
        variant = side if self.marks.differs(spot, side) else ""
        key = (spot.file, spot.pointer, variant)
        if key not in self._known:
            wanted = file_name(_last(spot)) + (f".{variant}" if variant else "")
            self._known[key] = name = self._names.name(wanted) + ".json"
            self._todo.append((name, spot, side))
        return self._known[key]

    def _content(self, schema: dict[str, Any], here: _Here) -> dict[str, Any]:
        out = plain_part(schema, here.said.append)
        hidden = self.marks.hidden(schema, here.file, here.side)
        out.update(self._items(schema, here))
        out.update(self._members(schema, here, hidden))
        for word in sorted(schema.keys() & set(_ONE), key=_ONE.index):
            out.update(self._one(word, schema, here))
        for word in sorted(schema.keys() & set(_LISTS), key=_LISTS.index):
            out.update(self._several(word, schema, here, hidden))
        here.said.extend(f"{word} is left out" for word in _LOST if word in schema)
        return out

    def _items(self, schema: dict[str, Any], here: _Here) -> _Below:
        if isinstance(schema.get("items"), list):
            yield "prefixItems", [self._translate(one, here.below()) for one in schema["items"]]
        else:
            yield from self._one("items", schema, here)

    def _members(self, schema: dict[str, Any], here: _Here, hidden: frozenset[str]) -> _Below:
        members = mapping(schema.get("properties")).items()
        if made := {name: self._translate(one, here.below()) for name, one in members if name not in hidden}:
            yield "properties", made
        if names := [name for name in _names(schema.get("required")) if name not in hidden]:
            yield "required", names
        if asked := {name: _names(one) for name, one in mapping(schema.get("dependentRequired")).items()}:
            yield "dependentRequired", asked
        below = mapping(schema.get("dependentSchemas")).items()
        if schemas := {name: self._translate(one, here.below()) for name, one in below}:
            yield "dependentSchemas", schemas
        yield from self._patterns(mapping(schema.get("patternProperties")), here)

    def _patterns(self, patterns: dict[str, Any], here: _Here) -> _Below:
        made = {}
        for pattern, one in patterns.items():
            if usable := usable_pattern(pattern):
                made[usable] = self._translate(one, here.below())
            else:
                here.said.append(f"a pattern of names is left out: `{pattern[:60]}` does not run in linear time")
        if made:
            yield "patternProperties", made

    def _one(self, word: str, schema: dict[str, Any], here: _Here) -> _Below:
        value = schema.get(word)
        if isinstance(value, dict | bool):
            yield word, self._translate(value, here.below())
        elif value is not None:
            here.said.append(f"{word} is no schema and is left out")

    def _several(self, word: str, schema: dict[str, Any], here: _Here, hidden: frozenset[str]) -> _Below:
        branches = sequence(schema.get(word))
        if not branches:
            return
        inner = [_without(one, hidden) if word == "allOf" else one for one in branches]
        # A discriminator says which branch is meant; that several fit is then no fault.
        loose = word == "oneOf" and "discriminator" in schema and "anyOf" not in schema
        yield "anyOf" if loose else word, [self._translate(one, here.below()) for one in inner]


def is_small(schema: Translated) -> bool:
    """Whether a schema stands well in a tool."""
    return len(_canonical(schema)) <= MOST_INLINE


def _canonical(schema: Translated) -> bytes:
    try:
        return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits, or half a surrogate pair
        return json.dumps(schema, sort_keys=True).encode()


def _beside(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {word: schema[word] for word in ("description", "nullable", "example") if word in schema}


def _names(value: Any) -> list[str]:
    return [name for name in dict.fromkeys(sequence(value)) if isinstance(name, str)] if _flat(value) else []


def _flat(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str | int | float) for one in value)


def _without(schema: Any, hidden: frozenset[str]) -> Any:
    """A branch of `allOf` that does not ask for members which do not travel."""
    if not hidden or not isinstance(schema, dict) or "required" not in schema:
        return schema
    return {**schema, "required": [name for name in sequence(schema["required"]) if name not in hidden]}


def _last(spot: Spot) -> str:
    """A name for a place: the last part of its pointer, or the file's."""
    part = spot.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    return part or spot.file.rpartition("/")[2].partition(".")[0]

"""An operation becomes a tool: the mapping that stands in a rules file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rules.openapi import bodies
from rules.openapi.effects import guess
from rules.openapi.marks import mapping
from rules.openapi.names import Unique, argument_name
from rules.openapi.operation import Answer, Operation, Parameter
from rules.openapi.paths import Template, template
from rules.openapi.schemas import Schemas, Translated
from rules.openapi.security import Slots
from rules.openapi.texts import MOST_DESCRIPTION, plain, purpose, shorten
from rules.placing import IN_QUERY, NEVER_ARGUMENTS, TOKEN

_PASSED: Final = frozenset(("accept", "accept-language", "content-type"))
"""Headers that pass without being declared."""

_PLACES: Final = frozenset(("path", "query", "header", "cookie"))
_STYLES: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
    "body": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
}
_STATUS: Final = re.compile(r"[1-5][0-9]{2}|[1-5]XX|default")


@dataclass(slots=True)
class Made:
    """A tool in the making. `rules` is what stands under its name, `warnings` what could not be taken over.

    `shape` and `marks` tell operations apart that share a path; `wires` are the query names and headers it declares.
    """

    name: str
    operation: Operation
    rules: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    shape: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    wires: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Arguments:
    """The arguments of a tool while they are found: schemas, required names, places."""

    names: Unique
    properties: dict[str, Translated] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    places: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, schema: Translated, required: bool, place: str, options: dict[str, Any]) -> None:
        self.properties[name] = schema
        self.places[name] = place, options
        if required:
            self.required.append(name)


class Maker:
    """Makes tools of operations. `schemas` collects the files that they share."""

    def __init__(self, schemas: Schemas, slots: Slots, folder: str) -> None:
        self._schemas = schemas
        self._slots = slots
        self._folder = folder

    def make(self, name: str, operation: Operation) -> Made:
        """One tool."""
        made = Made(name, operation, warnings=list(operation.warnings))
        body = bodies.read(operation.body, self._schemas, name) if operation.body else None
        reserved = frozenset({"body"} if body and body.whole is not None else ())
        found = template(operation.path, reserved)
        made.warnings += found.warnings
        made.shape, made.marks = f"{operation.method} {found.shape}", {**found.query, **found.marks}
        args = _Arguments(
            Unique(taken=[*found.names.values(), *(("body",) if body and body.whole is not None else ())])
        )
        self._path(made, args, found)
        for parameter in operation.parameters:
            if parameter.place != "path":
                self._parameter(made, args, parameter, found)
        for wire, value in found.query.items():
            made.wires[wire] = "query"
            args.add(args.names.name(argument_name(wire)), {"const": value}, True, "query", {"name": wire})
        dependent = _add_body(args, body) if body else {}
        made.warnings += body.warnings if body else []
        self._finish(made, args, body, found, dependent)
        return made

    def _finish(
        self, made: Made, args: _Arguments, body: bodies.Fields | None, found: Template, dependent: dict[str, Any]
    ) -> None:
        operation = made.operation
        rules = made.rules
        rules["says"] = _says(operation)
        rules["call"] = f"{operation.method} {found.path}"
        if dependent:
            rules["input"] = self._settled(_whole(args, dependent))
        elif args.properties:
            rules["args"] = self._settled({name: _short(args, name) for name in args.properties})
        if places := _places(operation.method, args, body):
            rules["in"] = places
        if body and (body.types != [bodies.JSON] or body.whole is not None):
            rules["body"] = body.types
        rules["effect"] = guess(operation.method, found.path, made.name, operation.tags)
        rules["guessed"] = True
        if replies := self._replies(made):
            rules["replies"] = self._settled(replies)

    def _settled(self, value: Any) -> Any:
        """References as rules files have them: relative to the rules folder."""
        if isinstance(value, dict):
            return {
                key: f"{self._folder}/{one}" if key == "$ref" and isinstance(one, str) else self._settled(one)
                for key, one in value.items()
            }
        return [self._settled(one) for one in value] if isinstance(value, list) else value

    def _path(self, made: Made, args: _Arguments, found: Template) -> None:
        """The parameters of the path: those that are declared, and those that only stand there."""
        declared = {one.name: one for one in made.operation.parameters if one.place == "path"}
        for raw, name in found.names.items():
            one = declared.pop(raw, None) or declared.pop(raw.strip("+#./;?&*"), None)
            if one is None:
                if "_" not in name or name == raw:
                    made.warnings.append(f"{raw} of its path is not declared; any text passes there")
                args.add(name, {"type": "string"}, True, "path", {})
                continue
            schema = self._schema(made, one, name)
            args.add(name, schema, True, "path", _options(one, name))
        made.warnings += [f"the path parameter {name} is left out: its path does not have it" for name in declared]

    def _schema(self, made: Made, one: Parameter, name: str) -> Translated:
        schema = self._schemas.inline(one.schema, one.file, "request", f"{made.name}.{name}")
        text = plain(one.description, MOST_DESCRIPTION)
        if isinstance(schema, dict) and text and "description" not in schema:
            return {"description": text, **schema}
        return schema

    def _parameter(self, made: Made, args: _Arguments, one: Parameter, found: Template) -> None:
        if reason := self._no_argument(one):
            made.warnings += [reason] if reason != "quiet" else []
            return
        name = argument_name(one.name)
        unique = args.names.name(name)
        if unique != name:
            unique = args.names.name(f"{one.place}_{name}")
        schema = self._schema(made, one, unique)
        if one.place == "query" and (fixed := found.query.pop(one.name, None)) is not None:
            schema = {"const": fixed}
        if one.place in ("query", "header"):
            made.wires[one.name] = one.place
        args.add(unique, schema, one.required, one.place, _options(one, unique))

    def _no_argument(self, one: Parameter) -> str:
        """Why a parameter is no argument: `quiet` where that is as it should be, empty where it is one."""
        low = one.name.lower()
        if (one.place == "header" and low in _PASSED) or self._slots.holds(one):
            return "quiet"
        if one.place not in _PLACES or not one.name:
            return f"the parameter {one.name} is left out: it travels in {one.place[:40]}, which no call has"
        if one.place == "header" and (low in NEVER_ARGUMENTS or low.startswith("toolwall-")):
            return f"the header {one.name} is left out: it is written by Toolwall or frames the message"
        if one.place in ("header", "cookie") and not TOKEN.fullmatch(one.name):
            return f"the {one.place} {one.name[:60]} is left out: it has no name that a {one.place} can have"
        return ""

    def _replies(self, made: Made) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for status, answer in made.operation.answers.items():
            word = status.strip().upper() if status.lower() != "default" else "default"
            if _STATUS.fullmatch(word):
                found[word] = self._answer(made, word, answer)
            else:
                made.warnings.append(f"the answer {status[:40]} is left out: it is no status")
        return dict(sorted(found.items(), key=lambda one: (one[0] == "default", one[0])))

    def _answer(self, made: Made, status: str, answer: Answer) -> dict[str, Translated]:
        found: dict[str, Translated] = {}
        for raw, schema in answer.content.items():
            kind = bodies.media_type(raw)
            if not kind:
                made.warnings.append(f"the media type {raw[:60]} of the answer {status} is left out: it is none")
            elif kind not in found:
                spoken = schema is not None and (bodies.is_json(kind) or kind == "text/plain")
                hint = f"{made.name}.{status}"
                found[kind] = self._schemas.inline(schema, answer.file, "reply", hint) if spoken else {}
        return found


def _says(operation: Operation) -> str:
    says = purpose(operation.summary, operation.description, f"{operation.method} {operation.path}")
    return shorten(f"Deprecated. {says}", 400) if operation.deprecated else says


def _options(one: Parameter, name: str) -> dict[str, Any]:
    """What is unusual about how a parameter travels."""
    options: dict[str, Any] = {}
    if one.place != "path" and name != one.name:
        options["name"] = one.name
    if one.is_json:
        return {**options, "json": True}
    usual = _STYLES[one.place][0]
    style = one.style if one.style in _STYLES[one.place] else usual
    if style != usual:
        options["style"] = style
    if one.explode is not None and one.explode != (style == "form") and _has_parts(one.schema):
        options["explode"] = one.explode
    return options


def _has_parts(schema: Any) -> bool:
    """Whether a value may be an array or object, so that explode matters."""
    return not (isinstance(schema, dict) and schema.get("type") in ("string", "integer", "number", "boolean"))


def _add_body(args: _Arguments, body: bodies.Fields) -> dict[str, Any]:
    """The body's arguments. Returns what they ask of each other, where the body as a whole may be missing."""
    if body.whole is not None:
        args.add("body", body.whole, body.is_required, "body", {})
        return {}
    names: dict[str, str] = {}
    for wire, schema in body.members.items():
        name = argument_name(wire)
        unique = args.names.name(name)
        names[wire] = unique = unique if unique == name else args.names.name(f"body_{name}")
        required = body.is_required and wire in body.required
        args.add(unique, schema, required, "body", _field(body.encodings.get(wire), wire, unique))
    if body.is_required or not body.required:
        return {}
    needed = [names[wire] for wire in body.required]
    return {name: rest for name in names.values() if (rest := [one for one in needed if one != name])}


def _field(encoding: Any, wire: str, name: str) -> dict[str, Any]:
    """How a field of a body travels: its name there, and its style in forms."""
    said = mapping(encoding)
    options: dict[str, Any] = {} if name == wire else {"name": wire}
    style = said.get("style") if said.get("style") in _STYLES["body"] else None
    if style and style != "form":
        options["style"] = style
    if isinstance(said.get("explode"), bool) and (said["explode"] != (style in (None, "form")) or style == "form"):
        options["explode"] = said["explode"]
    return options


def _short(args: _Arguments, name: str) -> dict[str, Any]:
    """One argument as it stands under `args`."""
    schema = args.properties[name]
    made = schema if isinstance(schema, dict) else ({} if schema else {"not": {}})
    return made if name in args.required else {**made, "optional": True}


def _whole(args: _Arguments, dependent: dict[str, Any]) -> dict[str, Any]:
    """All arguments as what stands under `input`."""
    return {
        "type": "object",
        "properties": args.properties,
        **({"required": args.required} if args.required else {}),
        "dependentRequired": dependent,
        "additionalProperties": False,
    }


def _places(method: str, args: _Arguments, body: bodies.Fields | None) -> dict[str, Any]:
    """What stands under `in`: every argument that does not travel in the usual place under its own name."""
    found: dict[str, Any] = {}
    usual = "query" if method in IN_QUERY else "body"
    for name, (place, options) in args.places.items():
        bare = name.removeprefix(f"{place}_")
        if place != "path" and bare != name and bare in args.places and "name" not in options:
            options = {"name": name, **options}
        lone = name == "body" and place == "body" and body is not None and body.whole is None
        if options:
            found[name] = {place: options}
        elif place not in ("path", usual) or lone:
            found[name] = place
    return found

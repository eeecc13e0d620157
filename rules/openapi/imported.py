"""An OpenAPI document becomes a rules folder: tools, shared schemas, starter rules, and a base for later comparison."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import ne
from typing import Any, Final

import orjson

from rules import documents, load
from rules.openapi import modern, swagger
from rules.openapi.marks import mapping
from rules.openapi.names import MOST_TOOL, Unique, backend_name, tool_name, without_call
from rules.openapi.operation import Operation
from rules.openapi.picking import tell_apart
from rules.openapi.policy import Roles, starter
from rules.openapi.reading import BadDocument
from rules.openapi.references import Document
from rules.openapi.schemas import Schemas
from rules.openapi.security import Slots, slots
from rules.openapi.servers import Server, own, server
from rules.openapi.texts import MOST_SAYS, plain
from rules.openapi.tools import Made, Maker
from rules.openapi.yamltext import comment, lines

BASE_FORMAT: Final = 1
"""Of the file under `.import`."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator says about an import. `url` is the API's address where the document's own is not meant."""

    url: str = ""
    roles: Roles = field(default_factory=Roles)


@dataclass(slots=True)
class Imported:
    """What a document gave. `tools` maps short names to what stands under them in the rules file; `schemas` maps
    paths in the rules folder to JSON Schemas. `notes` are sentences about single tools, `warnings` about the rest.
    """

    name: str
    source: str
    title: str
    version: str
    dialect: str
    backend: dict[str, Any]
    tools: dict[str, dict[str, Any]]
    schemas: dict[str, Any]
    notes: dict[str, list[str]]
    warnings: list[str]
    others: list[str]
    """Further addresses that the document names."""

    calls: dict[str, str] = field(default_factory=dict)
    """Of each tool the operation in the document: method and path as they stand there."""

    given_url: str = ""
    """The address that the operator gave instead of the document's own."""

    def count(self, effect: str) -> int:
        """How many tools have an effect."""
        return sum(tool["effect"] == effect for tool in self.tools.values())


def contracts(document: Document, base_name: str = "", options: Options | None = None) -> Imported:
    """Everything that a document says, as rules. `base_name` names the backend; without it the title does.

    Raises BadDocument where it is no OpenAPI document, ValueError where `options.url` is no address.
    """
    options = options or Options()
    dialect, read = _version(document)
    info = mapping(document.root.get("info"))
    title = plain(info.get("title"), 100) or document.name
    name = backend_name(base_name or title)
    operations = [read(document, *where) for where in modern.operations(document)]
    unserved = [f"TRACE {one.path} is left out: no door serves TRACE" for one in operations if one.method == "TRACE"]
    operations = [one for one in operations if one.method != "TRACE"]
    found = slots(document, operations)
    at = server(document, name, options.url)
    warnings = [*unserved, *found.warnings, *at.warnings]
    schemas = Schemas(document, dialect.startswith("3.1"), lambda sentence: shared.append(sentence))
    shared: list[str] = []
    made = _make(Maker(schemas, found, f"schemas/{name}"), operations, shared, at.url)
    tell_apart(made, name)
    schemas.finish()
    return Imported(
        name=name,
        source=document.name,
        title=title,
        version=plain(str(info.get("version", "")), 40),
        dialect=dialect,
        backend=_backend(name, title, plain(info.get("description"), MOST_SAYS), at, found),
        tools={one.name: one.rules for one in made},
        schemas={f"schemas/{name}/{file}": schema for file, schema in sorted(schemas.files.items())},
        notes={one.name: list(dict.fromkeys(one.warnings)) for one in made if one.warnings},
        warnings=[*document.warnings, *warnings, *dict.fromkeys(shared)],
        others=at.others,
        calls={one.name: f"{one.operation.method} {one.operation.path}" for one in made},
        given_url=options.url,
    )


def _backend(name: str, title: str, says: str, at: Server, found: Slots) -> dict[str, Any]:
    """What stands in the backend file besides the tools, in the order of the grammar."""
    backend: dict[str, Any] = {"backend": name, "url": at.url}
    backend["says"] = title if not says else says if title.lower() in says.lower() else f"{title}: {says}"
    if at.addresses:
        backend["addresses"] = at.addresses
    if credential := found.as_rules():
        backend["credential"] = credential
    backend["reply"] = {"contract": "report"}
    return backend


def _version(document: Document) -> tuple[str, Callable[..., Operation]]:
    """The version of OpenAPI, and who reads its operations."""
    old, new = str(document.root.get("swagger", "")), str(document.root.get("openapi", ""))
    if old.startswith("2"):
        return f"Swagger {old}", swagger.read
    if new.startswith("3."):
        return new, modern.read
    told = f"of version {(new or old)[:20]}, which is not known" if new or old else "not an OpenAPI document"
    raise BadDocument(f"{document.name}: is {told} (known are Swagger 2.0 and OpenAPI 3.0 and 3.1)")


def _make(maker: Maker, operations: list[Operation], shared: list[str], url: str) -> list[Made]:
    """All tools. What schemas had to leave out is noted with the tool that came to it first."""
    names = Unique(MOST_TOOL)
    made: list[Made] = []
    for operation, wanted in zip(operations, _wanted(operations), strict=True):
        one = maker.make(names.name(wanted), operation)
        one.warnings += shared
        shared.clear()
        if operation.servers and not any(url.startswith(each.rstrip("/")) for each in own(operation.servers) if each):
            one.warnings.append(f"the document has it at another address: {', '.join(own(operation.servers))[:200]}")
        made.append(one)
    return made


def _wanted(operations: list[Operation]) -> list[str]:
    """What each tool would like to be called: by its operation's id, or by the function's name within where a framework
    wrote most ids and no other operation has the same.
    """
    ids = [one.id for one in operations]
    short = [without_call(one.id, one.method, one.path) for one in operations]
    if 2 * sum(map(ne, ids, short)) > len(ids):
        often = Counter(short)
        ids = [id if often[name] > 1 else name for id, name in zip(ids, short, strict=True)]
    return [tool_name(id, one.method, one.path) for id, one in zip(ids, operations, strict=True)]


def files(imported: Imported, roles: Roles | None = None) -> dict[str, str]:
    """The files of a rules folder with their texts, by path.

    Raises BadDocument where one of them would be larger than a rules folder may hold.
    """
    found = {path: _json(schema) for path, schema in imported.schemas.items()}
    found[f"{imported.name}.yaml"] = backend_file(imported)
    found[f"{imported.name}.policy.yaml"] = starter(imported.name, imported.tools, imported.schemas, roles or Roles())
    for path, text in found.items():
        most = documents.MOST_BYTES if path in imported.schemas else load.MOST_BYTES
        if len(text.encode()) > most:
            told = f"{imported.source}: is too large: {path} would have more than {most} bytes"
            raise BadDocument(f"{told} (import a part of the document, or split that schema)")
    found[f".import/{imported.name}.json"] = base(imported)
    return found


def base(imported: Imported) -> str:
    """What was generated, so that edits by hand can be told from it later."""
    return _json(
        {
            "format": BASE_FORMAT,
            "source": imported.source,
            "title": imported.title,
            "version": imported.version,
            "backend": imported.backend,
            "tools": imported.tools,
            "schemas": imported.schemas,
            "calls": imported.calls,
            "notes": imported.notes,
            "given_url": imported.given_url,
        }
    )


def backend_file(imported: Imported) -> str:
    """The text of the backend file."""
    head = [
        f"{imported.title} {imported.version}, imported from {imported.source} by `toolwall import openapi`.",
        "This file is yours to edit: `toolwall import diff` tells what a newer document changes and keeps your edits.",
        "Effects are guessed from methods and names: look at each tool, then delete its line `guessed: true`.",
        *imported.warnings[:50],
    ]
    if imported.others:
        head.append(f"The document also names: {', '.join(imported.others)}")
    text = [*comment(head)]
    if not imported.tools:
        return "\n".join([*text, *comment(["The document describes no operations, so there is no tool."])]) + "\n"
    text += lines(imported.backend)
    text.append("tools:")
    for short, tool in imported.tools.items():
        text += tool_lines(short, tool, imported.notes.get(short, []))
    return "\n".join(text) + "\n"


def tool_lines(short: str, tool: dict[str, Any], notes: list[str]) -> list[str]:
    """One tool as it stands under `tools`, with comments about what could not be taken over."""
    return [*comment(notes, 2), *lines({short: tool}, 2)]


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
    except TypeError:  # a number beyond 64 bits, or half a surrogate pair
        return json.dumps(value, indent=2) + "\n"

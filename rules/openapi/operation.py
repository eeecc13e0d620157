"""One operation of a document, in the same words for every version of OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its name on the wire, its place (path, query, header, cookie), its schema as the document has it.

    `file` is where the schema stands. `is_json`: the value is JSON text.
    """

    name: str
    place: str
    required: bool
    schema: Any
    file: str
    style: str = ""
    explode: bool | None = None
    is_json: bool = False
    description: Any = None


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: schemas by media type, as the document has them. `encodings` say by media type and field how
    forms write a field (OpenAPI 3.1, 4.8.15).
    """

    required: bool
    content: Mapping[str, Any]
    file: str
    encodings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer of one status looks like: schemas by media type, None where nothing is said of the body."""

    content: Mapping[str, Any]
    file: str


@dataclass(slots=True)
class Operation:
    """One operation. `servers` are those of its own, `security` the names of the schemes that it may use."""

    method: str
    path: str
    id: str = ""
    summary: Any = None
    description: Any = None
    tags: tuple[str, ...] = ()
    parameters: list[Parameter] = field(default_factory=list)
    body: Body | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    servers: Any = None
    deprecated: bool = False
    warnings: list[str] = field(default_factory=list)

"""Where a `$ref` of a document leads: into the document, or into files beside it. Nothing is ever fetched."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from referencing import Registry, Resource
from referencing.exceptions import Unresolvable

from rules.openapi.reading import BadDocument, parse

MOST_FILES: Final = 1_000
"""Files that one document may lead to."""

MOST_HOPS: Final = 50
"""References in a row: a chain that is longer is a loop."""

_ROOT: Final = "https://document.invalid/"
"""`.invalid` can never be resolved (RFC 2606)."""

Fetch = Callable[[str], bytes]
"""The bytes of a file by its path beside the document. Raises OSError."""


class BadReference(ValueError):
    """A `$ref` that leads nowhere, or to a place that is not allowed."""


class Spot(NamedTuple):
    """A place in a document: the file, the JSON pointer (RFC 6901) as written, and what is there."""

    file: str
    pointer: str
    value: Any


class Document:
    """A document with the files that its references lead to. `fetch` reads one by its path beside the document.

    Raises BadDocument where the document itself cannot be read. `warnings` grows as files are read.
    """

    def __init__(self, name: str, data: bytes, fetch: Fetch | None = None) -> None:
        self.name = name
        self.warnings: list[str] = []
        self._fetch = fetch
        self._spots: dict[tuple[str, str], Spot] = {}
        self._registry: Registry[Any] = Registry()
        self.root = self._add(name, data)
        if not isinstance(self.root, dict):
            raise BadDocument(f"{name}: is not an OpenAPI document: it is no mapping")

    def _add(self, file: str, data: bytes) -> Any:
        value, warnings = parse(file, data)
        self.warnings += [f"{file}: {each}" for each in warnings]
        self._registry = self._registry.with_resource(_ROOT + file, Resource.opaque(value))
        return value

    def find(self, ref: Any, file: str) -> Spot:
        """Where a `$ref` in `file` leads, one step. Raises BadReference."""
        if not isinstance(ref, str):
            raise BadReference("a $ref is not text")
        key = (file, ref)
        if key not in self._spots:
            self._spots[key] = self._find(ref, file)
        return self._spots[key]

    def _find(self, ref: str, file: str) -> Spot:
        path, pointer = urldefrag(ref)
        target = self._file(ref, path, file) if path else file
        try:
            found = self._registry.resolver(_ROOT + target).lookup("#" + pointer)
        except (Unresolvable, ValueError, LookupError, TypeError):
            raise BadReference(f"the $ref {ref} leads nowhere") from None
        return Spot(target, unquote(pointer), found.contents)

    def _file(self, ref: str, path: str, file: str) -> str:
        parts = urlsplit(path)
        if parts.scheme or parts.netloc or "\\" in path:
            raise BadReference(
                f"the $ref {ref} leads to another machine; nothing is fetched: save it beside the document"
            )
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(parts.path)))
        if target.startswith(("/", "../")) or target == "..":
            raise BadReference(f"the $ref {ref} leads out of the document's folder: copy the file into it")
        if _ROOT + target not in self._registry:
            self._read(ref, target)
        return target

    def _read(self, ref: str, target: str) -> None:
        if self._fetch is None or len(self._registry) >= MOST_FILES:
            raise BadReference(f"the $ref {ref} leads to a file that is not there")
        try:
            self._add(target, self._fetch(target))
        except OSError as error:
            raise BadReference(
                f"the $ref {ref} leads to a file that cannot be read: {error.strerror or error}"
            ) from None
        except BadDocument as error:
            raise BadReference(f"the $ref {ref} leads to a broken file: {error}") from None

    def follow(self, value: Any, file: str) -> Spot:
        """What a value stands for after all its references. Raises BadReference, also for a loop."""
        spot = Spot(file, "", value)
        for _ in range(MOST_HOPS):
            if not (isinstance(spot.value, dict) and "$ref" in spot.value):
                return spot
            spot = self.find(spot.value["$ref"], spot.file)
        raise BadReference(f"the $ref {value['$ref']} leads in a circle")

"""Schema files that a `$ref` leads to: read from the rules folder, never from outside of it, never from a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from rules.bulk import MOST_DEPTH, elements
from rules.dialects import Dialect, Flaw, dialect_of, subschemas

ROOT: Final = "https://rules.invalid/"
"""The base URI of every schema. `.invalid` can never be resolved (RFC 2606), so nothing could be fetched from it."""

MOST_BYTES = 1024 * 1024
"""Of one schema file."""

MOST_FILES = 200
"""Files that one contract may lead to."""


class BadSchema(ValueError):
    """A schema that cannot be a contract. `flaws` says all that is wrong; `file` is set where it is in a file."""

    def __init__(self, flaws: list[Flaw], file: str = "") -> None:
        super().__init__("; ".join(f"{'/'.join(map(str, flaw.path))}: {flaw.message}" for flaw in flaws))
        self.flaws = flaws
        self.file = file


def gather(schema: Any, dialect: Dialect, folder: Path | None) -> dict[str, Any]:
    """Every file that the schema leads to, by URI and parsed. Raises BadSchema."""
    documents: dict[str, Any] = {}
    todo = [(path, uri) for path, uri in _file_refs(schema, dialect, ROOT)]
    while todo:
        path, uri = todo.pop()
        if uri in documents:
            continue
        if len(documents) >= MOST_FILES:
            raise BadSchema([Flaw(path, f"leads to more than {MOST_FILES} files")])
        document = _read(path, uri, folder)
        documents[uri] = document
        todo += [(path, one) for _, one in _file_refs(document, dialect_of_file(uri, document, dialect), uri)]
    return documents


def dialect_of_file(uri: str, document: Any, default: Dialect) -> Dialect:
    """The dialect of a referenced file: its own `$schema`, else that of the contract."""
    if not (isinstance(document, dict) and "$schema" in document):
        return default
    try:
        return dialect_of(document)
    except ValueError as error:
        raise BadSchema([Flaw(("$schema",), "names an unknown dialect", str(error))], uri.removeprefix(ROOT)) from None


def _file_refs(schema: Any, dialect: Dialect, base: str) -> list[tuple[tuple[str | int, ...], str]]:
    """Where the schema refers to another file, and to which URI. What an `$id` renames is left to the validator."""
    found = []
    for path, here in subschemas(schema, dialect):
        ref = here.get("$ref") if isinstance(here, dict) else None
        if isinstance(ref, str) and not ref.startswith("#"):
            uri = urldefrag(urljoin(base, ref)).url
            if uri.startswith(ROOT):
                found.append(((*path, "$ref"), uri))
    return found


def _read(path: tuple[str | int, ...], uri: str, folder: Path | None) -> Any:
    name = unquote(uri.removeprefix(ROOT))
    if folder is None:
        raise BadSchema([Flaw(path, f"there is no folder to read {name} from")])
    root = folder.resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise BadSchema([Flaw(path, "leads out of the rules folder", "copy the schema into the folder")])
    if not file.is_file():
        raise BadSchema([Flaw(path, f"there is no file {name} in the rules folder")])
    return _parse(name, file)


def _parse(name: str, file: Path) -> Any:
    if file.stat().st_size > MOST_BYTES:
        raise BadSchema([Flaw((), f"is larger than {MOST_BYTES} bytes")], name)
    try:
        value = json.loads(file.read_bytes().decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        if elements(value) < 0:
            raise _NotPlain(f"it is nested deeper than {MOST_DEPTH} levels")
        return value
    except json.JSONDecodeError as error:
        raise BadSchema([Flaw((), f"is not JSON: {error}", "a schema file is JSON, not YAML")], name) from None
    except (UnicodeDecodeError, _NotPlain, RecursionError) as error:
        raise BadSchema([Flaw((), f"cannot be read: {error}")], name) from None


class _NotPlain(Exception):
    """JSON that two readers could read differently."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotPlain(f"the key {twice!r} stands twice")
    return read


def _no_constant(name: str) -> Any:
    raise _NotPlain(f"{name} is not JSON")

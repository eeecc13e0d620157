"""Schema files that a `$ref` leads to: read from the rules folder, never from outside of it, never from a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from rules.bulk import MOST_DEPTH, elements
from rules.dialects import Dialect, Flaw, dialect_of, subschemas

ROOT: Final = "https://rules.invalid/"
"""The base URI of every schema. `.invalid` can never be resolved (RFC 2606), so nothing could be fetched from it."""

MOST_BYTES = 1024 * 1024
"""Of one schema file."""

MOST_FILES = 5_000
"""Files that one contract may lead to: in large public APIs everything refers to everything, some 1,500 schemas."""


class BadSchema(ValueError):
    """A schema that cannot be a contract. `flaws` says all that is wrong; `file` is set where it is in a file."""

    def __init__(self, flaws: list[Flaw], file: str = "") -> None:
        super().__init__("; ".join(f"{'/'.join(map(str, flaw.path))}: {flaw.message}" for flaw in flaws))
        self.flaws = flaws
        self.file = file


class _Kept:
    """Remembers what was found out about something that does not change."""

    def __init__(self) -> None:
        self._found: dict[Any, Any] = {}

    def once(self, about: Any, find: Callable[..., Any], *args: Any) -> Any:
        """What `find` says of `args`, asked once for each hashable `about`."""
        if about not in self._found:
            self._found[about] = find(*args)
        return self._found[about]


class File(_Kept):
    """A parsed schema file, with what many contracts ask of it. Nobody changes `value`."""

    def __init__(self, uri: str, value: Any) -> None:
        super().__init__()
        self.uri = uri
        self.value = value

    def refs(self, dialect: Dialect) -> list[str]:
        """The URIs of the files that it refers to."""
        found = self.once(("refs", dialect.number), _file_refs, self.value, dialect, self.uri)
        return [uri for _, uri in found]


class Documents(dict[str, Any], _Kept):
    """The files that a contract leads to: parsed, by URI. `files` holds what else is known of them."""

    def __init__(self, files: Mapping[str, File]) -> None:
        super().__init__({uri: file.value for uri, file in files.items()})
        _Kept.__init__(self)
        self.files = files


def as_documents(documents: Mapping[str, Any]) -> Documents:
    """Documents with what is known of their files."""
    if isinstance(documents, Documents):
        return documents
    return Documents({uri: File(uri, value) for uri, value in documents.items()})


class Library:
    """The schema files of a rules folder. Contracts that are made from one library share what is read and found.

    `folder` None: there is no file besides `known`, which maps paths in the folder to schemas. A library is for one
    load, since files change.
    """

    def __init__(self, folder: Path | None, known: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self._files = {ROOT + path: File(ROOT + path, value) for path, value in (known or {}).items()}
        self._sets: dict[frozenset[str], Documents] = {}
        self._led: dict[tuple[int, frozenset[str]], Documents] = {}

    def file(self, path: tuple[str | int, ...], uri: str) -> File:
        """One file, to which the `$ref` at `path` leads. Raises BadSchema."""
        if uri not in self._files:
            self._files[uri] = File(uri, _read(path, uri, self.folder))
        return self._files[uri]

    def gather(self, schema: Any, dialect: Dialect) -> Documents:
        """Every file that the schema leads to. Raises BadSchema."""
        todo = [(path, uri) for path, uri in _file_refs(schema, dialect, ROOT)]
        key = (dialect.number, frozenset(uri for _, uri in todo))
        if key not in self._led:
            found = self._follow(todo, dialect)
            self._led[key] = self._sets.setdefault(frozenset(found), Documents(found))
        return self._led[key]

    def _follow(self, todo: list[tuple[tuple[str | int, ...], str]], dialect: Dialect) -> dict[str, File]:
        found: dict[str, File] = {}
        while todo:
            path, uri = todo.pop()
            if uri in found:
                continue
            if len(found) >= MOST_FILES:
                raise BadSchema([Flaw(path, f"leads to more than {MOST_FILES} files")])
            found[uri] = file = self.file(path, uri)
            todo += [(path, one) for one in file.refs(dialect_of_file(uri, file.value, dialect)) if one not in found]
        return found


Folder = Path | Library | None
"""Where schema files are: a folder, a library that was made of one, or nowhere."""


def gather(schema: Any, dialect: Dialect, folder: Folder) -> Documents:
    """Every file that the schema leads to, by URI and parsed. Raises BadSchema."""
    return (folder if isinstance(folder, Library) else Library(folder)).gather(schema, dialect)


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
    return _parse(name, inside(folder, name, path))


def inside(folder: Path | None, name: str, path: tuple[str | int, ...] = ()) -> Path:
    """A file of the rules folder, of which `path` speaks. Raises BadSchema where there is none."""
    if folder is None:
        raise BadSchema([Flaw(path, f"there is no folder to read {name} from")])
    root = folder.resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise BadSchema([Flaw(path, "leads out of the rules folder", "copy the file into the folder")])
    if not file.is_file():
        raise BadSchema([Flaw(path, f"there is no file {name} in the rules folder")])
    return file


def _parse(name: str, file: Path) -> Any:
    if file.stat().st_size > MOST_BYTES:
        raise BadSchema([Flaw((), f"is larger than {MOST_BYTES} bytes")], name)
    try:
        return plain_json(file.read_bytes())
    except json.JSONDecodeError as error:
        raise BadSchema([Flaw((), f"is not JSON: {error}", "a schema file is JSON, not YAML")], name) from None
    except ValueError as error:
        raise BadSchema([Flaw((), f"cannot be read: {error}")], name) from None


def plain_json(data: bytes) -> Any:
    """A JSON text that all readers read alike. Raises ValueError for duplicate names, NaN, excess and bad UTF-8."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise _NotPlain("it is nested too deep") from None
    if elements(value) < 0:
        raise _NotPlain(f"it is nested deeper than {MOST_DEPTH} levels")
    return value


class _NotPlain(ValueError):
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

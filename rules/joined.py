"""Many schema files as one document, so that validators meet each of them once.

jsonschema-rs compiles a reference into the same document once, but one into another document again at every place:
for 50 files that refer to each other in circles that takes minutes and gigabytes. Here the files are members of one
document, and every `$ref` says where its target lies in there.
"""

from __future__ import annotations

import copy
from typing import Any, Final
from urllib.parse import quote, urldefrag, urljoin

from rules.dialects import Dialect, subschemas
from rules.documents import ROOT, Documents, File, dialect_of_file

URI: Final = ROOT + ".joined"
"""Where the one document is. No rules file has a name that begins with a dot."""

_MOVED: Final = frozenset(
    ["$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"]
)
"""Keywords whose meaning hangs on the document that they stand in."""


def join(documents: Documents, dialect: Dialect) -> Any:
    """The one document, or None where this would change what the files mean: one of them has another dialect, or a
    keyword that names a document or a place.
    """
    about = ("joined", dialect.number)
    found = {uri: file.once(about, _member, file, dialect) for uri, file in documents.files.items()}
    if any(one is None for one in found.values()):
        return None
    return {_word(dialect): {_key(uri): member for uri, member in found.items()}}


def into(schema: Any, dialect: Dialect) -> Any:
    """A schema whose references lead into the one document; None where it cannot be moved."""
    return None if _is_tied(schema, dialect) else _moved(schema, dialect, ROOT)


def without_files(schema: Any, dialect: Dialect) -> tuple[Any, list[str]]:
    """A schema that was moved, without its references into the one document; and these."""
    made = copy.deepcopy(schema)
    targets = []
    for _, here in subschemas(made, dialect):
        if isinstance(here, dict) and str(here.get("$ref", "")).startswith(URI):
            targets.append(here.pop("$ref"))
    return made, targets


def members(documents: Documents, dialect: Dialect) -> Any:
    """A schema that leads to every member of the one document."""
    refs = [_target(uri, uri, _word(dialect)) for uri in documents]
    return {"allOf": [{"$ref": ref} for ref in refs]}


def _word(dialect: Dialect) -> str:
    return "$defs" if "$defs" in dialect.keywords else "definitions"


def _key(uri: str) -> str:
    return uri.removeprefix(ROOT)


def _member(file: File, dialect: Dialect) -> Any:
    """A file as it stands in the one document, or None where it has to stay by itself."""
    if dialect_of_file(file.uri, file.value, dialect) is not dialect or _is_tied(file.value, dialect):
        return None
    return _moved(file.value, dialect, file.uri)


def _is_tied(schema: Any, dialect: Dialect) -> bool:
    for path, here in subschemas(schema, dialect):
        if isinstance(here, dict) and (not _MOVED.isdisjoint(here) or (path and "$schema" in here)):
            return True
    return False


def _moved(schema: Any, dialect: Dialect, base: str) -> Any:
    """A copy whose references lead into the one document. Those of the schema itself into itself stay."""
    made = copy.deepcopy(schema)
    if base != ROOT and isinstance(made, dict):
        made.pop("$schema", None)
    for _, here in subschemas(made, dialect):
        if isinstance(here, dict) and isinstance(here.get("$ref"), str):
            here["$ref"] = _target(here["$ref"], base, _word(dialect))
    return made


def _target(ref: str, base: str, word: str) -> str:
    uri, fragment = urldefrag(urljoin(base, ref))
    if not uri.startswith(ROOT) or uri == ROOT or (fragment and not fragment.startswith("/")):
        return ref
    key = _key(uri).replace("~", "~0").replace("/", "~1")
    return f"{URI}#/{word}/{quote(key, safe='~')}{fragment}"

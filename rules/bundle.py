"""A contract as one JSON Schema that leads to no other file: for those who read it without the rules folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from rules.dialects import DRAFT201909, DRAFT202012, Dialect, subschemas
from rules.documents import ROOT, BadSchema, dialect_of_file
from rules.samples import Guide
from rules.schema import Contract, compiled

MOST_SUMMARY = 200
"""Characters of a description, and of an enum as JSON, in a schema that had to be shortened."""

MOST_NAMES = 200
"""Arguments in such a schema."""

_RENAMING: Final = frozenset(
    {"$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"}
)
"""Keywords that give `$ref` another meaning than "this place in this file"."""

_PRIVATE: Final = "$comment"
"""What the author wrote for authors, as are keywords that begin with x-."""

_BRANCHES: Final = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "enum", "const"}
)
"""What providers of models refuse at the top level of a tool's schema."""

_SHOWN: Final = ("type", "description", "enum", "const", "format", "default")


def bundled(contract: Contract) -> tuple[dict[str, Any], bool]:
    """The contract with the files that it leads to under `$defs` (`definitions` in the old drafts), and references
    that lead there; and whether it means the same.

    Where ids and anchors tell how references are meant, the files keep their names, as JSON Schema 2020-12 (9.3)
    describes bundles. Where not even that holds together, the contract is shortened.
    """
    names = _names(contract)
    if not names:
        return dict(_copied(contract.schema, contract.dialect, lambda ref: ref)), True
    rename = _renames(contract)
    whole = _bundle(contract, names, rename)
    if rename and not _holds(whole, contract.dialect):
        return shortened({"required": sorted(contract.guide.required())}, contract), False
    return whole, True


def _holds(whole: Mapping[str, Any], dialect: Dialect) -> bool:
    try:
        compiled(whole, dialect, {})
    except BadSchema:
        return False
    return True


def _bundle(contract: Contract, names: Mapping[str, str], rename: bool) -> dict[str, Any]:
    place = _place(contract.dialect)
    whole = dict(_copied(contract.schema, contract.dialect, _refs(ROOT, names, place, rename)))
    if rename:
        whole = {"$id": ROOT, **whole}
    whole[place] = dict(whole.get(place, {}))
    for uri, name in names.items():
        document = contract.documents[uri]
        dialect = dialect_of_file(uri, document, contract.dialect)
        copy = _copy(document, dialect, _refs(uri, names, place, rename))
        whole[place][name] = {"$id": uri, **copy} if rename and isinstance(copy, dict) else copy
    return whole


def flat(contract: Contract, whole: Mapping[str, Any]) -> dict[str, Any]:
    """`whole` (the bundled contract) as providers of models want it: an object with its properties at the top.

    It is the same where it has that form, else looser: what branches and references say of one argument is any of
    what they say, and what they say of several together is left out. Calls are held to the contract itself.
    """
    shape = dict(whole)
    if whole.get("type") != "object" or not _BRANCHES.isdisjoint(whole):
        keep = ("$schema", "title", "description", "$id", "$defs", "definitions")
        shape = {word: whole[word] for word in keep if word in whole}
        shape |= {"type": "object", **_merged(contract, whole)}
    shape.setdefault("properties", {})
    if not contract.is_open:
        shape.setdefault("additionalProperties", False)
    return shape


def shortened(shape: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """A flat schema without what lies below its arguments: only their types and a few words about each."""
    named = contract.guide.properties()
    few = dict(list(named.items())[:MOST_NAMES])
    required = [name for name in shape.get("required", ()) if name in few]
    return {
        "type": "object",
        "properties": {name: _summary(here) for name, here in few.items()},
        "required": required,
        "additionalProperties": contract.is_open or len(few) < len(named),
    }


def _summary(here: list[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in here:
        for word in _SHOWN:
            if word in node and word not in found and len(json.dumps(node[word])) <= MOST_SUMMARY:
                found[word] = node[word]
    return found


def _merged(contract: Contract, whole: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of all branches, and the names that every way through them requires."""
    guide = Guide(whole, contract.dialect, {})
    said: dict[str, list[Any]] = {}
    for _, node in guide.top():
        for name, below in (node.get("properties") or {}).items():
            if below not in said.setdefault(name, []):
                said[name].append(below)
    properties = {name: each[0] if len(each) == 1 else {"anyOf": each} for name, each in sorted(said.items())}
    return {"properties": properties, "required": sorted(_required(guide, whole) & properties.keys())}


def _required(guide: Guide, whole: Mapping[str, Any]) -> set[str]:
    """Names that the top level requires by itself, by its `$ref` and by `allOf`; none that hang on a branch."""
    found: set[str] = set()
    todo, seen = [whole], set[int]()
    while todo:
        node = todo.pop()
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        found.update(name for name in node.get("required") or () if isinstance(name, str))
        target = guide.follow(node, ROOT)
        todo += [target[1]] if target else []
        todo += node.get("allOf") or []
    return found


def _names(contract: Contract) -> dict[str, str]:
    """A name under `$defs` for each file, after its own."""
    taken = set(contract.schema.get(_place(contract.dialect)) or ())
    names: dict[str, str] = {}
    for uri in sorted(contract.documents):
        stem = unquote(uri.removeprefix(ROOT)).rpartition("/")[2].partition(".")[0]
        name = wanted = re.sub(r"[^A-Za-z0-9_-]", "_", stem) or "schema"
        count = 2
        while name in taken:
            name, count = f"{wanted}_{count}", count + 1
        taken.add(name)
        names[uri] = name
    return names


def _place(dialect: Dialect) -> str:
    return "$defs" if dialect in (DRAFT201909, DRAFT202012) else "definitions"


def _renames(contract: Contract) -> bool:
    """Whether a reference may mean something else than a place in a file."""
    return any(
        isinstance(here, dict) and not _RENAMING.isdisjoint(here)
        for document in (contract.schema, *contract.documents.values())
        for _, here in subschemas(document, contract.dialect)
    ) or any("$schema" in document for document in contract.documents.values() if isinstance(document, dict))


def _refs(base: str, names: Mapping[str, str], place: str, rename: bool) -> Callable[[str], str]:
    """How references of the file `base` are written in the bundle."""

    def moved(ref: str) -> str:
        uri, fragment = urldefrag(urljoin(base, ref))
        if uri == ROOT:
            return f"#{fragment}"
        return f"#/{place}/{names[uri]}{fragment}" if uri in names else ref

    return (lambda ref: ref) if rename else moved


def _copy(node: Any, dialect: Dialect, ref: Callable[[str], str]) -> Any:
    """A schema with other references, and without what is none of its readers' business."""
    if not isinstance(node, dict):
        return node
    return dict(_copied(node, dialect, ref))


def _copied(node: Mapping[str, Any], dialect: Dialect, ref: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    for word, value in node.items():
        form = dialect.keywords.get(word, "data")
        if word == _PRIVATE or word.startswith("x-"):
            continue
        if word == "$ref" and isinstance(value, str):
            yield word, ref(value)
        elif isinstance(value, list) and form in ("schemas", "items"):
            yield word, [_copy(one, dialect, ref) for one in value]
        elif isinstance(value, dict) and form in ("map", "dependencies"):
            yield word, {name: _copy(one, dialect, ref) for name, one in value.items()}
        else:
            yield word, _copy(value, dialect, ref) if form in ("schema", "items") else value

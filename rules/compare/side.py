"""One side of a comparison: a schema, the files that it leads to, and what `$ref` and `allOf` lay on one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from rules.dialects import DRAFT202012, subschemas
from rules.documents import ROOT

Here = tuple[str, Any]
"""A schema and the URI of the document in which it lies."""

MOST_SPREAD: Final = 500
"""Schemas that lie on one place through `$ref` and `allOf`."""

_NOTES: Final = """title description default examples $comment $defs definitions deprecated readOnly writeOnly
contentMediaType contentEncoding contentSchema $schema"""
NOTES: Final = frozenset(_NOTES.split())
_ONLY_REF: Final = NOTES | {"$ref"}
"""Keywords that refuse no value under 2020-12 as it is asserted here."""


class TooMuch(Exception):
    """The schemas are larger than a comparison is worth."""


@dataclass(frozen=True, slots=True)
class Side:
    """A schema and the parsed files that it leads to, by URI. The schema itself lies at `rules.documents.ROOT`."""

    schema: Any
    documents: Mapping[str, Any] = field(default_factory=dict)

    def follow(self, base: str, ref: str) -> Here | None:
        """Where a `$ref` leads: a JSON pointer (RFC 6901) into a known document. None where it leads nowhere."""
        uri, fragment = _pointed(base, ref)
        here = self.schema if uri == ROOT else self.documents.get(uri)
        if fragment and not fragment.startswith("/"):
            return None
        for part in fragment.split("/")[1:]:
            here = _member(here, unquote(part).replace("~1", "/").replace("~0", "~"))
        return None if here is None else (uri, here)

    def target(self, here: Here) -> Here:
        """The schema itself, or where it leads when it is nothing but a `$ref`."""
        for _ in range(MOST_SPREAD):
            base, node = here
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str) or not node.keys() <= _ONLY_REF:
                break
            here = self.follow(base, node["$ref"]) or here
        return here

    def spread(self, start: Iterable[Here]) -> list[Here]:
        """Every schema that lies on the same place, through `$ref` and `allOf`; each has to be fulfilled.

        Raises TooMuch. A `$ref` that leads nowhere stays as the schema that holds it.
        """
        found: list[Here] = []
        seen: set[int] = set()
        todo = list(start)[::-1]
        while todo:
            base, node = todo.pop()
            if id(node) in seen and isinstance(node, dict):
                continue
            if len(found) >= MOST_SPREAD:
                raise TooMuch
            seen.add(id(node))
            found.append((base, node))
            if isinstance(node, dict):
                target = self.follow(base, node["$ref"]) if isinstance(node.get("$ref"), str) else None
                todo += [(base, one) for one in reversed(as_list(node.get("allOf")))] + ([target] if target else [])
        return found


def can_be_read(side: Side) -> bool:
    """Whether the comparison understands every document: 2020-12, and nothing that moves the base of references."""
    return all(
        as_dict(document).get("$schema", DRAFT202012.uri) == DRAFT202012.uri
        and not any(isinstance(here, dict) and "$id" in here for _, here in subschemas(document, DRAFT202012))
        for document in (side.schema, *side.documents.values())
    )


def unchanged(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    """The URIs of the documents that say the same on both sides, with all that they lead to."""
    alike = {uri for uri in old.keys() & new.keys() if same(old[uri], new[uri])}
    targets = {uri: leads(old[uri], uri) for uri in alike}
    while doubtful := {uri for uri in alike if not targets[uri] <= alike}:
        alike -= doubtful
    return frozenset(alike)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal as JSON Schema compares them: 1 is 1.0 and is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def bare(schema: Any) -> Any:
    """A schema without what refuses no value, at all depths."""
    if not isinstance(schema, dict):
        return schema
    return {word: _bare(word, value) for word, value in schema.items() if word not in NOTES and word[:2] != "x-"}


def _bare(word: str, value: Any) -> Any:
    form = DRAFT202012.keywords.get(word, "data")
    if form == "map" and isinstance(value, dict):
        return {name: bare(one) for name, one in value.items()}
    if form == "schemas" and isinstance(value, list):
        return [bare(one) for one in value]
    return bare(value) if form == "schema" else value


def refs(schema: Any) -> Iterator[str]:
    """The `$ref`s of a schema, and `$dynamicRef`s."""
    for _, here in subschemas(schema, DRAFT202012):
        if isinstance(here, dict):
            yield from (here[word] for word in ("$ref", "$dynamicRef") if isinstance(here.get(word), str))


def as_list(value: Any) -> list[Any]:
    """A list, empty where it is none."""
    return value if isinstance(value, list) else []


def as_dict(value: Any) -> dict[str, Any]:
    """A mapping, empty where it is none."""
    return value if isinstance(value, dict) else {}


def leads(schema: Any, base: str) -> set[str]:
    """The URIs of the documents to which a schema in the document `base` leads."""
    return {_pointed(base, ref)[0] for ref in refs(schema)}


@lru_cache(maxsize=65_536)
def _pointed(base: str, ref: str) -> tuple[str, str]:
    """The document and the fragment that a reference means."""
    uri, fragment = urldefrag(urljoin(base, ref))
    return uri, fragment


def _member(here: Any, key: str) -> Any:
    if isinstance(here, dict):
        return here.get(key)
    return here[int(key)] if isinstance(here, list) and key.isdigit() and int(key) < len(here) else None

"""What a schema itself shows: its declared names, and an example that fits at a given place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

import jsonschema_rs

from rules.dialects import Dialect, subschemas
from rules.documents import ROOT, File, as_documents
from rules.problems import NO_EXAMPLE, pointer

MOST_STEPS = 200
"""Subschemas that are looked at for one place: applicators can branch and loop."""

MOST_ITEMS = 8
"""Items of an array that are told apart: `prefixItems` are few."""

_APPLICATORS: Final = ("allOf", "anyOf", "oneOf")
FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "P3D",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "idn-email": "name@example.com",
    "idn-hostname": "example.com",
    "iri": "https://example.com/",
    "iri-reference": "/path",
    "json-pointer": "/name",
    "regex": "^a+$",
    "relative-json-pointer": "0",
    "uri": "https://example.com/",
    "uri-reference": "/path",
    "uri-template": "https://example.com/{id}",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
}


Node = tuple[str, Any]
"""A subschema and the URI of its document."""


class Guide:
    """Finds the subschemas that speak about one place of the arguments."""

    def __init__(self, schema: Any, dialect: Dialect, documents: Mapping[str, Any]) -> None:
        self._schema = schema
        self._documents = {**documents, ROOT: schema}
        files = [File(ROOT, schema), *as_documents(documents).files.values()]
        self._declared = [file.once(("names", dialect.number), _declared, file.value, dialect) for file in files]

    def names(self) -> frozenset[str]:
        """The names that the top level declares, through references and applicators."""
        return self.names_at(())

    def names_at(self, path: Sequence[str | int]) -> frozenset[str]:
        """The names declared for the object at a place."""
        return frozenset(
            name
            for _, here in self._at(path)
            if isinstance(here.get("properties"), dict)
            for name in here["properties"]
        )

    def others(self) -> bool | None:
        """Whether the author allows names at the top level that are not declared; None where nothing is said.

        `patternProperties` alone says nothing about the names that fit no pattern.
        """
        here, base = self._schema, ROOT
        for _ in range(MOST_STEPS):
            for word in ("additionalProperties", "unevaluatedProperties"):
                if word in here:
                    return here[word] is not False or "patternProperties" in here
            target = self.follow(here, base)
            if target is None:
                return None
            base, here = target
        return None

    def has_patterns(self) -> bool:
        """Whether `patternProperties` speaks about the top level."""
        return any("patternProperties" in here for _, here in self._at(()))

    def required(self) -> frozenset[str]:
        """The names that the schema itself (not one of its branches) requires at the top level."""
        return frozenset(name for name in _as_list(self._schema.get("required")) if isinstance(name, str))

    def properties(self) -> dict[str, list[Mapping[str, Any]]]:
        """For each declared argument every subschema that speaks about it."""
        return {name: [here for _, here in self._at((name,))] for name in sorted(self.names())}

    def safe(self, path: Sequence[str | int]) -> str:
        """A pointer in which a name that no schema declares is `*`: it is the caller's text."""
        return pointer(part if isinstance(part, int) or self._is_declared(part) else "*" for part in path)

    def declared(self) -> frozenset[str]:
        """Every name that is declared anywhere, also in the files that the schema leads to."""
        return frozenset().union(*self._declared)

    def _is_declared(self, name: str) -> bool:
        return any(name in names for names in self._declared)

    def anonymous(self, path: Sequence[str | int]) -> tuple[str | int, ...]:
        """A place that stands for all those where the same is expected, without any text of the caller."""
        return tuple(
            (part if part < MOST_ITEMS else 0) if isinstance(part, int) else part if self._is_declared(part) else "name"
            for part in path
        )

    def example(self, path: Sequence[str | int]) -> Any:
        """A value that the schema shows for a place, or NO_EXAMPLE."""
        places = [here for _, here in self._at(path)]
        for here in places:
            for value in _shown(here):
                if _fits(here, value) and _fits(places[0], value):
                    return value
        return NO_EXAMPLE

    def root(self) -> list[Node]:
        """The whole schema, before any of its references is followed."""
        return [(ROOT, self._schema)]

    def top(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The subschemas of the whole, each with the URI of its document, without duplicates."""
        return list(self._spread([(ROOT, self._schema)]))

    def below(self, here: list[tuple[str, Mapping[str, Any]]], part: str | int) -> list[tuple[str, Mapping[str, Any]]]:
        """The subschemas of a member (or item) of a place that is given by its own."""
        return list(self._spread([(base, one) for base, node in here for one in step(node, part)]))

    def _at(self, path: Sequence[str | int]) -> list[tuple[str, Mapping[str, Any]]]:
        here = self.top()
        for part in path:
            here = self.below(here, part)
        return here

    def _spread(self, todo: list[tuple[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Subschemas of the same place: what `$ref`, `allOf`, `if` and the like lead to."""
        seen: set[int] = set()
        todo = todo[::-1]
        while todo and len(seen) < MOST_STEPS:
            base, node = todo.pop()
            if not isinstance(node, dict) or id(node) in seen:
                continue
            seen.add(id(node))
            yield base, node
            target = self.follow(node, base)
            todo += [target] if target else []
            todo += [(base, one) for word in _APPLICATORS for one in _as_list(node.get(word))]
            todo += [(base, node[word]) for word in ("then", "else", "if") if word in node]
            todo += [(base, one) for one in _as_dict(node.get("dependentSchemas")).values()]

    def follow(self, node: Mapping[str, Any], base: str) -> tuple[str, Any] | None:
        """Where `$ref` leads, when it is a JSON pointer into a known document."""
        ref = node.get("$ref")
        if not isinstance(ref, str):
            return None
        uri, fragment = urldefrag(urljoin(base, ref))
        here = self._documents.get(uri)
        for part in fragment.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            here = here.get(key) if isinstance(here, dict) else None
        return (uri, here) if isinstance(here, dict) else None


def step(node: Mapping[str, Any], part: str | int) -> Iterator[Any]:
    """The subschemas of a node for one of its members."""
    if isinstance(part, str):
        properties = _as_dict(node.get("properties"))
        yield properties[part] if part in properties else node.get("additionalProperties")
        return
    prefix = _as_list(node.get("prefixItems", node.get("items")))
    yield prefix[part] if part < len(prefix) else node.get("items")


def _shown(here: Mapping[str, Any]) -> Iterator[Any]:
    """Values that the author wrote, then ones that follow from bounds and formats."""
    if "default" in here:
        yield here["default"]
    yield from _as_list(here.get("examples"))[:1]
    if "const" in here:
        yield here["const"]
    yield from _as_list(here.get("enum"))[:1]
    if here.get("type") in ("integer", "number"):
        yield from _numbers(here)
    if here.get("type") == "boolean":
        yield True
    if here.get("format") in FORMATS:
        yield FORMATS[here["format"]]


def _numbers(here: Mapping[str, Any]) -> Iterator[Any]:
    for word, shift in (("minimum", 0), ("exclusiveMinimum", 1), ("maximum", 0), ("exclusiveMaximum", -1)):
        if isinstance(bound := here.get(word), int | float) and not isinstance(bound, bool):
            yield bound + shift
    yield 1


def _fits(here: Mapping[str, Any], value: Any) -> bool:
    """Whether an example is one: authors' own examples are wrong surprisingly often."""
    try:
        return jsonschema_rs.Draft202012Validator(
            {word: here[word] for word in here if "$" not in word},
            offline=True,
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),
        ).is_valid(value)
    except (ValueError, jsonschema_rs.ReferencingError):
        return False


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _declared(document: Any, dialect: Dialect) -> frozenset[str]:
    """Every name that a document declares somewhere."""
    return frozenset(
        name
        for _, here in subschemas(document, dialect)
        if isinstance(here, dict) and isinstance(here.get("properties"), dict)
        for name in here["properties"]
    )

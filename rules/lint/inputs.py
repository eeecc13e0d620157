"""What may come in: arguments that are open-ended, dangerous by what they mean, or bound by a pattern that explodes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rules.dialects import subschemas
from rules.lint.findings import Finding, finding
from rules.lint.places import Places
from rules.lint.regexes import explodes
from rules.lint.values import JSON, Schemas, Value
from rules.lint.vocabulary import CODE, MARKUP, PATHS, SECRET_PAIRS, SECRETS, SORTS, URLS, words_of
from rules.tools import Tool

MOST_PLACES: Final = 400
"""Places of one contract that are looked at, and levels below an argument."""

MOST_DEEP: Final = 6
MOST_NAMED: Final = 3
"""Arguments of one tool that a finding names; the others are counted."""

_CODE_SAYS: Final = re.compile(
    r"\b(sql (query|statement|command|text)|raw (sql|query)|shell command|command line|"
    r"(python|javascript|bash|shell|lua) (code|script|snippet)|source code to|code to (run|execute|evaluate))\b",
    re.IGNORECASE,
)
_FORMAT_URLS: Final = frozenset({"uri", "iri", "uri-reference", "iri-reference"})


def about_inputs(tools: Iterable[Tool], places: Places) -> Iterator[Finding]:
    """Findings about arguments: one for each tool and kind, naming the first arguments."""
    for tool in tools:
        if tool.body_open:
            yield finding("open-arguments", places.tool(tool, "input"), tool.name, "takes arguments not declared")
        found: dict[str, list[str]] = defaultdict(list)
        for path, value in _places(Schemas(tool.contract)):
            for kind in _kinds(path, value):
                if tool.mcp and kind in _OF_AUTHORS:
                    continue
                found[kind].append(".".join(path))
        for kind, names in found.items():
            place = places.argument(tool, names[0].split(".")[0].removesuffix("[]"))
            yield finding(kind, place, tool.name, f"{_VERB[kind]} {_listed(names)}")
        yield from _patterns(tool, places)


_OF_AUTHORS: Final = frozenset({"untyped-argument", "free-object", "unbounded-text", "unbounded-array"})
"""Of an MCP server's schema the author of the rules can change nothing."""

_VERB: Final = {
    "untyped-argument": "takes anything as",
    "free-object": "takes free members in",
    "unbounded-text": "takes a text of any length as",
    "unbounded-array": "takes a list of any length as",
    "code-argument": "takes code as",
    "url-argument": "takes a URL as",
    "path-argument": "takes a path as",
    "markup-argument": "takes markup as",
    "secret-argument": "asks the agent for",
}


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + rest


def _places(schemas: Schemas) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Every declared place below the arguments, from the top, each schema once."""
    todo: list[tuple[tuple[str, ...], Value]] = [((), schemas.root)]
    seen: set[frozenset[int]] = set()
    for _ in range(MOST_PLACES):
        if not todo:
            return
        path, value = todo.pop(0)
        if path:
            yield path, value
        key = frozenset(id(node) for shape in value.shapes or () for _, node in shape)
        if key in seen or len(path) >= MOST_DEEP:
            continue
        seen.add(key)
        todo += [((*path, name), schemas.declared(value, name)) for name in value.names()]
        if "list" in value.kinds and path and not _is_untyped(value):
            todo.append(((*path[:-1], f"{path[-1]}[]"), schemas.item(value)))


def _kinds(path: tuple[str, ...], value: Value) -> Iterator[str]:
    if _is_untyped(value):
        yield "untyped-argument"
        return
    if value.is_free:
        yield "free-object"
    if "list" in value.kinds and value.most == float("inf"):
        yield "unbounded-array"
    if "string" in value.kinds and value.consts is None:
        yield from _texts(path, value)


def _is_untyped(value: Value) -> bool:
    return value.kinds >= JSON and value.consts is None


def _texts(path: tuple[str, ...], value: Value) -> Iterator[str]:
    """What a text that no enum binds is by its name, format and description, or that nothing bounds it."""
    words = words_of(path[-1].removesuffix("[]"))
    formats, says = value.said("format"), " ".join(value.said("description"))
    if _is_secret(words) or "password" in formats:
        yield "secret-argument"
    elif _is_code(words, says):
        yield "code-argument"
    elif (words and words[-1] in URLS) or formats & _FORMAT_URLS:
        if not value.said("pattern"):
            yield "url-argument"
    elif words and (words[-1] in PATHS or words[-2:] == ("file", "name")) and words[0] not in SORTS:
        if not value.said("pattern"):
            yield "path-argument"
    elif words and words[-1] in MARKUP:
        yield "markup-argument"
    elif not value.formed and value.longest == float("inf"):
        yield "unbounded-text"


def _is_code(words: tuple[str, ...], says: str) -> bool:
    """A `code` alone is mostly a short name for something, so its description decides."""
    return (words[-1:] != () and words[-1] in CODE) or words == ("source", "code") or bool(_CODE_SAYS.search(says))


def _is_secret(words: tuple[str, ...]) -> bool:
    return bool(words) and (words[-1] in SECRETS or words[-2:] in SECRET_PAIRS)


def _patterns(tool: Tool, places: Places) -> Iterator[Finding]:
    """Patterns that can take exponential time, each once."""
    seen: set[str] = set()
    for document in (tool.contract.schema, *tool.contract.documents.values()):
        for _, here in subschemas(document, tool.contract.dialect):
            for pattern in _patterns_of(here):
                if pattern not in seen and explodes(pattern):
                    shown = pattern if len(pattern) <= 60 else pattern[:57] + "..."
                    yield finding("regex-explodes", places.tool(tool, "input"), tool.name, f"has the pattern {shown}")
                seen.add(pattern)


def _patterns_of(here: Any) -> Iterator[str]:
    if isinstance(here, dict):
        if isinstance(here.get("pattern"), str):
            yield here["pattern"]
        if isinstance(here.get("patternProperties"), dict):
            yield from here["patternProperties"]

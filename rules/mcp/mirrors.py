"""x-mcp-header: the arguments of a tool that a header repeats (MCP 2026-07-28, Streamable HTTP)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rules.dialects import Dialect, Flaw, Path, subschemas

WORD: Final = "x-mcp-header"

Mirrors = tuple[tuple[str, tuple[str, ...]], ...]
"""The end of each header's name, and the path of the argument that it repeats."""

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_TYPES: Final = frozenset({"string", "integer", "boolean", "null"})


def mirrors(schema: Mapping[str, Any], dialect: Dialect) -> tuple[Mirrors, list[Flaw]]:
    """What a tool's schema says of headers, and what is wrong with that."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    flaws: list[Flaw] = []
    for path, here in subschemas(schema, dialect):
        if not isinstance(here, dict) or WORD not in here:
            continue
        flaws += [Flaw((*path, WORD), message) for message in _wrong(path, here)]
        name = str(here[WORD])
        if name.lower() in found:
            flaws.append(Flaw((*path, WORD), "names a header that another argument has", "case does not count"))
        found[name.lower()] = name, tuple(map(str, path[1::2]))
    return tuple(found[name] for name in sorted(found)), flaws


def _wrong(path: Path, here: Mapping[str, Any]) -> Iterator[str]:
    name, types = here[WORD], here.get("type")
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        yield "is no name that a header can have"
    if len(path) % 2 or not path or any(word != "properties" for word in path[::2]):
        yield "stands where no argument is reached by names alone"
    given = set(types if isinstance(types, list) else [types])
    if not given <= _TYPES or given <= {"null"}:
        yield "is for texts, whole numbers and booleans"

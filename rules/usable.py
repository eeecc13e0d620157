"""Patterns that others wrote: which of them contracts can use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema_rs

from rules.schema import PATTERNS


@lru_cache(maxsize=4096)
def _compiles(pattern: str) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=PATTERNS)
    except ValueError:
        return False
    return True


def usable_pattern(given: Any) -> str:
    """A pattern as contracts can use it, or nothing. `/^a$/` is how JavaScript writes `^a$`."""
    if not isinstance(given, str):
        return ""
    bare = given[1:-1] if len(given) > 3 and given.startswith("/^") and given.endswith("$/") else given
    return bare if _compiles(bare) else ""

"""How large a JSON value is: what recurses or loops over values asks first."""

from __future__ import annotations

from typing import Any, Final

MOST_DEPTH: Final = 128
"""Nesting of arguments and of schema files. Validators recurse: tens of thousands of levels would end the process."""


def elements(value: Any, most: int = MOST_DEPTH) -> int:
    """How many items and members a value holds at all depths; -1 where it is nested deeper than `most` levels."""
    count, level = 0, [value] if isinstance(value, dict | list) else []
    for _ in range(most + 1):
        if not level:
            return count
        count += sum(map(len, level))
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, dict | list)
        ]
    return -1


def holds_nul(value: Any) -> bool:
    """Whether a text anywhere in a value, or a name, holds U+0000. Levels below MOST_DEPTH count as holding one."""
    level = [value]
    for _ in range(MOST_DEPTH + 2):
        if not level:
            return False
        if any(isinstance(one, str) and "\0" in one for one in level):
            return True
        level = [below for one in level if isinstance(one, dict | list) for below in _parts(one)]
    return True


def _parts(value: dict[str, Any] | list[Any]) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, dict) else value

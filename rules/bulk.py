"""How large a JSON value is: what recurses or loops over values asks first."""

from __future__ import annotations

from typing import Any, Final

MOST_DEPTH: Final = 128
"""Nesting of arguments and of schema files. Validators recurse: tens of thousands of levels would end the process."""


def elements(value: Any) -> int:
    """How many items and members a value holds at all depths; -1 where it is nested deeper than MOST_DEPTH."""
    count, level = 0, [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_DEPTH + 1):
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

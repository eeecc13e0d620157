"""Contracts: are these arguments what the tool's JSON Schema asks for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NO_EXAMPLE: Final = object()
"""Stands where the schema shows no example: `None` would be the JSON null."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which arguments break their contract. `path` is a JSON pointer (RFC 6901) into the arguments.

    `problem` reads "is a string, must be an integer" and never holds the rejected value. `example` comes from the
    schema alone, or is NO_EXAMPLE.
    """

    path: str
    problem: str
    example: Any = NO_EXAMPLE


class Contract:
    def check(self, args: Mapping[str, Any]) -> tuple[Problem, ...]:
        raise NotImplementedError

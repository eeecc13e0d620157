"""How often a property is tried: a fifth of it in `make test`, all of it in `make test-all`."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LONG = "TOOLWALL_LONG"
"""Set in the environment for the long form."""


def examples(count: int) -> int:
    """So many examples in the long form."""
    return count if os.environ.get(LONG) else count // 5


def some(cases: Sequence[T]) -> Sequence[T]:
    """All cases in the long form, else the first."""
    return cases if os.environ.get(LONG) else cases[:1]


def every_third(cases: Sequence[T], first: int = 0) -> Sequence[T]:
    """All cases in the long form, else every third, counted from `first`."""
    return cases if os.environ.get(LONG) else cases[first % 3 :: 3]

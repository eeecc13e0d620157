"""How often a property is tried: a fifth of it in `make test`, all of it in `make test-all`."""

import os

LONG = "TOOLWALL_LONG"
"""Set in the environment for the long form."""


def examples(count: int) -> int:
    """So many examples in the long form."""
    return count if os.environ.get(LONG) else count // 5

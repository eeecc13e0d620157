"""How long to wait before Vault is asked again."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.05
"""Before a second try. A standby that answers 412 has caught up by then, mostly."""
LONGEST_S: Final = 60.0


def backoff(failures: int, after_s: float = 0.0, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> float:
    """Seconds after so many failures in a row, of which some are left to chance; no fewer than Vault asked for."""
    grown = min(first_s * 2.0 ** min(max(failures, 1) - 1, 20), longest_s)
    return max(spread(grown), min(after_s, LONGEST_S))


def spread(seconds: float) -> float:
    """About so many, so that not all sidecars come at the same moment."""
    return seconds * random.uniform(0.8, 1.0)  # noqa: S311 - nothing secret hangs on it

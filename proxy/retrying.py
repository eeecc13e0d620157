"""Retrying: how long to wait before a backend is asked again, and whether there is still something to spend on it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from rules.terms import Retry

SHARE: Final = 0.2
"""Retries per call. A backend in trouble gets a fifth more of what it cannot bear, not two or three times as much."""

MOST_SAVED: Final = 10.0
"""Retries that can be saved up, and those of the beginning: a backend that is seldom called may be asked again too."""

SAVED_PER_S: Final = 0.1
"""Retries that time brings: one in ten seconds."""


class Budget:
    """The retries that one backend may still get. `now` is in seconds and never goes back."""

    __slots__ = ("_left", "_since")

    def __init__(self, now: float) -> None:
        self._left, self._since = MOST_SAVED, now

    def called(self) -> None:
        """A call came, which brings its share."""
        self._left = min(self._left + SHARE, MOST_SAVED)

    def spend(self, now: float) -> bool:
        """Whether there is one retry left; it is spent then."""
        self._left = min(self._left + (now - self._since) * SAVED_PER_S, MOST_SAVED)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def backoff_s(terms: Retry, failed: int, chance: float) -> float:
    """How long to wait after so many failures: exponential backoff with full jitter. `chance` lies from 0 to 1."""
    return chance * min(terms.wait_s * 2.0 ** (failed - 1), terms.most_wait_s)


def asked_s(retry_after: str, now: datetime) -> float | None:
    """The seconds that a `Retry-After` asks for, in either of its forms (RFC 9110, 10.2.3); None for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter of numbers that no date holds
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)

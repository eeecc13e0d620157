"""Admission: a sidecar with more to do than it can says no at once, so that what it takes on is done in time.

What is measured is the work that a message found before it: the processor time from when its bytes were read to its
turn. That is our own state and nobody else's: calls that wait for a backend keep nobody waiting, and what other
programs of the machine take is not ours to shed. A bound on calls under way could not tell the one from the other.
"""

from __future__ import annotations

from typing import Final

from proxy.errors import Refusal

TARGET_S: Final = 0.025
"""Work before a message that is fine: some sixty calls that came at the same moment."""

PATIENCE_S: Final = 0.1
"""How long there may be more: a burst, a large reply and a collection of garbage are over by then. What finds more work
after that is refused, and what finds less is let in, so that the time of what is let in stays bounded."""


class Admission:
    """Of one listener. `now` is in seconds and never goes back."""

    __slots__ = ("_long", "_most", "_since", "calls")

    def __init__(self, most_calls: int) -> None:
        self._most = most_calls
        self._since = self._long = float("-inf")
        self.calls = 0
        """Those under way."""

    @property
    def is_full(self) -> bool:
        """Whether as many calls are under way as may be."""
        return self.calls >= self._most

    def refuses(self, before_s: float, now: float) -> bool:
        """Whether a message that found so much work before it is one too many."""
        return self.is_behind(before_s, now) or self.is_full

    def is_behind(self, before_s: float, now: float) -> bool:
        """Whether there has been so much work for too long."""
        if before_s <= TARGET_S:
            return False
        if now - self._long > PATIENCE_S:
            self._since = now
        self._long = now
        return now - self._since > PATIENCE_S


def busy() -> Refusal:
    """What is said to a message that is one too many."""
    return Refusal(
        "limit_reached",
        "The sidecar has too many calls to deal with. Nothing was sent.",
        suggestion="Wait, then repeat the call; make fewer calls at once.",
        retry_after=1,
    )

"""Who waits and who is refused where more calls come than can be served.

As long as all of them fit into a bound they wait for as long as it takes: agents that wait for their answers before
they call again are slowed down, and never refused. When more want in than fit, calls do not wait for each other, and
the queue would be as long as it can be for as long as that lasts. Then only a short one is let wait, until nobody was
refused for a while: what is let in is answered in time.
"""

from __future__ import annotations

from typing import Final

CALM_S: Final = 1.0
"""For so long nobody must have been refused."""

LONGEST_S: Final = 300.0
"""After that it is found out anew whether calls wait for each other: else who calls again without a pause would be
refused for ever."""


class Crowd:
    """Whether more want in than can be served, where `most` may be under way or wait, and `short` wait while there are
    too many. `now` is in seconds and never goes back."""

    __slots__ = ("_most", "_short", "_since", "_until")

    def __init__(self, most: int, short: int) -> None:
        self._most, self._short = most, short
        self._since = self._until = float("-inf")

    def turns_away(self, calls: int, waiting: int, now: float) -> bool:
        """Whether one more message is too many, with so many under way and so many before it."""
        overloaded = now < min(self._until, self._since + LONGEST_S)
        if calls + waiting < self._most and not (overloaded and waiting >= self._short):
            return False
        self._since = self._since if overloaded else now
        self._until = now + CALM_S
        return True

"""Breaker: a backend that fails is left alone for a while. A state machine without a clock and without I/O.

closed --(too many of the last requests failed or were slow)--> open --(time)--> half open
half open --(all probes succeed)--> closed,  half open --(one fails)--> open

Somebody may look after the backend besides: what they find opens it too, and then ends that again.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

from rules.terms import Breaker as Terms

State = Literal["closed", "open", "half_open"]

WINDOW_S: Final = 60.0
"""What is longer ago says nothing of a backend today."""

LEAST_WAIT_S: Final = 1.0
"""What a caller is told to wait while probes are under way."""


class Breaker:
    """The breaker of one backend. `now` is in seconds and never goes back.

    Whoever sends a request holds a ticket, and tells how that request went: `ended`, or `abandoned` where that says
    nothing of the backend. A ticket from before a change of state is told without effect.
    """

    __slots__ = ("_failed", "_found", "_good", "_last", "_probing", "_slow", "_terms", "_turn", "_until", "state")

    def __init__(self, terms: Terms) -> None:
        self.state: State = "closed"
        self._terms = terms
        self._turn = 0
        self._last: deque[tuple[float, bool, bool]] = deque()
        self._failed = self._slow = 0
        self._until = 0.0
        self._probing = self._good = 0
        self._found = False  # whether somebody who looked found it unwell, and nothing else is known since

    def admit(self, now: float) -> int | None:
        """A ticket for one request, or None where nothing may be sent."""
        if self.state == "closed":
            return self._turn
        if self.state == "open" and now >= self._until:
            self._become("half_open")
        if self.state == "half_open" and self._probing + self._good < self._terms.probes:
            self._probing += 1
            return self._turn
        return None

    def ended(self, ticket: int, now: float, failed: bool, took_s: float) -> None:
        """A request came to its end; `took_s` is the time to the head of its answer."""
        if ticket != self._turn:
            return
        slower_than = self._terms.slower_than_s
        slow = slower_than is not None and took_s > slower_than
        if self.state == "half_open":
            self._probed(now, not (failed or slow))
            return
        self._last.append((now, failed, slow))
        self._failed += failed
        self._slow += slow
        if len(self._last) > self._terms.window:
            self._forget()
        if failed or slow:
            self._judge(now)

    def abandoned(self, ticket: int) -> None:
        """A request came to an end that says nothing of the backend."""
        if ticket == self._turn and self.state == "half_open":
            self._probing -= 1

    def unwell(self, now: float, for_s: float) -> None:
        """Somebody looked and found it unwell: nothing is sent for so long, or until it is found well."""
        if self.state != "open":
            self._become("open")
        self._until = max(self._until, now + for_s)
        self._found = True

    def well(self) -> None:
        """Somebody looked and found it well. That ends what they began, and nothing that calls found."""
        if not self._found:
            return
        if self.state == "open":
            self._become("half_open")
        self._succeeded()

    def wait_s(self, now: float) -> float:
        """How long somebody whom it did not admit should wait."""
        return max(self._until - now, LEAST_WAIT_S)

    def _probed(self, now: float, good: bool) -> None:
        self._probing -= 1
        if good:
            self._succeeded()
        else:
            self._open(now)

    def _succeeded(self) -> None:
        self._good += 1
        if self._good >= self._terms.probes:
            self._become("closed")
            self._found = False

    def _judge(self, now: float) -> None:
        while self._last and self._last[0][0] < now - WINDOW_S:
            self._forget()
        count = len(self._last)
        if count < self._terms.window:
            return
        if self._failed >= self._terms.failures * count or self._slow >= self._terms.slow * count:
            self._open(now)

    def _forget(self) -> None:
        _, failed, slow = self._last.popleft()
        self._failed -= failed
        self._slow -= slow

    def _open(self, now: float) -> None:
        self._become("open")
        self._until = now + self._terms.open_s
        self._found = False

    def _become(self, state: State) -> None:
        self.state = state
        self._turn += 1
        self._last.clear()
        self._failed = self._slow = self._probing = self._good = 0

"""Runs: which calls of a principal belong to one piece of work."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rules.facts import Run

IDLE_SECONDS = 30 * 60
"""A principal that was silent for so long begins a new run, unless it names one."""

MOST_RUNS = 10_000
"""Runs remembered at once; the one that was silent longest is forgotten, and its step count begins anew."""


@dataclass(slots=True)
class _Seen:
    id: str
    step: int
    last: float


class Runs:
    """The runs under way. A run is bound to its principal: two principals that use one name have two runs.

    `check` raises for a name that may not be used.
    """

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def step(self, principal: str, named: str, now: float) -> Run:
        """The run of one more call. `named` is what the caller said, or empty; `now` is in monotonic seconds."""
        key = (principal, named)
        seen = self._seen.get(key)
        if seen is None:
            self._check(named)
        if seen is None or (not named and now - seen.last > IDLE_SECONDS):
            seen = self._seen[key] = _Seen(named or "run-" + os.urandom(8).hex(), 0, now)
        self._seen.move_to_end(key)
        if len(self._seen) > MOST_RUNS:
            self._seen.popitem(last=False)
        seen.step += 1
        seen.last = now
        return Run(seen.id, seen.step)

    def current(self, principal: str, named: str, now: float) -> str:
        """The id of the run that a call would belong to, if it is under way, else empty. No call is counted."""
        seen = self._seen.get((principal, named))
        return "" if seen is None or (not named and now - seen.last > IDLE_SECONDS) else seen.id

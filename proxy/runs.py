"""Runs: which calls of a principal belong to one piece of work, and when that is over."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rules.facts import Run

IDLE_SECONDS = 30 * 60
"""A principal that was silent for so long begins a new run, unless it names one."""

MOST_RUNS = 10_000
"""Runs remembered at once; the one that was silent longest is forgotten, and its step count begins anew."""

MOST_OWN = 1_000
"""The same of one principal: who names ever new runs ends its own, and nobody else's."""

MOST_LISTED = 1_000

Ended = Callable[[str, str], None]
"""Told the principal and the id of a run that is over: silent for so long, forgotten, or revoked. It may begin anew."""

_log = logging.getLogger("toolwall.runs")


@dataclass(slots=True)
class _Seen:
    id: str
    step: int
    last: float
    over: bool = False


class Runs:
    """The runs under way. A run is bound to its principal: two principals that use one name have two runs.

    `check` raises for a name that may not be used. All of `ended` are told of each run that is over.
    """

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._own: dict[str, OrderedDict[str, None]] = {}
        self.ended: list[Ended] = []

    def __len__(self) -> int:
        return len(self._seen)

    def step(self, principal: str, named: str, now: float) -> Run:
        """The run of one more call. `named` is what the caller said, or empty; `now` is in monotonic seconds."""
        key = (principal, named)
        seen = self._seen.get(key)
        if seen is None:
            self._check(named)
        if seen is None or (not named and now - seen.last > IDLE_SECONDS):
            if seen is not None:
                self._end(principal, seen)
            seen = self._seen[key] = _Seen(named or "run-" + os.urandom(8).hex(), 0, now)
        self._last(principal, named)
        seen.step += 1
        seen.last = now
        seen.over = False
        return Run(seen.id, seen.step)

    def _last(self, principal: str, named: str) -> None:
        """This run called last. Where there are too many then, the one that was silent longest is forgotten."""
        self._seen.move_to_end((principal, named))
        own = self._own.setdefault(principal, OrderedDict())
        own[named] = None
        own.move_to_end(named)
        if len(own) > MOST_OWN:
            self._forget(principal, next(iter(own)))
        elif len(self._seen) > MOST_RUNS:
            self._forget(*next(iter(self._seen)))

    def _forget(self, principal: str, named: str) -> None:
        seen, own = self._seen.pop((principal, named)), self._own[principal]
        del own[named]
        if not own:
            del self._own[principal]
        self._end(principal, seen)

    def current(self, principal: str, named: str, now: float) -> str:
        """The id of the run that a call would belong to, if it is under way, else empty. No call is counted."""
        seen = self._seen.get((principal, named))
        return "" if seen is None or (not named and now - seen.last > IDLE_SECONDS) else seen.id

    def hold(self, principal: str, run: str, now: float) -> None:
        """A run without a name of before the start: calls of its principal without a name belong to it."""
        self._seen[principal, ""] = _Seen(run, 0, now)
        self._last(principal, "")

    def unnamed(self, run: str) -> tuple[str, ...]:
        """The principals that call a run of this id without a name of their own."""
        return tuple(principal for (principal, named), seen in self._seen.items() if not named and seen.id == run)

    def sweep(self, now: float, busy: Collection[tuple[str, str]] = ()) -> None:
        """Tell of the runs that were silent for too long. Those with calls under way are not: `busy`."""
        for (principal, named), seen in list(self._seen.items()):  # in the order of their last call
            if now - seen.last <= IDLE_SECONDS:
                return
            if (principal, seen.id) in busy:
                continue
            if named:
                self._end(principal, seen)
            else:
                self._forget(principal, named)

    def end(self, covers: Callable[[str, str], bool]) -> None:
        """Tell of the runs that are over since somebody says so; of each once, as long as it does not go on."""
        for (principal, _), seen in list(self._seen.items()):
            if covers(principal, seen.id):
                self._end(principal, seen)

    def _end(self, principal: str, seen: _Seen) -> None:
        if seen.over:
            return
        seen.over = True
        for told in self.ended:
            try:
                told(principal, seen.id)
            except Exception as error:  # one that fails keeps nobody else from hearing it
                _log.error("what follows on the end of a run failed: %s", type(error).__name__)

    def listed(self, now: float) -> list[dict[str, Any]]:
        """The runs that called last, the newest first."""
        newest = islice(reversed(self._seen.items()), MOST_LISTED)
        return [
            {"principal": principal, "run": seen.id, "calls": seen.step, "idle_s": round(now - seen.last, 1)}
            for (principal, _), seen in newest
        ]

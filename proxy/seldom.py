"""A log line that would be written for each of many calls is written once in a while."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

EVERY_S: Final = 1.0


class Seldom:
    """One such line. `format` takes how many were meant since the last one that was written, and what else is told."""

    def __init__(self, log: logging.Logger, level: int, format: str) -> None:
        self._log, self._level, self._format = log, level, format
        self._untold = 0
        self._told_at = float("-inf")

    def tell(self, *what: object) -> None:
        """Write the line, unless one was written within the last second."""
        self._untold += 1
        now = monotonic()
        if now - self._told_at >= EVERY_S:
            self._log.log(self._level, self._format, self._untold, *what)
            self._untold, self._told_at = 0, now

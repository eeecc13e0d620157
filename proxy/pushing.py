"""Pushing: checkpoints of the ledger go to a place elsewhere by HTTP, from a thread of its own.

Nothing queues up: each checkpoint proves all records before it, so of those that wait only the newest is sent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Final, NamedTuple

from proxy.posting import Poster

_log = logging.getLogger("toolwall")

TIMEOUT_S: Final = 5.0
"""Of each socket operation."""
LATE_S: Final = 30.0
"""An answer that takes longer is told, although it may still come."""
FIRST_BACKOFF_S: Final = 1.0
LONGEST_BACKOFF_S: Final = 300.0
STOP_SECONDS: Final = 2.0
"""How long a stop waits for the last one."""
_ABORT_S: Final = 0.2


def pusher_to(url: str, headers: Mapping[str, str]) -> Pusher:
    """A pusher to this URL. Raises ValueError for one, or for a header, that cannot be."""
    return Pusher(Poster("place of the checkpoints", url, headers, "application/json", TIMEOUT_S))


class _Line(NamedTuple):
    seq: int
    line: bytes


_NONE: Final = _Line(0, b"")


class Pusher:
    """Sends the newest checkpoint until it is taken. `pushed` is the record of the last one that was."""

    def __init__(self, poster: Poster) -> None:
        self.pushed = 0
        self._poster = poster
        self._newest = _NONE
        self._failed = ""
        self._since = float("inf")  # an attempt is under way
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def begin(self) -> None:
        """Start."""
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why the newest checkpoint is not there yet; empty where nothing is wrong. Holds no value."""
        late = monotonic() - self._since > LATE_S
        why = "it does not answer" if late else self._failed
        return f"the place of the checkpoints does not take them ({why})" if why else ""

    def put(self, seq: int, line: bytes) -> None:
        """Have this sent instead of any that waits. Waits for nothing."""
        if seq > self._newest.seq:
            self._newest = _Line(seq, line)
            self._wake.set()

    def close(self) -> None:
        """Try once more to send what waits, for a while."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            self._newest = _NONE
            self._poster.abort()
            self._thread.join(_ABORT_S)

    @property
    def _waits(self) -> bool:
        return self._newest.seq > self.pushed

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if self._waits:
                failures = 0 if self._send(self._newest) else failures + 1
                if failures:
                    self._stop.wait(min(FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 10), LONGEST_BACKOFF_S))
            else:
                self._wake.wait()
                self._wake.clear()
        if self._waits:
            self._send(self._newest)
        self._poster.close()

    def _send(self, newest: _Line) -> bool:
        self._since = monotonic()
        why = self._poster.post("", newest.line, TIMEOUT_S)
        self._since = float("inf")
        if why and not self._failed:
            _log.error("the place of the checkpoints, %s, does not take them: %s", self._poster.place, why)
        self._failed = why
        if not why:
            self.pushed = newest.seq
        return not why

"""Group commit: many waiters share one flush of the disk, made in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

from proxy.ledger.errors import LedgerError
from proxy.ledger.head import HEAD_SECONDS, Head

DOUBTS_KEPT = 64
"""Ranges of records whose flush failed that are remembered. Each takes a second at least (see `Ledger`), and
nobody waits that long before asking."""

MOST_WAITING = 1000
"""Entries that wait for the disk at once; beyond, nothing with effects is begun. Four times the calls of a listener."""

PATIENCE_SECONDS = 5.0
"""How long an entry waits for the disk. A flush that takes longer hangs: until it ends, nobody waits for the next."""

STOP_SECONDS = 30.0
"""How long a stop waits for the disk. A disk that hangs longer will not answer."""

_HANGS = f"the disk of the ledger did not answer within {PATIENCE_SECONDS:g} s; check it (dmesg)"


class Flushed(NamedTuple):
    """What one flush reached: records up to `head` are safe or, where `failed` says why not, in doubt."""

    head: Head
    failed: str


class _Waiter(NamedTuple):
    seq: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class GroupCommit:
    """Flushes when somebody waits, and HEAD_SECONDS after a record for the head's sake; sleeps otherwise.

    Records up to `safe` need no flush. `flush` brings all that was written to the disk; `publish` stores the head
    and may raise OSError. Both are called in `start`, and then in this object's thread, which does not keep the
    process alive. `pending` is False when the published head is up to date; whoever writes a record while it is
    False calls `nudge`. At most MOST_WAITING wait at once, each for PATIENCE_SECONDS at most: a disk that hangs holds
    up no more than that.
    """

    def __init__(self, safe: int, flush: Callable[[], Flushed], publish: Callable[[Head], None]) -> None:
        self.pending = False
        self._trouble = ""
        self._flushing_since = float("inf")
        self._flush, self._publish = flush, publish
        # `with` takes the lock itself: a signal handler that raises while a Condition is entered leaves it locked.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiters: list[_Waiter] = []
        self._doubts: deque[range] = deque(maxlen=DOUBTS_KEPT)
        self._safe = safe
        self._due = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ledger-commit", daemon=True)

    def start(self) -> None:
        """Flush and publish what there is, in the calling thread, then begin. LedgerError where the disk refuses."""
        self._round(publishing=True)
        if self._trouble:
            raise LedgerError(self._trouble)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """What failed last, or that a flush hangs; "" when all is well."""
        if monotonic() - self._flushing_since > PATIENCE_SECONDS:
            return _HANGS
        return self._trouble

    def nudge(self) -> None:
        """A record was written; have the head follow in time."""
        with self._lock:
            self.pending, self._due = True, monotonic() + HEAD_SECONDS
            self._changed.notify()

    async def wait(self, seq: int) -> None:
        """Return when a flush covers record `seq`; LedgerError where it failed, or none can be waited for."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if any(seq in doubt for doubt in self._doubts):
                raise LedgerError(f"record {seq} may not outlive a crash of the machine: its flush failed")
            if seq <= self._safe:
                return
            self._check_room()
            waiter = _Waiter(seq, loop, loop.create_future())
            self._waiters.append(waiter)
            self._changed.notify()
        patience = loop.call_later(PATIENCE_SECONDS, _settle, [waiter.done], _HANGS)
        try:
            await waiter.done
        finally:
            patience.cancel()

    def _check_room(self) -> None:
        if not self._thread.is_alive():
            raise LedgerError("the ledger is closed")
        if monotonic() - self._flushing_since > PATIENCE_SECONDS:
            raise LedgerError(_HANGS)
        if len(self._waiters) >= MOST_WAITING:
            raise LedgerError(f"{MOST_WAITING} entries wait for the disk of the ledger already")

    def stop(self) -> None:
        """Flush and publish a last time and end the thread. LedgerError where the disk does not answer."""
        with self._lock:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise LedgerError(f"the disk of the ledger did not answer within {STOP_SECONDS:.0f} s")

    def _run(self) -> None:
        stopping = False
        while not stopping:
            with self._lock:
                while not self._called():
                    self._changed.wait(self._rest())
                stopping = self._stopping
            self._round(publishing=stopping or self._overdue())

    def _called(self) -> bool:
        return bool(self._waiters) or self._stopping or self._overdue()

    def _overdue(self) -> bool:
        return self.pending and self._rest() == 0

    def _rest(self) -> float | None:
        return max(self._due - monotonic(), 0) if self.pending else None

    def _round(self, publishing: bool) -> None:
        if publishing:
            self.pending = False  # before the flush: a record written from now on nudges again
        self._flushing_since = monotonic()
        head, failed = self._flush()
        self._flushing_since = float("inf")
        with self._lock:
            if failed:
                self._doubts.append(range(self._safe + 1, head.seq + 1))
            else:
                self._safe = head.seq
            served = [waiter for waiter in self._waiters if waiter.seq <= head.seq]
            self._waiters = [waiter for waiter in self._waiters if waiter.seq > head.seq]
        self._trouble = failed
        _tell(served, failed)
        if publishing:
            self._publish_or_retry(head, failed)

    def _publish_or_retry(self, head: Head, failed: str) -> None:
        if not failed:
            try:
                self._publish(head)
                return
            except OSError as error:
                self._trouble = str(LedgerError.of("write the head of the ledger", error))
        self.nudge()


def _tell(waiters: Sequence[_Waiter], failed: str) -> None:
    """Wake the waiters, with one call into each event loop."""
    for loop in {waiter.loop for waiter in waiters}:
        futures = [waiter.done for waiter in waiters if waiter.loop is loop]
        with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits
            loop.call_soon_threadsafe(_settle, futures, failed)


def _settle(futures: Sequence[asyncio.Future[None]], failed: str) -> None:
    for future in futures:
        if future.done():
            continue  # the waiter was cancelled, or lost patience
        if failed:
            future.set_exception(LedgerError(failed))
        else:
            future.set_result(None)

"""Scans off the event loop: a bounded number of threads, a bounded queue, a size and a deadline for each scan."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, TypeVar

from redaction.scanner import Cleaned, Scanner, Unreadable

T = TypeVar("T")

THREADS = 2

INLINE_BYTES = 64 * 1024
"""A body up to this size is read at once, for known secrets or a contract: the way to a thread and back costs more."""

CLOSELY_INLINE_BYTES = 8 * 1024
"""How much of such a body is looked at closely at once: a kilobyte that is full of findings may take a millisecond."""

SWITCH_S = 0.0005
"""How long a thread that scans may run in the interpreter while the event loop waits for its turn. Python's own 5 ms,
for each of the threads, would be felt by every other call."""

UNTIL: ContextVar[float] = ContextVar("UNTIL", default=inf)
"""When the scan that runs in this thread must be done, on the monotonic clock. What waits for others within it waits
no longer; infinite outside of scans."""


@dataclass(frozen=True, slots=True)
class ScanBounds:
    """Of each scan: its time in seconds, waiting included, and its bytes; and how many may wait or run at once."""

    scan_s: float = 10.0
    most_scan: int = 64 << 20
    most_scans: int = 64


class Scans:
    """Where bodies are checked and cleaned."""

    def __init__(self, bounds: ScanBounds | None = None) -> None:
        self._bounds = bounds or ScanBounds()
        self._pool = ThreadPoolExecutor(THREADS, "scan")
        self._waiting = 0
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)

    async def clean(self, scanner: Scanner, body: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        """The cleaned body and how many findings of each kind went. Raises Unreadable where it could not be checked."""
        if len(body) > self._bounds.most_scan:
            raise Unreadable(f"it is larger than {self._bounds.most_scan} bytes, the most that is scanned")
        if len(body) <= INLINE_BYTES and not scanner.needs_presidio:
            done = scanner.clean_briefly(body, media_type, charset, CLOSELY_INLINE_BYTES)
            if done is not None:
                return done
        return await self.apart(scanner.clean, body, media_type, charset)

    async def brief(self, scanner: Scanner, size: int, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` with this scanner gives, at once unless it is much or asks Presidio, which takes its time."""
        takes_long = scanner.needs_presidio or size > CLOSELY_INLINE_BYTES
        return await self.apart(work, *arguments) if takes_long else work(*arguments)

    async def apart(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` gives, done in a thread. Raises Unreadable where no thread is free or it takes too long."""
        if self._waiting >= self._bounds.most_scans:
            raise Unreadable("too many replies wait to be checked")
        self._waiting += 1
        context, until = copy_context(), monotonic() + self._bounds.scan_s
        context.run(UNTIL.set, until)
        task = asyncio.get_running_loop().run_in_executor(self._pool, context.run, _in_time, work, *arguments)
        task.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._bounds.scan_s):
                return await asyncio.shield(task)
        except TimeoutError:
            raise Unreadable("the reply could not be checked in time") from None

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not task.cancelled():
            task.exception()

    def close(self) -> None:
        """Let go of the threads; one that still scans ends with its scan."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        sys.setswitchinterval(self._interval)


def _in_time(work: Callable[..., T], *arguments: Any) -> T:
    if monotonic() > UNTIL.get():  # nobody waits for it any more
        raise Unreadable("the reply could not be checked in time")
    return work(*arguments)

"""Scans off the event loop: a bounded number of threads, a bounded queue, and a deadline for each scan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from redaction.scanner import Cleaned, Scanner, Unreadable

T = TypeVar("T")

THREADS = 2
MOST_WAITING = 64
"""Scans that wait for a thread; one more is refused rather than kept waiting."""

DEADLINE_SECONDS = 10.0
INLINE_BYTES = 64 * 1024
"""A body up to this size is scanned at once: the way to a thread and back costs more than the scan."""


class Scans:
    """Where bodies are checked and cleaned."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "scan")
        self._waiting = 0

    async def clean(self, scanner: Scanner, body: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        """The cleaned body and how many findings of each kind went. Raises Unreadable where it could not be checked."""
        if len(body) <= INLINE_BYTES and not scanner.needs_presidio:
            return scanner.clean(body, media_type, charset)
        return await self.apart(scanner.clean, body, media_type, charset)

    async def apart(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` gives, done in a thread. Raises Unreadable where no thread is free or it takes too long."""
        if self._waiting >= MOST_WAITING:
            raise Unreadable("too many replies wait to be checked")
        self._waiting += 1
        task = asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        task.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(task), DEADLINE_SECONDS)
        except TimeoutError:
            raise Unreadable("the reply could not be checked in time") from None

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not task.cancelled():
            task.exception()

    def close(self) -> None:
        """Let go of the threads; one that still scans ends with its scan."""
        self._pool.shutdown(wait=False, cancel_futures=True)

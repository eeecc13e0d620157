"""The threads that talk to Vault: hvac waits, and nobody else may wait with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from proxy.credentials.secret import CredentialError
from proxy.vault.fault import CROWDED, Fault

THREADS: Final = 8
"""Requests at once. One that hangs holds its thread for one time-out."""

MOST_WAITING: Final = 256
"""Requests that wait for a thread. While Vault hangs, more would only come later."""

T = TypeVar("T")


class Workers:
    """A few threads. Who asks is never cancelled in the middle of a request: it is shielded by whoever waits for it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="vault")
        self._under_way = 0

    async def do(self, work: Callable[[], T]) -> T:
        """What `work` gives. Raises Fault, also for an error that nobody thought of: its words may hold anything."""
        if self._under_way >= THREADS + MOST_WAITING:
            raise Fault("any path", why=CROWDED)
        self._under_way += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, _told(work))
        future.add_done_callback(self._done)
        given, fault = await future
        if fault is not None:
            raise fault
        return given  # type: ignore[return-value]  # there is one where there is no fault

    def close(self) -> None:
        """Begin nothing more. A request under way ends with its time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _done(self, _: object) -> None:
        self._under_way -= 1


def _told(work: Callable[[], T]) -> Callable[[], tuple[T | None, CredentialError | None]]:
    """The same work, with its error as a value: so the trace of a thread, and all that its frames hold, ends there."""

    def told() -> tuple[T | None, CredentialError | None]:
        try:
            return work(), None
        except Fault as fault:
            return None, fault.anew()
        except Exception as error:
            return None, Fault("any path", why=f"it could not be asked ({type(error).__name__})")

    return told

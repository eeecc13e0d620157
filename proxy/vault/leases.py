"""Leases: credentials that Vault made for us alone, how many there are, and their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from proxy.credentials.secret import CredentialError, Secret, Tell
from proxy.vault.fault import Fault
from proxy.vault.pauses import backoff

FIRST_RETRY_S: Final = 0.25
_log = logging.getLogger("toolwall")


@dataclass(frozen=True, slots=True)
class Lease:
    """`length_s` is for how long it was given, `ends` when it is over, in monotonic seconds; `login` counts the logins
    before it: with the token of that one it ends as well.
    """

    id: str
    length_s: float
    ends: float
    renewable: bool
    login: int


class Leases:
    """Those that are held, and those whose end Vault does not know yet: no more than `most` of both. `trouble` says why
    the last one could not be revoked.
    """

    def __init__(self, revoke: Callable[[str], Awaitable[None]], tell: Tell, most: int) -> None:
        self.count = 0
        self.trouble = ""
        self._revoke, self._tell, self._most = revoke, tell, most
        self._ending: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def take(self) -> None:
        """Room for one more. Raises CredentialError where there is none; `give_back` undoes it."""
        if self.count >= self._most:
            raise CredentialError(f"Vault's leases: {self.count} are held, and no more may be (`most_leases`)")
        self.count += 1

    def give_back(self) -> None:
        """One is gone, or never came."""
        self.count -= 1

    def end(self, lease: Lease, secret: Secret | None, after_s: float = 0.0) -> None:
        """Revoke it, after a while where calls may still use it; tried until Vault has done it, or it is over. `secret`
        is what it was for, where somebody was told of that.
        """
        task = asyncio.create_task(self._end(lease, secret, after_s))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self, within_s: float) -> None:
        """Wait for the end of those that are to end. What is left over then ends by itself, in time."""
        self._closing.set()
        if not self._ending:
            return
        _, late = await asyncio.wait(self._ending, timeout=within_s)
        for task in late:
            task.cancel()
        if late:
            _log.error("%d leases of Vault could not be revoked before the stop: they end with their time", len(late))
            await asyncio.wait(late)

    async def _end(self, lease: Lease, secret: Secret | None, after_s: float) -> None:
        failures = 0
        try:
            await self._pause(min(after_s, lease.ends - monotonic()))
            while monotonic() < lease.ends:
                try:
                    await self._revoke(lease.id)
                    self.trouble = ""
                    break
                except Fault as fault:
                    failures += 1
                    self._failed(fault)
                    pause = backoff(failures, fault.after_s, FIRST_RETRY_S)
                    await self._pause(min(pause, lease.ends - monotonic()))
        finally:
            self.give_back()
            if secret is not None:
                self._tell(secret, False)

    def _failed(self, fault: Fault) -> None:
        if not self.trouble:
            _log.error("a lease of Vault is not revoked yet, and tried again: %s", fault)
        self.trouble = f"leases are not revoked: {fault}"

    async def _pause(self, seconds: float) -> None:
        """So long, but not into a stop; there a little, so that nobody is asked without end."""
        if self._closing.is_set():
            await asyncio.sleep(min(max(seconds, 0.0), FIRST_RETRY_S))
        elif seconds > 0:
            await asyncio.wait([waiting := asyncio.ensure_future(self._closing.wait())], timeout=seconds)
            waiting.cancel()

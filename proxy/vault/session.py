"""The token with which the sidecar asks Vault: got, renewed at half life, and got anew before its life is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Final, NamedTuple, TypeVar

from proxy.credentials.secret import CredentialError, Secret, Tell
from proxy.vault.fault import Fault
from proxy.vault.login import Login, Token, lent_token
from proxy.vault.pauses import backoff
from proxy.vault.wire import Wire
from proxy.vault.workers import Workers

TRIES: Final = 4
"""Of one request that Vault does not grant for the moment."""
LONGEST_WAIT_S: Final = 1.0
"""Of a request between two tries. Who is asked to wait for longer fails for now, and comes again."""
YOUNG_S: Final = 1.0
"""A token that was got so shortly ago is not the reason of a refusal."""
FIRST_RETRY_S: Final = 0.5
"""After a login that failed; nobody tries another before."""
_IDLE_S: Final = 3600.0
_log = logging.getLogger("toolwall")

T = TypeVar("T")


class _Held(NamedTuple):
    token: Token
    secret: Secret
    since: float
    ends: float


class Session:
    """Asks Vault with a token that is good. `logins` counts the tokens got, and `on_login` hears of each but the first:
    leases end with the token by which they came.
    """

    def __init__(self, wire: Wire, login: Login, workers: Workers, tell: Tell, on_login: Callable[[], None]) -> None:
        self.logins = 0
        self._on_login = on_login
        self.trouble: Fault | None = None
        self._wire, self._login, self._workers, self._tell = wire, login, workers, tell
        self._held: _Held | None = None
        self._logging_in: asyncio.Task[None] | None = None
        self._failures, self._again = 0, 0.0
        self._keeping: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Sign in, and stay so, in the background."""
        self._keeping = asyncio.create_task(self._keep())

    async def ask(self, what: Callable[[str], T]) -> T:
        """What `what` gives for a token, in a thread. Where Vault does not grant it for the moment it is tried again a
        few times; where the token has ended, once with another. Raises Fault.
        """
        failures, anew = 0, False
        while True:
            held = await self._signed_in()
            try:
                return await self._workers.do(lambda token=held.token.value: what(token))  # type: ignore[misc]
            except Fault as fault:
                if fault.status == 403 and not anew and await self._is_dead(held):
                    anew = True
                    continue
                failures += 1
                pause = backoff(failures, fault.after_s)
                if not fault.passing or failures >= TRIES or pause > LONGEST_WAIT_S:
                    raise
            await asyncio.sleep(pause)

    async def close(self, within_s: float) -> None:
        """Stay signed in no longer. A token of our own is ended, and with it whatever it holds."""
        for task in (self._keeping, self._logging_in):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if (held := self._held) is not None and held.token.own:
            self._held = None
            with suppress(Fault, TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._workers.do(lambda: self._wire.revoke_self(held.token.value))

    async def _signed_in(self) -> _Held:
        if (held := self._held) is not None and held.ends > monotonic():
            return held
        await self._sign_in()
        assert self._held is not None
        return self._held

    async def _sign_in(self) -> None:
        """Log in, or wait for whoever does. Raises Fault, that of the last time where that was just now."""
        if self._logging_in is None:
            if self.trouble is not None and monotonic() < self._again:
                raise self.trouble.anew()
            self._logging_in = asyncio.create_task(self._get_token())
        await asyncio.wait([task := self._logging_in])
        if task.cancelled() or self._held is None or self._held.ends <= monotonic():
            raise self.trouble.anew() if self.trouble else Fault("auth")

    async def _get_token(self) -> None:
        asked = monotonic()
        try:
            self._take(await self._workers.do(self._login), asked)
        except Fault as fault:
            self._failed(fault)
        except CredentialError as error:  # nobody could look for the token
            self._failed(Fault("auth", why=str(error)))
        finally:
            self._logging_in = None

    def _failed(self, fault: Fault) -> None:
        if self.trouble is None:
            _log.error("signing in to Vault failed, and is tried again: %s", fault)
        self._failures += 1
        self.trouble = fault
        self._again = monotonic() + backoff(self._failures, fault.after_s, FIRST_RETRY_S)

    def _take(self, token: Token, asked: float) -> None:
        if self.trouble is not None:
            _log.warning("signed in to Vault again")
        self.trouble, self._failures = None, 0
        ends = asked + token.left_s if token.left_s else float("inf")
        old = self._held
        if old is not None and old.token.value == token.value:
            self._held = _Held(token, old.secret, old.since, ends)
            return
        secret = Secret.plain(token.value)
        self._tell(secret, True)
        self._held = _Held(token, secret, monotonic(), ends)
        self.logins += 1
        if old is not None:
            self._tell(old.secret, False)
            self._on_login()

    async def _is_dead(self, held: _Held) -> bool:
        """Whether a refusal is about the token: then another was got. What is about the path stays refused."""
        if self._held is not held:
            return self._held is not None
        if monotonic() - held.since < YOUNG_S:
            return False
        try:
            await self._workers.do(lambda: self._wire.look(held.token.value))
            return False
        except Fault as fault:
            if fault.status != 403:
                return False
        await self._sign_in()
        return self._held is not held

    async def _keep(self) -> None:
        while True:
            with suppress(Fault):
                await self._freshen()
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Half of what is left; after a failure, as long as that makes one wait."""
        now = monotonic()
        if self.trouble is not None:
            return max(self._again - now, FIRST_RETRY_S / 2)
        left = self._held.ends - now if self._held else 0.0
        return min(max(left / 2, 0.1), _IDLE_S)

    async def _freshen(self) -> None:
        """Renew the token; log in where there is none, or where it cannot get half of its life again."""
        held = self._held
        if held is None or not await self._renewed(held):
            await self._sign_in()

    async def _renewed(self, held: _Held) -> bool:
        if held.ends == float("inf"):
            return True
        if not held.token.renewable or held.ends <= monotonic():
            return False
        asked, length = monotonic(), held.token.length_s
        try:
            auth = await self._workers.do(lambda: self._wire.renew_self(held.token.value, int(length)))
        except Fault as fault:
            if fault.status in (400, 403, 404):
                return False
            self._failed(fault)
            raise
        left = lent_token(auth).left_s
        if self._held is held:
            self._take(replace(held.token, left_s=left), asked)
        return left >= length / 2

"""One credential out of Vault that is kept good in the background, so that no call but the first waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final, NamedTuple

from proxy.credentials.secret import CredentialError, Secret, Tell
from proxy.vault.fault import STALLED, Fault
from proxy.vault.leases import Lease, Leases
from proxy.vault.pauses import backoff, spread
from proxy.vault.place import Place
from proxy.vault_settings import VaultSettings

FIRST_RETRY_S: Final = 0.5
SHORTEST_S: Final = 0.05
"""Between two looks at a lease that is as good as over."""
_log = logging.getLogger("toolwall")


class Grant(NamedTuple):
    """What Vault gave: fields, and a lease where it made them for us. `asked` is when it was asked, `every_s` when it
    should be asked again where there is no lease.
    """

    fields: Mapping[str, str]
    lease: Lease | None
    asked: float
    every_s: float


@dataclass(frozen=True, slots=True)
class Means:
    """How to get and to renew, and who has to hear of it. `logins` counts those of the session."""

    settings: VaultSettings
    fetch: Callable[[Place], Awaitable[Grant]]
    renew: Callable[[Lease], Awaitable[float]]
    logins: Callable[[], int]
    leases: Leases
    tell: Tell
    rounds: set[asyncio.Task[None]] = field(default_factory=set)
    """Looks at Vault that are under way."""


class Held:
    """The credential at one place. One that is not `lasting` is of one call: it is renewed, but never replaced, for the
    call has sent it.
    """

    def __init__(self, place: Place, means: Means, *, lasting: bool = True) -> None:
        self.failure: CredentialError | None = None
        self._place, self._means, self._lasting = place, means, lasting
        self._secret: Secret | None = None
        self._lease: Lease | None = None
        self._confirmed = self._again = 0.0
        self._every_s = means.settings.every_s
        self._failures = 0
        self._round: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ended = False
        self._hurry = asyncio.Event()

    def __repr__(self) -> str:
        return f"Held({self._place}, {'good' if self.now() else 'nothing'})"

    def now(self) -> Secret | None:
        """What may be sent now."""
        secret = self._secret
        return secret if secret is not None and (secret.until is None or secret.until > monotonic()) else None

    @property
    def age_s(self) -> float:
        """How long ago Vault said that this is so, while it should have said so since; 0 for what is not used."""
        overdue = self._lease is None or self._failures
        return monotonic() - self._confirmed if self._secret is not None and overdue else 0.0

    @property
    def trouble(self) -> str:
        """What is wrong, empty where nothing is."""
        if self.failure is None:
            return ""
        return f"{self.failure}; what it said {self.age_s:.0f} s ago is used" if self.now() else str(self.failure)

    async def get(self, within_s: float) -> Secret:
        """What may be sent; waits for Vault where there is nothing yet. Raises CredentialError."""
        if (secret := self.now()) is not None:
            return secret
        if self._round is None and self.failure is not None and monotonic() < self._again:
            raise CredentialError(str(self.failure))
        self.begin()
        await asyncio.wait([self._trying()], timeout=within_s)
        if (secret := self.now()) is not None:
            return secret
        raise CredentialError(str(self.failure or Fault(self._place.path, why=STALLED)))

    def begin(self) -> None:
        """Keep it good from now on."""
        if self._keeping is None and not self._ended:
            self._keeping = asyncio.create_task(self._keep())

    def look_soon(self) -> None:
        """The token by which a lease came is being replaced: so is the lease."""
        self._hurry.set()

    def end(self) -> None:
        """Nobody uses it any more: its lease is revoked, also that which is just coming."""
        self._ended = True
        if self._keeping is not None:
            self._keeping.cancel()
        if self._round is None:
            self._drop()

    def revoke(self, secret: Secret) -> bool:
        """Whether this is what is used here, and has a lease: that is revoked, and another is got at once."""
        mine = self._secret
        if mine is None or self._lease is None or dict(mine.fields) != dict(secret.fields):
            return False
        self._drop()
        self.look_soon()
        return True

    async def _keep(self) -> None:
        await asyncio.wait([self._trying()])
        while self._lasting or self.now():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._hurry.wait()
            self._hurry.clear()
            await asyncio.wait([self._trying()])
        self._drop()

    def _trying(self) -> asyncio.Task[None]:
        """The look at Vault that is under way; whoever stops waiting for it does not stop it."""
        if self._round is None:
            self._round = asyncio.create_task(self._try())
            self._means.rounds.add(self._round)
            self._round.add_done_callback(self._means.rounds.discard)
        return self._round

    def _pause(self) -> float:
        if self.failure is not None:
            return max(self._again - monotonic(), 0.0)
        if self._lease is not None:
            return max((self._lease.ends - monotonic()) / 2, SHORTEST_S)
        return spread(self._every_s)

    async def _try(self) -> None:
        try:
            await self._freshen()
        except CredentialError as error:
            self._failed(error)
        else:
            self._well()
        finally:
            self._round = None
            if self._ended:
                self._drop()

    def _well(self) -> None:
        if self.failure is not None and self._lasting:
            _log.warning("%s is given by Vault again", self._place)
        self.failure, self._failures = None, 0
        self._confirmed = monotonic()

    def _failed(self, error: CredentialError) -> None:
        if self.failure is None and self._lasting:
            _log.error("%s: %s", self._place, error)
        self._failures += 1
        self.failure = CredentialError(str(error))  # without its trace
        after_s = error.after_s if isinstance(error, Fault) else 0.0
        self._again = monotonic() + backoff(self._failures, after_s, FIRST_RETRY_S, self._means.settings.every_s)
        if isinstance(error, Fault) and error.meant and error.status == 404 and self._lease is None:
            self._drop()  # that was said, not left unsaid: it was deleted

    async def _freshen(self) -> None:
        lease = self._lease
        if lease is not None and monotonic() < lease.ends and await self._renewed(lease):
            return
        if self._lasting or self._secret is None:
            self._take(await self._means.fetch(self._place))

    async def _renewed(self, lease: Lease) -> bool:
        """Whether it lasts for half of its time again. In any case it ends when Vault says, which may be sooner."""
        if not lease.renewable or lease.login != self._means.logins():
            return False
        asked = monotonic()
        try:
            left = await self._means.renew(lease)
        except Fault as fault:
            if not fault.meant or fault.status not in (400, 404):
                raise
            return False  # it is over already, or was revoked by somebody else
        if self._lease is lease and self._secret is not None:
            self._use(Secret(self._secret.fields, asked + left), replace(lease, ends=asked + left))
        return left >= lease.length_s / 2

    def _take(self, grant: Grant) -> None:
        """Use this from now on. Calls under way may still use what it replaces: its lease is revoked after a while."""
        old = self._lease
        until = grant.lease.ends if grant.lease else grant.asked + self._means.settings.most_age_s
        self._every_s = grant.every_s
        try:
            self._use(Secret(grant.fields, until), grant.lease, parting=old is not None)
        except CredentialError:  # nobody could look for it
            if grant.lease is not None:
                self._means.leases.end(grant.lease, None)
            raise

    def _use(self, fresh: Secret, lease: Lease | None, *, parting: bool = False) -> None:
        """Whoever looks for secrets hears of this one before it is used, and then of the end of the one before."""
        before, old = self._secret, self._lease
        self._means.tell(fresh, True)
        self._secret, self._lease = fresh, lease
        if before is not None and old is not None and parting:
            self._means.leases.end(old, before, self._means.settings.grace_s)
        elif before is not None:
            self._means.tell(before, False)

    def _drop(self) -> None:
        """Use it no longer."""
        secret, lease = self._secret, self._lease
        self._secret = self._lease = None
        if secret is not None and lease is not None:
            self._means.leases.end(lease, secret)
        elif secret is not None:
            self._means.tell(secret, False)

"""One credential that is kept good. More of it in tests/vault."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from proxy.credentials.secret import CredentialError, Secret
from proxy.vault.fault import Fault
from proxy.vault.held import Grant, Held, Means
from proxy.vault.leases import Lease, Leases
from proxy.vault.place import Place
from proxy.vault_settings import AuthSettings, VaultSettings
from tests.vault.world import Told

PLACE = Place("secret/crm")


class Source:
    """A Vault of one value, which is counted, and may be told to fail."""

    def __init__(self, told: Told, *, lease_s: float = 0.0) -> None:
        self.value, self.fails, self.fetched, self.lease_s = "one", 0, 0, lease_s
        self.revoked: list[str] = []
        settings = VaultSettings("http://localhost", AuthSettings("token", "env:X"), every_s=0.05)
        self.means = Means(settings, self.fetch, self.renew, lambda: 1, Leases(self.revoke, told, 9), told)

    async def fetch(self, place: Place) -> Grant:
        self.fetched += 1
        if self.fails:
            raise Fault(place.path, self.fails)
        lease = None
        if self.lease_s:
            self.means.leases.take()
            lease = Lease(str(self.fetched), self.lease_s, monotonic() + self.lease_s, True, 1)
        return Grant({"value": self.value}, lease, monotonic(), self.means.settings.every_s)

    async def renew(self, lease: Lease) -> float:
        raise Fault("sys/leases/renew", 400)

    async def revoke(self, lease: str) -> None:
        self.revoked.append(lease)


def test_each_secret_is_told_to_begin_and_to_end_once_and_the_next_begins_before() -> None:
    async def play() -> None:
        source, order = Source(told := Told()), list[tuple[int, bool]]()

        def tell(secret: Secret, begins: bool) -> None:
            told(secret, begins)
            order.append((id(secret), begins))

        held = Held(
            PLACE, Means(source.means.settings, source.fetch, source.renew, lambda: 1, source.means.leases, tell)
        )
        await held.get(1)
        await asyncio.sleep(0.2)
        source.value = "two"
        await asyncio.sleep(0.2)
        assert (await held.get(1)).field("value") == "two"
        assert not told.knows("one")
        held.end()
        assert told.known == []
        begun = [secret for secret, begins in order if begins]
        assert begun == [secret for secret, begins in order if not begins]
        assert [begins for _, begins in order[:3]] == [True, True, False]

    asyncio.run(play())


def test_after_a_failure_calls_are_told_at_once() -> None:
    async def play() -> None:
        source = Source(Told())
        source.fails = 403
        held = Held(PLACE, source.means)
        for _ in range(5):
            with pytest.raises(CredentialError, match="403"):
                await held.get(1)
        assert source.fetched == 1
        held.end()

    asyncio.run(play())


def test_a_lease_that_somebody_else_ended_is_replaced() -> None:
    async def play() -> None:
        source = Source(Told(), lease_s=0.2)
        held = Held(PLACE, source.means)
        await held.get(1)
        await asyncio.sleep(0.15)
        assert source.fetched == 2
        held.end()
        await source.means.leases.close(1)
        assert sorted(source.revoked) == ["1", "2"] or source.revoked == ["2"]
        assert source.means.leases.count == 0

    asyncio.run(play())


def test_one_whom_nobody_told_of_it_is_not_used_and_its_lease_ended() -> None:
    async def play() -> None:
        source = Source(Told(), lease_s=100)

        def refuse(secret: Secret, begins: bool) -> None:
            raise CredentialError("too many are known")

        means = Means(source.means.settings, source.fetch, source.renew, lambda: 1, source.means.leases, refuse)
        held = Held(PLACE, means)
        with pytest.raises(CredentialError, match="too many are known"):
            await held.get(1)
        assert held.now() is None
        await source.means.leases.close(1)
        assert source.revoked == ["1"]
        held.end()

    asyncio.run(play())

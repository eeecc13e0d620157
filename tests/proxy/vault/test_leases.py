"""The count of leases, and their end. More of it in tests/vault/test_leases.py."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from proxy.credentials.secret import CredentialError, Secret
from proxy.vault.fault import Fault
from proxy.vault.leases import Lease, Leases
from tests.vault.world import Told


def lease(lasts_s: float) -> Lease:
    return Lease("database/creds/x/1", lasts_s, monotonic() + lasts_s, True, 1)


def test_room_is_bounded_and_given_back() -> None:
    async def revoke(lease_id: str) -> None:
        raise AssertionError(lease_id)

    some = Leases(revoke, Told(), 2)
    some.take()
    some.take()
    with pytest.raises(CredentialError, match="2 are held"):
        some.take()
    some.give_back()
    some.take()
    assert some.count == 2


def test_what_vault_cannot_end_is_known_until_its_time_is_over() -> None:
    tries: list[str] = []

    async def revoke(lease_id: str) -> None:
        tries.append(lease_id)
        raise Fault("sys/leases/revoke", 503)

    async def play() -> None:
        told, secret = Told(), Secret.plain("a password")
        some = Leases(revoke, told, 2)
        some.take()
        told(secret, True)
        some.end(lease(0.5), secret)
        await asyncio.sleep(0.4)
        assert tries
        assert told.knows("a password")
        await asyncio.sleep(0.3)
        assert not told.knows("a password")
        assert some.count == 0
        await some.close(0.1)

    asyncio.run(play())


def test_a_stop_does_not_wait_for_calls_that_may_use_it_still() -> None:
    ended: list[str] = []

    async def revoke(lease_id: str) -> None:
        ended.append(lease_id)

    async def play() -> None:
        some = Leases(revoke, Told(), 2)
        some.take()
        some.end(lease(100), None, after_s=50)
        await asyncio.sleep(0.02)
        assert ended == []
        began = monotonic()
        await some.close(2)
        assert monotonic() - began < 1
        assert ended == ["database/creds/x/1"]

    asyncio.run(play())

"""The token with which the sidecar asks. More of it, against a real Vault as well: tests/vault."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from proxy.vault.fault import Fault
from tests.vault.standin import Answer
from tests.vault.world import World, imitated, opened


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with imitated(tmp_path) as one:
        yield one


def logins(there: World) -> int:
    assert there.standin is not None
    return sum(each.path.endswith("/login") for each in there.standin.seen)


def test_many_who_ask_at_once_share_one_login(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(there.approle())) as vaults:
            wire = vaults._wire
            await asyncio.gather(*(vaults._session.ask(wire.look) for _ in range(20)))
            assert logins(there) == 1

    asyncio.run(play())


def test_a_login_that_failed_is_not_tried_again_by_each_who_asks(there: World) -> None:
    auth = there.approle()
    assert there.standin is not None
    there.standin.upset = lambda method, path: Answer(400, "invalid role or secret ID")

    async def play() -> None:
        async with opened(there.settings(auth)) as vaults:
            for _ in range(20):
                with pytest.raises(Fault, match=r"auth/approle-\w+/login: it refused"):
                    await vaults._session.ask(vaults._wire.look)
            assert logins(there) == 1

    asyncio.run(play())


def test_a_token_that_cannot_be_renewed_is_replaced_in_time(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(there.approle(ttl="1s", most="10s", token_type="batch"))) as vaults:
            ends = monotonic() + 1.3
            while monotonic() < ends:
                await vaults._session.ask(vaults._wire.look)
                await asyncio.sleep(0.02)
            assert logins(there) in (2, 3)
            assert there.standin is not None
            assert there.standin.asked("auth/token/renew-self") == []

    asyncio.run(play())

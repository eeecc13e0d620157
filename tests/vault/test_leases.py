"""Leases: one for each call, run or for all; renewed, replaced before they end, and revoked with what they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from proxy.credentials.secret import CredentialError
from tests.vault.standin import Answer, Standin
from tests.vault.world import Told, World, imitated, opened

SPEC = "vault:database/creds/readonly"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with imitated(tmp_path) as one:
        one.api("sys/mounts/database", type="database")
        role(one, "1h", "2h")
        yield one


def role(there: World, ttl: str, most: str, **more: object) -> None:
    there.api("database/roles/readonly", default_ttl=ttl, max_ttl=most, **more)


def standin(there: World) -> Standin:
    assert there.standin is not None
    return there.standin


async def until_none(there: World, within_s: float = 2.0) -> None:
    async with asyncio.timeout(within_s):
        while standin(there).roles:
            await asyncio.sleep(0.005)


def test_each_call_has_its_own_which_ends_with_it(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings()) as vaults:
            source = vaults.source(SPEC, "call")
            names = [(await source.get(call, "bot", "run")).field("username") for call in ("a", "b", "a")]
            assert names[0] == names[2] != names[1]
            assert standin(there).roles == set(names)
            await vaults.call_ended("a")
            async with asyncio.timeout(2):
                while standin(there).roles != {names[1]}:
                    await asyncio.sleep(0.005)
            await vaults.call_ended("b")
            await vaults.call_ended("never was")
            await until_none(there)
            assert vaults.leases() == 0

    asyncio.run(play())


def test_each_run_of_a_principal_has_its_own(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings()) as vaults:
            source = vaults.source(SPEC, "run")
            owners = (("c1", "ann", "r"), ("c2", "ann", "r"), ("c3", "bob", "r"), ("c4", "ann", "q"))
            names = [(await source.get(*owner)).field("username") for owner in owners]
            assert names[0] == names[1]
            assert len(set(names)) == 3
            await vaults.call_ended("c1")
            await vaults.run_ended("ann", "r")
            async with asyncio.timeout(2):
                while standin(there).roles != {names[2], names[3]}:
                    await asyncio.sleep(0.005)

    asyncio.run(play())
    assert standin(there).roles == set()  # at the stop


def test_all_share_one_that_is_fetched_beforehand(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings()) as vaults:
            source = vaults.source(SPEC)
            async with asyncio.timeout(2):
                while not standin(there).roles:
                    await asyncio.sleep(0.005)
            names = {(await source.get(call, call, call)).field("username") for call in "abc"}
            assert names == standin(there).roles

    asyncio.run(play())


@pytest.mark.full
def test_it_is_renewed_and_replaced_before_the_end_of_its_longest_life(there: World) -> None:
    role(there, "1s", "3s")
    told = Told()

    async def play() -> list[str]:
        async with opened(there.settings(grace_s=0.2), told) as vaults:
            source, names, ends = vaults.source(SPEC), [], monotonic() + 4.2
            while monotonic() < ends:
                secret = await source.get("call", "bot", "run")
                assert secret.field("username") in standin(there).roles
                assert secret.until is not None
                assert secret.until > monotonic()
                names.append(secret.field("username"))
                await asyncio.sleep(0.01)
            assert len(standin(there).roles) == 1  # the one before was revoked
            assert told.knows(names[-1])
            return names

    names = asyncio.run(play())
    assert 2 <= len(set(names)) <= 3
    assert len(standin(there).asked("sys/leases/renew")) >= 3
    assert (told.all[1][0]["username"], told.all[1][1]) == (names[0], True)
    assert ({"username": names[0], "password": told.all[1][0]["password"]}, False) in told.all


def test_one_that_cannot_be_renewed_is_replaced(there: World) -> None:
    role(there, "1s", "0", never_renewed=True)

    async def play() -> set[str]:
        async with opened(there.settings()) as vaults:
            source, ends, names = vaults.source(SPEC), monotonic() + 1.5, set()
            while monotonic() < ends:
                names.add((await source.get("call", "bot", "run")).field("username"))
                assert names & standin(there).roles
                await asyncio.sleep(0.01)
            return names

    assert len(asyncio.run(play())) >= 2
    assert standin(there).asked("sys/leases/renew") == []


def test_it_is_replaced_when_its_token_is(there: World) -> None:
    """A lease ends with the token by which it came, however long it was given for."""

    async def play() -> None:
        async with opened(there.settings(there.approle())) as vaults:
            shared, mine = vaults.source(SPEC), vaults.source(SPEC, "run")
            first = [(await each.get("call", "bot", "run")).field("username") for each in (shared, mine)]
            kept = vaults.source("vault:secret/crm#token")
            await asyncio.sleep(1.1)
            standin(there).end_tokens()
            assert standin(there).roles == set()
            with pytest.raises(CredentialError):
                await kept.get("call", "bot", "run")
            async with asyncio.timeout(3):
                while len(standin(there).roles) < 2:
                    await vaults._session.ask(vaults._wire.look)
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            then = [(await each.get("call", "bot", "run")).field("username") for each in (shared, mine)]
            assert set(then).isdisjoint(first)
            assert set(then) == standin(there).roles

    asyncio.run(play())


def test_a_call_that_is_gone_before_its_credential_came_leaves_none(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(timeout_s=0.5)) as vaults:
            source = vaults.source(SPEC, "call")
            await source.get("before", "bot", "run")
            await vaults.call_ended("before")
            standin(there).upset = lambda method, path: 0.3 if "creds" in path else None
            hung_up = asyncio.create_task(source.get("gone", "bot", "run"))
            await asyncio.sleep(0.1)
            hung_up.cancel()
            await asyncio.wait([hung_up])
            await asyncio.sleep(0.4)
            assert any("creds" in each.path for each in standin(there).seen)
            await until_none(there)
            assert vaults.leases() == 0

    asyncio.run(play())


def test_revoking_is_tried_until_vault_does_it(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(), told := Told()) as vaults:
            source = vaults.source(SPEC, "call")
            password = (await source.get("a", "bot", "run")).field("password")
            standin(there).sealed = True
            await vaults.call_ended("a")
            await asyncio.sleep(0.7)
            assert vaults.leases() == 1
            assert vaults.trouble().startswith("leases are not revoked: Vault at sys/leases/revoke: it is sealed")
            assert told.knows(password)  # it still opens doors
            standin(there).sealed = False
            await until_none(there, 5)
            await asyncio.sleep(0.3)
            assert vaults.leases() == 0
            assert vaults.trouble() == ""
            assert not told.knows(password)

    asyncio.run(play())


def test_one_that_was_seen_where_it_must_not_be_is_ended_at_once_and_another_is_there(there: World) -> None:
    there.put("secret", "crm", token="x")

    async def play() -> None:
        async with opened(there.settings()) as vaults:
            for per in ("shared", "run", "call"):
                source = vaults.source(SPEC, per)  # type: ignore[arg-type]
                leaked = await source.get("call", "bot", "run")
                await source.revoke(leaked)
                async with asyncio.timeout(2):
                    while leaked.field("username") in standin(there).roles:
                        await asyncio.sleep(0.005)
                other = await source.get("call", "bot", "run")
                assert other.field("username") in standin(there).roles
                with pytest.raises(CredentialError, match="no lease of ours"):
                    await source.revoke(leaked)
            value = vaults.source("vault:secret/crm#token")
            with pytest.raises(CredentialError, match="change it in Vault"):
                await value.revoke(await value.get("call", "bot", "run"))

    asyncio.run(play())


def test_no_more_are_held_than_may_be(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(most_leases=3)) as vaults:
            source = vaults.source(SPEC, "call")
            for call in "abc":
                await source.get(call, "bot", "run")
            with pytest.raises(CredentialError, match="most_leases"):
                await source.get("d", "bot", "run")
            await vaults.call_ended("a")
            async with asyncio.timeout(2):
                while vaults.leases() == 3:
                    await asyncio.sleep(0.005)
            assert (await source.get("d", "bot", "run")).field("username") in standin(there).roles

    asyncio.run(play())


@pytest.mark.full
@pytest.mark.parametrize("trouble", [5.0, Answer(503, "Vault is sealed")])
def test_a_stop_takes_no_longer_than_it_may(there: World, trouble: float | Answer) -> None:
    async def play() -> float:
        async with opened(there.settings(there.approle(), timeout_s=0.5)) as vaults:
            source = vaults.source(SPEC, "call")
            for call in range(20):
                await source.get(str(call), "bot", "run")
            standin(there).upset = lambda method, path: trouble
            began = monotonic()
        return monotonic() - began

    assert asyncio.run(play()) < 5.0


def test_a_source_that_no_rules_name_any_more_keeps_nothing(there: World) -> None:
    async def play() -> None:
        async with opened(there.settings(), told := Told()) as vaults:
            before, after = vaults.source(SPEC), vaults.source(SPEC)
            name = (await before.get("call", "bot", "run")).field("username")
            del before
            await asyncio.sleep(0.05)
            assert standin(there).roles == {name}
            del after
            await until_none(there)
            async with asyncio.timeout(2):
                while told.knows(name):
                    await asyncio.sleep(0.005)

    asyncio.run(play())

"""Credentials of a real database: its roles come with a call, a run or the sidecar, and are gone when that is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.vault.postgres import Postgres, postgres
from tests.vault.test_sidecar import guarded, user_of
from tests.vault.world import World, opened, world

pytestmark = pytest.mark.full

CREATE = [
    "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
    'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}"',
]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as running:
        running.sql("CREATE TABLE notes (text text)")
        yield running


@pytest.fixture
def there(tmp_path: Path, database: Postgres) -> Iterator[World]:
    folder = tmp_path / "vault"
    folder.mkdir()
    with world(folder, sql=database.sql) as one:
        mount = one.own("database")
        one.api(f"sys/mounts/{mount}", type="database")
        plugin = {"plugin_name": "postgresql-database-plugin", "allowed_roles": ["*"]}
        one.api(f"{mount}/config/pg", **plugin, connection_url=database.uri)
        role(one, "1h", "2h")
        yield one


def role(there: World, ttl: str, most: str) -> None:
    roles = f"{there.own('database')}/roles/readonly"
    there.api(roles, db_name="pg", creation_statements=CREATE, default_ttl=ttl, max_ttl=most)


async def until(database: Postgres, roles: set[str], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while await asyncio.to_thread(database.roles) != roles:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("per", ["call", "run", "shared"])
def test_a_role_of_the_database_lives_as_long_as_what_it_was_made_for(
    there: World, database: Postgres, tmp_path: Path, per: str
) -> None:
    async def play() -> None:
        during: list[set[str]] = []

        async def answer(request: bytes) -> bytes:
            roles = await asyncio.to_thread(database.roles)
            assert user_of(request) in roles
            during.append(roles)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        spec = f"{there.own('database')}/creds/readonly"
        credential = f"{{vault: {spec}, send: basic, per: {per}}}"
        async with guarded(there, tmp_path, credential, answer=answer, timeout="2s") as one:
            told = [await one.tell("GET", "/crm/it", headers=[("Toolwall-Run", run)]) for run in "aab"]
            assert [each.reply.status for each in told] == [200, 200, 200]
            names = [user_of(each.reached[0]) for each in told]
            if per == "run":
                assert names[0] == names[1] != names[2]
                one.sidecar.firewall.runs.end(lambda principal, run: run == "a")
                await until(database, {names[2]})
            else:
                assert len(set(names)) == (3 if per == "call" else 1)
                await until(database, set() if per == "call" else set(names))
        assert len(during) == 3
        assert await asyncio.to_thread(database.roles) == set()  # at the stop

    asyncio.run(play())


def test_the_credential_opens_the_database_and_what_it_shows_is_the_role(there: World, database: Postgres) -> None:
    async def play() -> None:
        async with opened(there.settings()) as vaults:
            source = vaults.source(f"vault:{there.own('database')}/creds/readonly")
            secret = await source.get("call", "bot", "run")
            name = secret.field("username")
            own = Postgres(database.uri.replace("postgres:@", f"{name}:{secret.field('password')}@"), database.psql)
            assert (await asyncio.to_thread(own.run, "SELECT current_user")).strip() == name
            assert await asyncio.to_thread(own.run, "SELECT count(*) FROM notes") == "0\n"
            del source
            await until(database, set())

    asyncio.run(play())


def test_a_lease_is_renewed_replaced_and_its_role_dropped(there: World, database: Postgres) -> None:
    role(there, "2s", "4s")

    async def play() -> None:
        async with opened(there.settings(grace_s=0.3)) as vaults:
            source, names = vaults.source(f"vault:{there.own('database')}/creds/readonly"), set()
            for _ in range(50):
                name = (await source.get("call", "bot", "run")).field("username")
                assert name in await asyncio.to_thread(database.roles)
                names.add(name)
                await asyncio.sleep(0.1)
            assert len(names) >= 2
            await until(database, {(await source.get("call", "bot", "run")).field("username")})

    asyncio.run(play())
    assert database.roles() == set()


def test_when_the_token_ends_its_roles_go_and_calls_get_others(there: World, database: Postgres) -> None:
    auth = there.approle(ttl="4s", most="4s")

    async def play() -> None:
        async with opened(there.settings(auth)) as vaults:
            source, names = vaults.source(f"vault:{there.own('database')}/creds/readonly"), set()
            ends = monotonic() + 8
            while len(names) < 2 and monotonic() < ends:
                name = (await source.get("call", "bot", "run")).field("username")
                assert name in await asyncio.to_thread(database.roles)
                names.add(name)
                await asyncio.sleep(0.1)
            assert len(names) == 2

    asyncio.run(play())
    assert database.roles() == set()

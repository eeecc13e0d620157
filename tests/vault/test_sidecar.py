"""A sidecar with credentials out of Vault, through its sockets: what reaches the backend, and what operators see."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.vault.standin import Standin
from tests.vault.test_trouble import lag, p99
from tests.vault.world import World, imitated
from tests.wire import Wall, wall

TOOLS = """  get_it: {says: Get it., call: GET /it, effect: read}
  add_it: {says: Add it., call: POST /it, effect: write}
"""
VALUE = "canary-" + "77c0ffee"
OF_DATABASE = "database/creds/readonly"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "vault"
    folder.mkdir()
    with imitated(folder) as one:
        one.put("secret", "crm", token=VALUE)
        one.api("sys/mounts/database", type="database")
        one.api("database/roles/readonly", default_ttl="1h", max_ttl="2h")
        yield one


def standin(there: World) -> Standin:
    assert there.standin is not None
    return there.standin


@asynccontextmanager
async def guarded(
    there: World, folder: Path, credential: str, *, timeout: str = "300ms", **how: object
) -> AsyncIterator[Wall]:
    auth = f"{{token: '{there.file('token', there.token())}'}}"
    vault = f"vault: {{address: '{there.url}', auth: {auth}, timeout: {timeout}, every: 100ms}}\n"
    keys = f"credential: {credential}\nbreaker: off\nretry: {{attempts: 1}}"
    async with wall(folder, TOOLS, config=vault, backend_keys=keys, **how) as running:  # type: ignore[arg-type]
        yield running


def sent(request: bytes) -> str:
    """The credential of a request."""
    line = next(each for each in request.split(b"\r\n") if each.lower().startswith(b"authorization: "))
    return line.decode().partition(": ")[2]


def user_of(request: bytes) -> str:
    return base64.b64decode(sent(request).removeprefix("Basic ")).decode().partition(":")[0]


async def admin(one: Wall, path: str) -> str:
    def get() -> str:
        with urllib.request.urlopen(f"http://{one.sidecar.admin}{path}") as reply:
            return str(reply.read().decode())

    return await asyncio.to_thread(get)


@pytest.mark.alone
def test_a_value_goes_to_the_backend_and_rotates_and_calls_go_on_while_vault_does_not(
    there: World, tmp_path: Path
) -> None:
    async def play() -> None:
        async with guarded(there, tmp_path, "{vault: secret/crm#token, send: bearer}") as one:
            told = await one.tell("GET", "/crm/it")
            assert (told.reply.status, sent(told.reached[0])) == (200, f"Bearer {VALUE}")
            there.put("secret", "crm", token="rotated-" + VALUE)
            await asyncio.sleep(0.3)
            assert sent((await one.tell("GET", "/crm/it")).reached[0]) == f"Bearer rotated-{VALUE}"
            standin(there).upset = lambda method, path: 5.0
            async with lag() as late:
                ends = monotonic() + 0.8
                while monotonic() < ends:
                    began = monotonic()
                    told = await one.tell("GET", "/crm/it")
                    assert (told.reply.status, sent(told.reached[0])) == (200, f"Bearer rotated-{VALUE}")
                    assert monotonic() - began < 0.2
            assert p99(late) < 0.02
            notes = json.loads(await admin(one, "/readyz"))["notes"]
            assert "it did not answer in time" in notes["credentials"]
            ages = [each for each in (await admin(one, "/metrics")).splitlines() if each.startswith("toolwall_vault")]
            assert float(ages[0].split()[1]) > 0.3
            assert ages[1] == "toolwall_vault_leases 0.0"
            everything = one.ledger() + notes["credentials"].encode()
            assert VALUE.encode() not in everything

    asyncio.run(play())


def test_an_answer_that_holds_the_value_is_cleaned_of_it_also_of_the_one_before(there: World, tmp_path: Path) -> None:
    async def play() -> None:
        body = json.dumps({"now": "rotated-" + VALUE[7:], "before": VALUE}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)

        async def answer(_: bytes) -> bytes:
            return head + body

        async with guarded(there, tmp_path, "{vault: secret/crm#token, send: bearer}", answer=answer) as one:
            assert VALUE.encode() not in (await one.call("GET", "/crm/it")).body
            there.put("secret", "crm", token="rotated-" + VALUE[7:])
            await asyncio.sleep(0.3)
            standin(there).sealed = True
            reply = await one.call("GET", "/crm/it")
            assert reply.status == 200
            assert VALUE.encode() not in reply.body
            assert VALUE[7:].encode() not in reply.body

    asyncio.run(play())


def test_a_lease_of_a_call_ends_with_the_call_and_of_the_sidecar_with_that(there: World, tmp_path: Path) -> None:
    async def play(per: str) -> set[str]:
        folder = tmp_path / per
        folder.mkdir()
        credential = f"{{vault: {OF_DATABASE}, send: basic, per: {per}}}"
        async with guarded(there, folder, credential) as one:
            calls = [await one.tell("POST", "/crm/it"), await one.tell("GET", "/crm/it")]
            assert [each.reply.status for each in calls] == [200, 200]
            names = [user_of(each.reached[0]) for each in calls]
            assert len(set(names)) == (2 if per == "call" else 1)
            if per == "call":
                async with asyncio.timeout(2):
                    while standin(there).roles:
                        await asyncio.sleep(0.005)
            else:
                assert standin(there).roles == set(names)
        return standin(there).roles

    for per in ("call", "run", "shared"):
        assert asyncio.run(play(per)) == set()


def test_a_lease_of_a_run_ends_when_the_run_is_revoked(there: World, tmp_path: Path) -> None:
    async def play() -> None:
        async with guarded(there, tmp_path, f"{{vault: {OF_DATABASE}, send: basic, per: run}}") as one:
            for run in ("a", "b"):
                assert (await one.call("GET", "/crm/it", headers=[("Toolwall-Run", run)])).status == 200
            assert len(standin(there).roles) == 2
            one.sidecar.firewall.runs.end(lambda principal, run: run == "a")
            async with asyncio.timeout(2):
                while len(standin(there).roles) == 2:
                    await asyncio.sleep(0.005)
            again = await one.tell("GET", "/crm/it", headers=[("Toolwall-Run", "b")])
            assert {user_of(again.reached[0])} == standin(there).roles

    asyncio.run(play())


def test_without_the_credential_nothing_is_sent_and_no_call_waits_for_long(there: World, tmp_path: Path) -> None:
    async def play() -> None:
        standin(there).upset = lambda method, path: 5.0 if path.startswith("auth/token/lookup") else None
        async with guarded(there, tmp_path, "{vault: secret/crm#token, send: bearer}") as one:
            for _ in range(3):
                began = monotonic()
                told = await one.tell("GET", "/crm/it")
                assert monotonic() - began < 2
                assert (told.reply.status, told.reached) == (502, [])
                assert told.reply.json["executed"] == "no"
                assert "vault" not in told.reply.body.decode().lower()

    asyncio.run(play())

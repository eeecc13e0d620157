"""Credentials of Vault's on the wire: for all calls, a run, or one call; revoked with it, or where they leak."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.app import CannotRun
from tests.vault.world import World, imitated
from tests.wire import ALONE, Wall, answering, perform, reply, wall

TOOLS = """
  find: {call: GET /things}
  raw: {call: GET /raw, reply: {redact: "off"}}
"""
TOKEN = "kestrel-" + "9Xw4pQ7tLm2z"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with imitated(tmp_path) as one:
        one.api("sys/mounts/database", type="database")
        one.api("database/roles/readonly", default_ttl="1h", max_ttl="2h")
        one.api("sys/mounts/secret", type="kv", options={"version": "2"})
        one.put("secret", "crm", token=TOKEN, other="osprey-" + "3Vb8nK1sRd6y")
        yield one


@asynccontextmanager
async def walled(there: World, credential: str) -> AsyncIterator[Wall]:
    config = f"vault: {{address: '{there.url}', auth: {{token: '{there.file('token', there.token())}'}}}}\n"
    keys = f"credential: {credential}\n{ALONE}"
    async with wall(there.folder, TOOLS, backend_keys=keys, config=config) as w:
        yield w


def sent(request: bytes) -> str:
    [line] = [each for each in request.split(b"\r\n") if each.startswith(b"authorization: ")]
    return line.decode().removeprefix("authorization: ")


def roles(there: World) -> set[str]:
    assert there.standin is not None
    return set(there.standin.roles)


async def until(there: World, count: int) -> None:
    async with asyncio.timeout(3):
        while len(roles(there)) != count:
            await asyncio.sleep(0.005)


def test_a_value_of_vaults_is_sent_and_known_before(there: World) -> None:
    async def play() -> None:
        async with walled(there, "{vault: secret/crm#token, send: bearer}") as w:
            told = await w.tell("GET", "/crm/things")
            assert sent(told.reached[0]) == f"Bearer {TOKEN}"
            w.backend.answer = answering(reply(json.dumps({"a": TOKEN, "b": TOKEN.encode().hex()}).encode()))
            for path in ("/crm/things", "/crm/raw"):
                told = await w.tell("GET", path)
                assert told.reply.json == {"a": "<KNOWN_SECRET>", "b": "<KNOWN_SECRET>"}
                assert told.record["leaked"] == ["crm"]

    perform(play())


def test_a_credential_of_a_call_ends_with_it(there: World) -> None:
    async def play() -> None:
        async with walled(there, "{vault: database/creds/readonly, per: call, send: basic}") as w:
            pairs = {sent((await w.tell("GET", "/crm/things")).reached[0]) for _ in range(3)}
            assert len(pairs) == 3
            await until(there, 0)

    perform(play())


def test_a_credential_of_a_run_ends_with_it_and_no_other_run_has_it(there: World) -> None:
    async def play() -> None:
        async with walled(there, "{vault: database/creds/readonly, per: run, send: basic}") as w:

            async def call(run: str) -> str:
                return sent((await w.tell("GET", "/crm/things", headers=[("Toolwall-Run", run)])).reached[0])

            one, two, again = await call("one"), await call("two"), await call("one")
            assert one == again != two
            assert len(roles(there)) == 2
            w.sidecar.firewall.runs.end(lambda principal, run: run == "one")
            await until(there, 1)
            assert await call("two") == two

    perform(play())


def test_a_stop_revokes_what_is_shared(there: World) -> None:
    async def play() -> None:
        async with walled(there, "{vault: database/creds/readonly, send: basic}") as w:
            assert len({sent((await w.tell("GET", "/crm/things")).reached[0]) for _ in range(3)}) == 1
            assert len(roles(there)) == 1

    perform(play())
    assert roles(there) == set()


def test_a_credential_that_leaks_is_revoked_where_the_rules_say_so(there: World) -> None:
    async def play() -> None:
        async with walled(there, "{vault: database/creds/readonly, on_leak: revoke, send: basic}") as w:

            async def echo(request: bytes) -> bytes:
                return reply(json.dumps({"you sent": sent(request)}).encode())

            first = await w.tell("GET", "/crm/things")
            [before] = roles(there)
            w.backend.answer = echo
            told = await w.tell("GET", "/crm/things")
            assert sent(first.reached[0]).partition(" ")[2].encode() not in told.reply.raw
            assert told.record["leaked"] == ["crm"]
            async with asyncio.timeout(3):
                while before in roles(there):
                    await asyncio.sleep(0.005)
            assert sent((await w.tell("GET", "/crm/things")).reached[0]) != sent(first.reached[0])

    perform(play())


def test_rules_that_name_vault_without_one_cannot_be_used(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, backend_keys="credential: {vault: secret/crm#token, send: bearer}"):
            pass

    with pytest.raises(CannotRun, match="vault:secret/crm#token needs the key `vault`"):
        perform(play())


def test_while_vault_does_not_answer_the_call_says_so_and_nothing_is_sent(there: World) -> None:
    async def play() -> None:
        async with walled(there, "{vault: secret/nothing#token, send: bearer}") as w:
            told = await w.tell("GET", "/crm/things")
            assert (told.reply.json["code"], told.reply.json["executed"]) == ("upstream_unreachable", "no")
            assert told.reached == []
            assert told.record["notes"][-1].startswith("credential: ")

    perform(play())

"""One value out of Vault, before all else: the sidecar's own key."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.app import CannotRun
from proxy.cli import app
from proxy.credentials.secret import CredentialError
from proxy.state import KEY_FILE
from proxy.vault.one import read_one
from tests.vault.world import World, world
from tests.wire import Wall, perform, wall

TOOLS = "  get_it: {says: Get it., call: GET /it, effect: read}\n"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "vault"
    folder.mkdir()
    with world(folder) as one:
        yield one


def guarded(there: World, folder: Path, place: str, auth: str = "") -> AbstractAsyncContextManager[Wall]:
    auth = auth or f"{{token: '{there.file('token', there.token())}'}}"
    vault = f"vault: {{address: '{there.url}', auth: {auth}, timeout: 1s}}\n"
    return wall(folder, TOOLS, config=vault, state=f"{{folder: state, key: 'vault:{place}'}}")


def test_it_is_read_within_an_event_loop_and_without(there: World) -> None:
    mount = there.kv()
    there.put(mount, "toolwall", key="abc")

    async def play() -> str:
        return read_one(there.settings(), f"vault:{mount}/toolwall#key")

    assert read_one(there.settings(), f"vault:{mount}/toolwall#key") == asyncio.run(play()) == "abc"
    with pytest.raises(CredentialError, match="no such field"):
        read_one(there.settings(), f"vault:{mount}/toolwall#kex")


def test_a_sidecar_starts_with_its_key_in_vault_and_keeps_none_itself(there: World, tmp_path: Path) -> None:
    mount = there.kv()
    there.put(mount, "toolwall", key=secrets.token_hex(32))

    async def play() -> None:
        for _ in range(2):  # the second time what the first has written is proved by the same key
            async with guarded(there, tmp_path, f"{mount}/toolwall#key") as w:
                assert (await w.call("GET", "/crm/it")).status == 200
        assert not (tmp_path / "state" / KEY_FILE).exists()

    perform(play())
    told = CliRunner().invoke(app, ["ledger", "verify", "-c", str(tmp_path / "toolwall.yaml")])
    assert (told.exit_code, told.output.partition("\n")[0]) == (0, "6 records in 1 segments, head at 6: sound")


@pytest.mark.parametrize(
    ("place", "says"), [("toolwall#short", "must hold a key of 64"), ("gone#key", "nothing at that path")]
)
def test_without_a_key_it_does_not_start(there: World, tmp_path: Path, place: str, says: str) -> None:
    mount = there.kv()
    there.put(mount, "toolwall", short="abc123")

    async def play() -> None:
        async with guarded(there, tmp_path, f"{mount}/{place}"):
            pass

    with pytest.raises(CannotRun, match=says) as caught:
        perform(play())
    assert "abc123" not in str(caught.value)


def test_a_wrapped_secret_id_opens_once_and_is_not_spent_on_it(there: World, tmp_path: Path) -> None:
    auth = "{approle: {role_id: r, wrapped_secret_id: 'file:/nowhere'}}"

    async def play() -> None:
        async with guarded(there, tmp_path, "kv/toolwall#key", auth):
            pass

    with pytest.raises(CannotRun, match="which opens once"):
        perform(play())

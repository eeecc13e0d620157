"""Signing in, and values that are there: against the stand-in, or a real Vault (`make test-vault`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.credentials.secret import CredentialError
from proxy.vault_settings import AuthSettings
from tests.vault.jwts import new_key, pem_of, signed
from tests.vault.world import Told, World, opened, world


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as one:
        yield one


async def value(there: World, spec: str, auth: AuthSettings | None = None) -> dict[str, str]:
    async with opened(there.settings(auth)) as vaults:
        return dict((await vaults.source(spec).get("call", "bot", "run")).fields)


def test_a_field_a_version_and_all_of_a_secret(there: World) -> None:
    mount = there.kv()
    there.put(mount, "team/crm", token="first", port=5432)
    there.put(mount, "team/crm", token="second", port=5432)

    async def play() -> None:
        async with opened(there.settings()) as vaults:

            async def get(spec: str) -> dict[str, str]:
                return dict((await vaults.source(spec).get("call", "bot", "run")).fields)

            assert await get(f"vault:{mount}/team/crm#token") == {"value": "second"}
            assert await get(f"vault:{mount}/team/crm?version=1#token") == {"value": "first"}
            assert await get(f"vault:{mount}/team/crm") == {"token": "second", "port": "5432"}
            with pytest.raises(CredentialError, match="no such field"):
                await get(f"vault:{mount}/team/crm#tokem")

    asyncio.run(play())


def test_the_older_kv_engine(there: World) -> None:
    mount = there.kv(version=1)
    there.api(f"{mount}/crm", token="of-version-one")
    assert asyncio.run(value(there, f"vault:{mount}/crm#token")) == {"value": "of-version-one"}


def test_what_is_not_there_was_deleted_or_is_in_no_engine(there: World) -> None:
    mount = there.kv()
    there.put(mount, "gone", token="x")
    there.admin.secrets.kv.v2.delete_latest_version_of_secret("gone", mount_point=mount)
    for path, status in (("never", 404), ("gone", 404)):
        with pytest.raises(CredentialError, match=rf"{path}.*nothing at that path \({status}\)"):
            asyncio.run(value(there, f"vault:{mount}/{path}#token"))
    with pytest.raises(CredentialError, match=r"permission was denied \(403\)"):
        asyncio.run(value(there, f"vault:{there.own('no-engine')}/crm#token"))


def test_an_approle_and_its_secret_id_that_counts(there: World) -> None:
    mount = there.kv()
    there.put(mount, "crm", token="for-the-role")
    auth = there.approle(secret_id_num_uses=1)
    assert asyncio.run(value(there, f"vault:{mount}/crm#token", auth)) == {"value": "for-the-role"}
    with pytest.raises(CredentialError, match=r"refused what it was sent \(400\)"):
        asyncio.run(value(there, f"vault:{mount}/crm#token", auth))


@pytest.mark.full
def test_a_wrapped_secret_id_is_unwrapped_once_and_serves_each_login(there: World) -> None:
    mount, plain = there.kv(), there.approle(ttl="1s", most="1s")
    there.put(mount, "crm", token="wrapped")
    proof = there.file("wrapped", there.wrapped_secret_id(plain.mount))
    auth = AuthSettings("approle", proof, plain.role, plain.mount, wrapped=True)

    async def play() -> None:
        async with opened(there.settings(auth, every_s=0.2)) as vaults:
            source = vaults.source(f"vault:{mount}/crm#token")
            assert (await source.get("call", "bot", "run")).field("value") == "wrapped"
            await asyncio.sleep(1.5)  # the first token is over
            there.put(mount, "crm", token="seen by a later login")
            await asyncio.sleep(0.4)
            assert (await source.get("call", "bot", "run")).field("value") == "seen by a later login"
            assert vaults.trouble() == ""

    asyncio.run(play())
    with pytest.raises(CredentialError, match="was unwrapped before"):
        asyncio.run(value(there, f"vault:{mount}/crm#token", auth))


def test_a_jwt_signs_in_and_another_key_or_audience_does_not(there: World) -> None:
    key, login, mount = new_key(), there.own("jwt"), there.kv()
    there.put(mount, "crm", token="for-the-jwt")
    there.token()
    there.api(f"sys/auth/{login}", type="jwt")
    there.api(f"auth/{login}/config", jwt_validation_pubkeys=[pem_of(key)], jwt_supported_algs=["ES256"])
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": [there.own("all")]}
    there.api(f"auth/{login}/role/sidecar", **role)
    now = int(time.time())
    claims = {"sub": "toolwall", "aud": "vault", "iat": now - 5, "nbf": now - 5, "exp": now + 600}

    def auth(jwt: str) -> AuthSettings:
        return AuthSettings("jwt", there.file("jwt", jwt), "sidecar", login)

    spec = f"vault:{mount}/crm#token"
    assert asyncio.run(value(there, spec, auth(signed(key, claims)))) == {"value": "for-the-jwt"}
    for wrong in (signed(new_key(), claims), signed(key, {**claims, "aud": "other"})):
        with pytest.raises(CredentialError, match=r"\(400\)"):
            asyncio.run(value(there, spec, auth(wrong)))


def test_a_token_that_is_none(there: World) -> None:
    with pytest.raises(CredentialError, match=r"auth/token/lookup-self: permission was denied \(403\)"):
        asyncio.run(value(there, "vault:secret/crm", AuthSettings("token", there.file("token", "s.none"))))


def test_rotation_is_told_before_it_is_used_and_what_was_deleted_is_used_no_longer(there: World) -> None:
    mount, told = there.kv(), Told()
    there.put(mount, "crm", token="before")

    async def play() -> None:
        async with opened(there.settings(every_s=0.1), told) as vaults:
            source = vaults.source(f"vault:{mount}/crm#token")
            assert (await source.get("call", "bot", "run")).field("value") == "before"
            there.put(mount, "crm", token="after")
            async with asyncio.timeout(2):
                while (await source.get("call", "bot", "run")).field("value") == "before":
                    await asyncio.sleep(0.01)
            assert not told.knows("before")
            assert told.knows("after")
            there.admin.secrets.kv.v2.delete_latest_version_of_secret("crm", mount_point=mount)
            async with asyncio.timeout(2):
                while vaults.trouble() == "":
                    await asyncio.sleep(0.01)
            with pytest.raises(CredentialError, match="nothing at that path"):
                await source.get("call", "bot", "run")
            assert not told.knows("after")
        begun = [fields.get("value") for fields, begins in told.all if begins]
        assert begun.index("after") < told.all.index(({"value": "before"}, False))

    asyncio.run(play())


@pytest.mark.full
def test_our_own_token_is_renewed_and_ended_at_the_stop(there: World) -> None:
    told = Told()
    auth = there.approle(ttl="2s", most="60s")

    async def play() -> list[str]:
        async with opened(there.settings(auth), told):
            await asyncio.sleep(2.6)  # longer than it would have lasted
            return [value for fields, _ in told.all for value in fields.values()]

    (token,) = asyncio.run(play())  # one login
    with pytest.raises(Exception, match="permission denied"):
        there.admin.__class__(url=there.url, token=token).auth.token.lookup_self()

"""The keys of an issuer: found by id and algorithm, read again when they change, kept while they cannot be read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from proxy.identity import jwks
from proxy.identity.jwks import KeySet, NotRead
from proxy.identity.settings import JwtSettings
from tests.issuer import AUDIENCE, ISSUER, ec_key, public, rsa_key, serving
from tests.issuer import jwks as written


def of(place: str) -> KeySet:
    return KeySet(JwtSettings(ISSUER, (AUDIENCE,), place))


def in_file(folder: Path, body: bytes) -> KeySet:
    (folder / "jwks.json").write_bytes(body)
    return of(f"file:{folder / 'jwks.json'}")


def test_a_key_fits_by_its_id_its_kind_and_what_it_is_for(tmp_path: Path) -> None:
    keys = in_file(
        tmp_path,
        written(
            public(rsa_key("one"), "one"),
            public(ec_key("two"), "two"),
            public(rsa_key("enc"), "enc", use="enc"),
            public(rsa_key("ps"), "ps", alg="PS256"),
            public(rsa_key("short", 1024), "short"),
            {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        ),
    )

    async def play() -> None:
        for kid, algorithm, there in (
            ("one", "RS256", True),
            ("one", "PS512", True),
            ("one", "ES256", False),
            ("one", "EdDSA", False),
            ("two", "ES256", True),
            ("two", "ES384", False),
            ("two", "RS256", False),
            ("enc", "RS256", False),
            ("ps", "RS256", False),
            ("ps", "PS256", True),
            ("short", "RS256", False),
            ("secret", "RS256", False),
            (None, "ES256", True),
            (None, "RS256", False),
            ("three", "RS256", False),
        ):
            assert (await keys.find(kid, algorithm) is not None) is there, (kid, algorithm)

    asyncio.run(play())


BAD = {
    "no JSON": b"<html>",
    "a list": b"[]",
    "no keys": b'{"keys": {}}',
    "a key that is none": b'{"keys": [1]}',
    "too many": written(*[{"kty": "RSA", "kid": str(each)} for each in range(101)]),
    "too large": b" " * (jwks.MOST_BYTES + 1),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_key_set_counts_for_nothing(tmp_path: Path, body: bytes) -> None:
    keys = in_file(tmp_path, body)

    async def play() -> None:
        with pytest.raises(NotRead):
            await keys.find("one", "RS256")
        assert keys.trouble

    asyncio.run(play())


def test_a_private_key_is_not_used(tmp_path: Path) -> None:
    keys = in_file(tmp_path, written(public(rsa_key("one"), "one", d="AQAB"), public(rsa_key("two"), "two")))
    assert asyncio.run(keys.find("one", "RS256")) is None


def test_keys_are_kept_while_their_place_fails_and_changed_when_it_changes() -> None:
    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            keys = of(place.url)
            assert await keys.find("one", "RS256")
            first = keys.generation
            for status, body in (("500 Oops", b""), ("302 Found", b""), ("200 OK", b"{}")):
                place.status, place.body = status, body
                await keys._read()
                assert keys.trouble
                assert await keys.find("one", "RS256")
            place.status, place.body = "200 OK", written(public(rsa_key("two"), "two"))
            await keys._read()
            assert (keys.trouble, keys.generation) == ("", first + 1)
            assert await keys.find("one", "RS256") is None
            assert await keys.find("two", "RS256")

    asyncio.run(play())


@pytest.mark.parametrize("left", [(), ({"kty": "oct", "k": "c2VjcmV0", "kid": "one"},)])
def test_an_issuer_that_gave_up_its_last_key_has_none(left: tuple[dict[str, str], ...]) -> None:
    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            keys = of(place.url)
            assert await keys.find("one", "RS256")
            first, place.body = keys.generation, written(*left)
            await keys._read()
            assert await keys.find("one", "RS256") is None
            assert (keys.generation, "no public key" in keys.trouble) == (first + 1, True)

    asyncio.run(play())


def test_a_redirect_is_not_followed() -> None:
    async def play() -> None:
        async with serving(written(public(rsa_key("evil"), "one"))) as other, serving(b"") as place:
            place.status, place.extra = "302 Found", f"Location: {other.url}\r\n"
            with pytest.raises(NotRead):
                await of(place.url).find("one", "RS256")
            assert other.asked == 0

    asyncio.run(play())


def test_unknown_ids_ask_the_issuer_once_in_a_while_and_all_together() -> None:
    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            keys = of(place.url)
            place.delay = 0.1
            await asyncio.gather(*(keys.find(f"kid-{each}", "RS256") for each in range(50)))
            assert place.asked == 1
            await keys.find("another", "RS256")
            assert place.asked == 1
            keys._tried -= jwks.TRY_S
            await keys.find("another", "RS256")
            assert place.asked == 2

    asyncio.run(play())


def test_an_issuer_that_hangs_costs_a_bounded_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_S", 0.1)

    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            place.delay, keys, started = 60.0, of(place.url), monotonic()
            with pytest.raises(NotRead):
                await keys.find("one", "RS256")
            assert monotonic() - started < 1
            assert "no answer" in keys.trouble
            monkeypatch.setattr(jwks, "FETCH_S", 10.0)
            place.delay = 0
            keys._tried -= jwks.TRY_S
            assert await keys.find("one", "RS256")

    asyncio.run(play())


def test_whoever_gives_up_breaks_off_nobody_elses_reading() -> None:
    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            place.delay, keys = 0.1, of(place.url)
            first = asyncio.create_task(keys.find("one", "RS256"))
            await asyncio.sleep(0.02)
            second = asyncio.create_task(keys.find("one", "RS256"))
            await asyncio.sleep(0)
            first.cancel()
            keys._tried = float("-inf")
            third = await keys.find("one", "RS256")
            assert third is not None
            assert place.asked == 1
            await asyncio.wait([second])

    asyncio.run(play())


def test_who_comes_while_the_keys_are_read_for_the_first_time_waits_for_them() -> None:
    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            place.delay, keys = 0.1, of(place.url)
            watching = asyncio.create_task(keys.watch())
            await asyncio.sleep(0.02)
            assert await keys.find("one", "RS256")
            assert place.asked == 1
            watching.cancel()
            await asyncio.wait([watching])

    asyncio.run(play())


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def play() -> None:
        async with serving(written(public(rsa_key("one"), "one"))) as place:
            assert await of(place.url).find("one", "RS256")

    asyncio.run(play())

"""A token endpoint that is slow, strange or hostile: what comes of it is a token, or a reason that holds nothing."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

import pytest

from proxy.credentials import endpoint as module
from proxy.credentials.endpoint import MOST_S, UNSAID_S, Token, TokenEndpoint
from proxy.credentials.secret import CredentialError, Secret
from rules.credentials import Endpoint
from rules.urls import Network, Url, parse_network
from tests.proxy.upstream.test_dialler import Loop
from tests.wire import Answer, Backend, answering, reply

CLIENT, TOKEN = "kestrel+9Xw4pQ7t =", "osprey-3Vb8nK1s"
FORM = {"grant_type": "client_credentials"}


def granted(**said: Any) -> bytes:
    return reply(json.dumps({"access_token": TOKEN, "token_type": "Bearer", **said}).encode())


async def asked(
    answer: Answer,
    secret: Secret | None = None,
    host: str = "127.0.0.1",
    addresses: tuple[Network, ...] = (),
    client: str = "wall",
    **more: Any,
) -> tuple[Token | str, Backend]:
    """What an endpoint gives that answers so, or why there is nothing."""
    idp = Backend(answer)
    server = await asyncio.start_server(idp.serve, "127.0.0.1", 0)
    idp.port = port = server.sockets[0].getsockname()[1]
    there = TokenEndpoint(Endpoint(Url("http", host, port, "/token"), "/token", addresses, **more))
    try:
        return await there.ask(client, secret or Secret.plain(CLIENT), FORM), idp
    except CredentialError as why:
        return str(why), idp
    finally:
        server.close()


def ask(answer: Answer, **how: Any) -> tuple[Token | str, Backend]:
    return asyncio.run(asked(answer, **how))


@pytest.mark.parametrize(
    ("said", "life"),
    [
        ({}, UNSAID_S),
        ({"expires_in": None}, UNSAID_S),
        ({"expires_in": 60}, 60),
        ({"expires_in": "60"}, 60),
        ({"expires_in": 1.5}, 1.5),
        ({"expires_in": 10**300}, MOST_S),
        ({"token_type": "bEARER", "scope": "other", "refresh_token": "x"}, UNSAID_S),
    ],
)
def test_a_token_lives_as_long_as_is_said_and_no_longer_than_a_day(said: dict[str, Any], life: float) -> None:
    found, _ = ask(answering(granted(**said)))
    assert found == Token(TOKEN, life)
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    "life", [0, -1, 0.5, "soon", "nan", "-inf", True, [], {}, 10**400, "1" * 400 + "x"], ids=lambda each: repr(each)[:9]
)
def test_one_that_has_no_time_to_live_is_none(life: Any) -> None:
    found, _ = ask(answering(granted(expires_in=life)))
    assert found == "the token endpoint 127.0.0.1 gave a token that has no time to live"


def error(code: Any) -> bytes:
    return reply(json.dumps({"error": code, "error_description": CLIENT}).encode(), status="400 Bad Request")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (error("invalid_grant"), "answered 400 invalid_grant"),
        (error(CLIENT), "answered 400"),
        (error([CLIENT]), "answered 400"),
        (error({"invalid_grant": CLIENT}), "answered 400"),
        (reply(granted().partition(b"\r\n\r\n")[2], status="201 Created"), "answered 201"),
        (reply(granted().partition(b"\r\n\r\n")[2], status="500 Oops"), "answered 500"),
        (reply(b'{"access_token": "a", "access_token": "b", "token_type": "bearer"}'), "answered 200"),
        (reply(b'{"access_token": "a", "token_type": "bearer", "expires_in": NaN}'), "answered 200"),
        (reply(b'{"access_token": "a", "token_type": "bearer", "expires_in": 1e999}'), "answered 200"),
        (reply(b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"), "answered 200"),
        (reply(b'{"a":"\xff"}'), "answered 200"),
        (reply(b""), "answered 200"),
        (granted(token_type="N_A"), "gave a token that is no bearer token"),
        (granted(token_type=["bearer"]), "gave a token that is no bearer token"),
        (granted(access_token=[TOKEN]), "gave no access_token"),
        (granted(more="x" * 70_000), "answered with more than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", "could not be reached, or gave no whole answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "did not answer within 0.2 s"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20, "could not be reached, or gave no whole answer"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_anything_else_is_a_reason_that_repeats_nothing(raw: bytes, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.2)
    found, _ = ask(answering(raw))
    assert found == f"the token endpoint 127.0.0.1 {why}"


def test_a_redirect_is_not_followed() -> None:
    async def play() -> None:
        elsewhere = Backend(answering(granted()))
        server = await asyncio.start_server(elsewhere.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for status in ("302 Found", "307 Temporary Redirect", "308 Permanent Redirect"):
            raw = reply(b"", f"Location: http://127.0.0.1:{port}/token", status=status)
            found, idp = await asked(answering(raw))
            assert (found, len(idp.seen)) == (f"the token endpoint 127.0.0.1 answered {status[:3]}", 1)
        assert elsewhere.seen == []
        server.close()

    asyncio.run(play())


def test_one_that_is_silent_or_drips_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.1)

    async def silent(_: bytes) -> bytes:
        await asyncio.sleep(5)
        return b""

    async def drips(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
            while True:
                yield b" "
                await asyncio.sleep(0.01)

        return pieces()

    async def play(answer: Answer) -> None:
        began = asyncio.get_running_loop().time()
        found, idp = await asked(answer)
        assert found == "the token endpoint 127.0.0.1 did not answer within 0.1 s"
        assert asyncio.get_running_loop().time() - began < 1
        await idp.hung_up_on()

    for answer in (silent, drips):
        asyncio.run(play(answer))


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_public_name_that_leads_into_ones_own_network_gets_no_secret(address: str) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        loop: Any = runner.get_loop()
        loop.answers, loop.asked = {"login.example.com": [[address]]}, []
        found, idp = runner.run(asked(answering(granted()), host="login.example.com"))
        assert (found, idp.seen) == ("the token endpoint login.example.com lies at an address where it may not", [])
        assert address not in str(found)


def test_a_name_is_looked_up_for_each_token() -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        loop: Any = runner.get_loop()
        loop.answers, loop.asked = {"login.example.com": [["127.0.0.1"]]}, []
        inside = (parse_network("127.0.0.0/8"),)
        for _ in range(2):
            found, idp = runner.run(asked(answering(granted()), host="login.example.com", addresses=inside))
            assert found == Token(TOKEN, UNSAID_S)
            assert f"\r\nhost: login.example.com:{idp.port}\r\n".encode() in idp.requests[0]
        assert loop.asked == ["login.example.com"] * 2


def test_the_client_says_who_it_is_as_the_standard_wants_it() -> None:
    fields = Secret(MappingProxyType({"client_id": "other", "client_secret": CLIENT}))
    for secret in (Secret.plain(CLIENT), fields):
        _, idp = ask(answering(granted()), secret=secret, scope="a b", audience="crm", resource="https://crm.test/")
        head, _, body = idp.requests[0].decode().partition("\r\n\r\n")
        pair = b64encode(b"wall:kestrel%2B9Xw4pQ7t+%3D").decode()
        assert f"\r\nauthorization: Basic {pair}\r\n" in head
        assert parse_qs(body, strict_parsing=True) == {
            "grant_type": ["client_credentials"],
            "scope": ["a b"],
            "audience": ["crm"],
            "resource": ["https://crm.test/"],
        }
    _, idp = ask(answering(granted()), secret=fields, client="")
    assert b"\r\nauthorization: Basic " + b64encode(b"other:kestrel%2B9Xw4pQ7t+%3D") in idp.requests[0]
    _, idp = ask(answering(granted()), in_body=True)
    head, _, body = idp.requests[0].decode().partition("\r\n\r\n")
    assert "authorization" not in head
    assert parse_qs(body) == {**{k: [v] for k, v in FORM.items()}, "client_id": ["wall"], "client_secret": [CLIENT]}


def test_a_client_without_a_name_or_a_secret_asks_nothing() -> None:
    async def play() -> None:
        there = TokenEndpoint(Endpoint(Url("http", "127.0.0.1", 1, "/token"), "/token"))
        with pytest.raises(CredentialError, match="no field `client_id`"):
            await there.ask("", Secret.plain(CLIENT), FORM)
        with pytest.raises(CredentialError, match="no field `value`"):
            await there.ask("wall", Secret(MappingProxyType({"client_secret": ""})), FORM)

    asyncio.run(play())

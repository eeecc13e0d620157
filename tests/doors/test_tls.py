"""TLS through the socket: who gets through the handshake, and what becomes of those that do not."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import UniformResourceIdentifier

from proxy.transports import listening, tls
from tests.certificates import CLIENT, DAY, SERVER, Authority, Pair
from tests.wire import Reply, Wall, perform, wall

TOOLS = "  get: {call: 'GET /things/{id}', args: {id: {type: integer}}}"
AUTHORITY, CLIENTS, STRANGER = Authority.new(), Authority.new("Clients"), Authority.new("Clients")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.02)


@asynccontextmanager
async def secure(folder: Path, client: str = "", bind: str = "127.0.0.1:0", **how: Any) -> AsyncIterator[Wall]:
    """A sidecar whose door speaks TLS, and an agent that trusts it."""
    AUTHORITY.server().write(folder)
    (folder / "clients.pem").write_bytes(CLIENTS.own.pem)
    asked = f", client_ca: clients.pem, client: {client}" if client else ""
    keys = f", tls: {{certificate: own.pem, key: own.key{asked}}}{how.pop('listener', '')}"
    async with wall(folder, TOOLS, listener=keys, bind=bind, **how) as w:
        w.tls = AUTHORITY.client(folder)
        yield w


async def shown(w: Wall) -> bytes:
    """The certificate that a new handshake is shown."""
    _, writer = await w.connect()
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(found)


async def until_shown(w: Wall, pair: Pair) -> None:
    async with asyncio.timeout(5):
        while await shown(w) != pair.der:
            await asyncio.sleep(0.02)


async def notes(w: Wall) -> dict[str, str]:
    reader, writer = await asyncio.open_connection(*w.sidecar.admin.rsplit(":", 1))
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    return dict(json.loads(body).get("notes", {}))


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:door"])
def test_a_call_comes_through_and_the_backend_is_told_how(bind: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path, bind=bind) as w:
            told = await w.tell("GET", "/crm/things/7")
            assert (told.reply.status, told.reply.json) == (200, {"ok": True})
            peer = "unknown" if bind.startswith("unix") else "127.0.0.1"
            assert f'forwarded: for={peer};host="{w.host}";proto=https'.encode() in told.reached[0].lower()

    perform(play())


def test_links_that_are_given_say_https(tmp_path: Path) -> None:
    """What stands before the path of a backend is the door's own origin."""

    async def moved(_: bytes) -> bytes:
        place = b"Location: /api/things/8\r\n"
        return b"HTTP/1.1 201 Created\r\n" + place + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    async def play() -> None:
        async with secure(tmp_path, answer=moved) as w:
            reply = await w.call("GET", "/crm/things/7")
            assert reply.headers["location"] in (f"https://{w.host}/crm/things/8", "/crm/things/8")
            assert b"http://" not in reply.raw

    perform(play())


def hello(version: bytes) -> bytes:
    """The first message of a handshake of old (RFC 5246, 7.4.1.2)."""
    body = version + bytes(32) + b"\0" + b"\0\4\xc0\x2b\xc0\x09" + b"\1\0" + b"\0\0"
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize("version", [b"\3\0", b"\3\1", b"\3\2"])
def test_an_old_version_is_refused(version: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with secure(tmp_path) as w:
            w.tls = None
            assert (await w.send(hello(version)))[:1] in (b"", b"\x15")  # nothing, or an alert

    perform(play())
    assert "UNSUPPORTED_PROTOCOL" in caplog.text or "VERSION_TOO_LOW" in caplog.text


async def gets_through(w: Wall) -> bool:
    """Whether a call is answered. With TLS 1.3 a client believes to be done before its certificate was looked at."""
    try:
        return (await w.call("GET", "/crm/things/7")).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


def test_old_ciphers_and_plain_text_do_not_get_through(tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path) as w:
            assert w.tls is not None
            w.tls.maximum_version = ssl.TLSVersion.TLSv1_2
            assert await gets_through(w)
            w.tls.set_ciphers("AES128-SHA256:ECDHE-ECDSA-AES128-SHA")
            assert not await gets_through(w)
            w.tls = None
            assert b"HTTP" not in await w.send(w.raw("GET", "/crm/things/7"))
            assert len(w.backend.requests) == 1

    perform(play())


def test_http_1_is_chosen_and_http_2_is_not(tmp_path: Path) -> None:
    async def chosen(w: Wall, *offered: str) -> str | None:
        assert w.tls is not None
        w.tls.set_alpn_protocols(offered)
        _, writer = await w.connect()
        found: str | None = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        return found

    async def play() -> None:
        async with secure(tmp_path) as w:
            assert await chosen(w, "h2", "http/1.1") == "http/1.1"
            assert await chosen(w, "h2") is None

    perform(play())


URI = UniformResourceIdentifier("spiffe://acme.example/bot")
WRONG = {
    "none": None,
    "of another authority": STRANGER.sign(use=CLIENT),
    "of the server's authority": AUTHORITY.sign(use=CLIENT),
    "expired": CLIENTS.sign(use=CLIENT, begins=-2 * DAY, ends=-DAY),
    "not yet valid": CLIENTS.sign(use=CLIENT, begins=DAY, ends=2 * DAY),
    "for servers": CLIENTS.sign(use=SERVER),
    "signed by an end": Authority(CLIENTS.sign(use=CLIENT)).sign(use=CLIENT),
}


@pytest.mark.parametrize("client", ["required", "optional"])
@pytest.mark.parametrize("which", WRONG)
def test_a_certificate_that_does_not_hold_is_refused_in_the_handshake(which: str, client: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path, client) as w:
            w.tls = AUTHORITY.client(tmp_path, WRONG[which])
            assert await gets_through(w) == ((which, client) == ("none", "optional"))
            assert len(w.backend.requests) == len(w.news()) == ((which, client) == ("none", "optional"))

    perform(play())


@pytest.mark.parametrize("client", ["required", "optional"])
@pytest.mark.parametrize("use", [CLIENT, None])
def test_one_that_holds_comes_through(client: str, use: Any, tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path, client) as w:
            w.tls = AUTHORITY.client(tmp_path, CLIENTS.sign(use=use, names=[URI]))
            assert await gets_through(w)

    perform(play())


def test_a_connection_ends_with_the_time_of_its_certificate(tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path, "required") as w:
            now = datetime.now(UTC)
            ends = timedelta(seconds=2) - timedelta(microseconds=now.microsecond)  # certificates know whole seconds
            w.tls = AUTHORITY.client(tmp_path, CLIENTS.sign(use=CLIENT, ends=ends))
            reader, writer = await w.connect()
            request = w.raw("GET", "/crm/things/7").replace(b"Connection: close\r\n", b"")
            writer.write(request)
            assert Reply.parse(await reader.readuntil(b'{"ok":true}')).status == 200
            await asyncio.sleep((now + ends - datetime.now(UTC)).total_seconds() + 0.05)
            writer.write(request)
            last = Reply.parse(await reader.read())
            assert (last.status, last.headers["toolwall-refused"]) == (401, "unauthenticated")
            assert len(w.backend.requests) == 1
            assert (w.records()[-1]["outcome"], w.records()[-1]["code"]) == ("refused", "unauthenticated")
            assert not await gets_through(w)

    perform(play())


def test_new_handshakes_see_a_new_certificate_and_open_connections_go_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path) as w:
            first = await shown(w)
            reader, writer = await w.connect()
            request = w.raw("GET", "/crm/things/7").replace(b"Connection: close\r\n", b"")
            writer.write(request)
            before = await reader.readuntil(b'{"ok":true}')
            second = AUTHORITY.server()
            second.write(tmp_path)
            await until_shown(w, second)
            assert second.der != first
            writer.write(request)
            assert Reply.parse(await reader.readuntil(b'{"ok":true}')).status == Reply.parse(before).status == 200
            writer.close()
            assert await notes(w) == {}

    perform(play())


def test_a_broken_pair_keeps_the_old_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with secure(tmp_path) as w:
            first, second = await shown(w), AUTHORITY.server()
            (tmp_path / "own.pem").write_bytes(second.pem)
            async with asyncio.timeout(5):
                while not (noted := await notes(w)):
                    await asyncio.sleep(0.02)
            (said,) = noted.values()
            assert said.startswith("its new certificate cannot be used, the one before stays: ")
            assert await shown(w) == first
            assert (await w.call("GET", "/crm/things/7")).status == 200
            second.write(tmp_path)
            await until_shown(w, second)
            assert await notes(w) == {}

    perform(play())
    assert [each.message for each in caplog.records if "the one before stays" in each.message]


def test_authorities_of_clients_are_read_anew_as_well(tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path, "required") as w:
            w.tls = AUTHORITY.client(tmp_path, CLIENTS.sign(use=CLIENT))
            assert await gets_through(w)
            (tmp_path / "clients.pem").write_bytes(STRANGER.own.pem)
            async with asyncio.timeout(5):
                while await gets_through(w):  # and no session of before is taken up again
                    await asyncio.sleep(0.02)
            w.tls = AUTHORITY.client(tmp_path, STRANGER.sign(use=CLIENT))
            assert await gets_through(w)

    perform(play())


@contextmanager
def silent(address: tuple[str, int], how_many: int) -> Iterator[list[socket.socket]]:
    """Connections that begin no handshake."""
    clients = [socket.create_connection(address) for _ in range(how_many)]
    try:
        for client in clients:
            client.settimeout(5)
        yield clients
    finally:
        for client in clients:
            client.close()


def test_a_handshake_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "HANDSHAKE_S", 0.2)

    async def play() -> None:
        async with secure(tmp_path) as w:
            with silent(w.address, 1) as (client,):
                client.sendall(b"\x16\x03\x01")  # and then nothing
                assert await asyncio.to_thread(client.recv, 1) == b""

    perform(play())


def test_handshakes_that_lead_nowhere_keep_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MOST_HANDSHAKES", 8)

    async def play() -> None:
        async with secure(tmp_path) as w:
            with silent(w.address, 20) as clients:
                assert (await w.call("GET", "/crm/things/7")).status == 200
                for client in clients[:12]:  # those that waited longest made way
                    assert await asyncio.to_thread(client.recv, 1) == b""

    perform(play())


def test_connections_are_bounded_behind_tls_too(tmp_path: Path) -> None:
    async def play() -> None:
        async with secure(tmp_path, config="bounds: {most_connections: 5}\n") as w:
            held = [await w.connect() for _ in range(12)]
            assert (await w.call("GET", "/crm/things/7")).status == 200
            gone = [
                await asyncio.wait_for(reader.read(), 5) for reader, _ in held[:7]
            ]  # at once: no goodbye is awaited
            assert gone == [b""] * 7
            for _, writer in held:
                writer.close()

    perform(play())


@pytest.mark.parametrize("change", ["authorities", "certificate"])
def test_a_connection_ends_when_those_who_vouch_for_its_caller_change(tmp_path: Path, change: str) -> None:
    async def play() -> None:
        async with secure(tmp_path, "required") as w:
            w.tls = AUTHORITY.client(tmp_path, CLIENTS.sign(use=CLIENT))
            reader, writer = await w.connect()
            request = w.raw("GET", "/crm/things/7").replace(b"Connection: close\r\n", b"")
            writer.write(request)
            assert Reply.parse(await reader.readuntil(b'{"ok":true}')).status == 200
            AUTHORITY.server("another").write(tmp_path)
            if change == "authorities":
                (tmp_path / "clients.pem").write_bytes(STRANGER.own.pem)
            before = await shown(w)
            async with asyncio.timeout(5):
                while await shown(w) == before:
                    await asyncio.sleep(0.02)
            writer.write(request)
            if change == "authorities":
                last = Reply.parse(await reader.read())
                assert (last.status, last.headers["toolwall-refused"]) == (401, "unauthenticated")
            else:
                assert Reply.parse(await reader.readuntil(b'{"ok":true}')).status == 200
                writer.close()
            assert len(w.backend.requests) == (1 if change == "authorities" else 2)

    perform(play())

"""Listening: what is told of who connects, where, and what is left behind at the end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import AsyncExitStack, nullcontext, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.x509 import DNSName, UniformResourceIdentifier

from proxy.listening_settings import Place, TlsSettings
from proxy.model import Certificate, Hail
from proxy.protocols.head import Door
from proxy.transports.http import HttpBounds, HttpDoor, Places
from proxy.transports.listening import listen
from proxy.transports.tls import Tls
from rules.facts import Principal
from tests.certificates import CLIENT, Authority
from tests.wire import Reply, Wall, perform, until_quiet, wall

TOOLS = "  get: {call: 'GET /things/{id}', args: {id: {type: integer}}}"
AUTHORITY, CLIENTS = Authority.new(), Authority.new()
REQUEST = b"GET /crm/things/7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CALLS = b'{"calls": [{"method": "GET", "path": "/crm/things/7"}]}'
BATCH = (
    b"POST /.toolwall/batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(CALLS), CALLS)
)


class Heard:
    """Tells every caller that it is ann, and notes how each introduced itself."""

    def __init__(self) -> None:
        self.hails: list[Hail] = []

    async def __call__(self, hail: Hail) -> Principal:
        self.hails.append(hail)
        return Principal("ann")


def server(w: Wall, heard: Heard) -> web.ServerRunner:
    """Another door of a sidecar, which knows its callers in a way of its own."""
    door = Door("d", frozenset({"localhost"}), {})
    return web.ServerRunner(HttpDoor(w.sidecar.firewall, door, heard, HttpBounds(), Places(None, None, None, None)))  # type: ignore[arg-type]


async def asked(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], raw: bytes) -> Reply:
    reader, writer = connection
    writer.write(raw)
    try:
        return Reply.parse(await until_quiet(reader))
    finally:
        writer.close()


@pytest.mark.parametrize("raw", [REQUEST, BATCH], ids=["rest", "batch"])
def test_who_comes_by_a_unix_socket_is_known_by_its_user(raw: bytes, tmp_path: Path) -> None:
    async def play() -> None:
        heard, place = Heard(), Place(path=str(tmp_path / "s"))
        async with wall(tmp_path, TOOLS) as w, AsyncExitStack() as stack:
            assert await listen(stack, server(w, heard), place, None) == f"unix:{tmp_path}/s"
            assert (await asked(await asyncio.open_unix_connection(place.path), raw)).status == 200
        (hail,) = heard.hails
        assert (hail.peer, hail.uid, hail.certificate) == ("", os.getuid(), None)
        assert not (tmp_path / "s").exists()

    perform(play())


@pytest.mark.parametrize("raw", [REQUEST, BATCH], ids=["rest", "batch"])
def test_who_shows_a_certificate_is_known_by_what_it_says(raw: bytes, tmp_path: Path) -> None:
    async def play() -> None:
        heard = Heard()
        (tmp_path / "ca.pem").write_bytes(CLIENTS.own.pem)
        tls = Tls("d", TlsSettings(*AUTHORITY.server().write(tmp_path), tmp_path / "ca.pem", "optional"))
        names = [DNSName("bot.acme.example"), UniformResourceIdentifier("spiffe://acme.example/bot")]
        pair = CLIENTS.sign("bot, the first", CLIENT, names)
        async with wall(tmp_path, TOOLS) as w, AsyncExitStack() as stack:
            address = await listen(stack, server(w, heard), Place("127.0.0.1"), tls)
            for shown in (pair, None):
                w.tls = AUTHORITY.client(tmp_path, shown)
                connection = await asyncio.open_connection(*address.rsplit(":", 1), ssl=w.tls)
                assert (await asked(connection, raw)).status == 200
        known, nobody = heard.hails
        assert (known.peer, known.uid) == ("127.0.0.1", None)
        assert known.certificate is not None
        assert known.certificate.trusted()
        assert known.certificate._replace(trusted=bool) == Certificate(
            "CN=bot\\, the first",
            ("spiffe://acme.example/bot",),
            sha256(pair.der).hexdigest(),
            pair.certificate.not_valid_after_utc.timestamp(),
            bool,
        )
        assert nobody.certificate is None

    perform(play())


def test_a_unix_socket_may_speak_tls_as_well(tmp_path: Path) -> None:
    async def play() -> None:
        heard, place = Heard(), Place(path=str(tmp_path / "s"))
        tls = Tls("d", TlsSettings(*AUTHORITY.server().write(tmp_path)))
        async with wall(tmp_path, TOOLS) as w, AsyncExitStack() as stack:
            await listen(stack, server(w, heard), place, tls)
            context = AUTHORITY.client(tmp_path)
            connection = await asyncio.open_unix_connection(place.path, ssl=context, server_hostname="localhost")
            assert (await asked(connection, REQUEST)).status == 200
        assert [each.uid for each in heard.hails] == [os.getuid()]

    perform(play())


def test_the_end_breaks_off_handshakes_and_takes_no_more(tmp_path: Path) -> None:
    async def play() -> None:
        tls = Tls("d", TlsSettings(*AUTHORITY.server().write(tmp_path)))
        async with wall(tmp_path, TOOLS) as w:
            stack = AsyncExitStack()
            host, _, port = (await listen(stack, server(w, Heard()), Place("127.0.0.1"), tls)).rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            await asyncio.sleep(0.05)
            await asyncio.wait_for(stack.aclose(), 2)
            assert await asyncio.wait_for(reader.read(), 2) == b""
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, int(port))

    perform(play())


@pytest.mark.parametrize("secure", [False, True])
def test_an_address_that_is_taken_or_not_here(secure: bool, tmp_path: Path) -> None:
    async def refused(w: Wall, place: Place, tls: Tls | None) -> int | None:
        async with AsyncExitStack() as stack:
            with pytest.raises(OSError) as caught:
                await listen(stack, server(w, Heard()), place, tls)
        return caught.value.errno

    async def play() -> None:
        tls = Tls("d", TlsSettings(*AUTHORITY.server().write(tmp_path))) if secure else None
        async with wall(tmp_path, TOOLS) as w:
            assert await refused(w, Place(*w.address), tls) == errno.EADDRINUSE
            assert await refused(w, Place("192.0.2.1", 0), tls) == errno.EADDRNOTAVAIL

    perform(play())


def test_every_address_of_a_name_is_listened_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w, AsyncExitStack() as stack:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            await listen(stack, server(w, Heard()), Place("localhost", port), None)
            loop = asyncio.get_running_loop()
            found = {each[4][0] for each in await loop.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}
            assert found
            for host in found:
                with suppress(OSError) if ":" in host else nullcontext():  # the machine may have no IPv6
                    connection = await asyncio.open_connection(host, port)
                    assert (await asked(connection, REQUEST)).status == 200

    perform(play())

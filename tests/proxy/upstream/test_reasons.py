"""What operators are told of a backend that cannot be reached; agents are told nothing of it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from proxy.upstream.pool import Pool, UpstreamBounds
from proxy.upstream.reasons import reason
from rules.tools import Backend
from rules.urls import Url
from tests.certificates import Authority
from tests.wire import perform, wall

TOOLS = """
  get:
    says: Looks up one.
    call: GET /things
    retry: {attempts: 1}
"""


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def failure(tls: ssl.SSLContext | None) -> BaseException:
    """How a connection by https to a server that speaks with this context fails."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=tls)
    url = Url("https", "127.0.0.1", server.sockets[0].getsockname()[1], "")
    pool = Pool(Backend("b", url, (ip_network("127.0.0.0/8"),)), UpstreamBounds())
    try:
        async with server:
            with pytest.raises(aiohttp.ClientError) as failed:
                await pool.take()
            return failed.value
    finally:
        await pool.close()


def serving(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority.new().server().write(folder, "server"))
    return context


def test_a_certificate_of_an_authority_that_nobody_trusts(tmp_path: Path) -> None:
    async def play() -> None:
        told = reason(await failure(serving(tmp_path)))
        assert told.startswith("ClientConnectorCertificateError: the certificate is not trusted: unable to get")

    perform(play())


def test_a_server_that_does_not_speak_tls() -> None:
    async def play() -> None:
        assert reason(await failure(None)).endswith(": what is there does not speak TLS")

    perform(play())


def test_a_name_that_nobody_knows() -> None:
    key = aiohttp.client_reqrep.ConnectionKey("no.example", 80, False, True, None, None, None)
    error = aiohttp.ClientConnectorDNSError(key, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert reason(error) == "ClientConnectorDNSError: the name cannot be resolved"


@pytest.mark.parametrize("error", [TimeoutError(), aiohttp.ServerDisconnectedError(), ValueError("SECRET")])
def test_of_others_the_class_is_said(error: BaseException) -> None:
    assert reason(error) == type(error).__name__


def test_through_the_socket_a_port_where_nobody_listens(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, port=closed_port()) as w:
            told = await w.tell("GET", "/crm/things")
            assert told.reply.json["code"] == "upstream_unreachable"
            refused = os.strerror(errno.ECONNREFUSED)
            assert told.record["notes"] == [f"ClientConnectorError: {refused}"]
            assert refused not in told.reply.body.decode()

    perform(play())

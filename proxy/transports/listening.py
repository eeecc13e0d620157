"""Listening: sockets, and the way of a connection to the server that answers it, through TLS where there is TLS.

A plain connection is the event loop's own business. Those of TLS and Unix sockets are taken here, one by one: so every
handshake sees the certificate of that moment, and handshakes that lead nowhere are few and short.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, cast

from aiohttp import web

from proxy.listening_settings import Place
from proxy.transports import unixsocket
from proxy.transports.tls import Tls

HANDSHAKE_S = 10.0
"""For the whole handshake: four packets, also over slow lines."""

MOST_HANDSHAKES: Final = 256
"""At once; who comes then takes the place of the one that takes longest. A good one is over in some milliseconds."""

_CLOSE_S = 1.0
"""How long a peer may take to answer the end of TLS."""

_BACKLOG: Final = 1024
_PAUSE_S: Final = 1.0
"""Where the process has no file left for a connection."""

_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A name such as localhost may have addresses that this machine has not."""

_log = logging.getLogger("toolwall")

Factory = Callable[[], asyncio.Protocol]


async def listen(stack: AsyncExitStack, runner: web.ServerRunner, place: Place, tls: Tls | None) -> str:
    """Serve at a place until the stack is closed; what it is called there. Raises OSError where it cannot be bound."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    sockets = [_unix(stack, place)] if place.path else await _tcp(place)
    name = place.name if place.path else _address(sockets[0])
    for own in sockets:
        if tls or place.path:
            stack.callback(own.close)
            stack.push_async_callback(Porter(own, cast("Factory", runner.server), tls).close)
        else:
            await web.SockSite(runner, own, backlog=_BACKLOG).start()
    return name


class Porter:
    """Takes the connections of one socket, and leads each to a server of its own."""

    def __init__(self, own: socket.socket, server: Factory, tls: Tls | None) -> None:
        self._own = own
        self._server = server
        self._tls = tls
        self._coming: dict[asyncio.Task[None], None] = {}
        self._task = asyncio.create_task(self._take())

    async def close(self) -> None:
        """Take no more, and break off what is not through."""
        tasks = [self._task, *self._coming]
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._own)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                _log.error("a listener can take no connection for a moment: %s", error.strerror)
                await asyncio.sleep(_PAUSE_S)
                continue
            if len(self._coming) >= MOST_HANDSHAKES:
                oldest = next(iter(self._coming))
                del self._coming[oldest]
                oldest.cancel()
            task = loop.create_task(self._lead(connection))
            self._coming[task] = None
            task.add_done_callback(lambda done: self._coming.pop(done, None))

    async def _lead(self, connection: socket.socket) -> None:
        loop, tls = asyncio.get_running_loop(), self._tls
        try:
            if tls is None:
                await loop.connect_accepted_socket(self._server, connection)
                return
            await loop.connect_accepted_socket(
                self._server,
                connection,
                ssl=tls.context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=_CLOSE_S,
            )
        except OSError as error:  # what TLS finds wrong is one
            if tls is not None:
                tls.failed(error)


def _unix(stack: AsyncExitStack, place: Place) -> socket.socket:
    path = Path(place.path)
    own = unixsocket.bound(path, place.mode, _BACKLOG)
    stack.callback(unixsocket.remove, path, unixsocket.identity_of(path))
    return own


async def _tcp(place: Place) -> list[socket.socket]:
    """A listening socket for each address of the host that this machine has. Raises OSError where there is none, or one
    is taken."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in dict.fromkeys((each[0], each[4]) for each in found):
        try:
            sockets.append(_bound(family, address))
        except OSError as error:
            missing = error
            if error.errno not in _NOT_HERE:
                break
    if missing is not None and (not sockets or missing.errno not in _NOT_HERE):
        for own in sockets:
            own.close()
        raise missing
    return sockets


def _bound(family: int, address: Any) -> socket.socket:
    own = socket.socket(family, socket.SOCK_STREAM)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind(address)
        own.listen(_BACKLOG)
        own.setblocking(False)
    except BaseException:
        own.close()
        raise
    return own


def _address(own: socket.socket) -> str:
    host, port = own.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

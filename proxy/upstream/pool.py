"""The connections to one backend: dialled by aiohttp, kept here between calls, never more than so many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from proxy.upstream.dialler import Dialler
from rules.tools import Backend


@dataclass(frozen=True, slots=True)
class UpstreamBounds:
    """Seconds and counts. `idle_s` is the longest wait between two pieces of a reply."""

    connect_s: float = 5.0
    idle_s: float = 30.0
    most_connections: int = 100
    keepalive_s: float = 15.0
    most_header_bytes: int = 16 * 1024


class Shape(NamedTuple):
    """How a connection reads: whether replies have bodies, the longest wait for the first byte of a reply, and that
    between two pieces of its body."""

    bodiless: bool
    first_s: float | None
    idle_s: float | None


class Stopped(ConnectionError):
    """The sidecar stops and waits no more."""


class Line:
    """One connection under use. `protocol` is aiohttp's, which parses what comes back. `bound`: what was sent over it
    may have made it somebody's own, so that nobody else may use it."""

    __slots__ = ("_shape", "bound", "connection", "protocol", "since", "transport")

    def __init__(self, connection: Connection) -> None:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        self.connection = connection
        self.protocol: ResponseHandler = protocol
        self.transport: asyncio.Transport = transport
        self.since = 0.0
        self.bound = False
        self._shape: Shape | None = None

    def expect(self, shape: Shape, most_header_bytes: int) -> None:
        """Make the parser ready for a reply; one that is of the right shape is used again."""
        self.protocol.read_timeout = shape.first_s
        if shape != self._shape:
            self.protocol.set_response_params(
                skip_payload=shape.bodiless,
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=shape.first_s,
                max_line_size=most_header_bytes,
                max_field_size=most_header_bytes,
            )
            self._shape = shape

    def follow(self) -> None:
        """From here on the body's silences count, but not those that are our own: then nothing is read."""
        assert self._shape is not None
        self.protocol.read_timeout = self._shape.idle_s
        if not self.protocol._reading_paused:
            self.protocol.start_timeout()

    def cut(self) -> None:
        """Have whoever waits for a reply, or for more of it, find Stopped."""
        payload = self.protocol._payload
        self.protocol.set_exception(Stopped())
        if payload is not None:
            payload.set_exception(Stopped())

    def usable(self) -> bool:
        """Whether it is open, is nobody's own, all of the last request went out, and the backend has said nothing that
        was not asked for. Of a request that was answered before it was read, the rest would stand before the next."""
        is_open = self.protocol.is_connected() and not self.transport.is_closing()
        is_out = not self.transport.get_write_buffer_size()
        return is_open and is_out and not self.bound and not self.protocol.should_close


class Pool:
    """aiohttp's connector dials and checks certificates; what it keeps between calls is kept here, which costs less."""

    def __init__(self, backend: Backend, bounds: UpstreamBounds) -> None:
        self._bounds = bounds
        self._loop = asyncio.get_running_loop()
        self._connector = aiohttp.TCPConnector(resolver=Dialler(backend), limit=0, ttl_dns_cache=10)
        # What the connector asks of a request: where it goes.
        self._place = aiohttp.ClientRequest("GET", URL(str(backend.url)), loop=self._loop)
        self._timeout = aiohttp.ClientTimeout()  # ours is around it, since aiohttp's leaves out the look-up of the name
        self._places = asyncio.Semaphore(bounds.most_connections)
        self._idle: deque[Line] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._taken: set[Line] = set()
        self._stopping = self._closed = False

    async def take(self, within_s: float | None = None) -> Line:
        """A connection, waited for if all are in use. Raises what aiohttp raises, TimeoutError where none can be had
        in `within_s` seconds, or in those of the bounds."""
        line = None if self._places.locked() or self._stopping else self._kept()
        if line is None:
            async with asyncio.timeout(within_s or self._bounds.connect_s):
                return await self._made()
        await self._places.acquire()  # one is free
        self._taken.add(line)
        return line

    async def _made(self) -> Line:
        await self._places.acquire()
        try:
            if self._stopping:
                raise Stopped
            line = self._kept() or Line(await self._connector.connect(self._place, [], self._timeout))
        except BaseException:
            self._places.release()
            raise
        self._taken.add(line)
        return line

    def _kept(self) -> Line | None:
        """One that is kept and can be used; others are closed on the way."""
        while self._idle:
            line = self._idle.pop()
            if line.usable():
                return line
            line.connection.close()
        return None

    def give(self, line: Line) -> None:
        """Have back a connection whose reply was read to its end."""
        if self._closed or not line.usable():
            self.drop(line)
            return
        self._free(line)
        line.since = monotonic()
        self._idle.append(line)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._bounds.keepalive_s, self._sweep)

    def drop(self, line: Line) -> None:
        """Close a connection that was taken."""
        self._free(line)
        line.connection.close()

    def _free(self, line: Line) -> None:
        self._taken.remove(line)
        self._places.release()

    def busy(self) -> bool:
        """Whether a connection is in use."""
        return bool(self._taken)

    def stop(self) -> None:
        """End what is under way, and give no more connections."""
        self._stopping = True
        for line in self._taken:
            line.cut()

    def _sweep(self) -> None:
        """Close what was idle for long. The oldest stand first."""
        oldest = monotonic() - self._bounds.keepalive_s
        while self._idle and self._idle[0].since <= oldest:
            self._idle.popleft().connection.close()
        wait = self._idle[0].since - oldest if self._idle else 0
        self._sweeper = self._loop.call_later(wait, self._sweep) if self._idle else None

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._idle:
            self._idle.popleft().connection.close()
        await self._connector.close()

"""The upstream: a pool of connections per backend, one request per call, foreign errors mapped once, here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

from proxy.body import Body
from proxy.dialler import Dialler, Forbidden
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Outgoing, Result
from proxy.outcomes import lost, not_sent, withheld
from rules.tools import Backend

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MOST_INTERIM = 8
_Exchange = tuple[Connection, RawResponseMessage, aiohttp.StreamReader]


@dataclass(frozen=True, slots=True)
class UpstreamBounds:
    """Seconds and counts. `idle_s` is the longest wait between two pieces of a reply."""

    connect_s: float = 5.0
    idle_s: float = 30.0
    most_connections: int = 100
    keepalive_s: float = 15.0
    most_header_bytes: int = 16 * 1024


class Upstream:
    """The backends, by name."""

    def __init__(self, backends: Mapping[str, Backend], bounds: UpstreamBounds) -> None:
        self._lanes = {name: _Lane(backend, bounds) for name, backend in backends.items()}

    async def send(self, call: Call, entry: Entry) -> Result:
        """Send the call once, exactly as judged. Raises Refusal when no whole head of a reply comes back."""
        lane, outgoing = self._lanes[call.tool.backend], call.outgoing
        attempt = entry.attempt(outgoing.method, lane.url.host, lane.url.port, call.tool.path)
        try:
            connection, message, payload = await lane.exchange(call, attempt.headers(), entry)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError) as error:
            attempt.end(0, type(error).__name__)
            raise _mapped(error, entry) from None
        except BaseException:
            attempt.end(0, "cancelled")
            raise
        attempt.end(message.code)
        entry.record.upstream_status = message.code
        headers = [(name.decode("latin-1"), _text(value)) for name, value in message.raw_headers]
        return Result(message.code, headers, Body(_pieces(payload, entry), _closing(connection, payload)))

    async def close(self) -> None:
        """Close every connection."""
        for lane in self._lanes.values():
            await lane.connector.close()


class _Lane:
    """The way to one backend: aiohttp's pool of connections and its parser of replies, and nothing above them.

    Its session would follow redirects, keep cookies, repeat a request whose connection dropped, and quote paths anew.
    Here the bytes that go out are written as they are, once.
    """

    def __init__(self, backend: Backend, bounds: UpstreamBounds) -> None:
        self.url = backend.url
        self._bounds = bounds
        self._fixed = f"host: {backend.url.authority}\r\naccept-encoding: identity\r\n"
        self.connector = aiohttp.TCPConnector(
            resolver=Dialler(backend),
            limit=bounds.most_connections,
            keepalive_timeout=bounds.keepalive_s,
            ttl_dns_cache=10,
        )
        # What the pool asks of a request: where it goes. `connect` bounds the wait for a place in the pool as well.
        self._place = aiohttp.ClientRequest("GET", URL(str(backend.url)), loop=asyncio.get_running_loop())
        self._timeout = aiohttp.ClientTimeout(connect=bounds.connect_s, sock_connect=bounds.connect_s)

    async def exchange(self, call: Call, tracing: Mapping[str, str], entry: Entry) -> _Exchange:
        """Write one request and read the head of its reply."""
        connection = await self.connector.connect(self._place, [], self._timeout)
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None or transport.is_closing():
                raise aiohttp.ServerDisconnectedError
            self._expect(protocol, call)
            data = _request(f"{self.url.path}{call.outgoing.target}", self._fixed, call.outgoing, tracing)
            # From here on, a failure no longer means "not sent".
            entry.sent = True
            transport.write(data)
            protocol.start_timeout()
            return connection, *await _head(protocol)
        except BaseException:
            connection.close()
            raise

    def _expect(self, protocol: ResponseHandler, call: Call) -> None:
        idle = self._bounds.idle_s
        # A reply that is read whole within a shorter limit needs no timer of its own for each of its pieces.
        bounded = call.tool.reply.redact and call.tool.timeout_s <= idle
        protocol.set_response_params(
            skip_payload=call.outgoing.method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=None if bounded else idle,
            max_line_size=self._bounds.most_header_bytes,
            max_field_size=self._bounds.most_header_bytes,
        )


def _request(target: str, fixed: str, outgoing: Outgoing, tracing: Mapping[str, str]) -> bytes:
    """The request as it goes out. Raises ValueError for what would break its framing, which was refused before."""
    lines = [f"{name}: {value}\r\n" for name, value in (*outgoing.headers, *tracing.items())]
    if outgoing.body or outgoing.method in _WITH_BODY:
        lines.append(f"content-length: {len(outgoing.body)}\r\n")
    head = f"{outgoing.method} {target} HTTP/1.1\r\n{fixed}{''.join(lines)}\r\n"
    if head.count("\n") != len(lines) + 4 or head.count("\r") != len(lines) + 4 or "\0" in head:
        raise ValueError("a header of the request holds a control character")
    return head.encode() + outgoing.body


async def _head(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """The head of the final reply, past a bounded number of interim ones (RFC 9110, 15.2)."""
    for _ in range(_MOST_INTERIM):
        message, payload = await protocol.read()
        if not 100 <= message.code < 200 or message.code == 101:
            return message, payload
    raise aiohttp.ClientPayloadError("too many interim replies")


def _text(value: bytes) -> str:
    """A header's value: UTF-8 as it is sent today, or Latin-1 as it once was (RFC 9110, 5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _pieces(payload: aiohttp.StreamReader, entry: Entry) -> AsyncGenerator[bytes, None]:
    try:
        while piece := await payload.readany():
            entry.record.bytes_in += len(piece)
            yield piece
    except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError) as error:
        raise withheld(entry.record, "The backend's reply broke off.", note=type(error).__name__) from None


def _closing(connection: Connection, payload: aiohttp.StreamReader) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        # A connection whose reply was not read to its end cannot be used again.
        if payload.is_eof():
            connection.release()
        else:
            connection.close()

    return close


def _mapped(error: Exception, entry: Entry) -> Refusal:
    if entry.sent:
        return lost(entry.record, timed_out=isinstance(error, TimeoutError), note=type(error).__name__)
    if isinstance(error, TimeoutError):
        return not_sent("timeout", "No connection to the backend could be made in time.")
    if isinstance(error, Forbidden) or isinstance(error.__cause__, Forbidden):
        return not_sent("upstream_unreachable", "The backend's address is not allowed.", note="address not allowed")
    return not_sent("upstream_unreachable", "The backend could not be reached.", note=type(error).__name__)

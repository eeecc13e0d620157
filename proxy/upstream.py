"""The upstream: a pool of connections per backend, one request per call, foreign errors mapped once, here."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.connector import Connection
from multidict import CIMultiDict, istr
from yarl import URL

from proxy.body import Body
from proxy.dialler import Dialler, Forbidden
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result
from proxy.outcomes import lost, not_sent, withheld
from rules.tools import Backend


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
        self._bounds = bounds
        self._backends = backends
        self._connectors = {name: _connector(backend, bounds) for name, backend in backends.items()}
        # `connect` bounds the wait for a place in the pool as well.
        self._timeout = aiohttp.ClientTimeout(connect=bounds.connect_s, sock_connect=bounds.connect_s)

    async def send(self, call: Call, entry: Entry) -> Result:
        """Send the call once, exactly as judged. Raises Refusal when no whole head of a reply comes back."""
        url = self._backends[call.tool.backend].url
        attempt = entry.attempt(call.outgoing.method, url.host, url.port, call.tool.path)
        headers = CIMultiDict(call.outgoing.headers)
        headers.update(attempt.headers(), host=url.authority)
        headers["accept-encoding"] = "identity"
        try:
            # `encoded`: what was judged goes out byte for byte, and is not quoted anew.
            target = URL(f"{url}{call.outgoing.target}", encoded=True)
            response = await self._exchange(call, target, headers, entry)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            attempt.end(0, type(error).__name__)
            raise _mapped(error, entry) from None
        except BaseException:
            attempt.end(0, "cancelled")
            raise
        attempt.end(response.status)
        entry.record.upstream_status = response.status
        return Result(response.status, _headers(response), Body(_pieces(response, entry), _closing(response)))

    async def _exchange(self, call: Call, url: URL, headers: CIMultiDict[str], entry: Entry) -> aiohttp.ClientResponse:
        """One request and the head of its reply, by aiohttp's parts: its session would repeat, follow and remember."""
        request = aiohttp.ClientRequest(
            call.outgoing.method,
            url,
            headers=headers,
            skip_auto_headers=_NOT_BY_ITSELF,
            data=_payload(call.outgoing.body),
            loop=asyncio.get_running_loop(),
        )
        connection = await self._connectors[call.tool.backend].connect(request, [], self._timeout)
        # From here on, a failure no longer means "not sent".
        entry.sent = True
        try:
            self._prepare(connection, call.outgoing.method)
            response = await request.send(connection)
            await response.start(connection)
        except BaseException:
            connection.close()
            raise
        return response

    def _prepare(self, connection: Connection, method: str) -> None:
        assert connection.protocol is not None
        connection.protocol.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._bounds.idle_s,
            max_line_size=self._bounds.most_header_bytes,
            max_field_size=self._bounds.most_header_bytes,
        )

    async def close(self) -> None:
        """Close every connection."""
        for connector in self._connectors.values():
            await connector.close()


_NOT_BY_ITSELF = frozenset(map(istr, ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")))
_LARGE = 1 << 20


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    """What aiohttp sends. It warns of bytes over 1 MiB, which it would copy at once."""
    return (body or None) if len(body) < _LARGE else io.BytesIO(body)


def _connector(backend: Backend, bounds: UpstreamBounds) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        resolver=Dialler(backend),
        limit=bounds.most_connections,
        keepalive_timeout=bounds.keepalive_s,
        ttl_dns_cache=10,
    )


def _headers(response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), _text(value)) for name, value in response.raw_headers]


def _text(value: bytes) -> str:
    """A header's value: UTF-8 as it is sent today, or Latin-1 as it once was (RFC 9110, 5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _pieces(response: aiohttp.ClientResponse, entry: Entry) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in response.content.iter_any():
            entry.record.bytes_in += len(piece)
            yield piece
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise withheld(entry.record, "The backend's reply broke off.", note=type(error).__name__) from None


def _closing(response: aiohttp.ClientResponse) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        if response.content.is_eof():
            response.release()
        else:
            response.close()

    return close


def _mapped(error: Exception, entry: Entry) -> Refusal:
    if entry.sent:
        return lost(entry.record, timed_out=isinstance(error, TimeoutError), note=type(error).__name__)
    if isinstance(error, TimeoutError):
        return not_sent("timeout", "No connection to the backend could be made in time.")
    if isinstance(error, Forbidden) or isinstance(error.__cause__, Forbidden):
        return not_sent("upstream_unreachable", "The backend's address is not allowed.", note="address not allowed")
    return not_sent("upstream_unreachable", "The backend could not be reached.", note=type(error).__name__)

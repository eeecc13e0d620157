"""The upstream: one long-lived session per backend, one request per call, foreign errors mapped once, here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
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
        self._sessions = {name: _session(backend, bounds) for name, backend in backends.items()}

    async def send(self, call: Call, entry: Entry) -> Result:
        """Send the call once, exactly as judged. Raises Refusal when no whole head of a reply comes back."""
        backend = self._backends[call.tool.backend]
        url = backend.url
        attempt = entry.attempt(call.outgoing.method, url.host, url.port, call.tool.path)
        headers = [*call.outgoing.headers, ("host", url.authority), ("accept-encoding", "identity")]
        headers += attempt.headers().items()
        _sending.set(entry)
        try:
            response = await self._sessions[backend.name].request(
                call.outgoing.method,
                # `encoded`: what was judged goes out byte for byte, and is not quoted anew.
                URL(f"{url}{call.outgoing.target}", encoded=True),
                headers=headers,
                data=call.outgoing.body or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            attempt.end(0, type(error).__name__)
            raise _mapped(error, entry) from None
        except BaseException:
            attempt.end(0, "cancelled")
            raise
        attempt.end(response.status)
        entry.record.upstream_status = response.status
        return Result(response.status, _headers(response), Body(_pieces(response, entry), _closing(response)))

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()


def _session(backend: Backend, bounds: UpstreamBounds) -> aiohttp.ClientSession:
    connector = _Connector(
        resolver=Dialler(backend),
        limit=bounds.most_connections,
        keepalive_timeout=bounds.keepalive_s,
        ttl_dns_cache=10,
        enable_cleanup_closed=False,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        raise_for_status=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=bounds.connect_s, sock_read=bounds.idle_s),
        max_line_size=bounds.most_header_bytes,
        max_field_size=bounds.most_header_bytes,
    )
    # The client repeats GET, PUT and DELETE by itself when a kept connection drops. There is no public switch.
    session._retry_connection = False
    return session


class _Connector(aiohttp.TCPConnector):
    """Tells the call's entry when bytes of the request may leave: from here on, a failure no longer means "not sent"."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _sending.get().sent = True
        return connection


_sending: ContextVar[Entry] = ContextVar("sending")
"""The entry of the call that this task sends."""


def _headers(response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]


async def _pieces(response: aiohttp.ClientResponse, entry: Entry) -> AsyncIterator[bytes]:
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

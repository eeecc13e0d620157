"""The upstream: a pool of connections per backend, one request per call, foreign errors mapped once, here."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Outgoing, Result
from proxy.outcomes import lost, never_sent, not_sent, stopped, withheld
from proxy.telemetry import tracecontext
from proxy.upstream.dialler import Forbidden
from proxy.upstream.pool import Line, Pool, Shape, Stopped, UpstreamBounds
from proxy.upstream.reasons import reason
from rules.tools import Backend

__all__ = ["Upstream", "UpstreamBounds"]

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MOST_INTERIM = 8
_Exchange = tuple[Line, RawResponseMessage, aiohttp.StreamReader]


class Upstream:
    """The backends, by name. `former` is that of the rules before: where a backend stayed, so do its connections."""

    def __init__(self, backends: Mapping[str, Backend], bounds: UpstreamBounds, former: Upstream | None = None) -> None:
        known = {lane.way: lane for lane in former._lanes.values()} if former else {}
        self._lanes: dict[str, _Lane] = {
            name: known.get(_way(backend)) or _Lane(backend, bounds)
            for name, backend in backends.items()
            if not backend.url.is_started
        }
        self._traced = frozenset(name for name, backend in backends.items() if backend.trace)

    async def send(self, call: Call, entry: Entry) -> Result:
        """Send the call once, exactly as judged. Raises Refusal when no whole head of a reply comes back."""
        lane, outgoing = self._lanes.get(call.tool.backend), call.outgoing
        if lane is None:
            raise never_sent("Its server is started by `toolwall mcp`, and can be called there alone.", "url: stdio:")
        template = "" if call.tool.mcp else call.tool.path
        attempt = entry.attempt(outgoing.method, lane.url.host, lane.url.port, template)
        tracing = attempt.headers() if call.tool.backend in self._traced else {}
        if call.tool.mcp:
            outgoing = outgoing._replace(body=tracecontext.inside(outgoing.body, tracing))
            call = call._replace(outgoing=outgoing)
        try:
            line, message, payload = await lane.exchange(call, tracing, entry)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError) as error:
            attempt.end(0, type(error).__name__)
            raise _mapped(error, entry) from None
        except BaseException:
            attempt.end(0, "cancelled")
            raise
        attempt.end(message.code)
        entry.record.upstream_status = message.code
        headers = [(name.decode("latin-1"), _text(value)) for name, value in message.raw_headers]
        return Result(message.code, headers, _body(lane.pool, line, payload, entry))

    @property
    def busy(self) -> bool:
        """Whether a reply is still on its way."""
        return any(lane.pool.busy() for lane in self._lanes.values())

    def stop(self) -> None:
        """End what is under way: what still waits for a backend is told so."""
        for lane in self._lanes.values():
            lane.pool.stop()

    async def close(self, others: Iterable[Upstream] = ()) -> None:
        """Close every connection, but those that are also the others'."""
        kept = {lane for other in others for lane in other._lanes.values()}
        for lane in set(self._lanes.values()) - kept:
            await lane.pool.close()


def _way(backend: Backend) -> tuple[object, ...]:
    """What the connections to a backend depend on."""
    return backend.name, backend.url, backend.addresses


_BINDS: Final = re.compile("ntlm|negotiate", re.IGNORECASE).match
"""Credentials that some servers take for all that comes over the same connection (RFC 4559, 6)."""


class _Lane:
    """The way to one backend: a pool of connections and aiohttp's parser of replies, and nothing above them.

    A client session would follow redirects, keep cookies, repeat a request whose connection dropped, and quote paths
    anew. Here the bytes that go out are written as they are, once.
    """

    def __init__(self, backend: Backend, bounds: UpstreamBounds) -> None:
        self.url = backend.url
        self.way = _way(backend)
        self.pool = Pool(backend, bounds)
        self._bounds = bounds
        self._fixed = f"host: {backend.url.authority}\r\naccept-encoding: identity\r\n"

    async def exchange(self, call: Call, tracing: Mapping[str, str], entry: Entry) -> _Exchange:
        """Write one request and read the head of its reply."""
        line = await self.pool.take(call.tool.waits.connect_s)
        try:
            line.expect(self._shape(call), self._bounds.most_header_bytes)
            line.bound = any(name == "authorization" and _BINDS(value) for name, value in call.outgoing.headers)
            below = "" if call.outgoing.rooted else self.url.path
            data = _request(f"{below}{call.outgoing.target}", self._fixed, call.outgoing, tracing)
            if entry.halted:
                raise not_sent("limit_reached", "The operator has stopped this call.")
            # From here on, a failure no longer means "not sent".
            entry.sent = True
            line.transport.write(data)
            line.protocol.start_timeout()
            message, payload = await final_head(line.protocol)
            if not payload.is_eof():
                line.follow()
            return line, message, payload
        except BaseException:
            self.pool.drop(line)
            raise

    def _shape(self, call: Call) -> Shape:
        tool, idle = call.tool, call.tool.waits.idle_s or self._bounds.idle_s
        # A reply that is read whole within a shorter limit needs no timer of its own for each of its pieces.
        # A server of MCP may be silent for as long as the call may take.
        bounded = tool.mcp or (tool.reply.redact and tool.timeout_s <= idle)
        return Shape(call.outgoing.method == "HEAD", tool.waits.first_byte_s, None if bounded else idle)


def _request(target: str, fixed: str, outgoing: Outgoing, tracing: Mapping[str, str]) -> bytes:
    """The request as it goes out. Raises ValueError for what would break its framing, which was refused before."""
    lines = [f"{name}: {value}\r\n" for name, value in (*outgoing.headers, *tracing.items())]
    # Some APIs refuse who does not say it (RFC 9110, 10.1.5); the agent's own says nothing that was judged.
    if not any(name.lower() == "user-agent" for name, _ in outgoing.headers):
        lines.append("user-agent: toolwall\r\n")
    if outgoing.body or outgoing.method in _WITH_BODY:
        lines.append(f"content-length: {len(outgoing.body)}\r\n")
    head = f"{outgoing.method} {target} HTTP/1.1\r\n{fixed}{''.join(lines)}\r\n"
    if head.count("\n") != len(lines) + 4 or head.count("\r") != len(lines) + 4 or "\0" in head:
        raise ValueError("a header of the request holds a control character")
    return head.encode() + outgoing.body


async def final_head(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
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


def _body(pool: Pool, line: Line, payload: aiohttp.StreamReader, entry: Entry) -> Body:
    if payload.is_eof() and payload.exception() is None:  # it came with its head, as most do
        data = payload.read_nowait()
        entry.record.bytes_in += len(data)
        pool.give(line)
        return Body.of(data)

    async def close() -> None:
        # A connection whose reply was not read to its end cannot be used again.
        if payload.is_eof():
            pool.give(line)
        else:
            pool.drop(line)

    return Body(_pieces(payload, entry), close)


async def _pieces(payload: aiohttp.StreamReader, entry: Entry) -> AsyncGenerator[bytes, None]:
    try:
        while piece := await payload.readany():
            entry.record.bytes_in += len(piece)
            yield piece
    except Stopped:
        raise stopped(entry.record, sent=True) from None
    except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError) as error:
        raise withheld(entry.record, "The backend's reply broke off.", note=type(error).__name__) from None


_FORBIDDEN: Final = "address not allowed: `addresses` of its backend names no network that it lies in"


def _mapped(error: Exception, entry: Entry) -> Refusal:
    if isinstance(error, Stopped):
        return stopped(entry.record, sent=entry.sent)
    if entry.sent:
        return lost(entry.record, timed_out=isinstance(error, TimeoutError), note=type(error).__name__)
    if isinstance(error, TimeoutError):
        return not_sent("timeout", "No connection to the backend could be made in time.")
    if isinstance(error, Forbidden) or isinstance(error.__cause__, Forbidden):
        return never_sent("The backend's address is not allowed.", note=_FORBIDDEN)
    return not_sent("upstream_unreachable", "The backend could not be reached.", note=reason(error))

"""The reverse door: aiohttp's low-level server, from bytes to an Ask and from a Result back to bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from multidict import CIMultiDict
from yarl import URL

from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity import Identify
from proxy.model import Hail, Result
from proxy.protocols import problem
from proxy.protocols.head import Door
from proxy.protocols.rest import RestAsk

_TOO_MANY = "Too many headers received"
"""What aiohttp says of it; there is no type of its own for it."""

_NOWHERE = URL("/")


@dataclass(frozen=True, slots=True)
class HttpBounds:
    """Limits of one listener. Times are in seconds, sizes in bytes.

    `idle_s` is how long a connection may stay open without a whole request head, and how long an agent may read nothing
    of a reply that streams; `body_s` how long a request body may take. The sizes of line and fields are those that
    common servers allow.
    """

    most_connections: int = 1_000
    most_calls: int = 256
    most_line: int = 8 * 1024
    most_field: int = 8 * 1024
    most_headers: int = 100
    idle_s: float = 75.0
    body_s: float = 30.0


@dataclass
class Malformed:
    """A message that is no HTTP request: it was refused before it had a head."""

    listener: str
    refusal: Refusal

    def hail(self) -> Hail:
        raise self.refusal

    def find(self, catalog: Any) -> None:
        raise self.refusal

    async def call(self, *_: Any) -> Any:
        raise self.refusal


class HttpDoor(web.Server):
    """One listener. Every message that comes in by it gets one answer and one Record."""

    def __init__(self, firewall: Firewall, door: Door, identify: Identify, bounds: HttpBounds) -> None:
        super().__init__(
            self._answer,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=bounds.most_line,
            max_field_size=bounds.most_field,
            max_headers=bounds.most_headers,
            keepalive_timeout=bounds.idle_s,
            lingering_time=1.0,
        )
        self._firewall = firewall
        self._door = door
        self._identify = identify
        self._bounds = bounds
        self._calls = 0

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def full(self) -> bool:
        """Whether one more connection would be too many."""
        return len(self._connections) > self._bounds.most_connections

    def _make_request(self, message: RawRequestMessage, *rest: Any) -> web.BaseRequest:
        try:
            return super()._make_request(message, *rest)
        except (ValueError, AttributeError):
            # A URL whose host is no name, or none at all: left alone, the connection would neither answer nor end.
            # The raw target, which is all that we read, tells of it.
            return super()._make_request(message._replace(url=_NOWHERE, path=message.path or ""), *rest)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        ask = RestAsk(
            door=self._door,
            peer=request.remote or "",
            method=request.method,
            raw_target=request.raw_path,
            version=(request.version.major, request.version.minor),
            raw_headers=request.raw_headers,
            read_body=lambda: self._body(request),
        )
        if self._calls >= self._bounds.most_calls:
            return await self._refuse(request, _busy())
        self._calls += 1
        try:
            return await self._handled(request, ask)
        finally:
            self._calls -= 1

    async def _handled(self, request: web.BaseRequest, ask: Any) -> web.StreamResponse:
        try:
            result = await self._firewall.handle(ask, self._identify)
        except Refusal as refusal:
            return _refused(request, refusal)
        return await _sent(request, result, self._bounds.idle_s)

    async def _refuse(self, request: web.BaseRequest, refusal: Refusal) -> web.StreamResponse:
        return await self._handled(request, Malformed(self._door.name, refusal))

    async def malformed(self, request: web.BaseRequest, error: BaseException | None) -> web.StreamResponse:
        """Answer what the parser could not read. The connection ends: nobody knows where the next message begins."""
        if isinstance(error, LineTooLong) or getattr(error, "message", "") == _TOO_MANY:
            refusal = Refusal("too_large", "The head of the request is larger than allowed.")
        else:
            refusal = Refusal("bad_request", "The message is not well-formed HTTP/1.1.")
        response = await self._refuse(request, refusal)
        response.force_close()
        return response

    async def _body(self, request: web.BaseRequest) -> bytes:
        if not request.can_read_body:
            return b""
        most = self._door.most_body
        if (request.content_length or 0) > most:
            raise _too_large(most)
        if "Expect" in request.headers:
            await request._payload_writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(self._bounds.body_s):
                return await _read(request, most)
        except TimeoutError:
            raise Refusal("bad_request", "The body did not arrive in time.", suggestion="Send it at once.") from None
        except (HttpProcessingError, web.RequestPayloadError):
            raise Refusal("bad_request", "The body is not framed as its head says.") from None


class _Connection(RequestHandler):
    """aiohttp's connection, with refusals of ours where its parser gives up."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(self._manager, HttpDoor)
        if self._manager.full():
            self.force_close()

    def _make_error_handler(self, err_info: _ErrInfo) -> Any:
        manager = self._manager
        assert isinstance(manager, HttpDoor)

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            return await manager.malformed(request, err_info.exc)

        return handler


async def _read(request: web.BaseRequest, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(most: int) -> Refusal:
    return Refusal("too_large", f"The body is larger than {most} bytes.", suggestion="Send less at once.")


def _busy() -> Refusal:
    return Refusal(
        "limit_reached",
        "The sidecar has too many calls under way.",
        suggestion="Wait, then repeat the call; make fewer calls at once.",
        retry_after=1,
    )


def _refused(request: web.BaseRequest, refusal: Refusal) -> web.StreamResponse:
    status, headers, body = problem.reply(refusal, refusal.call_id, refusal.tool)
    response = web.Response(status=status, headers=CIMultiDict(headers), body=body)
    response.headers["Server"] = "toolwall"
    if refusal.code in ("bad_request", "too_large", "limit_reached"):
        # What follows on the connection may be the rest of what was refused, perhaps before its head was checked.
        response.force_close()
    return response


async def _sent(request: web.BaseRequest, result: Result, idle_s: float) -> web.StreamResponse:
    headers = CIMultiDict([("Server", "toolwall"), ("Cache-Control", "private, no-store"), *result.headers])
    if result.body.whole is not None:
        return web.Response(status=result.status, headers=headers, body=result.body.whole)
    response = web.StreamResponse(status=result.status, headers=headers)
    async with result.body as body:
        await response.prepare(request)
        try:
            async for piece in body:
                async with asyncio.timeout(idle_s):
                    await response.write(piece)
        except (Refusal, TimeoutError):
            # The head is out, so the only way to say "this is not whole" is to break the framing. An agent that reads
            # nothing must not hold a place among the calls under way.
            if request.transport is not None:
                request.transport.abort()
    return response

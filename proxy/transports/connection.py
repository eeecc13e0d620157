"""One connection of an agent: aiohttp's parser of messages, an answer of ours to each."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion11
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from proxy.errors import Refusal
from proxy.model import Hail, Peer, Result
from proxy.protocols import problem
from proxy.protocols.batch import BatchAsk
from proxy.protocols.listing import ListingAsk
from proxy.protocols.mcp import McpAsk
from proxy.protocols.mcpown import OwnAsk
from proxy.protocols.remainder import RemainderAsk
from proxy.protocols.rest import Greetings, RestAsk
from proxy.protocols.undo import UndoAsk
from proxy.replies.replyheaders import content_type
from proxy.routes import BATCH, MCP, OURS, REST, TOOLS, UNDO, Route
from proxy.transports.framing import chunk, chunks, connection, last_chunk
from proxy.transports.heartbeat import Heartbeat
from proxy.transports.peer import peer_of
from proxy.transports.reply import bodiless, head, length
from proxy.transports.telling import Telling
from redaction.mediatypes import EVENTS

if TYPE_CHECKING:
    from proxy.transports.http import HttpDoor

_log = logging.getLogger("toolwall")
_TOO_MANY = "Too many headers received"
"""What aiohttp says of it; there is no type of its own for it."""

_LINGER_S = 1.0
"""How long the rest of a body that nobody wants is read, so that its sender sees the answer."""

_ENDING = frozenset({"bad_request", "too_large"})
"""After these, what follows may be the rest of what was refused, perhaps before its head was checked."""

_KINDS: dict[Route, type[RestAsk]] = {
    TOOLS: ListingAsk,
    BATCH: BatchAsk,
    UNDO: UndoAsk,
    REST: RemainderAsk,
    MCP: OwnAsk,
}

_JOINED_BYTES = 64 * 1024
"""A body up to this size is copied behind its head, so that both leave in one packet."""


@dataclass
class Malformed:
    """A message that is refused before anybody looks at its head, mostly because it is no HTTP request."""

    listener: str
    refusal: Refusal

    def hail(self) -> Hail:
        raise self.refusal

    async def find(self, catalog: Any) -> None:
        raise self.refusal

    async def call(self, *_: Any) -> Any:
        raise self.refusal


class Connection(RequestHandler):
    """aiohttp's connection, its parser, its queue of messages and its shutdown, with a way of ours to the answer.

    Its own way makes a task, a request and a response of each message, which costs more than the rules do.
    """

    __slots__ = ("_certificate", "_greetings", "_server")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server = cast("HttpDoor", self._manager)
        peer = peer_of(transport)
        self._greetings = Greetings(self._server.door, peer or Peer())
        self._certificate = peer.certificate if peer else None
        super().connection_made(transport)
        self._server.waiting.came(self)
        if peer is None or not self._server.make_room():
            self.give_way()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._server.waiting.speaks(self)
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Close at once, without the goodbye of TLS: it would keep the place until the other end says its own."""
        transport = self.transport
        self.force_close()
        if transport is not None and transport.get_extra_info("ssl_object") is not None:
            transport.abort()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp calls it so
        """Let the call under way end within the time, then end it. aiohttp's own may take twice as long."""
        self._force_close = True
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        if self._request_in_progress:
            self._handler_waiter = self._loop.create_future()
            await asyncio.wait([self._handler_waiter], timeout=timeout)
        if self._task_handler is not None and not self._task_handler.done():
            self._task_handler.cancel()
            await asyncio.wait([self._task_handler], timeout=_LINGER_S)
        self.force_close()

    async def start(self) -> None:
        """Answer one message after the other, until the connection ends."""
        while not self._force_close:
            message, payload = await self._next()
            self._server.waiting.speaks(self)
            self._request_in_progress = True
            try:
                keep = await self._serve(message, payload)
            except ConnectionError:  # the agent left
                keep = False
            except Exception as error:
                _log.error("a connection of %s ended by a fault: %s", self._server.door.name, type(error).__name__)
                keep = False
            except BaseException:
                self.force_close()
                raise
            finally:
                self._request_in_progress = False
                if self._handler_waiter is not None and not self._handler_waiter.done():
                    self._handler_waiter.set_result(None)
            if not keep or self._close:
                break
            self._wait_for_more()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _next(self) -> tuple[RawRequestMessage | _ErrInfo, StreamReader]:
        if not self._messages:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        return message, payload

    def _wait_for_more(self) -> None:
        if self.transport is not None:  # an agent that hung up meanwhile waits for nothing
            self._server.waiting.rests(self)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    async def _serve(self, message: RawRequestMessage | _ErrInfo, payload: StreamReader) -> bool:
        """Answer one message. Whether the connection may carry another."""
        if isinstance(message, _ErrInfo):
            ask: Any = Malformed(self._server.door.name, _malformed(message.exc))
            method, keep, version = "", False, HttpVersion11
        elif self._certificate is not None and not self._certificate.holds(time()):
            ask = Malformed(self._server.door.name, _over())
            method, keep, version = message.method, False, message.version
        elif self._server.admission.take() or await self._server.admission.wait():
            method, keep, version = message.method, not message.should_close, message.version
            # The parser leaves None where CONNECT names nothing.
            ask = self._kind_of(message)(
                greetings=self._greetings,
                method=method,
                raw_target=message.path or "",
                version=version,
                raw_headers=message.raw_headers,
                read_body=partial(self._body, message, payload),
            )
        else:
            return await self._shed(message)
        telling = None
        if isinstance(ask, McpAsk) and not isinstance(message, _ErrInfo):
            telling = Telling(self, version, keep, trailers=_takes_trailers(message))
        try:
            result = await self._server.answer(ask, telling)
        except Refusal as refusal:
            status, headers, body = self._server.said(refusal, ask)
            keep = keep and refusal.code not in _ENDING and not self._close
            await self._send(method, status, headers, body, connection(version, keep))
        else:
            keep = keep and not self._close
            if telling and telling.begun:  # all of it was said
                keep = keep and telling.keep
            elif result.body.whole is not None:
                whole = result.body.whole
                await self._send(method, result.status, result.headers, whole, connection(version, keep))
            else:
                keep = await self._stream(message, result, version, keep)
        # The parser stops at the head of an upgrade, and every upgrade was refused.
        return keep and not self._upgraded and (payload.is_eof() or await self._drained(payload))

    def _kind_of(self, message: RawRequestMessage) -> type[RestAsk]:
        """What a request is by its target: a call, unless it is for a place of our own or for an MCP server."""
        target = message.path or ""
        if target.startswith(OURS):
            return next((kind for route, kind in _KINDS.items() if route.means(target)), RestAsk)
        return self._server.kind_of(target, message.headers.get("Host", ""))

    async def _shed(self, message: RawRequestMessage) -> bool:
        """Refuse a message unread. Nobody looked at its head, so what follows may be the rest of it."""
        keep = not (message.should_close or _has_body(message) or self._upgraded or self._close)
        status, headers, body = self._server.said(self._server.shedding.refusal())
        await self._send(message.method, status, headers, body, connection(message.version, keep))
        return keep

    async def _send(self, method: str, status: int, headers: Any, body: bytes, connection: str) -> None:
        transport = self.transport
        if transport is None:
            return
        first = head(status, headers, length(method, status, len(body)) + connection, int(time()))
        if bodiless(method, status):
            transport.write(first)
        elif len(body) <= _JOINED_BYTES:
            transport.write(first + body)
        else:
            transport.writelines((first, body))
        try:
            await self.patiently()
        except TimeoutError:
            self.abort()

    async def _stream(self, message: Any, result: Result, version: tuple[int, ...], keep: bool) -> bool:
        """Send a body piece by piece. Whether the connection may carry another message."""
        chunked = version >= (1, 1)
        keep = keep and chunked
        flow = result.body.flow
        told = flow if flow and chunked and _takes_trailers(message) else None
        framing = ("Trailer: Toolwall-Redacted, Toolwall-Unchecked\r\n" if told else "") + chunks(chunked)
        async with result.body as body:
            self._put(head(result.status, result.headers, framing + connection(version, keep), int(time())))
            beats = Heartbeat(partial(self.beat, chunked), self._server.bounds.beat_s) if _is_events(result) else None
            try:
                async for piece in body:
                    if beats:
                        piece = beats.said(piece)
                    if piece:
                        self._put(chunk(piece) if chunked else piece)
                        await self.patiently()
                self._put(last_chunk(told.trailers() if told else []) if chunked else b"")
            except Refusal as refusal:
                return self._break_off(refusal, flow.ending if flow else "", chunked) and keep
            except TimeoutError:
                self.abort()
                return False
            finally:
                if beats:
                    beats.stop()
        return keep

    def beat(self, chunked: bool, comment: bytes) -> None:
        if self.transport is not None and not self._paused:  # who does not read needs no sign of life
            self.transport.write(chunk(comment) if chunked else comment)

    def _break_off(self, refusal: Refusal, form: str, chunked: bool) -> bool:
        """End a reply whose head is out by a refusal. Whether it could be said."""
        if not form:
            # The only way to say "this is not whole" is to break the framing.
            self.abort()
            return False
        last = problem.ending(self._server.said(refusal)[2], form)
        self._put(chunk(last) + last_chunk([]) if chunked else last)
        return True

    def _put(self, data: bytes) -> None:
        if self.transport is None:
            raise ConnectionResetError
        self.transport.write(data)

    async def patiently(self) -> None:
        """Wait until the agent has read enough. One that reads nothing must not hold a place among the calls."""
        if self._paused:
            async with asyncio.timeout(self._server.bounds.idle_s):
                await self._drain_helper()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def _drained(self, payload: StreamReader) -> bool:
        """Read the rest of a body that nobody wants, for a while. Whether it ended."""
        try:
            async with asyncio.timeout(_LINGER_S):
                while not payload.is_eof():
                    await payload.readany()
        except (TimeoutError, HttpProcessingError, web.RequestPayloadError):
            return False
        return True

    async def _body(self, message: RawRequestMessage, payload: StreamReader) -> bytes:
        if payload.at_eof():
            return b""
        most = self._server.door.most_body
        if int(message.headers.get("Content-Length", 0)) > most:
            raise _too_large(most)
        if "Expect" in message.headers and message.version >= (1, 1):  # 1.0 has no interim replies (RFC 9110, 15.2)
            self._put(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(self._server.bounds.body_s):
                return await _read(payload, most)
        except TimeoutError:
            raise Refusal("bad_request", "The body did not arrive in time.", suggestion="Send it at once.") from None
        except (HttpProcessingError, web.RequestPayloadError):
            raise Refusal("bad_request", "The body is not framed as its head says.") from None


def _over() -> Refusal:
    return Refusal(
        "unauthenticated",
        "The certificate with which this connection began does not count any more.",
        suggestion="Connect again, with the certificate that is valid now.",
    )


def _has_body(message: RawRequestMessage) -> bool:
    return "Content-Length" in message.headers or "Transfer-Encoding" in message.headers


def _takes_trailers(message: RawRequestMessage) -> bool:
    return "trailers" in message.headers.get("TE", "").lower()


def _is_events(result: Result) -> bool:
    return content_type(result.headers)[0] == EVENTS


def _malformed(error: BaseException | None) -> Refusal:
    if isinstance(error, LineTooLong) or getattr(error, "message", "") == _TOO_MANY:
        return Refusal("too_large", "The head of the request is larger than allowed.")
    return Refusal("bad_request", "The message is not well-formed HTTP/1.1.")


async def _read(payload: StreamReader, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in payload.iter_any():
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(most: int) -> Refusal:
    return Refusal("too_large", f"The body is larger than {most} bytes.", suggestion="Send less at once.")

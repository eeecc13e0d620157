"""MCP at the door: a message is answered by one JSON text, or by events where there is more to say or it takes long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from proxy.body import Body, Flow
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.identity import Identify
from proxy.mcp.entry import McpEntry
from proxy.mcp.events import written
from proxy.mcp.heard import NOT_YET
from proxy.mcp.servers import Servers
from proxy.model import Result
from proxy.protocols import jsonrpc, mcpsaid
from proxy.protocols.head import Door, host_name
from proxy.protocols.mcp import McpAsk
from proxy.record import Record, new_id
from redaction.streams import EVENTS
from rules.tools import Catalog

if TYPE_CHECKING:
    from proxy.transports.http import HttpDoor

MOST_TOLD: Final = 64
"""Messages that wait for a client to read them; then the server waits."""

_OF_RPC: Final = frozenset({200, 400, 404, NOT_YET, 500})
"""What an answer of JSON-RPC counts as; every other status is one of HTTP."""

_OF_THE_HEAD: Final = range(-32029, -32019)
_PATHS: Final = ("/mcp", "/mcp/")
_BEGINS: Final = "initialize"
"""Its answer is a head as well, so nothing may go before it."""

_HEAD: Final = (("Content-Type", EVENTS), ("X-Accel-Buffering", "no"))


class Told:
    """The way to the client while its answer is not there yet: what is told waits here to be sent."""

    def __init__(self, ask: McpAsk) -> None:
        self.begun = asyncio.get_running_loop().create_future()
        """Done with the first message."""
        self.record: Record | None = None
        """Of the call, where it has one already."""
        self.news = asyncio.Event()
        self._ask = ask
        self._waiting: list[bytes] = []
        self._room = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the client takes anything but its answer."""
        return self._ask.takes_events and self._ask.message.method != _BEGINS

    async def tell(self, message: bytes) -> None:
        """Have one message sent."""
        if not self.is_open:
            return
        while len(self._waiting) >= MOST_TOLD:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(message)
        self.news.set()
        if not self.begun.done():
            self.begun.set_result(None)

    def take(self) -> list[bytes]:
        """What is to be sent now."""
        taken, self._waiting = self._waiting, []
        self.news.clear()
        self._room.set()
        return taken


Handled = Callable[[Told], Coroutine[Any, Any, Result]]
"""Gives the whole answer to one message, and tells before what there is to tell."""


class Exchange:
    """One message of a client, until its answer is sent. The call is a task of its own: it goes on while what it tells
    is sent, and ends when the client hangs up."""

    def __init__(self, door: HttpDoor, ask: McpAsk, handled: Handled) -> None:
        self._door = door
        self._ask = ask
        self._told = Told(ask)
        self._handled = handled

    async def answer(self) -> Result:
        """The answer, which may begin before the call is over. Raises Refusal."""
        call = asyncio.create_task(self._handled(self._told))
        self._door.admission.calls += 1
        call.add_done_callback(lambda _: self._left())
        try:
            await asyncio.wait(
                {call, self._told.begun}, timeout=self._door.bounds.beat_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not (call.done() or self._told.begun.done()) and not self._is_patient:
                await asyncio.wait({call})
        except BaseException:
            await _ended(call)
            raise
        if call.done() and not self._told.begun.done():
            return call.result()
        body = Body(self._events(call), partial(_ended, call))
        body.flow = Flow("event", self._trailers)
        record = self._told.record
        return Result(200, [*_HEAD, *([("Toolwall-Call", record.call)] if record else [])], body)

    def _trailers(self) -> list[tuple[str, str]]:
        found = self._told.record.redactions if self._told.record else {}
        return [("Toolwall-Redacted", ", ".join(f"{kind}={count}" for kind, count in found.items()))] if found else []

    def _left(self) -> None:
        self._door.admission.calls -= 1

    @property
    def _is_patient(self) -> bool:
        """Whether the client can be told that its answer takes a while."""
        return self._ask.message.kind == "request" and self._told.is_open

    async def _events(self, call: asyncio.Task[Result]) -> AsyncGenerator[bytes, None]:
        """What is told, and behind it the answer, whose Record is written by then."""
        while True:
            over = call.done()
            for message in self._told.take():
                yield written(message)
            if over:
                break
            await self._news(call)
        try:
            result = call.result()
        except Refusal as no:
            yield written(mcpsaid.response(no, self._ask.message, self._ask.modern, self._door.clean))
            return
        async with result.body as body:
            if body.whole is not None:
                yield written(body.whole)
                return
            async for piece in body:
                yield piece

    async def _news(self, call: asyncio.Task[Result]) -> None:
        news = asyncio.create_task(self._told.news.wait())
        try:
            await asyncio.wait({call, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()


async def forwarded(door: HttpDoor, servers: Servers, ask: McpAsk, identify: Identify, told: Told) -> Result:
    """The answer of an MCP server. Raises Refusal."""
    made: list[McpEntry] = []

    def opened(listener: str) -> Entry:
        told.record = record = Record(call=new_id(), started_ns=time_ns(), door=listener)
        made.append(McpEntry(door.firewall.entries, record, ask, told, servers.sessions, door.firewall.regime.rules))
        return made[-1]

    result = await door.firewall.handle(ask, identify, opened)
    if made and made[-1].began:
        result.headers.append(("Mcp-Session-Id", made[-1].began))
    if result.body.whole is not None:
        _put_around(ask, result, made[-1].http if made else 0)
    return result


def _put_around(ask: McpAsk, result: Result, http: int) -> None:
    """Make the message of an answer, and its status that of HTTP: the server's own, where it refused so."""
    body = result.body.whole or b""
    if not body:
        return
    if result.status in _OF_RPC:
        result.status = http if http >= 400 else _status(ask, body)
    result.body = Body.of(jsonrpc.reply(ask.message.id, body))


def _status(ask: McpAsk, body: bytes) -> int:
    """In the era with sessions every answer is a good one of HTTP."""
    if not ask.modern or not body.startswith(b'{"error"'):
        return 200
    code = json.loads(body)["error"].get("code")
    return 404 if code == jsonrpc.NO_METHOD else 400 if code in _OF_THE_HEAD else 200


async def _ended(call: asyncio.Task[Result]) -> None:
    """End a call whose client left; its Record says so."""
    if not call.done():
        call.cancel()
        await asyncio.wait({call})
    if not call.cancelled() and call.exception() is None:
        await call.result().body.close()


def is_meant(door: Door, catalog: Catalog, raw_target: str, host: str) -> bool:
    """Whether a request is for the endpoint of an MCP server."""
    path = raw_target.partition("?")[0]
    backend = door.hosts.get(host_name(host)) if door.hosts else None
    if backend is None:
        backend, slash, rest = path[1:].partition("/")
        path = slash + rest
    found = catalog.backends.get(backend) if path in _PATHS else None
    return found is not None and found.mcp is not None

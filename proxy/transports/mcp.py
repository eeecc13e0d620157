"""MCP at the door: a message is answered by one JSON text, or by events where there is more to say or it takes long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.identity.identity import Identify
from proxy.mcp.entry import McpEntry
from proxy.mcp.events import written
from proxy.mcp.heard import NOT_YET
from proxy.mcp.metadata import MetadataEntry
from proxy.mcp.servers import Servers
from proxy.model import Result
from proxy.protocols import jsonrpc, mcpsaid, problem
from proxy.protocols.head import Door
from proxy.protocols.mcp import McpAsk
from proxy.protocols.mcpmetadata import PATHS, MetadataAsk, sought
from proxy.protocols.rest import RestAsk
from proxy.record import Record, new_id
from proxy.transports.telling import Telling
from redaction.mediatypes import EVENTS
from rules.tools import Catalog

if TYPE_CHECKING:
    from proxy.transports.http import HttpDoor

_OF_RPC: Final = frozenset({200, 400, 404, NOT_YET, 500})
"""What an answer of JSON-RPC counts as; every other status is one of HTTP."""

_OF_THE_HEAD: Final = range(-32029, -32019)
_BEGINS: Final = "initialize"
"""Its answer is a head as well, so nothing may go before it."""

_HEAD: Final = (("Content-Type", EVENTS), ("X-Accel-Buffering", "no"))


class Exchange:
    """One message of a client, until its answer is sent. What is told before it begins the reply."""

    record: Record | None = None
    """Of the call, where it has one already."""
    streamed = False

    def __init__(self, door: HttpDoor, ask: McpAsk, telling: Telling) -> None:
        self._door = door
        self._ask = ask
        self._telling = telling

    @property
    def is_open(self) -> bool:
        """Whether the client takes anything but its answer."""
        return self._ask.takes_events and self._ask.message.method != _BEGINS

    async def tell(self, message: bytes) -> None:
        """Send one message at once."""
        if not self.is_open:
            return
        if not self._telling.begun:
            self._begin()
        await self._telling.say(written(message))

    async def answer(self, handled: Handled) -> Result:
        """The answer; where the reply has begun it is sent. Raises Refusal."""
        late = asyncio.get_running_loop().call_later(self._door.bounds.beat_s, self._late)
        self._door.admission.calls += 1
        try:
            result = await handled(self)
            if not self._telling.begun:
                return self._framed(result)
            await self._end(result)
            return result
        except Refusal as no:
            if not self._telling.begun:
                raise
            result = Result(200, [], Body.of(self._refused(no)))
            await self._end(result)
            return result
        finally:
            late.cancel()
            self._telling.stop()
            self._door.admission.calls -= 1

    def _refused(self, no: Refusal) -> bytes:
        return mcpsaid.response(no, self._ask.message, self._ask.modern, self._door.clean)

    def _late(self) -> None:
        """The call takes long: a client that can be told so is told."""
        if self._is_patient and not self._telling.begun:
            self._begin()

    @property
    def _is_patient(self) -> bool:
        return self._ask.message.kind == "request" and self.is_open

    def _framed(self, result: Result) -> Result:
        """An answer as one event where the server gave it as such, for clients may have a use for what that is."""
        body = result.body.whole
        if body and self.streamed and self._is_patient and result.status == 200:
            others = [pair for pair in result.headers if pair[0].lower() != "content-type"]
            result.headers, result.body = [*_HEAD, *others], Body.of(written(body))
        return result

    def _begin(self) -> None:
        headers = (*_HEAD, *([("Toolwall-Call", self.record.call)] if self.record else []))
        self._telling.begin(headers, self._door.bounds.beat_s)

    async def _end(self, result: Result) -> None:
        async with result.body as body:
            if body.whole is not None:
                await self._telling.say(written(body.whole))
            else:
                await self._rest(body)
        found = self.record.redactions if self.record else {}
        said = ", ".join(f"{kind}={count}" for kind, count in found.items())
        self._telling.end([("Toolwall-Redacted", said)] if said else [])

    async def _rest(self, body: Body) -> None:
        """A stream, whose head came late."""
        try:
            async for piece in body:
                await self._telling.say(piece)
        except Refusal as no:
            await self._telling.say(problem.ending(self._door.said(no)[2], "event"))


Handled = Callable[[Exchange], Coroutine[Any, Any, Result]]
"""Gives the whole answer to one message, and tells before what there is to tell."""


async def forwarded(door: HttpDoor, servers: Servers, ask: McpAsk, identify: Identify, told: Exchange) -> Result:
    """The answer of an MCP server. Raises Refusal."""
    made: list[McpEntry] = []

    def opened(listener: str) -> Entry:
        told.record = record = Record(call=new_id(), started_ns=time_ns(), door=listener)
        rules = door.firewall.regime.rules
        made.append(McpEntry(door.firewall.entries, record, ask, told, servers, rules, identify))
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


async def metadata(door: HttpDoor, ask: MetadataAsk, identify: Identify) -> Result:
    """Where one signs in at an MCP server. Raises Refusal."""

    def opened(listener: str) -> Entry:
        record = Record(call=new_id(), started_ns=time_ns(), door=listener)
        return MetadataEntry(door.firewall.entries, record, ask)

    return await door.firewall.handle(ask, identify, opened)


def kind_of(door: Door, catalog: Catalog, raw_target: str, host: str) -> type[RestAsk]:
    """What a request is by its target: a message to an MCP server, a question how to sign in there, or a call of an
    API."""
    path = raw_target.partition("?")[0]
    backend, _, below = door.sought(host, path)
    if below in PATHS:
        return McpAsk if _is_mcp(catalog, backend) else RestAsk
    found = sought(door, host, path)
    return MetadataAsk if found and _is_mcp(catalog, found.backend) else RestAsk


def _is_mcp(catalog: Catalog, backend: str) -> bool:
    found = catalog.backends.get(backend)
    return found is not None and found.mcp is not None

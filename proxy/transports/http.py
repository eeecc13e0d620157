"""The reverse door: aiohttp's parser and connections, from bytes to an Ask and from a Result back to bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.effects.unwinding import ByRequest
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify
from proxy.listing import Listings
from proxy.mcp.own import Own
from proxy.mcp.servers import Servers
from proxy.model import Result
from proxy.protocols import mcpsaid, problem
from proxy.protocols.batch import BatchAsk
from proxy.protocols.head import Door
from proxy.protocols.listing import ListingAsk
from proxy.protocols.mcp import McpAsk
from proxy.protocols.mcpmetadata import MetadataAsk
from proxy.protocols.mcpown import OwnAsk
from proxy.protocols.remainder import RemainderAsk
from proxy.protocols.rest import RestAsk
from proxy.protocols.undo import UndoAsk
from proxy.replies.fetching import Fetching
from proxy.shedding import Shedding
from proxy.transports import batching, mcp
from proxy.transports.admission import Admission
from proxy.transports.connection import Connection
from proxy.transports.telling import Telling
from proxy.transports.waiting import Waiting


@dataclass(frozen=True, slots=True)
class HttpBounds:
    """Limits of one listener. Times are in seconds, sizes in bytes.

    `idle_s` is how long a connection may stay open without a whole request head, and how long an agent may read nothing
    of a reply; `body_s` how long a request body may take, `beat_s` how long an event stream may be silent. The sizes of
    line and fields are those that common servers allow. A batch has `most_batch` calls, of which `batch_at_once` are
    under way, and `most_batch_reply` bytes of answers.
    """

    most_connections: int = 1_000
    most_calls: int = 256
    most_line: int = 8 * 1024
    most_field: int = 8 * 1024
    most_headers: int = 100
    most_batch: int = 100
    batch_at_once: int = 10
    most_batch_reply: int = 8 << 20
    idle_s: float = 75.0
    body_s: float = 30.0
    beat_s: float = 15.0


class Places(NamedTuple):
    """What lies under our own paths beside the tools."""

    rest: Fetching
    undo: ByRequest
    servers: Servers
    own: Own


class HttpDoor(web.Server):
    """One listener. Every message that comes in by it gets one answer and one Record."""

    def __init__(self, firewall: Firewall, door: Door, identify: Identify, bounds: HttpBounds, places: Places) -> None:
        super().__init__(
            _unused,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=bounds.most_line,
            max_field_size=bounds.most_field,
            max_headers=bounds.most_headers,
            keepalive_timeout=bounds.idle_s,
        )
        self.door = door
        self.bounds = bounds
        self.firewall = firewall
        self._identify = identify
        self._listings = Listings()
        self._places = places
        self.admission = Admission(bounds.most_calls)
        self.shedding = Shedding(firewall.entries, door.name)
        self.waiting = Waiting()

    def said(self, refusal: Refusal, ask: Any = None) -> tuple[int, list[tuple[str, str]], bytes]:
        """The answer that says no, in the words of what was asked. A contract's example may hold a known secret; the
        answer does not."""
        if isinstance(ask, McpAsk):
            said = mcpsaid.reply(refusal, ask.message, ask.id, ask.revision, ask.modern, self.clean)
        else:
            said = problem.reply(refusal, refusal.call_id, refusal.tool)
        status, headers, body = said
        if known := self.firewall.entries.known:
            headers = [(name, known.text(value)) for name, value in headers]
        return status, headers, body if isinstance(ask, McpAsk) else self.clean(body)

    def clean(self, said: bytes) -> bytes:
        """What is said of a refusal, without known secrets."""
        known = self.firewall.entries.known
        return known.clean(said, problem.MEDIA_TYPE, None).value if known else said

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    def kind_of(self, raw_target: str, host: str) -> type[RestAsk]:
        """What a request is by its target, where that is none of our own."""
        if "/mcp" not in raw_target:
            return RestAsk
        return mcp.kind_of(self.door, self.firewall.regime.rules.catalog, raw_target, host)

    def make_room(self) -> bool:
        """Whether there is room for one more connection. One that only waits is closed for it if there has to be."""
        return len(self._connections) <= self.bounds.most_connections or self.waiting.close_oldest()

    async def answer(self, ask: Any, telling: Telling | None = None) -> Result:
        """The answer to one request, of which what was told by then is a part. Raises Refusal."""
        if isinstance(ask, OwnAsk) and telling:
            own = partial(self._places.own.answer, self.firewall, ask, self._identify)
            return await mcp.Exchange(self, ask, telling).answer(own)
        if isinstance(ask, McpAsk) and telling:
            there = partial(mcp.forwarded, self, self._places.servers, ask, self._identify)
            return await mcp.Exchange(self, ask, telling).answer(there)
        self.admission.calls += 1
        try:
            if isinstance(ask, ListingAsk):
                return await self._listings.answer(self.firewall, ask, self._identify)
            if isinstance(ask, RemainderAsk):
                return await self._places.rest.answer(self.firewall, ask, self._identify)
            if isinstance(ask, UndoAsk):
                return await self._places.undo.answer(self.firewall, ask, self._identify)
            if isinstance(ask, MetadataAsk):
                return await mcp.metadata(self, ask, self._identify)
            if isinstance(ask, BatchAsk):
                return await batching.answer(self, self.firewall, ask, self._identify)
            return await self.firewall.handle(ask, self._identify)
        finally:
            self.admission.calls -= 1


async def _unused(_: web.BaseRequest) -> web.StreamResponse:
    raise NotImplementedError("connections of this door do not make requests")

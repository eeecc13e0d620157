"""The door of `toolwall mcp`: each line of standard input is a message, and each line of standard output one too."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from time import time_ns
from typing import Any, Final

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify
from proxy.mcp.entry import McpEntry
from proxy.mcp.events import Events, TooLarge
from proxy.mcp.lines import Line, Lines
from proxy.mcp.pins import LISTINGS
from proxy.mcp.servers import Servers
from proxy.model import Result
from proxy.protocols import jsonrpc, mcpsaid
from proxy.protocols.mcpstdio import Era, StdioAsk, begun, in_use, oversized
from proxy.protocols.methods import LEGACY
from proxy.record import Record, new_id
from proxy.shedding import Shedding

_log = logging.getLogger("toolwall.stdio")

DOOR: Final = "stdio"
"""What Records call it."""

PAUSE_S: Final = 1.0
"""Between two tries to listen to what the server says by itself."""

_PIECE: Final = 64 * 1024
_BEGINS: Final = "initialize"
"""Nothing is read before it is answered: what comes behind it belongs to the session that it begins."""

_CANCELLED: Final = "notifications/cancelled"
_CHANGED: Final = jsonrpc.request(b"", "notifications/tools/list_changed", b"{}")

Write = Callable[[bytes], Awaitable[None]]
"""Writes one line and waits until it is out of our hands. Raises OSError where nobody reads."""


class Told:
    """The way to the client while the answer to one message is not there yet."""

    is_open = True
    streamed = False
    record: Record | None = None

    def __init__(self, write: Write) -> None:
        self._write = write

    async def tell(self, message: bytes) -> None:
        """Send what the server tells while a request is under way."""
        with suppress(OSError):
            await self._write(message)


class StdioDoor:
    """One client and one backend, as long as the process lives. Requests are answered as they come to an end; what gets
    no answer is dealt with before the next line is read, so that it keeps its place."""

    def __init__(
        self,
        firewall: Firewall,
        servers: Servers,
        backend: str,
        identify: Identify,
        write: Write,
        *,
        most_line: int,
        most_depth: int,
        most_calls: int,
        most_event: int,
    ) -> None:
        self._firewall, self._servers, self._backend = firewall, servers, backend
        self._identify = identify
        self._write = write
        self._most_line, self._most_depth, self._most_calls = most_line, most_depth, most_calls
        self._most_event = most_event
        self._shedding = Shedding(firewall.entries, DOOR)
        self._era = Era(run=f"mcp-{new_id()}")
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Answer until the client closes its end."""
        lines = Lines(self._most_line)
        while piece := await reader.read(_PIECE):
            for line in lines.feed(piece):
                await self._take(line)
        for line in lines.close():
            await self._take(line)

    async def finish(self, within_s: float) -> None:
        """Give what is under way a little time, then end it."""
        if self._requests:
            await asyncio.wait(self._requests.values(), timeout=within_s)

    async def close(self) -> None:
        """End what is still under way; Records say so."""
        tasks = [*self._requests.values(), *([self._listening] if self._listening else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def again(self, session: str) -> None:
        """The server was started again; what the client knows of it may be wrong."""
        backend = self._firewall.regime.rules.catalog.backends.get(self._backend)
        if backend is not None and backend.mcp is not None:
            self._servers.pins.of(backend).changed([listing.kind for listing in LISTINGS])
        if self._era.session:
            self._servers.sessions.forget(self._backend, self._era.session)
            principal = await self._identify(StdioAsk.listening(DOOR, self._backend, self._era).hail())
            self._servers.sessions.bind(self._backend, session, principal.id)
            self._era = self._era._replace(session=session)
            self._listen()
        if self._era.revision in LEGACY:
            data = f"The MCP server {self._backend} had ended and was started again. What it had not saved is lost."
            said = {"level": "warning", "logger": "toolwall", "data": data}
            told = Told(self._send)
            await told.tell(jsonrpc.request(b"", "notifications/message", jsonrpc.written(said)))
            await told.tell(_CHANGED)

    async def _send(self, message: bytes) -> None:
        await self._write(message.replace(b"\n", b" ").replace(b"\r", b" "))

    async def _take(self, line: Line) -> None:
        if line.is_whole and not line.data.strip():
            return
        trouble = None if line.is_whole else oversized(self._most_line)
        ask = StdioAsk(DOOR, self._backend, line.data, self._most_depth, self._era, trouble)
        if ask.message.kind != "request":
            await self._told(ask)
            return
        key = _plain(ask.id)
        if key in self._requests:
            ask.trouble = in_use()
            await self._told(ask)
        elif len(self._requests) >= self._most_calls:
            await self._refuse(ask, self._shedding.refusal())
        else:
            task = self._requests[key] = asyncio.create_task(self._answer(ask))
            task.add_done_callback(lambda _: self._requests.pop(key, None))
            if ask.message.method == _BEGINS:
                await asyncio.wait({task})

    async def _told(self, ask: StdioAsk) -> None:
        """A message that gets no answer, unless it is so bad that it is not known what it is."""
        cancels = ask.message.method == _CANCELLED and ask.trouble is None
        try:
            async with (await self._handled(ask)).body:
                pass
        except Refusal as no:
            await self._refuse(ask, no)
            return
        if cancels and (task := self._requests.get(_plain_of(ask.message.params.get("requestId")))):
            task.cancel()

    async def _handled(self, ask: StdioAsk) -> Result:
        made: list[McpEntry] = []

        def opened(listener: str) -> Entry:
            record = Record(call=new_id(), started_ns=time_ns(), door=listener)
            about = self._firewall.entries, record, ask, Told(self._send), self._servers
            made.append(McpEntry(*about, self._firewall.regime.rules, self._identify))
            return made[-1]

        result = await self._firewall.handle(ask, self._identify, opened)
        if made[-1].began:
            self._era = begun(made[-1].began, _revision(result))
            self._listen()
        elif ask.modern and not self._era.revision:
            self._era = self._era._replace(revision=ask.revision)
            self._listen()
        return result

    async def _answer(self, ask: StdioAsk) -> None:
        try:
            result = await self._handled(ask)
            async with result.body as body:
                if body.whole is not None:
                    await self._send(jsonrpc.reply(ask.id, body.whole))
                else:
                    await self._pass_on(result)
        except Refusal as no:
            await self._refuse(ask, no)
        except OSError:
            _log.info("the client does not read any more")

    async def _pass_on(self, result: Result) -> None:
        """What comes as events goes out as lines. Raises Refusal for what grew too long while it was cleaned."""
        events = Events(self._most_event)
        try:
            async for piece in result.body:
                for event in events.feed(piece):
                    if event.data:
                        await self._send(event.data)
        except TooLarge:
            raise Refusal("reply_refused", "What the server tells is too long.", executed="unknown") from None

    async def _refuse(self, ask: StdioAsk, no: Refusal) -> None:
        if not ask.id or ask.message.kind == "response":
            return
        known = self._firewall.entries.known
        clean = partial(_clean, known) if known else bytes
        with suppress(OSError):
            await self._send(mcpsaid.line(no, ask.message, ask.id, ask.revision, ask.modern, clean))

    def _listen(self) -> None:
        """Hear what the server says by itself, from now on as a part of this era."""
        if self._listening is not None:
            self._listening.cancel()
        self._listening = asyncio.create_task(self._listens())

    async def _listens(self) -> None:
        while True:
            try:
                result = await self._handled(StdioAsk.listening(DOOR, self._backend, self._era))
                async with result.body:
                    await self._pass_on(result)
            except Refusal as no:
                _log.debug("what the server says by itself is not heard now: %s", no.code)
            except OSError:
                return
            await asyncio.sleep(PAUSE_S)


def _clean(known: Any, said: bytes) -> bytes:
    cleaned: bytes = known.clean(said, "application/json", None).value
    return cleaned


def _revision(result: Result) -> str:
    """The revision that the server chose."""
    said = json.loads(result.body.whole or b"{}").get("result")
    revision = said.get("protocolVersion") if isinstance(said, dict) else None
    return revision if revision in LEGACY else ""


def _plain(id: bytes) -> str:
    """An id, however it is spelt."""
    return json.dumps(json.loads(id))


def _plain_of(id: Any) -> str:
    return json.dumps(id)

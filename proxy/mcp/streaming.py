"""Streams that last: what a server says by itself, each message judged, for the guards to read while it goes by."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from proxy.body import Body
from proxy.entry import Entry
from proxy.mcp import events
from proxy.mcp.answering import refuse_unfinished
from proxy.mcp.beside import Beside, as_before
from proxy.mcp.entry import McpEntry
from proxy.mcp.events import Event
from proxy.mcp.exchange import Broken, Exchange, is_message, read
from proxy.mcp.heard import Heard, Untrue, body_of, same_id
from proxy.mcp.tasks import STATUS
from proxy.mcp.underway import subscribed
from proxy.model import Call, Result
from proxy.outcomes import withheld
from proxy.protocols import jsonrpc
from redaction.mediatypes import EVENTS

BEAT_S: Final = 10.0
"""A stream that is silent is not dead: a comment says so to all who wait for a sign of life."""

LOOK_S: Final = 1.0
"""Between two looks whether a stream that is silent may go on."""

COMMENT: Final = b": nothing new\n\n"
SPARE: Final = 64 * 1024
"""A stream ends in good order before it is as large as an answer may be: whoever listens comes back."""


class Streaming:
    """Makes Results of streams. `beside` judges what is in them."""

    def __init__(self, beside: Beside) -> None:
        self._beside = beside

    def result(self, exchange: Exchange, call: Call, entry: Entry, came: Result, id: bytes) -> Result:
        """The stream that came, for the request of this id, if it was one."""

        async def pieces() -> AsyncGenerator[bytes, None]:
            size, most = 0, call.tool.reply.most_bytes
            most -= min(SPARE, most // 2)
            look_s, silent_s = min(LOOK_S, BEAT_S), 0.0
            async with aclosing(_looked_at(exchange.events(came, lasting=True), look_s)) as ready:
                async for event in ready:
                    if await self._beside.is_over(entry):
                        return
                    if event is None:
                        silent_s += look_s
                        piece = COMMENT if silent_s >= BEAT_S else b""
                    else:
                        piece = await self._written(exchange, call, entry, event, id)
                    if size and size + len(piece) > most:
                        return
                    size += len(piece)
                    if piece:
                        silent_s = 0.0
                        yield piece

        return Result(200, [("content-type", EVENTS)], Body(pieces(), came.body.close))

    async def _written(self, exchange: Exchange, call: Call, entry: Entry, event: Event, id: bytes) -> bytes:
        """One event as it may go on; empty where it may not."""
        if not is_message(event):  # it may prime the client with an id
            return b"" if event.data else events.primed(event)
        try:
            message = await read(event.data)
        except Untrue as why:
            raise withheld(entry.record, f"The server's stream cannot be trusted. {why}", note=str(why)) from None
        if message.kind in ("result", "error"):
            if id and same_id(message.id, id):
                refuse_unfinished(entry, message)
                asked, said = _as_asked(entry, id, self._beside.vouched(call, message))
                return events.written(jsonrpc.reply(asked, body_of(said)), event) if said else b""
            return b""
        told = await self._beside.told(exchange, call, entry, message)
        if told and told.method in STATUS:  # there may be a result in it, with what is no text
            params = await self._beside.read(call, entry, told.body)
            told = None if params is None else told._replace(body=params, value=json.loads(params))
        _, said = _as_asked(entry, id, told) if told else (id, None)
        return events.written(jsonrpc.request(said.id, said.method, said.body), event) if said else b""


def _as_asked(entry: Entry, id: bytes, said: Heard) -> tuple[bytes, Heard | None]:
    """The id by which the client knows the request of this one, and what is said of it by that; None for what is said
    of another's."""
    if not isinstance(entry, McpEntry):
        return id, said
    told = subscribed(entry, said)
    return entry.ask.message.id, told and told._replace(body=as_before(entry, told, told.body))


async def _looked_at(ready: AsyncIterator[Event], look_s: float) -> AsyncGenerator[Event | None, None]:
    """The events, and None for each time of `look_s` in which there was none. A stream that breaks off is over."""
    waiting: asyncio.Future[Event | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(_next(ready))
            await asyncio.wait({waiting}, timeout=look_s)
            if not waiting.done():
                yield None
                continue
            event, waiting = waiting.result(), None
            if event is None:
                return
            yield event
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})


async def _next(ready: AsyncIterator[Event]) -> Event | None:
    try:
        return await anext(ready, None)
    except Broken:
        return None

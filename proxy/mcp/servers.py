"""What is known of MCP servers while rules come and go: whose sessions there are, and what the servers say today."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from time import time_ns
from typing import Final

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import static
from proxy.mcp.entry import AskedEntry, McpEntry, OrderedEntry
from proxy.mcp.exchange import JSON, listening
from proxy.mcp.heard import Heard
from proxy.mcp.joins import Joins
from proxy.mcp.opaque import Opaque
from proxy.mcp.pins import Pins
from proxy.mcp.sessions import Sessions, gone
from proxy.mcp.streams import Streams
from proxy.mcp.tasks import Tasks
from proxy.mcp.underway import UnderWay
from proxy.model import Call, Outgoing, Result, Send
from proxy.outcomes import whole
from proxy.protocols import jsonrpc
from proxy.protocols.ordered import Make, Ordered
from proxy.protocols.placing import Placed
from proxy.record import Record, new_id
from rules.tools import Catalog, Tool

MOST_GIVEN_UP: Final = 100
"""Cancellations that are being sent at once."""

CANCELLED: Final = "notifications/cancelled"
_ENVELOPE: Final = (("content-type", JSON),)
_HEAD: Final = (("accept", "application/json, text/event-stream"), *_ENVELOPE)


class Servers:
    """`firewall` judges what servers ask; it is there once calls are. `key` seals tokens of servers'."""

    def __init__(self, key: bytes = b"") -> None:
        self.opaque = Opaque(key or os.urandom(32))
        self.sessions = Sessions()
        self.tasks = Tasks()
        self.under_way = UnderWay()
        self.joins = Joins(self.sessions)
        self.pins = Pins()
        self.firewall: Firewall | None = None
        self.streams = Streams()
        self.ways: dict[str, Send] = {}
        """The way to each server that was started, by backend."""
        self.named: dict[str, str] = {}
        """Where each server said that its metadata is (path and query), by backend."""
        self._giving_up: set[asyncio.Task[None]] = set()

    def check(self, call: Call, status: int) -> None:
        """Raise Refusal where the server says that the session of a call is over; it is forgotten then."""
        session = next((value for name, value in call.outgoing.headers if name == "mcp-session-id"), "")
        if status == 404 and session:
            self.sessions.forget(call.tool.backend, session)
            raise gone()

    async def ask(self, call: Call, entry: Entry, asked: Heard, tool: Tool) -> bytes:
        """What a server asks of a client while a call is under way, as the client may read it: params, cleaned. It is
        a call of its own, with a Record; nobody but the rules has to allow it. Raises Refusal."""
        firewall = self.firewall
        assert firewall is not None

        def make(_: Tool, __: Catalog) -> tuple[Placed, Outgoing]:
            placed = Placed(0)
            placed.arguments.update(asked.value)
            return placed, Outgoing("POST", "", _ENVELOPE, asked.body)

        def opened(listener: str) -> Entry:
            asking = AskedEntry(firewall.entries, Record(call=new_id(), started_ns=time_ns(), door=listener))
            asking.record.notes.append(f"asked by the server during call {call.id}")
            return asking

        result = await firewall.handle(_ordered(entry, call, tool.name, make), static(call.principal), opened)
        return await whole(entry.record, result.body, tool.reply.most_bytes)

    def give_up(self, entry: Entry, id: bytes) -> None:
        """Nobody waits for the answer to a request of a session any more: the server is told so, by a call of its own.
        Without sessions the end of the connection says it."""
        if not (isinstance(entry, McpEntry) and entry.sent and id and entry.came):
            return
        if not (entry.session or entry.session_head):
            return
        if entry.ask.message.method == "initialize" or len(self._giving_up) >= MOST_GIVEN_UP:
            return
        task = asyncio.create_task(self._cancel(entry, entry.came, id))
        self._giving_up.add(task)
        task.add_done_callback(self._giving_up.discard)

    async def _cancel(self, entry: McpEntry, call: Call, id: bytes) -> None:
        firewall = self.firewall
        assert firewall is not None

        def make(_: Tool, __: Catalog) -> tuple[Placed, Outgoing]:
            placed = Placed(0)
            placed.arguments.update(requestId=json.loads(id), reason=f"nobody waits for it (call {call.id})")
            headers = (*_HEAD, *entry.session_head, *listening(call.outgoing.headers)[1:])
            return placed, Outgoing("POST", call.outgoing.target, headers, jsonrpc.written(placed.arguments))

        def opened(listener: str) -> Entry:
            return OrderedEntry(firewall.entries, Record(call=new_id(), started_ns=time_ns(), door=listener))

        tool = f"{call.tool.backend}.mcp/{CANCELLED}"
        with suppress(Refusal):  # which its Record tells
            await firewall.handle(_ordered(entry, call, tool, make), static(call.principal), opened)

    async def close(self) -> None:
        """End what is still under way."""
        for task in self._giving_up:
            task.cancel()
        if self._giving_up:
            await asyncio.wait(self._giving_up)


def _ordered(entry: Entry, call: Call, tool: str, make: Make) -> Ordered:
    """A call in the name of the one who made another, in its run, and below it in its trace."""
    place = entry.trace.place.headers() if entry.trace else {}
    traceparent, tracestate = place.get("traceparent"), place.get("tracestate")
    hail = entry.hail._replace(once="", reason="", behalf=None, traceparent=traceparent, tracestate=tracestate)
    return Ordered(entry.record.door, hail, tool, make, call.base, call.origin)


def asked_back(call: Call) -> Result:
    """The "answer" to what a server asks: the very question, for the guards to read before a client does."""
    return Result(200, [("content-type", JSON)], Body.of(call.outgoing.body))

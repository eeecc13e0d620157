"""Beside the answer: what a server tells and asks while a request is under way, each message judged and read alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.mcp.answering import unmarked
from proxy.mcp.entry import McpEntry
from proxy.mcp.exchange import Exchange, listening
from proxy.mcp.heard import Heard
from proxy.mcp.pins import CHANGES
from proxy.mcp.reader import Reader
from proxy.mcp.servers import Servers
from proxy.mcp.tasks import STATUS
from proxy.mcp.trimming import vouched
from proxy.model import Call
from proxy.outcomes import withheld
from proxy.protocols import jsonrpc, mcpparams, methods
from rules.decide import Ruleset
from rules.mcp.plumbing import ASKED

PROGRESS: Final = "notifications/progress"
CANCELLED: Final = "notifications/cancelled"
LOG: Final = "notifications/message"
UPDATED: Final = "notifications/resources/updated"
_ASKED: Final = frozenset({"sampling/createMessage", "elicitation/create", "roots/list", "ping"})
INPUTS: Final = "inputRequests"
NO_FORM: Final = "It asks for something in no known form."
MOST_INPUTS: Final = 32
"""Things that a server may want to know at once."""

MOST_ASKED: Final = 1_000
ASKED_S: Final = 600.0
"""Requests of the server's in one reply, within so many seconds. Each has a Record. Servers ping those who listen."""

_PATIENCE_S: Final = 10.0
_GONE: Final = "its caller counts no more, so nothing was told or asked meanwhile"
_DROPPED: Final = "a message of the server was dropped: "
_REFUSED: Final = jsonrpc.error(jsonrpc.NO_METHOD, "The client does not do this.")


class Beside:
    """`reader` cleans. All that cannot be judged or cleaned is not told, and the Record says so."""

    def __init__(self, rules: Ruleset, reader: Reader, servers: Servers) -> None:
        self._rules = rules
        self._reader = reader
        self._servers = servers

    async def hear(self, exchange: Exchange, call: Call, entry: Entry, message: Heard) -> None:
        """One message that came while an answer was waited for; what may be told goes to the client at once."""
        if await self._is_gone(entry):
            _note(entry, _GONE)
            if message.kind == "request":
                await self._refuse(exchange, call, entry, message.id)
            return
        told = await self.told(exchange, call, entry, message)
        if told is None or not isinstance(entry, McpEntry) or not entry.wants(told):
            return
        params = await self.read(call, entry, told.body)
        if params is not None:
            await entry.channel.tell(jsonrpc.request(told.id, told.method, as_before(entry, told, params)))
        elif message.kind == "request":
            await self._refuse(exchange, call, entry, message.id)

    async def read(self, call: Call, entry: Entry, params: bytes) -> bytes | None:
        """What is told, as the caller may read it; None where it may not, and the Record says so."""
        try:
            return await self._reader(call, entry, params)
        except Refusal as no:
            _note(entry, f"{_DROPPED}{no.note or no.code}")
            return None

    async def told(self, exchange: Exchange, call: Call, entry: Entry, message: Heard) -> Heard | None:
        """The message as it may be told once it is cleaned, or None. The server hears of a request that is not."""
        if (value := unmarked(message.value)) is not None:
            message = message._replace(body=jsonrpc.written(value), value=value)
        if message.kind == "notification":
            if why := self._unfit(call, entry, message):
                _note(entry, _DROPPED + why)
                return None
            return await self._asking(call, entry, message) if INPUTS in message.value else message
        try:
            if exchange.asked_within(ASKED_S) > MOST_ASKED:
                raise withheld(entry.record, "The server asks too much.")
            read = await self._request(call, entry, message)
        except Refusal as no:
            _note(entry, f"what the server asked of the client was refused: {no.code}")
            await self._refuse(exchange, call, entry, message.id)
            return None
        return message._replace(body=read)

    async def _asking(self, call: Call, entry: Entry, message: Heard) -> Heard | None:
        """How a task goes on, of which the server wants to know more first."""
        try:
            value = await self.wanted(call, entry, message.value)
        except Refusal as no:
            _note(entry, f"{_DROPPED}{no.note or no.code}")
            return None
        return message._replace(body=jsonrpc.written(value), value=value)

    def _unfit(self, call: Call, entry: Entry, message: Heard) -> str:
        """Why a notification is not told; empty where it is."""
        told = methods.SERVER.get(message.method)
        if told is None or told.kind != "notification":
            return "its method is not on the list"
        if kinds := CHANGES.get(message.method):
            self._servers.pins.of(self._rules.catalog.backends[call.tool.backend]).changed(kinds)
        if message.method == CANCELLED and isinstance(entry, McpEntry) and entry.session:
            entry.session.cancelled(message.value.get("requestId"))
        if message.method == PROGRESS and isinstance(entry, McpEntry) and not _is_progress_of(entry, message):
            return "it is the progress of another request"
        if message.method == UPDATED and not self._may_read(call, message.value.get("uri")):
            return "it is about a resource that the caller may not read"
        task = call.tool.backend, call.principal.id, message.value.get("taskId")
        if message.method in STATUS and not self._servers.tasks.is_of(*task):
            return "it is about a task that is not the caller's"
        return ""

    async def is_over(self, entry: Entry) -> bool:
        """Whether a stream may not go on: its caller is gone, or other rules are in force. Whoever listens comes back,
        and is judged by those."""
        firewall = self._servers.firewall
        assert firewall is not None
        return firewall.regime.rules is not self._rules or await self._is_gone(entry)

    async def _is_gone(self, entry: Entry) -> bool:
        """Whether the operator has stopped the caller, or who it is counts no more or is somebody else now."""
        firewall = self._servers.firewall
        assert firewall is not None
        if firewall.halts.why(entry.record):
            return True
        return isinstance(entry, McpEntry) and not await entry.is_known()

    def _may_read(self, call: Call, uri: Any) -> bool:
        catalog = self._rules.catalog
        tool = mcpparams.resource(catalog, call.tool.backend, uri) if isinstance(uri, str) else None
        return tool is not None and self._rules.visible(call.principal, tool)

    async def asked(self, call: Call, entry: Entry, message: Heard, done: bool = True) -> bytes:
        """The params of what a server asks, judged by the rules about that and cleaned. Raises Refusal."""
        tool, why = self._rules.catalog.remote(call.tool.backend, message.method), "its method is not served"
        if message.method not in _ASKED or tool is None:
            raise withheld(entry.record, "The server asks for what no client does.", why, done)
        try:
            return await self._servers.ask(call, entry, message, tool)
        except Refusal as no:
            why = f"what the server asked of the client was refused: {no.code}"
            raise withheld(entry.record, "The server asks for what it may not ask.", why, done) from None

    def vouched(self, call: Call, message: Heard) -> Heard:
        """An answer; a result says what the sidecar answers for."""
        if message.kind != "result":
            return message
        value = vouched(message.value, self._servers.pins.of(self._rules.catalog.backends[call.tool.backend]).accepted)
        return message if value is message.value else message._replace(body=jsonrpc.written(value), value=value)

    async def wanted(self, call: Call, entry: Entry, said: dict[str, Any]) -> dict[str, Any]:
        """A result, or how a task goes on, with what the server wants to know in it: each is judged by itself, and
        cleaned. Raises Refusal."""
        wanted, done = said.get(INPUTS, {}), said.get("resultType") != "input_required"
        if not isinstance(wanted, dict) or len(wanted) > MOST_INPUTS:
            raise withheld(entry.record, NO_FORM, INPUTS, done)
        cleaned = {}
        for key, one in wanted.items():
            params = one.get("params", {}) if isinstance(one, dict) and one.get("method") in ASKED else None
            if not isinstance(params, dict):
                raise withheld(entry.record, NO_FORM, INPUTS, done)
            asked = Heard("request", b"", one["method"], jsonrpc.written(params), params)
            read = await self.asked(call, entry, asked, done)
            cleaned[key] = {"method": one["method"], "params": json.loads(read)}
        return {**said, INPUTS: cleaned} if INPUTS in said else said

    async def _request(self, call: Call, entry: Entry, message: Heard) -> bytes:
        if not isinstance(entry, McpEntry) or entry.session is None or not entry.channel.is_open:
            raise withheld(entry.record, "There is no session in which it could be answered.")
        if entry.ask.modern or not entry.session.is_free(message.id):
            raise withheld(entry.record, "The server may not ask this here, or asks it twice.")
        if entry.holds_secret(message.id):
            raise withheld(entry.record, "The server asks by an id that nobody may be told.")
        read = await self.asked(call, entry, message)
        entry.session.ask(message.id, message.method)
        return read

    async def _refuse(self, exchange: Exchange, call: Call, entry: Entry, id: bytes) -> None:
        """Tell the server that nobody will answer. Whether it hears that changes nothing for the call."""
        headers = (("content-type", "application/json"), *listening(call.outgoing.headers)[1:])
        accept = (("accept", "application/json, text/event-stream"), *headers)
        with exchange.aside():
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    result = await exchange.send("POST", accept, jsonrpc.reply(id, _REFUSED))
                    await result.body.close()
            except (Refusal, TimeoutError):
                _note(entry, "the server could not be told so")


def _is_progress_of(entry: McpEntry, message: Heard) -> bool:
    """Whether it bears the token of its request, or of one that goes on as a task in this session. A stream that lasts
    has no progress of its own."""
    token, told = entry.token, message.value.get("progressToken")
    if token is not None and type(told) is type(token) and told == token:
        return True
    return entry.session is not None and entry.session.has_task(told)


def as_before(entry: McpEntry, told: Heard, params: bytes) -> bytes:
    """What the client knows a request by is its own, and stays as it was whatever it looks like."""
    if told.method != PROGRESS:
        return params
    said = told.value["progressToken"]
    token = entry.client_token if said == entry.token else said
    if params == told.body and said == token:
        return params
    return jsonrpc.written({**json.loads(params), "progressToken": token})


def _note(entry: Entry, text: str) -> None:
    """Once, however often it happens."""
    if text not in entry.record.notes:
        entry.record.notes.append(text)

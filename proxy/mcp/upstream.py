"""The way to MCP servers: a call becomes a message, and what comes back becomes one whole Result again.

All guards stand around this, so they need not know what an MCP server is.
"""

from __future__ import annotations

import json
from asyncio import CancelledError
from functools import partial
from typing import Any, Final

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.mcp.answering import (
    TAKEN,
    UNKNOWN_KIND,
    as_result,
    failed,
    is_stream,
    kept,
    refuse_unfinished,
    status_as,
    taken,
)
from proxy.mcp.beside import MOST_INPUTS, NO_FORM, Beside
from proxy.mcp.entry import AskedEntry, McpEntry
from proxy.mcp.exchange import JSON, Answered, Exchange, aside
from proxy.mcp.heard import Heard, Untrue, body_of
from proxy.mcp.joining import Joining
from proxy.mcp.looking import Looking
from proxy.mcp.metadata import fetched, named_in
from proxy.mcp.opaque import GIVEN
from proxy.mcp.pins import BY_METHOD
from proxy.mcp.reader import Reader
from proxy.mcp.rest import rest
from proxy.mcp.servers import CANCELLED, Servers, asked_back
from proxy.mcp.sessions import BadSession
from proxy.mcp.streaming import Streaming
from proxy.mcp.tasks import LIST as TASKS
from proxy.mcp.trimming import GREETINGS, differs, greeted, trimmed, vouched
from proxy.mcp.underway import renamed, tokened
from proxy.model import Call, Headers, Result, Send
from proxy.outcomes import not_sent, withheld
from proxy.protocols import jsonrpc, mcpparams
from proxy.replies import replyheaders
from proxy.replies.pieces import Pieces
from redaction.mediatypes import EVENTS
from rules.decide import Ruleset
from rules.mcp.plumbing import CLOSE, LISTEN, METADATA, STREAM
from rules.tools import CALL, Remote
from rules.urls import Url

ACCEPT: Final = ("accept", f"{JSON}, {EVENTS}")
_ONE_CLIENT: Final = "A server that is started for a client is that client's alone: it gets no call of another."
URLS: Final = -32042
"""The error of 2025-11-25 by which a server wants to have something visited before it does what it is called for."""

ELICIT: Final = "elicitation/create"
OTHERWISE: Final = "the server says otherwise of itself than was accepted, which is what the client is told"
_KINDS: Final = ("complete", "input_required")
_WHOLE: Final = frozenset({"content", "structuredContent"})
_MAY_ASK: Final = frozenset({"tools/call", "prompts/get", "resources/read", "tasks/get"})
"""Whose answer may be that the server wants to know more first (2026-07-28)."""

_VISITS: Final = "elicitations"


class McpUpstream:
    """`send` is the way to all backends, `rules` judge, `reader` cleans, `servers` stay while rules change,
    `pieces` are of what was left out of results."""

    def __init__(self, send: Send, rules: Ruleset, reader: Reader, servers: Servers, pieces: Pieces) -> None:
        self._pieces = pieces
        self._way = send
        self._rules = rules
        self._servers = servers
        self._reader = reader
        self._beside = Beside(rules, reader, servers)
        self._streaming = Streaming(self._beside)
        self._looking = Looking(rules, servers)
        self._joining = Joining(rules.catalog, servers.joins)

    async def send(self, call: Call, entry: Entry) -> Result:
        """Send one call. Raises Refusal when no whole answer comes back that can be trusted."""
        remote = call.tool.mcp
        if remote is None:
            return await self._way(call, entry)
        if isinstance(entry, AskedEntry):
            return asked_back(call)
        if call.tool.is_rest:
            return await rest(self._pieces, call, entry)
        way, url = self._way_to(call.tool.backend)
        if remote.method == METADATA:
            return await fetched(way, call, entry, url, self._servers.named.get(call.tool.backend, ""))
        result = await self._sent(Exchange(way, call, entry, url), call, entry, remote)
        if place := named_in(result.headers, url, call.origin):
            self._servers.named[call.tool.backend] = place
        return result

    def _way_to(self, backend: str) -> tuple[Send, Url]:
        return self._servers.ways.get(backend, self._way), self._rules.catalog.backends[backend].url

    async def _sent(self, exchange: Exchange, call: Call, entry: Entry, remote: Remote) -> Result:
        if remote.method == STREAM:
            return await self._stream(exchange, call, entry)
        if remote.method == CLOSE:
            return await self._close(exchange, call, entry)
        if isinstance(entry, McpEntry) and entry.ask.message.kind == "response":
            return await self._respond(exchange, call, entry)
        go = partial(self._message, exchange, entry, remote)
        if isinstance(entry, McpEntry) and entry.joins:
            if call.tool.backend in self._servers.ways:
                raise not_sent("upstream_unreachable", _ONE_CLIENT, note=_ONE_CLIENT)
            return await self._joining.answer(exchange, call, entry, go)
        return await go(call)

    async def _message(self, exchange: Exchange, entry: Entry, remote: Remote, call: Call) -> Result:
        """A request or a notification."""
        call = self._servers.opaque.opened(call)
        if no := await self._looking.first(exchange, call, entry, remote):
            return no
        if (known := self._as_known(call, entry, remote)) is None:
            return Result(202, [], Body.of(b""))
        call = known
        id = b"" if remote.method.startswith("notifications/") else _id_of(call, entry)
        body = jsonrpc.request(id, remote.method, call.outgoing.body)
        if remote.method == LISTEN:
            return await self._listen(exchange, call, entry, id, body)
        hear = partial(self._beside.hear, exchange, call, entry)
        try:
            with self._servers.under_way.begun(call, _asked_as(entry, id), id):
                answered = await exchange.post(_headers(call), body, id, hear)
        except CancelledError:  # the client left, or the time is over: what the server still does is for nobody
            self._servers.give_up(entry, id)
            raise
        self._servers.check(call, answered.status)
        if not id:
            return taken(entry, answered)
        if answered.message is None:
            return failed(entry, answered)
        return await self._told(call, entry, remote, answered)

    def _as_known(self, call: Call, entry: Entry, remote: Remote) -> Call | None:
        """The call by the names that the server knows requests by; None where a client takes back what is not its own,
        is over already, or may be another client's."""
        if not isinstance(entry, McpEntry) or entry.joins or entry.is_apart:
            return call
        if remote.method != CANCELLED:
            return tokened(call, entry)
        known = self._servers.under_way.known_as(call, call.arguments.get("requestId"))
        return None if known is None else renamed(call, known)

    async def _told(self, call: Call, entry: Entry, remote: Remote, answered: Answered) -> Result:
        message = answered.message
        assert message is not None
        body = body_of(message)
        if message.kind == "result":
            made = await self._made(call, entry, remote, answered, message)
            value = message.value if made is None else made
            value = await self._sealed(call, entry, value) or value
            value = vouched(value, self._servers.pins.of(self._rules.catalog.backends[call.tool.backend]).accepted)
            body = body if value is message.value else jsonrpc.written({"result": value})
        else:
            if message.value["code"] == URLS:
                body = jsonrpc.written({"error": await self._visits(call, entry, message.value)})
            if isinstance(entry, McpEntry):
                entry.http = answered.status
        return Result(status_as(answered), [("content-type", JSON), *kept(answered)], Body.of(body))

    async def _made(
        self, call: Call, entry: Entry, remote: Remote, answered: Answered, message: Heard
    ) -> dict[str, Any] | None:
        """A result that the caller gets otherwise than the server gave it; None where it stays as it is."""
        said, backend = message.value, self._rules.catalog.backends[call.tool.backend]
        self._check_kind(call, entry, remote, said)
        if said.get("resultType") == "input_required" or "inputRequests" in said:
            return await self._wanted(call, entry, remote, said)
        if remote.method == CALL and ("task" in call.aside or said.get("resultType") == "task"):
            self._servers.tasks.begun(backend.name, call.principal.id, said)
            if isinstance(entry, McpEntry) and entry.session and entry.client_token is not None:
                entry.session.goes_on(entry.client_token)
        if remote.method == TASKS:
            return self._servers.tasks.listed(backend.name, call.principal.id, said)
        if remote.method in GREETINGS:
            if remote.method == "initialize":
                if backend.revisions and said.get("protocolVersion") not in backend.revisions:
                    raise withheld(entry.record, "It wants a revision of the protocol that is not allowed here.")
                self._begun(call, entry, answered)
            pinned = self._servers.pins.of(backend)
            if differs(said, pinned.accepted):
                entry.record.notes.append(f"{OTHERWISE}; `toolwall mcp accept {backend.name}` shows how")
            return greeted(said, pinned, backend.revisions)
        if listing := BY_METHOD.get(remote.method):
            pinned, cursor = self._servers.pins.of(backend), call.arguments.get("cursor")
            given = listing, said, pinned, self._rules, call.principal, backend.name, cursor
            try:
                return await aside(len(message.body), trimmed, *given)
            except Untrue as why:
                raise withheld(entry.record, str(why), note=str(why)) from None
        return None

    async def _sealed(self, call: Call, entry: Entry, said: dict[str, Any]) -> dict[str, Any] | None:
        """A result with tokens that stand for those which hold what is taken out of answers, or might hold what may not
        be sent; None where none does. A token that was cleaned would be nothing to the server any more."""
        made, comes_back = {}, call.tool.outgoing.kinds <= call.tool.reply.redact
        for name in GIVEN.keys() & said.keys():
            token = said[name]
            if not isinstance(token, str) or (comes_back and await self._is_clean(call, entry, name, token)):
                continue
            made[name] = self._servers.opaque.sealed(token, call, name)
            if not await self._is_clean(call, entry, name, made[name]):
                raise withheld(entry.record, f"Its {name} may not be told.", note=name)
        return {**said, **made} if made else None

    async def _is_clean(self, call: Call, entry: Entry, name: str, token: str) -> bool:
        text = jsonrpc.written({name: token})
        read = await self._reader(call, entry, text)
        return read == text or json.loads(read) == {name: token}

    def _check_kind(self, call: Call, entry: Entry, remote: Remote, said: dict[str, Any]) -> None:
        """Raise Refusal for a result that is neither a whole one nor of a kind that its client may get."""
        if said.get("resultType", "complete") not in _KINDS and not self._is_task(call, entry, remote, said):
            raise withheld(entry.record, UNKNOWN_KIND, note="resultType")
        if remote.method == CALL and "task" not in call.aside and "task" in said and not _WHOLE & said.keys():
            raise withheld(entry.record, UNKNOWN_KIND, note="a task that nobody asked for")

    def _is_task(self, call: Call, entry: Entry, remote: Remote, said: dict[str, Any]) -> bool:
        """Whether the call goes on as a task, and its client said that it knows such (2026-07-28)."""
        if said["resultType"] != "task" or remote.method != CALL or not isinstance(entry, McpEntry) or entry.joins:
            return False
        later = self._rules.catalog.remote(call.tool.backend, "tasks/get")
        return mcpparams.negotiates_tasks(entry.ask.message.params) and mcpparams.may_be_task(call.tool, later)

    def _begun(self, call: Call, entry: Entry, answered: Answered) -> None:
        """A session begins, where the server keeps such. It belongs to who began it."""
        id = replyheaders.value(answered.headers, "mcp-session-id")
        if not id or not isinstance(entry, McpEntry):
            return
        try:
            if entry.holds_secret(id.encode("utf-8", "surrogateescape")):
                raise BadSession
            self._servers.sessions.bind(call.tool.backend, id, call.principal.id)
        except BadSession:
            raise withheld(entry.record, "It names a session that cannot be.", note="a bad session id") from None
        entry.began = id

    async def _wanted(self, call: Call, entry: Entry, remote: Remote, said: dict[str, Any]) -> dict[str, Any]:
        """What the server wants to know before it answers, or goes on with a task. Raises Refusal."""
        if remote.method not in _MAY_ASK:
            raise withheld(entry.record, "It asks for what may not be asked there.", note="input_required")
        return await self._beside.wanted(call, entry, said)

    async def _visits(self, call: Call, entry: Entry, said: dict[str, Any]) -> dict[str, Any]:
        """An error that says what a human has to visit first: that is asked as all else is, so rules have to allow it.
        Raises Refusal."""
        data = said.get("data")
        if not isinstance(data, dict) or (_VISITS not in data and not jsonrpc.likened(data, {_VISITS})):
            return said
        wanted = data.get(_VISITS)
        is_list = isinstance(wanted, list) and all(isinstance(one, dict) for one in wanted)
        if not isinstance(wanted, list) or not is_list or len(wanted) > MOST_INPUTS:
            raise withheld(entry.record, NO_FORM, _VISITS, done=False)
        asked = [Heard("request", b"", ELICIT, jsonrpc.written(one), one) for one in wanted]
        read = [json.loads(await self._beside.asked(call, entry, one, done=False)) for one in asked]
        return {**said, "data": {**data, _VISITS: read}}

    async def _respond(self, exchange: Exchange, call: Call, entry: McpEntry) -> Result:
        """The client's answer to what the server asked, once, and only in the session where it was asked."""
        message, session, has_it = entry.ask.message, entry.session, False
        method = session.answered(message.id) if session else None
        if session is None or method is None:
            raise Refusal("bad_request", "The server did not ask for this answer, or it has it already.")
        try:
            answered = await exchange.post(_headers(call), jsonrpc.reply(message.id, call.outgoing.body), b"", _nobody)
            self._servers.check(call, answered.status)
            result = taken(entry, answered)
            has_it = result.status == TAKEN
            return result
        finally:
            if not has_it:  # it goes on waiting, for this answer given once more
                session.ask(message.id, method)

    async def _listen(self, exchange: Exchange, call: Call, entry: Entry, id: bytes, body: bytes) -> Result:
        result = await self._opened(exchange, call, entry, "POST", _headers(call), body, id)
        if is_stream(result):
            return result
        answered = await exchange.plain(result, id)
        if answered.message is None:
            return failed(entry, answered)
        refuse_unfinished(entry, answered.message)
        return as_result(answered._replace(message=self._beside.vouched(call, answered.message)))

    async def _stream(self, exchange: Exchange, call: Call, entry: Entry) -> Result:
        """GET: what the server says by itself, one message after the other, as long as both want."""
        headers = call.outgoing.headers
        if not (isinstance(entry, McpEntry) and entry.session):  # what was missed may have been somebody else's
            headers = tuple(pair for pair in headers if pair[0] != "last-event-id")
        result = await self._opened(exchange, call, entry, "GET", headers, b"", b"")
        return result if is_stream(result) else await self._other(exchange, call, entry, result)

    async def _opened(
        self, exchange: Exchange, call: Call, entry: Entry, method: str, headers: Headers, body: bytes, id: bytes
    ) -> Result:
        """A stream as it may go on, or the reply that is none. It counts until it is closed."""
        close = self._servers.streams.open(call.tool.backend, call.principal.id)
        try:
            result = await exchange.send(method, headers, body)
        except BaseException:
            close()
            raise
        if not is_stream(result):
            close()
            return result
        made = self._streaming.result(exchange, call, entry, result, id)
        made.body.when_closed(close)
        return made

    async def _close(self, exchange: Exchange, call: Call, entry: Entry) -> Result:
        """DELETE: the client ends the session."""
        result = await exchange.send("DELETE", call.outgoing.headers, b"")
        if 200 <= result.status < 300 and isinstance(entry, McpEntry):
            self._servers.sessions.forget(call.tool.backend, entry.ask.session)
            await result.body.close()
            return Result(204, [], Body.of(b""))
        return await self._other(exchange, call, entry, result)

    async def _other(self, exchange: Exchange, call: Call, entry: Entry, result: Result) -> Result:
        answered = await exchange.plain(result, b"")
        self._servers.check(call, answered.status)
        return failed(entry, answered)


async def _nobody(_: Heard) -> None:
    return None


def _headers(call: Call) -> tuple[tuple[str, str], ...]:
    """The head of a message. A call that no client of MCP made brings nothing of it along."""
    headers = call.outgoing.headers
    names = {name for name, _ in headers}
    more = [pair for pair in (ACCEPT, ("content-type", JSON)) if pair[0] not in names]
    return (*more, *headers)


def _asked_as(entry: Entry, id: bytes) -> bytes:
    """What other messages of the client may name its request by."""
    return entry.ask.message.id if isinstance(entry, McpEntry) and not entry.joins else id


def _id_of(call: Call, entry: Entry) -> bytes:
    """What the server is to know the request by."""
    return entry.id if isinstance(entry, McpEntry) else b'"%b"' % call.id.encode()

"""Joining: a call of a client that knows nothing of a server gets the form of the server's era, and a session where
the server keeps such."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proxy.errors import Refusal
from proxy.mcp.answering import as_result, failed
from proxy.mcp.entry import McpEntry
from proxy.mcp.exchange import Answered, Exchange, listening
from proxy.mcp.heard import Heard
from proxy.mcp.joins import Joined, Joins, Key, key_of
from proxy.mcp.sessions import BadSession
from proxy.model import Call, Headers, Result
from proxy.outcomes import not_sent
from proxy.protocols import jsonrpc, mcpparams
from proxy.protocols.jsonrpc import BAD_PARAMS, Malformed
from proxy.protocols.mcpparams import PROTOCOL
from proxy.protocols.methods import LEGACY, MODERN
from proxy.replies import replyheaders
from rules.tools import Backend, Catalog, Remote

ME: Final = {"name": "toolwall", "title": "Toolwall", "version": "1"}
CAN: Final[Mapping[str, Any]] = {}
"""What a client can be asked in a session that belongs to no client: nothing."""

_ID: Final = b'"toolwall-join"'
_META: Final = "io.modelcontextprotocol/"
_OF_NOBODY: Final = {PROTOCOL: MODERN[0], f"{_META}clientInfo": ME, f"{_META}clientCapabilities": CAN}
"""What a message says of its sender whose client is of the era before."""

_OTHER_ERA: Final = frozenset({400, 404, 405, 406})
"""So answers a server that does not know what a message is."""

Go = Callable[[Call], Awaitable[Result]]
"""Sends a call that has its form."""


class _No(NamedTuple):
    """What a server said instead of beginning a session: it is the answer to the call."""

    result: Result


class Joining:
    """`joins` stay while rules change."""

    def __init__(self, catalog: Catalog, joins: Joins) -> None:
        self._catalog = catalog
        self._joins = joins

    async def answer(self, exchange: Exchange, call: Call, entry: McpEntry, go: Go) -> Result:
        """The answer to a call. Raises Refusal."""
        backend, joins = self._catalog.backends[call.tool.backend], self._joins
        assert entry.came is not None
        key = key_of(call, entry.came, backend)
        if await self._is_modern(exchange, call, backend, key):
            result = await go(_modern(call, entry))
            if _http(entry, result) in _OTHER_ERA:
                joins.learn(backend, "")
            return result
        for _ in range(2):
            joined = await self._joined(exchange, call, entry, backend, key)
            if isinstance(joined, _No):
                return joined.result
            try:
                entry.session_head = _of(joined)
                result = await go(_legacy(call, entry))
            except Refusal as no:
                if no.code != "unknown_session":
                    raise
                joins.forget(key, joined.id)
                continue
            if _http(entry, result) == 400:  # so say some that know the session no more
                joins.forget(key, joined.id)
            return result
        raise _unknown("its sessions are over at once")

    async def _is_modern(self, exchange: Exchange, call: Call, backend: Backend, key: Key) -> bool:
        """Whether the server does without sessions. It is asked once, and again when it seems to have changed."""
        joins = self._joins
        if not _allowed(backend, MODERN):
            return False
        if not joins.era(backend):
            async with joins.turn(key):
                if not joins.era(backend) and await _discovers(exchange, call):
                    joins.learn(backend, "modern")
        return joins.era(backend) == "modern"

    async def _joined(
        self, exchange: Exchange, call: Call, entry: McpEntry, backend: Backend, key: Key
    ) -> Joined | _No:
        """The session of this caller, begun if it has none."""
        async with self._joins.turn(key):
            if joined := self._joins.of(key):
                return joined
            spoken = _allowed(backend, LEGACY)
            if not spoken:
                raise _unknown("it is of an era that is not allowed here")
            params = {"protocolVersion": spoken[0], "capabilities": CAN, "clientInfo": ME}
            try:
                answered = await _asked(exchange, call, "initialize", params)
            except Refusal as no:
                raise _unknown(no.note or no.code) from None
            message = answered.message
            if message is None or message.kind == "error":
                if message or answered.status in _OTHER_ERA:
                    self._joins.learn(backend, "")
                return _No(failed(entry, answered) if message is None else as_result(answered))
            joined = self._begun(key, call.principal.id, answered, message, spoken)
            self._joins.learn(backend, "legacy")
            try:
                await _told(exchange, call, joined)
            except BaseException:  # nobody is to find a session that the server does not know to have begun
                self._joins.forget(key)
                raise
            return joined

    def _begun(self, key: Key, owner: str, answered: Answered, message: Heard, spoken: Collection[str]) -> Joined:
        revision = message.value.get("protocolVersion")
        if revision not in spoken:
            raise _unknown("it speaks no revision that is known, and allowed here")
        try:
            return self._joins.begin(key, replyheaders.value(answered.headers, "mcp-session-id"), revision, owner)
        except BadSession:
            raise _unknown("it names a session that cannot be, or is another's") from None


def _allowed(backend: Backend, era: Sequence[str]) -> list[str]:
    """The revisions of an era that may be spoken with a server, the newest first."""
    return [each for each in era if not backend.revisions or each in backend.revisions]


def _http(entry: McpEntry, result: Result) -> int:
    """The status of HTTP with which the server answered; where it did so before the call was sent, that is the result's
    own."""
    return entry.record.upstream_status or result.status


async def _discovers(exchange: Exchange, call: Call) -> bool:
    """Whether a server says that it is of the era without sessions."""
    more = (("mcp-protocol-version", MODERN[0]), ("mcp-method", "server/discover"))
    try:
        answered = await _asked(exchange, call, "server/discover", {"_meta": _OF_NOBODY}, more)
    except Refusal as no:
        if no.code == "reply_refused":  # it answers with what is no answer
            return False
        raise _unknown(no.note or no.code) from None
    message = answered.message
    versions = message.value.get("supportedVersions") if message and message.kind == "result" else None
    return isinstance(versions, list) and MODERN[0] in versions


async def _asked(
    exchange: Exchange, call: Call, method: str, params: Mapping[str, Any], more: Headers = ()
) -> Answered:
    """The answer to a message of the sidecar's own. Nothing of the call was sent, also when this fails."""
    headers = (*mcpparams.HEADERS, *more, *listening(call.outgoing.headers)[1:])
    with exchange.aside():
        return await exchange.post(headers, jsonrpc.request(_ID, method, jsonrpc.written(params)), _ID, _unheard)


async def _told(exchange: Exchange, call: Call, joined: Joined) -> None:
    """The session is begun. A server that does not want to hear it can say so when it is called."""
    headers = (*mcpparams.HEADERS, *_of(joined), *listening(call.outgoing.headers)[1:])
    with exchange.aside():
        try:
            result = await exchange.send("POST", headers, jsonrpc.request(b"", "notifications/initialized", b"{}"))
            await result.body.close()
        except Refusal as no:
            raise _unknown(no.note or no.code) from None


def _of(joined: Joined) -> Headers:
    session = (("mcp-session-id", joined.id),) if joined.id else ()
    return (("mcp-protocol-version", joined.revision), *session)


def _modern(call: Call, entry: McpEntry) -> Call:
    """The call as a message that says everything of itself. What the client said of itself is said on."""
    remote, params = _said(call)
    meta = {**_OF_NOBODY, **params.get("_meta", {})}
    name = mcpparams.name_of(remote, params, call.arguments)
    more = (("mcp-protocol-version", meta[PROTOCOL]), *mcpparams.headers_of(remote, call.arguments, name))
    return _formed(call, entry, params, meta, more)


def _legacy(call: Call, entry: McpEntry) -> Call:
    """The call as a message of its session."""
    _, params = _said(call)
    if "inputResponses" in params or "requestState" in params:
        raise Malformed("Nothing was asked, so there is nothing to answer.", BAD_PARAMS)
    meta = {name: value for name, value in params.get("_meta", {}).items() if not name.startswith(_META)}
    return _formed(call, entry, params, meta, entry.session_head)


def _said(call: Call) -> tuple[Remote, dict[str, Any]]:
    assert call.tool.mcp is not None
    return call.tool.mcp, json.loads(call.outgoing.body)


def _formed(call: Call, entry: McpEntry, params: dict[str, Any], meta: dict[str, Any], more: Headers) -> Call:
    """The place in a trace is put into `_meta`, so that comes first."""
    if "progressToken" in meta:
        meta["progressToken"] = entry.token
    body = jsonrpc.written({"_meta": meta, **{name: value for name, value in params.items() if name != "_meta"}})
    return call._replace(outgoing=call.outgoing._replace(headers=(*call.outgoing.headers, *more), body=body))


async def _unheard(_: Heard) -> None:
    return None


def _unknown(why: str) -> Refusal:
    return not_sent("upstream_unreachable", "The server could not be made ready for a call.", note=why)

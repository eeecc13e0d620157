"""Looking: before something of an MCP server is called it is known that it is still what was accepted."""

from __future__ import annotations

import json
from typing import Any, Final

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.mcp.answering import as_result, failed
from proxy.mcp.exchange import JSON, Answered, Exchange, aside, listening
from proxy.mcp.heard import Heard
from proxy.mcp.pins import BY_KIND, MOST_PAGES, Pinned
from proxy.mcp.servers import Servers
from proxy.model import Call, Result
from proxy.outcomes import not_sent
from proxy.protocols import jsonrpc
from rules.decide import Ruleset
from rules.tools import Remote

_ID: Final = b'"toolwall-look"'
_META: Final = "io.modelcontextprotocol/"
_FOR_ALL: Final = frozenset({"protocolVersion", "clientInfo", "clientCapabilities"})


class Looking:
    """Looks through a server's lists, seldom, with the credential and in the session of the call that needs it."""

    def __init__(self, rules: Ruleset, servers: Servers) -> None:
        self._rules = rules
        self._servers = servers

    async def first(self, exchange: Exchange, call: Call, entry: Entry, remote: Remote) -> Result | None:
        """Before a call: the server's own answer where it does not list anything to this caller. Raises Refusal where
        the definition is not what was accepted, or nobody can tell."""
        if remote.plumbing or not remote.name:
            return None
        pinned = self._servers.pins.of(self._rules.catalog.backends[call.tool.backend])
        kind = pinned.kind_of(remote)
        who = call.principal.id
        if kind and pinned.is_due(kind, who):
            async with pinned.turn(kind, who):
                no = await self._look(exchange, call, entry, kind, pinned) if pinned.is_due(kind, who) else None
            if no:
                return no
        if pinned.differs(kind, remote.name):
            raise _changed(call.tool.backend)
        return None

    async def _look(self, exchange: Exchange, call: Call, entry: Entry, kind: str, pinned: Pinned) -> Result | None:
        """All pages of a list. Nothing of the call itself was sent when this fails."""
        listing, cursor, seen = BY_KIND[kind], "", set[str]()
        with exchange.aside():
            for _ in range(MOST_PAGES):
                answered = await self._page(exchange, call, listing.method, cursor)
                self._servers.check(call, answered.status)
                message = answered.message
                if message is None or message.kind == "error":
                    if message is not None and message.value["code"] == jsonrpc.NO_METHOD:
                        break
                    return _refused(entry, answered)
                listed = message.value.get(listing.member)
                if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
                    raise _unknown("its list is none")
                await aside(len(message.body), pinned.look, kind, listed, call.principal.id, seen)
                cursor = message.value.get("nextCursor", "")
                if not isinstance(cursor, str) or not cursor:
                    break
            else:
                raise _unknown("its list has too many pages")
        pinned.looked(kind, call.principal.id)
        return None

    async def _page(self, exchange: Exchange, call: Call, method: str, cursor: str) -> Answered:
        params: dict[str, Any] = {"_meta": _meta_of(call), **({"cursor": cursor} if cursor else {})}
        body = jsonrpc.request(_ID, method, jsonrpc.written(params))
        try:
            return await exchange.post(_headers(call, method), body, _ID, _unheard)
        except Refusal as no:
            raise _unknown(no.note or no.code) from None


def _headers(call: Call, method: str) -> tuple[tuple[str, str], ...]:
    """The head of a list's page, from that of the call."""
    own = call.outgoing.headers
    modern = [("mcp-method", method)] if any(name == "mcp-method" for name, _ in own) else []
    return (("accept", f"{JSON}, text/event-stream"), ("content-type", JSON), *modern, *listening(own)[1:])


def _meta_of(call: Call) -> dict[str, Any]:
    """What each message of the era without sessions says of its sender."""
    meta = json.loads(call.outgoing.body or b"{}").get("_meta")
    kept = {f"{_META}{name}" for name in _FOR_ALL}
    return {name: value for name, value in meta.items() if name in kept} if isinstance(meta, dict) else {}


async def _unheard(_: Heard) -> None:
    return None


def _refused(entry: Entry, answered: Answered) -> Result:
    """The server does not list to this caller: what it says to that is the answer."""
    return failed(entry, answered) if answered.message is None else as_result(answered)


def _unknown(why: str) -> Refusal:
    return not_sent("upstream_unreachable", "What the server's tools are today could not be found out.", note=why)


def _changed(backend: str) -> Refusal:
    return Refusal(
        "denied",
        "The server has changed the definition of this, and nobody has accepted that yet. Nothing was sent.",
        suggestion="Do not call it again. Tell the user that its definition changed.",
        note=f"its definition changed; `toolwall mcp accept {backend}` shows how",
    )

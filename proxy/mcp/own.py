"""The sidecar's own MCP server: tools of HTTP APIs, for clients that speak MCP and nothing else, and beside them those
of other MCP servers, where the listener says so."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterator, Mapping
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from time import monotonic, time_ns
from typing import Any, Final

from proxy.body import Body, TooLong
from proxy.entry import Entries, Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify
from proxy.listing import Listings, joined
from proxy.mcp.beside import LOG, PROGRESS
from proxy.mcp.entry import FAILED, Channel, McpEntry
from proxy.mcp.heard import Heard
from proxy.mcp.servers import Servers
from proxy.mcp.trimming import rest_tool
from proxy.model import Result
from proxy.outcomes import withheld
from proxy.protocols import jsonrpc, mcpown
from proxy.protocols.mcpown import OwnAsk
from proxy.protocols.remainder import named
from proxy.record import Record, new_id
from proxy.replies.pieces import Pieces
from proxy.replies.remainders import CALLED, Owner
from proxy.telemetry.attributes import TOOL_ERROR
from redaction.known import Known
from rules.decide import Ruleset
from rules.definitions import Definition
from rules.facts import Principal, Run
from rules.listing import functions, listed, rendered
from rules.mcp import schemas, shown
from rules.mcp.plumbing import REST_TOOL
from rules.tools import Tool

MOST_ANSWER: Final = 8 << 20
"""Bytes of one answer, whatever its tool allows: it is read whole."""

_JSON: Final = ("Content-Type", "application/json")
_TOO_MANY: Final = "Ask the operator for fewer tools: a model cannot choose among so many."


class Own:
    """The server. It keeps nothing of its clients: each message says all that is needed."""

    def __init__(self, servers: Servers, pieces: Pieces) -> None:
        self._servers = servers
        self._pieces = pieces
        self._version = _version()
        self._listings = Listings()
        self._known: dict[frozenset[str], tuple[str, Mapping[str, Tool]]] = {}

    async def answer(self, firewall: Firewall, ask: OwnAsk, identify: Identify, channel: Channel) -> Result:
        """The answer to one message. Raises Refusal; either way its Record is written."""
        with firewall.regime as regime:
            channel.record = record = Record(call=new_id(), started_ns=time_ns(), door=ask.listener)
            about = (firewall.entries, record, ask, channel, self._servers, regime.rules, identify)
            async with OwnEntry(*about, self._version) as entry:
                entry.hailed(hail := ask.hail())
                principal = await identify(hail)
                await ask.read()
                if ask.is_call and ask.message.params["name"] == REST_TOOL:
                    return await self._rest(firewall, ask, entry, principal)
                if ask.is_call:
                    ask.tools = self._tools(regime.rules, ask.servers)
                    return await firewall.call(ask, entry, regime, principal)
                entry.identified(principal, Run("", 0))
                firewall.halts.check(entry)
                record.method, record.revision = "POST", regime.rules.revision  # that of a message may be any text
                is_good = ask.is_served or ask.message.kind == "notification"
                record.decision, record.effect = "allow" if is_good else "deny", "read"
                return await entry.follow(await self._said(firewall, ask, regime.rules, principal))

    async def _said(self, firewall: Firewall, ask: OwnAsk, rules: Ruleset, principal: Principal) -> Result:
        if ask.message.kind == "request" and ask.message.method == mcpown.LIST:
            changed = {name: self._changed(rules, name) for name in ask.servers}
            tag = self._listings.tag(rules, principal, {name: sorted(each) for name, each in sorted(changed.items())})
            make = partial(_listed, rules, principal, changed, firewall.entries.known)
            body = mcpown.listing(ask, await self._listings.kept(tag, make), self._version)
        elif not (body := mcpown.answer(ask, self._version)):
            return Result(202, [], Body.of(b""))
        return Result(200, [_JSON], Body.of(jsonrpc.reply(ask.message.id, body)))

    async def _rest(self, firewall: Firewall, ask: OwnAsk, entry: Entry, principal: Principal) -> Result:
        """The rest of an answer, whichever backend gave it. It is no step of a run."""
        run = firewall.runs.current(principal.id, entry.hail.run, monotonic())
        entry.identified(principal, Run(run, 0))
        firewall.halts.check(entry)
        record = entry.record
        record.method, record.effect = "POST", "read"
        record.decision, record.revision = "deny", firewall.regime.rules.revision
        arguments = ask.message.params.get("arguments", {})
        if problems := schemas.rest().check(arguments):
            errors = tuple({"path": each.path, "problem": each.problem} for each in problems)
            raise Refusal("schema_violation", "It is asked for with what stands in the answer.", errors=errors)
        owner = Owner(principal.id, run, record.revision)
        body = await self._pieces.given(entry, named(arguments["rest"], arguments.get("from")), owner, CALLED)
        record.decision = "allow"
        return await entry.follow(Result(200, [_JSON], Body.of(body)))

    def _tools(self, rules: Ruleset, servers: frozenset[str]) -> Mapping[str, Tool]:
        """The tools by the names that models call them by. Each listener has its own servers."""
        revision, tools = self._known.get(servers, ("", {}))
        if revision != rules.revision:
            names = functions(rules.catalog)
            tools = {names[tool.name]: tool for tool in rules.catalog.tools.values() if _is_here(rules, tool, servers)}
            self._known[servers] = rules.revision, tools
        return tools

    def _changed(self, rules: Ruleset, backend: str) -> frozenset[str]:
        """The tools of a server, by their names there, that are others today than were accepted."""
        found = rules.catalog.backends.get(backend)
        return self._servers.pins.of(found).differing("tools") if found and found.mcp else frozenset()


class OwnEntry(McpEntry):
    """The Record of one message. The answer to a call is read whole, and becomes the result of its message."""

    joins = True
    _remote = False

    def __init__(
        self,
        entries: Entries,
        record: Record,
        ask: OwnAsk,
        channel: Channel,
        servers: Servers,
        rules: Ruleset,
        identify: Identify,
        sidecar: str,
    ) -> None:
        super().__init__(entries, record, ask, channel, servers, rules, identify)
        self._ask = ask
        self._version = sidecar

    @property
    def id(self) -> bytes:
        """Ids of clients mean nothing to a server that knows none of them."""
        return b'"%b"' % self.record.call.encode()

    @property
    def token(self) -> Any:
        """Nor do what they know the progress by."""
        return None if self.client_token is None else self.record.call

    def wants(self, told: Heard) -> bool:
        """Nothing is told that a client did not ask for: it knows of no server here but this one."""
        return told.method == PROGRESS or (told.method == LOG and self._ask.hears_log(told.value.get("level")))

    async def follow(self, result: Result) -> Result:
        if self._remote:
            return await super().follow(await self._passed(result))
        if self._ask.is_call:
            body = await self._whole(result.body)
            flow = result.body.flow
            headers = [*result.headers, *(flow.trailers() if flow else [])]
            self.error = TOOL_ERROR if result.status >= FAILED else ""
            made = mcpown.result(self._ask, result.status, headers, body, self._version)
            result = Result(200, [_JSON], Body.of(jsonrpc.reply(self._ask.message.id, made)))
        return await super().follow(result)

    def found(self, tool: Tool) -> None:
        super().found(tool)
        self._remote = tool.mcp is not None

    async def _passed(self, result: Result) -> Result:
        """What another server says, as it says it."""
        body = await self._whole(result.body)
        self.failed(result.status, body)
        try:
            body = mcpown.passed(body, self._ask.modern)
        except ValueError:
            raise withheld(self.record, "It wants to know more, and its client cannot be asked.") from None
        done = [pair for pair in result.headers if pair[0].lower().startswith("toolwall-")]
        return Result(200, [_JSON, *done], Body.of(jsonrpc.reply(self._ask.message.id, body)))

    async def _whole(self, body: Body) -> bytes:
        try:
            async with asyncio.timeout_at(self.deadline if isfinite(self.deadline) else None), body:
                return await body.read(MOST_ANSWER)
        except TooLong:
            raise withheld(self.record, f"It is larger than {MOST_ANSWER} bytes. Ask for less.") from None
        except TimeoutError:
            note = "a stream that did not end within the time of its tool"
            raise withheld(self.record, "It did not end in time, as the answer to a message has to.", note) from None


def _is_here(rules: Ruleset, tool: Tool, servers: Container[str]) -> bool:
    """Whether a tool can be called here: one that only goes as a task cannot, for there are no tasks."""
    if tool.mcp is None:
        return True
    if tool.backend not in servers or not tool.is_function:
        return False
    execution = _accepted(rules, tool).get("execution")
    return not isinstance(execution, dict) or execution.get("taskSupport") != "required"


def _accepted(rules: Ruleset, tool: Tool) -> Definition:
    """What was accepted of a tool of an MCP server."""
    accepted = rules.catalog.backends[tool.backend].mcp
    return accepted.tools.get(tool.mcp.name, {}) if accepted and tool.mcp else {}


def _listed(rules: Ruleset, principal: Principal, changed: Mapping[str, frozenset[str]], known: Known) -> bytes:
    """All tools of this caller. Raises Refusal."""
    return joined(_shown(rules, principal, changed), known, _TOO_MANY)


def _shown(rules: Ruleset, principal: Principal, changed: Mapping[str, frozenset[str]]) -> Iterator[Mapping[str, Any]]:
    """Those of MCP servers stand there as they were accepted, by another name."""
    is_cut = False
    for each in listed(rules, principal):
        tool = each.tool
        if not _is_here(rules, tool, changed) or (tool.mcp and tool.mcp.name in changed[tool.backend]):
            continue
        [one] = rendered([each], "mcp")["tools"]
        is_cut = is_cut or tool.is_cut
        yield _renamed(shown.definition(_accepted(rules, tool), tool), one, tool) if tool.mcp else one
    if is_cut:
        yield rest_tool()


def _renamed(accepted: Definition, shown: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    """An accepted definition under the name that it has here, with the rules' own words where they have such."""
    said = {"description": tool.says} if tool.says else {}
    meta = accepted.get("_meta")
    meta = {**(meta if isinstance(meta, dict) else {}), **shown["_meta"]}
    kept = {name: value for name, value in accepted.items() if name != "execution"}
    return {**kept, **said, "name": shown["name"], "_meta": meta}


@cache
def _version() -> str:
    """That of the package; to look it up is a tenth of a start."""
    try:
        return version("toolwall")
    except PackageNotFoundError:  # run from its source
        return "0"

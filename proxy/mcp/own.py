"""The sidecar's own MCP server: tools of HTTP APIs, for clients that speak MCP and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from time import time_ns
from typing import Final

from proxy.attributes import TOOL_ERROR
from proxy.body import Body, TooLong
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity import Identify
from proxy.mcp.entry import FAILED, MessageEntry
from proxy.model import Result
from proxy.outcomes import withheld
from proxy.protocols import jsonrpc, mcpown
from proxy.protocols.mcpown import OwnAsk
from proxy.record import Record, new_id
from rules.decide import Ruleset
from rules.facts import Principal, Run
from rules.listing import functions, listed, rendered
from rules.tools import Tool

MOST_LISTED: Final = 4 << 20
"""Bytes of all tools; a model's context holds less."""

MOST_ANSWER: Final = 8 << 20
"""Bytes of one answer, whatever its tool allows: it is read whole."""

_JSON: Final = ("Content-Type", "application/json")


class Own:
    """The server. It keeps nothing of its clients: each message says all that is needed."""

    def __init__(self) -> None:
        try:
            self._version = version("toolwall")
        except PackageNotFoundError:  # run from its source
            self._version = "0"
        self._known: tuple[str, Mapping[str, Tool]] = ("", {})

    async def answer(self, firewall: Firewall, ask: OwnAsk, identify: Identify) -> Result:
        """The answer to one message. Raises Refusal; either way its Record is written."""
        with firewall.regime as regime:
            record = Record(call=new_id(), started_ns=time_ns(), door=ask.listener)
            async with OwnEntry(firewall, record, ask, self._version) as entry:
                entry.hailed(hail := ask.hail())
                principal = await identify(hail)
                await ask.read()
                if ask.is_call:
                    ask.tools = self._tools(regime.rules)
                    return await firewall.call(ask, entry, regime, principal)
                entry.identified(principal, Run("", 0))
                firewall.halts.check(entry)
                record.method, record.decision, record.revision = ask.message.method, "allow", regime.rules.revision
                record.effect = "read"
                return await entry.follow(await self._said(firewall, ask, regime.rules, principal))

    async def _said(self, firewall: Firewall, ask: OwnAsk, rules: Ruleset, principal: Principal) -> Result:
        if ask.message.kind == "request" and ask.message.method == mcpown.LIST:
            tools = await asyncio.to_thread(_listed, rules, principal)
            tools = firewall.entries.known.clean(tools, "application/json", None).value
            body = mcpown.listing(ask, tools, self._version)
        elif not (body := mcpown.answer(ask, self._version)):
            return Result(202, [], Body.of(b""))
        return Result(200, [_JSON], Body.of(jsonrpc.reply(ask.message.id, body)))

    def _tools(self, rules: Ruleset) -> Mapping[str, Tool]:
        """The tools by the names that models call them by."""
        revision, tools = self._known
        if revision != rules.revision:
            names = functions(rules.catalog)
            tools = {names[name]: tool for name, tool in rules.catalog.tools.items() if tool.mcp is None}
            self._known = rules.revision, tools
        return tools


class OwnEntry(MessageEntry):
    """The Record of one message. The answer to a call is read whole, and becomes the result of its message."""

    def __init__(self, firewall: Firewall, record: Record, ask: OwnAsk, sidecar: str) -> None:
        super().__init__(firewall.entries, record, ask)
        self._ask = ask
        self._version = sidecar

    async def follow(self, result: Result) -> Result:
        if self._ask.is_call:
            body = await self._whole(result.body)
            flow = result.body.flow
            headers = [*result.headers, *(flow.trailers() if flow else [])]
            self.error = TOOL_ERROR if result.status >= FAILED else ""
            made = mcpown.result(self._ask, result.status, headers, body, self._version)
            result = Result(200, [_JSON], Body.of(jsonrpc.reply(self._ask.message.id, made)))
        return await super().follow(result)

    async def _whole(self, body: Body) -> bytes:
        try:
            async with asyncio.timeout_at(self.deadline if isfinite(self.deadline) else None), body:
                return await body.read(MOST_ANSWER)
        except TooLong:
            raise withheld(self.record, f"It is larger than {MOST_ANSWER} bytes. Ask for less.") from None
        except TimeoutError:
            note = "a stream that did not end within the time of its tool"
            raise withheld(self.record, "It did not end in time, as the answer to a message has to.", note) from None


def _listed(rules: Ruleset, principal: Principal) -> bytes:
    tools = [each for each in listed(rules, principal) if each.tool.mcp is None]
    said = json.dumps(rendered(tools, "mcp"), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(said) > MOST_LISTED:
        raise Refusal(
            "bad_request",
            f"The list of {len(tools)} tools is larger than {MOST_LISTED} bytes.",
            suggestion="Ask the operator for fewer tools: a model cannot choose among so many.",
        )
    return said

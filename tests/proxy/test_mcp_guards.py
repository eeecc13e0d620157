"""Messages of MCP through the rules and all guards: what goes to the server is what was judged, wherever it stands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.body import Body
from proxy.entry import Entries, Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall, Regime
from proxy.identity.identity import static
from proxy.ledger import Ledger
from proxy.model import Call, Peer, Result
from proxy.protocols.head import Door
from proxy.protocols.mcp import McpAsk
from proxy.protocols.rest import Greetings
from proxy.regimes import Ready, Regimes, scanners_of
from proxy.scanning import Scans
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from proxy.upstream.upstream import UpstreamBounds
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from rules.facts import Principal
from tests.proxy.protocols.mcptools import META, NEW, message
from tests.rules.mcp.hub import hub

HUB: Final = """
    backend: hub
    url: https://hub.test/mcp
    mcp: hub.definitions.json
    outgoing: {mask: [EMAIL_ADDRESS]}
    tools:
      search_issues: {effect: read, cache: 1m}
    resources:
      readme: {uri: "repo://readme"}
"""
POLICY: Final = 'rules: [{id: all, allow: ["hub.*", "hub.resources/*", "hub.elicitation/create"]}]'
MAIL: Final = "ann@corp.test"
ANSWER: Final = b'{"result":{"content":[],"structuredContent":{"count":1}}}'


class House:
    """Everything but sockets. `sent` are the calls that would go to the server."""

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall
        self.sent: list[Call] = []

    async def send(self, call: Call, entry: Entry) -> Result:
        self.sent.append(call)
        entry.attempt("POST", "hub.test", 443, "/").end(200)
        entry.sent, entry.record.upstream_status = True, 200
        return Result(200, [("Content-Type", "application/json")], Body.of(ANSWER))

    async def say(self, method: str, params: Mapping[str, Any], *headers: tuple[str, str]) -> Result:
        """One request of the era without sessions."""
        body = message(method, {"_meta": META, **params})
        head = [("Host", "localhost"), ("Content-Type", "application/json"), ("Mcp-Method", method), *headers]
        head += [("MCP-Protocol-Version", NEW), ("Mcp-Name", params.get("name", params.get("uri", "")))]

        async def read() -> bytes:
            return body

        greetings = Greetings(Door("d", frozenset({"localhost"}), {}), Peer("::1"))
        raw = tuple((name.encode(), value.encode()) for name, value in head)
        ask = McpAsk(greetings, "POST", "/hub/mcp", (1, 1), raw, read)
        return await self.firewall.handle(ask, static(Principal("ann")))


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    (folder / "rules").mkdir()
    rules = hub(folder / "rules", POLICY, HUB)
    ledger, telemetry, scans = Ledger.open(folder / "ledger", bytes(32)), Telemetry.open(TelemetrySettings()), Scans()
    guards = Regimes(Ready(rules, scanners_of(rules)), scans, UpstreamBounds()).regime.guards
    entries = Entries(ledger, telemetry, bytes(32), Scanner(kinds_of("standard")))
    made: list[House] = []

    async def send(call: Call, entry: Entry) -> Result:
        return await made[0].send(call, entry)

    made.append(House(Firewall(Regime(rules, guards, send), entries)))
    try:
        yield made[0]
    finally:
        scans.close()
        telemetry.close()
        ledger.close()


async def search(h: House, arguments: Mapping[str, Any], **more: Any) -> Result:
    region = arguments.get("region")
    mirrored = [("Mcp-Param-Region", region)] if region else []
    return await h.say("tools/call", {"name": "search_issues", "arguments": arguments, **more}, *mirrored)


def params(call: Call) -> Any:
    return json.loads(call.outgoing.body)


def test_an_argument_and_the_header_that_repeats_it_are_masked_together(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as h:
            await search(h, {"q": f"mail of {MAIL}", "region": MAIL})
            (call,) = h.sent
            assert params(call)["arguments"] == call.arguments
            assert MAIL not in str(call.arguments)
            assert dict(call.outgoing.headers)["mcp-param-region"] == call.arguments["region"]
            assert MAIL.encode() not in call.outgoing.body
            assert MAIL not in str(call.outgoing.headers)

    asyncio.run(play())


def test_an_answer_to_the_server_is_looked_at_as_arguments_are(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as h:
            answers = {"a": {"action": "accept", "content": {"mail": MAIL}}}
            await search(h, {"q": "x"}, inputResponses=answers, requestState="s")
            (call,) = h.sent
            assert params(call)["inputResponses"]["a"]["content"]["mail"] not in ("", MAIL)
            assert params(call)["requestState"] == "s"
            for more in ({"requestState": MAIL}, {"_meta": {**META, "com.example/who": MAIL}}):
                with pytest.raises(Refusal, match="unsafe_argument"):
                    await search(h, {"q": "x"}, **more)
            assert len(h.sent) == 1

    asyncio.run(play())


def test_a_call_that_brings_answers_is_another_call(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as h:
            declined = {"a": {"action": "decline"}}
            for more, sent in [
                ({}, 1),
                ({}, 1),
                ({"requestState": "s"}, 2),
                ({"requestState": "t"}, 3),
                ({"inputResponses": declined, "requestState": "t"}, 4),
                ({"inputResponses": declined, "requestState": "t"}, 4),
                ({"_meta": {**META, "com.example/call": "7", "progressToken": 7}}, 4),
            ]:
                await search(h, {"q": "x"}, **more)
                assert len(h.sent) == sent, more

    asyncio.run(play())


def test_arguments_off_their_contract_do_not_go_out(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as h:
            for arguments in ({"q": 7}, {}, {"q": "x", "Q": "y"}, {"q": "x", "region": 7}):
                with pytest.raises(Refusal) as no:
                    await h.say("tools/call", {"name": "search_issues", "arguments": arguments}, *_said(arguments))
                assert no.value.code == "schema_violation"
            with pytest.raises(Refusal, match="unknown_tool"):
                await h.say("resources/read", {"uri": "repo://other"})
            assert not h.sent

    asyncio.run(play())


def _said(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Mcp-Param-Region", str(arguments["region"]))] if "region" in arguments else []

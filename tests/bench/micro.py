"""The parts of one call, each alone: what a call's time is made of. No socket, no other process."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from proxy.body import Body
from proxy.entry import Entries, Entry
from proxy.firewall import Firewall, Guards, Regime
from proxy.identity.identity import Identity, static
from proxy.identity.settings import IdentitySettings, JwtSettings
from proxy.identity.tokens import Issuers
from proxy.ledger import Ledger
from proxy.model import Call, Hail, Peer, Result
from proxy.protocols import strictjson
from proxy.protocols.head import Door
from proxy.protocols.mcp import McpAsk
from proxy.protocols.rest import Greetings, RestAsk
from proxy.record import Record
from proxy.regimes import Ready, Regimes, scanners_of
from proxy.scanning import Scans
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from proxy.upstream.upstream import UpstreamBounds
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from rules.decide import Ruleset
from rules.facts import Facts, Principal, Run
from rules.load import load
from tests.bench.processes import BenchError, free_port
from tests.bench.replies import dense, harmless, scenarios
from tests.bench.subjects import Setup, write_setup
from tests.issuer import AUDIENCE, ISSUER, jwks, public, rsa_key, token
from tests.proxy.protocols.mcptools import CATALOG, META, NEW, message
from tests.proxy.protocols.mcptools import DOOR as MCP_DOOR

REPEATS = 5
WAITERS = 64
STEPS = 20
RELIABLE = ("timeout", "retry", "bulkhead", "breaker")
"""The guards of a plain read that bound and repeat it; once, limits, budgets and the cache are not in its way."""

_BOT = Principal("support-bot", frozenset({"support"}), agent="support-bot", method="static")
_DOOR = Door("127.0.0.1:8080", frozenset({"127.0.0.1"}), {})
_GREETINGS = Greetings(_DOOR, Peer("127.0.0.1"))
_HEADERS = ((b"Host", b"127.0.0.1:8080"), (b"Accept", b"application/json"), (b"User-Agent", b"agent/1.0"))
_SMALL = scenarios()[0].body

Work = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Part:
    """One part of a call. Awaiting `work` does it `calls` times, `waiters` of them at once."""

    name: str
    work: Work
    calls: int = 1
    waiters: int = 1


@dataclass(frozen=True)
class Figure:
    """Microseconds that one call of a part takes, and how many of them a processor works."""

    part: Part
    us: float
    cpu_us: float


@dataclass(frozen=True)
class House:
    """What a sidecar is made of, without its sockets."""

    rules: Ruleset
    ledger: Ledger
    telemetry: Telemetry
    scanner: Scanner
    firewall: Firewall
    unguarded: Firewall
    """The same without the guards of RELIABLE."""


def figures(seconds: float) -> list[Figure]:
    """Measure each part for about `seconds` times REPEATS."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_figures(seconds))


async def _figures(seconds: float) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        async with _house(Path(folder)) as house:
            parts = (*_plain(house), _message(), *_waiting(house), await _known(house, Path(folder)))
            return [await _timed(part, seconds) for part in parts]


@asynccontextmanager
async def _house(folder: Path) -> AsyncIterator[House]:
    write_setup(folder / "house", Setup(), free_port(), free_port(), "")
    rules = load(folder / "house" / "rules")
    ledger = Ledger.open(folder / "ledger", bytes(32))
    telemetry = Telemetry.open(TelemetrySettings())
    telemetry.rules(rules.revision, rules.catalog.tools)
    scans, scanners = Scans(), scanners_of(rules)
    scanner = Scanner(kinds_of("standard"))
    entries = Entries(ledger, telemetry, bytes(32), scanner)
    guards = Regimes(Ready(rules, scanners), scans, UpstreamBounds()).regime.guards
    firewalls = [Firewall(Regime(rules, each, _answer_at_once), entries) for each in (guards, _without(guards))]
    try:
        yield House(rules, ledger, telemetry, scanner, *firewalls)
    finally:
        scans.close()
        telemetry.close()
        ledger.close()


def _without(guards: Guards) -> Guards:
    return lambda call, decision: [each for each in guards(call, decision) if each.__name__ not in RELIABLE]


def _plain(house: House) -> Iterator[Part]:
    """Parts that wait for nothing."""
    small, large = (each.body for each in scenarios())
    bland_small, bland_large = harmless()
    facts, record = _facts(house.rules), _record()
    yield _many("strict JSON parse, 1 KB", lambda: strictjson.parse(small, 64))
    yield _many("contract check", lambda: facts.tool.contract.check(facts.args))
    yield _many("decide, one `when`", lambda: house.rules.decide(facts))
    yield _many("scan 1 KB, no finding", lambda: _scan(house.scanner, bland_small))
    yield _many("scan 1 KB, 3 findings", lambda: _scan(house.scanner, small))
    yield _many("scan 64 KB, no finding", lambda: _scan(house.scanner, bland_large))
    yield _many("scan 64 KB, 12 findings", lambda: _scan(house.scanner, large))
    crowd, count = dense()
    yield _many(f"scan 64 KB, {count:,} findings", lambda: _scan(house.scanner, crowd), 1)
    yield _many("ledger append", lambda: house.ledger.append(_line(record)))
    yield _many("telemetry, not sampled", lambda: _told(house.telemetry, record))


def _many(name: str, do: Callable[[], Any], steps: int = STEPS) -> Part:
    """So many calls at once that starting them does not count."""

    async def work() -> None:
        for _ in range(steps):
            do()

    return Part(name, work, steps)


def _message() -> Part:
    """What it costs to read a message of MCP under a head that is known, up to what would be sent."""
    body = message("tools/call", {"name": "search", "arguments": {"q": "open issues " * 7, "n": 20}, "_meta": META}, 7)
    named = {"mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "search"}
    head = {"host": "localhost", "content-type": "application/json", "accept": "*/*", **named}
    raw = tuple((name.encode(), value.encode()) for name, value in head.items())
    greetings, run = Greetings(MCP_DOOR, Peer("127.0.0.1")), Run("run", 1)

    async def read() -> bytes:
        return body

    async def work() -> None:
        for _ in range(STEPS):
            ask = McpAsk(greetings, "POST", "/gh/mcp", (1, 1), raw, read)
            ask.hail()
            tool = await ask.find(CATALOG)
            if tool is None or (await ask.call("c", tool, _BOT, run)).arguments["n"] != 20:
                raise BenchError("the message was not read")

    return Part(f"read a message of MCP, {len(body)} bytes", work, STEPS)


def _waiting(house: House) -> Iterator[Part]:
    """Parts that wait: for the disk, or for what they are made of."""
    line = _line(_record())
    identify = static(_BOT)

    async def durable() -> None:
        await house.ledger.durable(house.ledger.append(line))

    async def together() -> None:
        await asyncio.gather(*(durable() for _ in range(WAITERS)))

    async def handle(firewall: Firewall) -> None:
        result = await firewall.handle(_ask(), identify)
        if ("toolwall-redacted", "EMAIL_ADDRESS=1, PERSON=1, PHONE_NUMBER=1") not in result.headers:
            raise BenchError(f"the reply was not cleaned: {result.headers}")

    yield Part("ledger append and durable", durable)
    yield Part(f"ledger append and durable, {WAITERS} at once", together, WAITERS, WAITERS)
    yield Part("Firewall.handle, 1 KB, backend answers at once", partial(handle, house.firewall))
    yield Part(f"the same without {', '.join(RELIABLE)}", partial(handle, house.unguarded))


async def _known(house: House, folder: Path) -> Part:
    """What it costs to know a caller by a token that was seen before, and to judge its call."""
    (folder / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one")))
    settings = JwtSettings(ISSUER, (AUDIENCE,), f"file:{folder / 'jwks.json'}", prefix="agent:")
    identify = Identity(IdentitySettings(jwt=(settings,)), (), Issuers((settings,)), Issuers(()))
    hail = Hail("rest", "127.0.0.1", bearer=token(roles=["support"]))
    facts = _facts(house.rules)

    async def work() -> None:
        for _ in range(STEPS):
            house.rules.decide(facts._replace(principal=await identify(hail)))

    return Part("identity by a known token, and decide", work, STEPS)


async def _timed(part: Part, seconds: float) -> Figure:
    """The median of some repeats, each of them as many calls as fit into `seconds`."""
    await part.work()
    started = time.perf_counter()
    await part.work()
    count = max(1, int(seconds / (time.perf_counter() - started)))
    runs = [await _one(part.work, count) for _ in range(REPEATS)]
    us, cpu_us = (median(each) / count / part.calls * 1e6 for each in zip(*runs, strict=True))
    return Figure(part, us, cpu_us)


async def _one(work: Work, count: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        await work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _facts(rules: Ruleset) -> Facts:
    args = {"customer_id": 7, "status": "open", "limit": 200}
    return Facts(rules.catalog.tools["desk.list_tickets"], args, _BOT, Run("run", 1), datetime.now(UTC), "127.0.0.1")


def _scan(scanner: Scanner, body: bytes) -> None:
    stage = scanner.stage("application/json", None)
    stage.feed(body)
    stage.close()


def _record() -> Record:
    """That of an allowed read whose reply was cleaned."""
    record = Record(call="0" * 28, started_ns=time.time_ns(), door="127.0.0.1:8080", protocol="rest", run="run-7")
    record.principal, record.agent, record.roles = _BOT.id, _BOT.agent, ("support",)
    record.tool, record.effect, record.method, record.decision = "desk.get_customer", "read", "GET", "allow"
    record.rules, record.revision, record.arguments_hash = ("support-reads",), "0" * 16, "0" * 64
    record.checks = ["identity", "visible", "contract", "rules", "clean", "timeout"]
    record.status, record.executed, record.outcome, record.upstream_status = 200, "yes", "ok", 200
    record.attempts, record.redactions, record.result_hash = 1, {"EMAIL_ADDRESS": 1, "PHONE_NUMBER": 1}, "0" * 64
    record.upstream_ms, record.clean_ms, record.total_ms = 1.25, 0.25, 2.0
    return record


def _line(record: Record) -> dict[str, Any]:
    return {"kind": "call", **record.as_dict()}


def _told(telemetry: Telemetry, record: Record) -> None:
    trace = telemetry.begin(None, None, record.started_ns)
    trace.attempt("GET", "127.0.0.1", 80).end(200)
    telemetry.finish(trace, record)


async def _no_body() -> bytes:
    return b""


def _ask() -> RestAsk:
    return RestAsk(
        greetings=_GREETINGS,
        method="GET",
        raw_target="/desk/customers/7",
        version=(1, 1),
        raw_headers=_HEADERS,
        read_body=_no_body,
    )


async def _answer_at_once(call: Call, entry: Entry) -> Result:
    """What stands for the upstream: the reply is here already."""
    attempt = entry.attempt(call.outgoing.method, "127.0.0.1", 80, call.tool.path)
    entry.sent = True
    attempt.end(200)
    entry.record.upstream_status = 200
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(_SMALL)))]
    return Result(200, headers, Body.of(_SMALL))

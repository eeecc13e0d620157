"""Regimes come and go: the one in force, and those before it whose last calls are still under way."""

from __future__ import annotations

import asyncio
import gc
from typing import NamedTuple

from proxy.budgets import Budgets
from proxy.credentials.injecting import Injecting
from proxy.effects.keepsakes import Keepsakes
from proxy.firewall import Firewall, Regime
from proxy.guards import Guards
from proxy.guards.budget import Spending
from proxy.guards.cache import Cache
from proxy.guards.clean import Clean, Scanners
from proxy.guards.credential import Credential
from proxy.guards.keep import Keep
from proxy.guards.known import KnownSecrets
from proxy.guards.limit import Limiting
from proxy.guards.once import Once
from proxy.guards.outgoing import Outgoing
from proxy.guards.price import Price
from proxy.guards.replycontract import ReplyContract
from proxy.guards.shape import Shape
from proxy.guards.warn import Warn
from proxy.guards.witness import Witness
from proxy.health import Health, healths
from proxy.limits import Limits
from proxy.mcp.reader import Reader
from proxy.mcp.servers import Servers
from proxy.mcp.upstream import McpUpstream
from proxy.probing import Probes
from proxy.protocols.masking import masked
from proxy.protocols.restoring import restored
from proxy.protocols.writing import carried
from proxy.pseudonyms import Keeper
from proxy.relating import Relating
from proxy.replies.answers import Answers
from proxy.replies.pieces import Pieces
from proxy.replies.remainders import Remainders
from proxy.restoring import Restore
from proxy.scanning import Scans
from proxy.upstream.upstream import Upstream, UpstreamBounds
from redaction.known import NOTHING, Known
from redaction.operators import APART
from redaction.rewriting import NO_WAYS, Operate, Ways
from redaction.scanner import Foreign, Scanner
from redaction.sparing import NOTHING_SPARED, Sparing
from rules.decide import Ruleset
from rules.tools import Tool


class Ready(NamedTuple):
    """Rules with what takes time to make for them."""

    rules: Ruleset
    scanners: Scanners


def scanners_of(
    rules: Ruleset,
    known: Scanners | None = None,
    key: bytes = b"",
    foreign: Foreign | None = None,
    operate: Operate | None = None,
) -> Scanners:
    """One scanner for each way of cleaning that the contracts name, made anew where it is not `known`. In any thread.

    `key` is what some ways to rewrite need; `foreign` makes what finds kinds that our own patterns do not, `operate`
    asks the operators of Presidio.
    """
    tools = rules.catalog.tools.values()
    wanted = {tool.reply.cleaning for tool in tools if tool.reply.redact}
    wanted |= {(tool.outgoing.kinds, NO_WAYS, NOTHING_SPARED) for tool in tools if tool.outgoing.kinds}
    same = {each: scanner for each, scanner in (known or {}).items() if scanner.own == rules.detectors}

    def made(kinds: frozenset[str], ways: Ways, sparing: Sparing) -> Scanner:
        return Scanner(kinds, ways, key, foreign, rules.detectors, operate).sparing(sparing)

    return {each: same.get(each) or made(*each) for each in wanted}


def presidio_operators(rules: Ruleset) -> dict[str, Tool]:
    """The operators of Presidio that the contracts name, each with a tool that does."""
    tools = rules.catalog.tools.values()
    return {way.mark: tool for tool in tools for _, way in tool.reply.ways if way.name == APART}


class Past(NamedTuple):
    """What was in force, and the ways to backends and services that its last calls use."""

    regime: Regime
    upstream: Upstream
    relating: Relating


class Regimes:
    """Puts rules in force, and lets go of those before them after their last call. Lives in one event loop."""

    def __init__(
        self,
        first: Ready,
        scans: Scans,
        bounds: UpstreamBounds,
        known: Known = NOTHING,
        remainders: Remainders | None = None,
        answers: Answers | None = None,
        keeper: Keeper | None = None,
        budgets: Budgets | None = None,
        once: Once | None = None,
        keepsakes: Keepsakes | None = None,
        injecting: Injecting | None = None,
        servers: Servers | None = None,
    ) -> None:
        self._servers = servers or Servers()
        self._scans = scans
        self._keeper = keeper
        self._injecting = injecting
        self._once = once
        self._keeping = Keep(keepsakes, carried, scans) if keepsakes else None
        self._remainders = Remainders() if remainders is None else remainders
        self.pieces = Pieces(self._remainders, scans)
        self._known = known
        self._cache = Cache(Answers() if answers is None else answers)
        self._bounds = bounds
        self._limiting = Limiting(Limits())
        self._spending = Spending(Budgets() if budgets is None else budgets)
        self._before: list[Past] = []
        self.healths: dict[str, Health] = {}
        self._probes = Probes(bounds)
        self._stopping = asyncio.Event()
        self._put(first, None)

    @property
    def scanners(self) -> Scanners:
        """Those of the rules in force."""
        return self._ready.scanners

    def enact(self, new: Ready, firewall: Firewall) -> None:
        """Put other rules in force. Calls under way end as they began; the next one is judged by the new rules."""
        before = Past(self.regime, self._upstream, self._relating)
        self._put(new, self._upstream)
        self._before.append(before)
        firewall.regime = self.regime
        if gc.get_freeze_count():
            # As at the start, what lives long is put out of the collector's sight, without a look through all of it.
            # Rules that go hold no cycles: they need no collector.
            gc.collect(1)
            gc.freeze()

    def _put(self, new: Ready, former: Upstream | None) -> None:
        backends = new.rules.catalog.backends
        self._ready = new
        self._upstream = Upstream(backends, self._bounds, former)
        self.healths = healths(backends, self.healths)
        self._probes.follow(backends, self.healths)
        injections = self._injecting.follow(backends) if self._injecting else {}
        clean = Clean(backends, new.scanners, self._scans, self._keeper)
        secrets = KnownSecrets(self._known, self._scans, *((self._injecting.alarm,) if self._injecting else ()))
        guards = Guards(
            clean,
            Warn(self._scans),
            secrets,
            ReplyContract(self._scans),
            Outgoing(new.scanners, self._known, masked, self._scans),
            Shape(self._remainders, self._scans),
            self._cache,
            self._limiting,
            self.healths,
            self._spending,
            Price(self._scans),
            self._once,
            self._keeping,
            self._stopping,
            Witness(self._scans),
            Credential(injections),
        )
        restore = (Restore(self._keeper, new.rules.catalog, restored, self._scans),) if self._keeper else ()
        self._relating = Relating(new.rules.relations.services, self._bounds)
        send = self._upstream.send
        if any(backend.mcp for backend in backends.values()):
            send = McpUpstream(send, new.rules, Reader((clean, secrets)), self._servers, self.pieces).send
        self.regime = Regime(new.rules, guards, send, self._relating, *restore)

    async def tend(self) -> None:
        """Let go of regimes before this one that no call uses any more."""
        over = [each for each in self._before if not each.regime.calls and not each.upstream.busy]
        if not over:
            return
        self._before = [each for each in self._before if each not in over]
        await self._close(over)

    async def _close(self, over: list[Past]) -> None:
        used = [self._upstream, *(each.upstream for each in self._before)]
        for each in over:
            await each.upstream.close(used)
            await each.relating.close()

    def stop(self) -> None:
        """End what still waits for a backend, or to ask it again."""
        self._stopping.set()
        self._probes.stop()
        for upstream in (self._upstream, *(each.upstream for each in self._before)):
            upstream.stop()

    async def close(self) -> None:
        """Close every connection to every backend."""
        await self._probes.close()
        for upstream in (self._upstream, *(each.upstream for each in self._before)):
            await upstream.close()
        for relating in (self._relating, *(each.relating for each in self._before)):
            await relating.close()

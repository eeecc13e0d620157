"""Undoing a run: the calls that take its effects back, the last effect first, each through the whole pipeline.

It stops where a human is needed, and says so. It may be repeated at any time, also after a crash: what is undone is in
the ledger, and what was sent and has no end there waits for somebody to settle it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from proxy.body import TooLong
from proxy.effects.deeds import Deeds
from proxy.effects.keepsakes import UNDO, Keepsakes
from proxy.effects.keepsakes import Undoing as Kept
from proxy.effects.once import answered
from proxy.effects.undoplan import Effect, effects
from proxy.errors import Refusal
from proxy.firewall import Regime
from proxy.ledger import Ledger, LedgerError, index
from proxy.mcp.made import Making
from proxy.model import Behalf, Hail, Outgoing
from proxy.protocols.ordered import PROTOCOL
from proxy.protocols.placing import Placed
from proxy.protocols.writing import CannotWrite, written
from proxy.store import StoreError
from rules.facts import Facts, Principal, Run
from rules.obligations import Approval, only
from rules.tools import Catalog, Tool

MOST_REPLY: Final = 1 << 20
"""Bytes of the answer to an undo that are waited for; nobody reads them."""

_GONE: Final = "Whoever can tell should look at the backend, and undo it by hand"
_LEAVE: Final = "then undo the rest with `--leave {call}`"
_GOOD: Final = frozenset({"undone", "was_undone", "would_undo", "left"})


class Busy(Exception):
    """This run is being undone already."""


class Step(NamedTuple):
    """What became of one effect. `state` is `undone`, `was_undone` (before), `would_undo` (in a dry run), `left` (as
    somebody said), `stopped` or `not_reached`. `by` is the call that undid it, `undo` the tool of that.
    """

    call: str
    tool: str
    state: str
    undo: str = ""
    by: str = ""
    detail: str = ""
    suggestion: str = ""
    arguments: Any = None

    def told(self, with_arguments: bool) -> dict[str, Any]:
        """As JSON, without what says nothing."""
        said = {name: value for name, value in self._asdict().items() if value not in ("", None)}
        return said if with_arguments else {name: value for name, value in said.items() if name != "arguments"}


@dataclass(slots=True)
class Report:
    """What became of the effects of a run, the last one first."""

    run: str
    principal: str
    dry_run: bool = False
    steps: list[Step] = field(default_factory=list)
    is_cut: bool = False
    """Whether there are older calls that were not looked at."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to undo; in a dry run, whether nothing would be."""
        return not self.is_cut and all(step.state in _GOOD for step in self.steps)

    def told(self, with_arguments: bool = False) -> dict[str, Any]:
        """As JSON. Arguments are for the operator alone: they hold what the agent's own answer did not show."""
        said = {"run": self.run, "principal": self.principal, "dry_run": self.dry_run, "complete": self.complete}
        more = {"older_calls_not_looked_at": True} if self.is_cut else {}
        return {**said, **more, "steps": [step.told(with_arguments) for step in self.steps]}

    def words(self) -> str:
        """In one line, for Records."""
        counts: dict[str, int] = {}
        for step in self.steps:
            counts[step.state] = counts.get(step.state, 0) + 1
        told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())
        return f"{'dry run of undoing' if self.dry_run else 'undoing'} run {self.run}: {told or 'it has no effects'}"


class Undoing:
    """Undoes runs; `folder` is that of the ledger."""

    def __init__(self, making: Making, keepsakes: Keepsakes, deeds: Deeds, ledger: Ledger, folder: Path) -> None:
        self._making = making
        self._firewall = making.firewall
        self._keepsakes = keepsakes
        self._deeds = deeds
        self._ledger = ledger
        self._folder = folder
        self._underway: set[tuple[str, str]] = set()

    async def undo(
        self,
        principal: Principal,
        run: str,
        hail: Hail,
        listener: str,
        *,
        dry_run: bool = False,
        leave: Collection[str] = (),
    ) -> Report:
        """Undo a run of a principal. `hail` says who wants it, and how the run is named there. `leave` are calls that
        somebody takes care of. Raises Busy, LedgerError.
        """
        key = (principal.id, run)
        if key in self._underway:
            raise Busy
        self._underway.add(key)
        try:
            return await self._undo(_Order(principal, run, hail, listener, dry_run), leave)
        finally:
            self._underway.discard(key)

    async def _undo(self, order: _Order, leave: Collection[str]) -> Report:
        calls = await asyncio.to_thread(index.acting, self._folder, order.run, order.principal.id, index.LIMIT_MOST)
        report = Report(order.run, order.principal.id, order.dry_run, is_cut=len(calls) == index.LIMIT_MOST)
        stopped = False
        for effect in effects([[each.entry for each in entries] for entries in calls]):
            step = Step(effect.call, effect.tool, "not_reached") if stopped else await self._step(order, effect, leave)
            stopped = stopped or step.state == "stopped"
            report.steps.append(step)
        return report

    async def _step(self, order: _Order, effect: Effect, leave: Collection[str]) -> Step:
        if effect.state == "undone":
            return Step(effect.call, effect.tool, "was_undone", by=effect.by)
        if effect.call in leave:
            return Step(effect.call, effect.tool, "left")
        if effect.state != "done":
            return _open(effect)
        try:
            kept = await self._keepsakes.undo_of(effect.call)
        except StoreError:
            return _stopped(effect, "What would undo it cannot be read.", "Mend the table, then undo the run again.")
        tool = self._firewall.regime.rules.catalog.tools.get(kept.tool) if kept else None
        if kept is None or tool is None:
            return self._without(effect, kept)
        if order.dry_run:
            return await self._would(order, effect, kept, tool)
        return await self._send(order, effect, kept)

    def _without(self, effect: Effect, kept: Kept | None) -> Step:
        """An effect that nothing undoes."""
        tool = self._firewall.regime.rules.catalog.tools.get(effect.tool)
        why = "What would undo it was not kept, or its time is over."
        if kept is not None:
            why = f"The tool that undoes it, {kept.tool}, is not in the rules any more."
        elif tool is None or tool.undo is None:
            why = "Its contract names no tool that undoes it."
        return _stopped(effect, why, f"{_GONE}; {_LEAVE.format(call=effect.call)}.")

    async def _would(self, order: _Order, effect: Effect, kept: Kept, tool: Tool) -> Step:
        """What would be sent, and whether the rules would let it."""
        regime = self._firewall.regime
        try:
            placed, _ = written(tool, kept.arguments, kept.brought, regime.rules.catalog)
        except CannotWrite as why:
            return _stopped(effect, f"It cannot be written: {why}.", f"{_GONE}.")
        if said := await _judged(regime, order, tool, placed, kept.peer):
            return _stopped(effect, f"It would be refused: {said}.", "Change the rules, or undo it by hand.", tool.name)
        shown = self._firewall.entries.shown(placed.arguments)
        return Step(effect.call, effect.tool, "would_undo", tool.name, arguments=shown)

    async def _send(self, order: _Order, effect: Effect, kept: Kept) -> Step:
        behalf = Behalf(order.hail.behalf.ordered if order.hail.behalf else "", undoes=effect.call)
        hail = order.hail._replace(protocol=PROTOCOL, behalf=behalf, once="", peer=order.hail.peer or kept.peer)

        def make(tool: Tool, catalog: Catalog) -> tuple[Placed, Outgoing]:
            return written(tool, kept.arguments, kept.brought, catalog)

        try:
            result = await self._making(order.listener, hail, kept.tool, make, order.principal)
            by = next((value for name, value in result.headers if name == "Toolwall-Call"), "")
            async with result.body:
                with suppress(TooLong):
                    await result.body.read(MOST_REPLY)
        except Refusal as no:
            if no.executed != "yes":
                return _refused(effect, kept.tool, no)
            by = no.call_id
        else:
            if result.status >= 400:
                return self._declined(effect, kept.tool, by, result.status)
        return await self._done(order, effect, kept.tool, by, behalf.ordered)

    def _declined(self, effect: Effect, undo: str, by: str, status: int) -> Step:
        tool = self._firewall.regime.rules.catalog.tools.get(undo)
        known = tool.once.not_done if tool and tool.once else frozenset[int]()
        if answered(status, known) == "unknown":
            advice = f"Find out at the backend, settle it with `toolwall ledger settle {by}`, then undo again."
            return _stopped(effect, f"The backend failed with {status}: the undo may be done.", advice, undo, by)
        advice = f"{_GONE}; {_LEAVE.format(call=effect.call)}."
        return _stopped(effect, f"The backend declined the undo with {status}.", advice, undo, by)

    async def _done(self, order: _Order, effect: Effect, undo: str, by: str, ordered: str) -> Step:
        """Write down that it is undone: in the ledger, and for whoever makes the same call again."""
        about = {"tool": effect.tool, "principal": order.principal.id, "run": order.run, "by": by, "ordered": ordered}
        entry: dict[str, Any] = {"kind": "undone", "call": effect.call, **about}
        try:
            name = bytes.fromhex(effect.once["name"]) if effect.once else b""
            held = await self._deeds.get(name) if name else None
            if effect.once and held and held.call == effect.call:
                entry["once"] = {**effect.once, "state": "undone"}
            await self._ledger.durable(self._ledger.append(entry))
            if effect.once and held and "once" in entry:
                undone = held._replace(state="undone", answer=None)
                await self._deeds.put(name, undone, float(effect.once["lasts_s"]))
            await self._keepsakes.forget(UNDO, effect.call)
        except (LedgerError, StoreError):
            why = "It was undone, and that could not be recorded."
            return Step(effect.call, effect.tool, "stopped", undo, by, why, "Mend the disk, then undo the run again.")
        return Step(effect.call, effect.tool, "undone", undo, by)


class _Order(NamedTuple):
    """One order to undo a run."""

    principal: Principal
    run: str
    hail: Hail
    listener: str
    dry_run: bool


def _stopped(effect: Effect, why: str, suggestion: str, undo: str = "", by: str = "") -> Step:
    return Step(effect.call, effect.tool, "stopped", undo, by, why, suggestion)


def _open(effect: Effect) -> Step:
    """Of what nobody knows, nothing is undone."""
    call = effect.call if effect.state == "unknown" else effect.by
    what = "it was carried out" if effect.state == "unknown" else f"call {call}, which was to undo it, was carried out"
    advice = f"Find out at the backend, settle it with `toolwall ledger settle {call}`, then undo the run again."
    return _stopped(effect, f"It is not known whether {what}, or it is under way.", advice, by=effect.by)


def _refused(effect: Effect, undo: str, no: Refusal) -> Step:
    if no.executed == "unknown":
        advice = f"Find out at the backend, settle it with `toolwall ledger settle {no.call_id}`, then undo again."
        return _stopped(effect, "It is not known whether the undo was carried out.", advice, undo, no.call_id)
    if no.code == "approval_pending":
        advice = "After a human has approved it, undo the run again."
        return _stopped(effect, "The undo needs the approval of a human.", advice, undo, no.call_id)
    advice = f"Mend the cause and undo the run again, or undo it by hand; {_LEAVE.format(call=effect.call)}."
    return _stopped(effect, f"The undo was refused as {no.code}. {no.detail}", advice, undo, no.call_id)


async def _judged(regime: Regime, order: _Order, tool: Tool, placed: Placed, peer: str) -> str:
    """The refusal that the rules would give; empty for none."""
    peer = order.hail.peer or peer
    facts = Facts(
        tool, placed.arguments, order.principal, Run(order.run, 1), datetime.now(UTC), peer, tuple(placed.problems)
    )
    decision = regime.rules.decide(await regime.relate(regime.rules, facts, []))
    return decision.code or ("approval_pending" if only(Approval, decision.obligations) else "")

"""Halting: what operators say in files, by signals and by HTTP takes effect on the sidecar that runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from proxy.firewall import Firewall
from proxy.orders import Answer, Order
from proxy.replacing import signature
from proxy.stops import revoked
from proxy.stops.halts import Mark
from proxy.stops.killswitch import KillSwitch
from proxy.stops.revoked import Entry, RevokedError
from proxy.telemetry.telemetry import Telemetry

LOOK_S: Final = 0.4
"""Between two looks: what is revoked or stopped is refused within a second."""

SWEEP_S: Final = 30.0
LIST: Final = "runs list"
Recorded = Callable[[str, str], None]
"""Writes into the ledger what was ordered, and what came of it."""

_log = logging.getLogger("toolwall")


class Halting:
    """Watches the list of what is revoked and the kill switch. Raises RevokedError where that list cannot be read."""

    def __init__(self, state: Path, stop: Path, firewall: Firewall, recorded: Recorded, telemetry: Telemetry) -> None:
        self._state, self._switch, self._recorded = state, KillSwitch(stop), recorded
        self._halts, self._runs = firewall.halts, firewall.runs
        self._seen: tuple[int, ...] = ()
        self._sweep_at = monotonic() + SWEEP_S
        self._trouble = ""
        self._fresh: frozenset[Mark] = frozenset()
        self._seen = self._signature()
        entries = revoked.read(state)
        for each in entries:
            if each.unnamed:
                self._runs.hold(each.mark.principal, each.mark.run, monotonic())
        self._halts.marks = frozenset(each.mark for each in entries)
        self._halts.stopped = self._switch.look()
        telemetry.gauge("toolwall.stopped", "1 while the operator has all calls refused.", lambda: self.stopped)

    def notes(self) -> dict[str, str]:
        """What somebody should look at."""
        said = {"stop": f"all calls are refused: {self._halts.stopped}" * bool(self._halts.stopped)}
        said["revoked runs"] = self._trouble
        return {name: text for name, text in said.items() if text}

    @property
    def stopped(self) -> float:
        """1 while all calls are refused."""
        return float(bool(self._halts.stopped))

    def stop(self, by: str) -> None:
        """Refuse all calls from now on."""
        self._switch.on(by)
        self._turn(by)

    def resume(self, by: str) -> None:
        """Let calls through again."""
        self._switch.off()
        self._turn(by)

    async def watch(self) -> None:
        """Watch until cancelled."""
        holding: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self.look()
                if self._fresh and (holding is None or holding.done()):
                    holding = asyncio.create_task(self._hold())
        finally:
            if holding is not None:
                await asyncio.wait([holding])

    def look(self) -> None:
        """Take over what the files say now. Whatever goes wrong with that, nothing is let through for it."""
        try:
            self._turn("the file")
            self._take()
            if (now := monotonic()) >= self._sweep_at:
                self._sweep_at = now + SWEEP_S
                self._runs.sweep(now, self._halts.busy())
        except Exception as error:
            self._halts.stopped = f"the watch failed ({type(error).__name__})"
            _log.error("%s, so all calls are refused", self._halts.stopped)

    def _turn(self, by: str) -> None:
        before, self._halts.stopped = self._halts.stopped, self._switch.look()
        if bool(before) == bool(self._halts.stopped):
            return
        self._halts.apply()
        order = "stop" if self._halts.stopped else "resume"
        _log.warning("%s by %s: %s", order, by, self._halts.stopped or "calls go through again")
        self._recorded(order, f"by {by}")

    def _take(self) -> None:
        seen = self._signature()
        if seen == self._seen:
            return
        try:
            entries = revoked.read(self._state)
        except RevokedError as error:
            if str(error) != self._trouble:
                _log.error("%s; what was revoked before stays so", error)
            self._trouble = f"{error}; what was revoked before stays so"
            return
        self._seen, self._trouble = seen, ""
        self._revoke(entries)

    def _revoke(self, entries: tuple[Entry, ...]) -> None:
        marks, before = frozenset(each.mark for each in entries), self._halts.marks
        self._halts.marks = marks
        self._halts.apply()
        held = {each.mark.run for each in entries if each.unnamed}  # by ourselves: nobody has ordered that
        for mark in sorted(marks - before):
            self._runs.end(mark.covers)
            if mark.run not in held:
                self._recorded("runs revoke", words(mark))
        for mark in sorted(before - marks):
            if mark.run not in held:
                self._recorded("runs allow", words(mark))
        self._fresh |= {mark for mark in marks - before if mark.run not in held}

    async def _hold(self) -> None:
        """Write down of runs without a name whose they are: after a restart nobody else would know. In a thread, since
        somebody else may be writing."""
        fresh, self._fresh = self._fresh, frozenset()
        held = {mark: found for mark in fresh if mark.run and (found := self._runs.unnamed(mark.run))}
        if not held:
            return

        def make(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
            kept = [each for each in entries if each.mark not in held]
            told = [(each.at, held[each.mark], each.mark.run) for each in entries if each.mark in held]
            more = (Entry(Mark(who, run), at, unnamed=True) for at, found, run in told for who in found)
            return (*kept, *more)

        try:
            await asyncio.to_thread(revoked.change, self._state, make)
        except RevokedError as error:
            _log.error("a run without a name is revoked until the next start only: %s", error)

    def _signature(self) -> tuple[int, ...]:
        try:
            return signature(os.stat(self._state / revoked.NAME))
        except FileNotFoundError:
            return ()
        except OSError:
            return (-1,)

    async def listed(self, _: Order) -> Answer:
        """The runs under way, for whoever asks by an order."""
        return Answer(self._runs.listed(monotonic()), "the runs under way")


def words(mark: Mark) -> str:
    """What is revoked."""
    run = f"run {mark.run}" if mark.run else "all runs"
    return f"{run} of {mark.principal}" if mark.principal else run

"""Who may have which run undone: an agent its own, by a request; the operator any, by an order.

Either way each undo is a call of the principal that made the first one, and may do what that principal may.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from time import monotonic
from typing import Any

from proxy.body import Body
from proxy.effects.undoing import Busy, Report, Undoing
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify, NotKnown, principal_of
from proxy.ledger import LedgerError
from proxy.model import Behalf, Hail, Result
from proxy.orders import Answer, Order
from proxy.outcomes import RETRY_SECONDS
from proxy.protocols.ordered import DOOR, PROTOCOL
from proxy.protocols.undo import UndoAsk
from rules.facts import Principal, Run

ORDER = "undo"
_log = logging.getLogger("toolwall")


class ByRequest:
    """Answers requests of agents."""

    def __init__(self, undoing: Undoing) -> None:
        self._undoing = undoing
        self._tasks: set[asyncio.Task[Report]] = set()

    async def answer(self, firewall: Firewall, ask: UndoAsk, identify: Identify) -> Result:
        """The answer to one request. Raises Refusal; either way its Record is written. It is no step of a run."""
        async with firewall.entries.open(ask.listener) as entry:
            entry.hailed(hail := ask.hail())
            principal = await identify(hail)
            firewall.entries.check_name(hail.run)  # it stands in Records from here on
            run = firewall.runs.current(principal.id, hail.run, monotonic()) or hail.run
            entry.identified(principal, Run(run, 0))
            firewall.halts.check(entry)
            dry_run = ask.is_dry()
            record = entry.record
            record.method, record.revision = "POST", firewall.regime.rules.revision
            if not run:
                record.decision = "deny"
                raise _no_run()
            record.decision = "allow"
            behalf = Behalf(principal.id)
            report = await self._report(principal, run, hail._replace(behalf=behalf), ask.listener, dry_run)
            record.notes.append(report.words())
            body = json.dumps(report.told()).encode() + b"\n"
            status = 200 if report.complete else 409
            return await entry.follow(Result(status, [("Content-Type", "application/json")], Body.of(body)))

    async def _report(self, principal: Principal, run: str, hail: Hail, listener: str, dry_run: bool) -> Report:
        """What came of it. An agent that leaves in the middle does not cut an undo in two."""
        work = self._undoing.undo(principal, run, hail, listener, dry_run=dry_run)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        try:
            return await asyncio.shield(task)
        except Busy:
            raise _busy() from None
        except LedgerError as error:
            raise _unreadable(str(error)) from None

    def _over(self, task: asyncio.Task[Report]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.info("undoing a run ended by %s", type(task.exception()).__name__)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))


class ByOrder:
    """Carries out orders of the operator. `known` are all principals, each with its listener."""

    def __init__(self, undoing: Undoing, known: Iterable[tuple[str, Principal]]) -> None:
        self._undoing = undoing
        self._known = known

    async def __call__(self, order: Order) -> Answer:
        """Undo a run. What is answered has `error`, or is a report."""
        run, id, leave = str(order["run"]), str(order["principal"]), frozenset(map(str, order["leave"]))
        hail = Hail(PROTOCOL, "", run=run, behalf=Behalf(f"operator {order['by']}"))
        dry_run = bool(order["dry_run"])
        try:
            principal = principal_of(self._known, id, str(order["door"]))
            report = await self._undoing.undo(principal, run, hail, DOOR, dry_run=dry_run, leave=leave)
        except Busy:
            return _error(f"Run {run} is being undone already.")
        except (NotKnown, LedgerError) as why:
            return _error(f"Run {run} cannot be undone: {why}.")
        return Answer(report.told(with_arguments=True), report.words())


def _error(text: str) -> Answer:
    told: dict[str, Any] = {"error": text}
    return Answer(told, text)


def _no_run() -> Refusal:
    return Refusal(
        "bad_request",
        "There is no run of yours under way.",
        suggestion="Name the run by the header Toolwall-Run, as its calls did.",
    )


def _busy() -> Refusal:
    return Refusal(
        "duplicate_call",
        "This run is being undone already.",
        suggestion="Wait, then ask again: you will be told what was undone.",
        retry_after=RETRY_SECONDS,
    )


def _unreadable(note: str) -> Refusal:
    return Refusal(
        "internal",
        "What was done in this run cannot be read, so nothing was undone.",
        suggestion="Tell the operator that the ledger of the sidecar cannot be read.",
        retry_after=RETRY_SECONDS,
        note=note,
    )

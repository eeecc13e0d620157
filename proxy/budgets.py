"""Budgets: what was spent and what is set aside, decided in memory and kept on disk. Reserve, settle, release.

Each of the three is one step in memory: nothing waits inside of it. What is set aside for a call stands until its
Record says what it cost, also across a crash (see `settle` and `recover`).
"""

from __future__ import annotations

import json
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from time import time
from typing import Any, Final

from proxy.budgetfile import FILE, NOTHING, Accounts, BudgetError, BudgetFile, Doubt, Hold, look
from proxy.ledger.latest import ends
from proxy.limits import NAMES
from proxy.model import Call
from proxy.record import Record
from rules.amounts import BYTES, CALLS, MOST, TIME, parsed
from rules.budgets import most_of
from rules.obligations import Budget

__all__ = ["BudgetError", "Budgets", "Spent"]

MOST_RUNS: Final = 10_000
"""Runs whose spending is remembered; beyond, that of the run that was silent longest is forgotten. Callers choose the
names of their runs, so nobody gains by it what a new name would not give."""

SILENT_S: Final = 30 * 86400.0
"""After so long without a call, what a run has spent is forgotten."""

MOST_DOUBTS: Final = 10_000
"""Calls of which nobody knows whether they were carried out, whose payment can be given back; beyond, the oldest stay
paid."""

SWEEP_S: Final = 3600.0
CLOCKS_DIFFER_S: Final = 60.0
"""The ledger is searched for the ends of calls from so long before they began: a clock may have been set."""

_log = logging.getLogger("toolwall")

_ID: Final = json.JSONEncoder()
_PERIODS: Final = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


class Spent(Exception):
    """A budget cannot pay for a call. `soon`: calls under way hold the rest, and may give some of it back."""

    def __init__(self, budget: Budget, renews: datetime | None, soon: bool) -> None:
        super().__init__(budget.name)
        self.budget, self.renews, self.soon = budget, renews, soon


@dataclass(slots=True)
class Account:
    """One count under a budget. `ends` is when it is over, in seconds since the epoch; 0 for one of a run."""

    id: str
    ends: float
    touched: float
    spent: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)

    def used(self, unit: str) -> int:
        return self.spent[unit] + self.held[unit]

    def share(self, budget: Budget) -> int:
        """How much of the budget is spent or set aside: per cent of the unit of which most is."""
        return max(100 * self.used(unit) // most for unit, most in budget.most)


class Budgets:
    """All accounts of one sidecar. `since` is when the first call came for which something was found set aside."""

    def __init__(self, file: BudgetFile | None = None, found: Accounts = NOTHING) -> None:
        """`file` is where they are kept (without one they end with the process), `found` what it held."""
        self._file = file
        self._runs: OrderedDict[str, Account] = OrderedDict()
        self._periods: dict[str, Account] = {}
        self._holds: dict[str, tuple[list[Account], dict[str, int]]] = {}
        self._doubts: OrderedDict[str, Doubt] = OrderedDict((each.call, each) for each in found.doubts)
        self._shares: dict[str, int] = {}
        self._next_sweep = 0.0
        self._now: dict[str, tuple[str, float, float]] = {}
        self._open_all(found)

    @classmethod
    def open(cls, folder: Path) -> Budgets:
        """Those of a state folder, with all that a crash left open settled by the ledger. Raises BudgetError."""
        budgets = cls(BudgetFile(folder / FILE), look(folder))
        ended = ends(folder / "ledger", budgets.open_calls, int((budgets.since - CLOCKS_DIFFER_S) * 1e9))
        if lost := budgets.recover([Record.of(entry) for entry in ended]):
            _log.warning(
                "%d calls that a crash cut off are paid in full from their budgets: nobody saw their end", lost
            )
        return budgets

    def close(self) -> None:
        """Bring all of it to the disk."""
        if self._file:
            self._file.close()

    def _open_all(self, found: Accounts) -> None:
        for row in sorted(found.accounts, key=lambda row: row.touched):
            account = Account(row.id, row.ends, row.touched, Counter(row.spent))
            self._store(account)[row.id] = account
        for hold in found.holds:
            accounts = [self._known(id) or Account(id, ends, hold.at) for id, ends in hold.accounts.items()]
            for each in accounts:
                self._store(each)[each.id] = each
            self._set_aside(hold.call, accounts, hold.amounts)
        self.since = min((hold.at for hold in found.holds), default=0.0)

    def _known(self, id: str) -> Account | None:
        return self._runs.get(id) or self._periods.get(id)

    @property
    def open_calls(self) -> list[str]:
        """The calls for which something is set aside."""
        return list(self._holds)

    async def reserve(self, call: Call, budgets: Sequence[Budget], now: float) -> dict[str, int]:
        """Set aside the most that a call may cost, in all its budgets or in none, and return when that is written.

        Gives how much of each budget is used then, in per cent. Raises Spent where one cannot pay, BudgetError where it
        cannot be written; then, and where the caller leaves meanwhile, `settle` gives it back. `now` is in seconds
        since the epoch.
        """
        if now >= self._next_sweep:
            self._sweep(now)
        units = {unit for budget in budgets for unit, _ in budget.most}
        amounts = {unit: amount for unit, amount in most_of(call.tool).items() if unit in units}
        accounts = [self._account(budget, call, now) for budget in budgets]
        for budget, each in zip(budgets, accounts, strict=True):
            _check(budget, each, amounts, now)
        for each in accounts:
            self._store(each)[each.id] = each
            each.touched = now
        self._set_aside(call.id, accounts, amounts)
        while len(self._runs) > MOST_RUNS:
            self._forget([next(iter(self._runs))])
        shares = {budget.name: each.share(budget) for budget, each in zip(budgets, accounts, strict=True)}
        self._shares.update(shares)
        if self._file:
            await self._file.hold(Hold(call.id, now, {each.id: each.ends for each in accounts}, amounts))
        return shares

    def settle(self, record: Record) -> None:
        """A call is over: what it did not cost is given back. Once for each call; later, nothing is held for it."""
        found = self._holds.pop(record.call, None)
        if found is None:
            return
        accounts, amounts = found
        spent = cost(record, amounts)
        for each in accounts:
            each.held -= Counter(amounts)
            for unit, amount in spent.items():
                each.spent[unit] = min(each.spent[unit] + amount, MOST)
        doubt = None
        if spent and record.executed == "unknown" and record.effect != "read":
            doubt = self._doubts[record.call] = Doubt(record.call, time(), [each.id for each in accounts], spent)
        if self._file:
            self._file.settle(record.call, accounts if spent else (), doubt)
        while len(self._doubts) > MOST_DOUBTS:
            self.found(next(iter(self._doubts)), True)

    def found(self, call: str, done: bool) -> None:
        """Somebody found out of a call in doubt whether it was carried out: if not, what it paid is given back, as far
        as its accounts are not over."""
        doubt = self._doubts.pop(call, None)
        if doubt is None:
            return
        accounts = [] if done else [known for id in doubt.accounts if (known := self._known(id))]
        for each in accounts:
            for unit, amount in doubt.amounts.items():
                each.spent[unit] = max(each.spent[unit] - amount, 0)
        if self._file:
            self._file.settle(call, accounts)

    def recover(self, records: Iterable[Record]) -> int:
        """Settle what a crash left open: by the call's Record or, where it has none, in full, for nobody can know.

        Gives the number of calls that were settled in full.
        """
        for record in records:
            self.settle(record)
        lost = self.open_calls
        for call in lost:
            self.settle(Record(call, 0, executed="unknown", attempts=1))
        return len(lost)

    def shares(self) -> Mapping[str, int]:
        """How much of each budget was used, in per cent, at its last call."""
        return self._shares

    def _set_aside(self, call: str, accounts: list[Account], amounts: dict[str, int]) -> None:
        self._holds[call] = accounts, amounts
        for each in accounts:
            each.held.update(amounts)

    def _account(self, budget: Budget, call: Call, now: float) -> Account:
        """The account that pays, which is new where nobody has used it."""
        period, ends = self._period(budget, now) if budget.each else ("", 0.0)
        id = _ID.encode([budget.name, period, *[NAMES[per](call) for per in budget.per]])
        known = self._known(id)
        if known is None:
            return Account(id, ends, now)
        if not ends:
            self._runs.move_to_end(id)
        return known

    def _period(self, budget: Budget, now: float) -> tuple[str, float]:
        """The name of the hour, day or month, and when it ends."""
        name, start, end = self._now.get(budget.each, ("", 0.0, 0.0))
        if not start <= now < end:
            renews = renewal(budget, now)
            assert renews is not None
            name, end = datetime.fromtimestamp(now, UTC).strftime(_PERIODS[budget.each]), renews.timestamp()
            self._now[budget.each] = name, now, end
        return name, end

    def _store(self, account: Account) -> dict[str, Account]:
        return self._periods if account.ends else self._runs

    def _sweep(self, now: float) -> None:
        """Forget accounts that are over, and runs that were silent for long."""
        self._next_sweep = now + SWEEP_S
        every = (*self._runs.values(), *self._periods.values())
        self._forget([each.id for each in every if not any(each.held.values()) and _is_over(each, now)])

    def _forget(self, ids: list[str]) -> None:
        if self._file:
            self._file.forget(ids)
        for id in ids:
            self._runs.pop(id, None)
            self._periods.pop(id, None)


def _is_over(account: Account, now: float) -> bool:
    return account.ends <= now if account.ends else account.touched + SILENT_S <= now


def _check(budget: Budget, account: Account, amounts: Mapping[str, int], now: float) -> None:
    for unit, most in budget.most:
        wanted = amounts.get(unit, 0)
        if wanted and account.used(unit) + wanted > most:
            # Of calls, none that is under way is given back; of all else, each may cost less than was set aside.
            soon = unit != CALLS and account.spent[unit] + wanted <= most
            raise Spent(budget, renewal(budget, now), soon)


def renewal(budget: Budget, now: float) -> datetime | None:
    """When a budget begins anew (UTC)."""
    start = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    if budget.each == "hour":
        return start + timedelta(hours=1)
    if budget.each == "day":
        return start.replace(hour=0) + timedelta(days=1)
    if budget.each == "month":
        return (start.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
    return None


def cost(record: Record, amounts: Mapping[str, int]) -> dict[str, int]:
    """What a finished call cost, in the units for which something was set aside.

    What was not sent costs nothing. Of what was sent, calls, bytes and time are known; its price is what the Record
    says or, where that says nothing (the answer was lost, or did not tell), all that was set aside.
    """
    if record.executed == "no" or not record.attempts:
        return {}
    known: dict[str, Any] = {CALLS: 1}
    if record.started_ns:
        known |= {BYTES: record.bytes_out, TIME: ceil(record.total_ms)}
    known |= {unit: parsed(unit, amount) for unit, amount in record.cost.items()}
    return {unit: held if known.get(unit) is None else known[unit] for unit, held in amounts.items()}

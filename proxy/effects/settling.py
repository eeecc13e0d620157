"""Settling: what somebody found out of a call whose outcome was not known, for the ledger and for repeats."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from proxy.budgets import Budgets
from proxy.effects.deeds import Deeds
from proxy.effects.keepsakes import LETTER, Keepsakes
from proxy.effects.once import State
from proxy.guards.once import Once
from proxy.ledger import Ledger, LedgerError
from proxy.ledger.pending import is_pending
from proxy.orders import Order

ORDER: Final = "ledger settle"
AS: Final[Mapping[str, State]] = {"done": "done", "not-done": "again"}
"""What can be found out, and the state of the action that follows from it."""


class CannotSettle(Exception):
    """There is nothing to settle. The text says why."""


def settled(entries: Sequence[Mapping[str, Any]], found: str, by: str) -> dict[str, Any]:
    """The entry that settles a call, of which these are all entries, in order. Raises CannotSettle."""
    call = str(entries[0].get("call", ""))
    if any(each.get("kind") == "settled" for each in entries):
        raise CannotSettle(f"Call {call} is settled already.")
    last = entries[-1]
    if not is_pending(last):
        raise CannotSettle(f"What became of call {call} is known: executed {last.get('executed', 'no')}.")
    once = next((each["once"] for each in entries if isinstance(each.get("once"), dict)), None)
    said = {name: last[name] for name in ("tool", "principal", "run", "revision") if name in last}
    entry = {"kind": "settled", "call": call, **said, "as": found, "by": by}
    return {**entry, "once": {**once, "state": AS[found]}} if once else entry


def again(entries: Sequence[Mapping[str, Any]], by: str) -> dict[str, Any] | None:
    """The entry that settles a call as not done, which is sent again then; None where it is settled so already. Raises
    CannotSettle.
    """
    call = str(entries[0].get("call", ""))
    if any(each.get("undoes") for each in entries):
        raise CannotSettle(f"Call {call} was to undo another: settle it as not-done, then undo its run again.")
    found = next((each.get("as") for each in entries if each.get("kind") == "settled"), None)
    return None if found == "not-done" else settled(entries, "not-done", by)


class Settler:
    """Takes the order to settle a call while the sidecar runs."""

    def __init__(self, ledger: Ledger, deeds: Deeds, once: Once, budgets: Budgets, keepsakes: Keepsakes) -> None:
        self._ledger, self._deeds, self._once, self._budgets = ledger, deeds, once, budgets
        self._keepsakes = keepsakes

    def __call__(self, order: Order) -> str:
        """Write it into the ledger, let repeats know, and give back what was not done.

        ValueError for a call that is still under way, and where it cannot be written.
        """
        entry = order["entry"]
        once = entry.get("once")
        if entry["kind"] != "settled" or entry["as"] not in AS:
            raise ValueError
        if once is not None and self._once.is_underway(bytes.fromhex(once["name"])):
            raise ValueError
        self.write(entry)
        return f"call {entry['call']} as {entry['as']}"

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write down what was found out. ValueError where that cannot be done."""
        try:
            self._ledger.append(entry)
        except LedgerError:
            raise ValueError from None
        if entry.get("once") is not None:
            self._deeds.settle(entry, time.time_ns())
        self._budgets.found(entry["call"], done=entry["as"] == "done")
        if entry["as"] == "done":
            self._keepsakes.forget_soon(LETTER, entry["call"])

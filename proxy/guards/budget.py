"""Budget: the most that a call may cost is set aside before it is sent; what it did cost is paid when it is over."""

from __future__ import annotations

from datetime import datetime
from time import time

from proxy.budgetfile import BudgetError
from proxy.budgets import Budgets, Spent
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import RETRY_SECONDS
from rules.decide import Decision
from rules.obligations import Budget, only
from rules.tools import Tool

WARN_AT = 80
"""Per cent of a budget from which on each answer says how much is used."""


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether budgets have to pay."""
    return bool(only(Budget, decision.obligations))


class Spending:
    """The guard, with the accounts of this sidecar, which outlive the rules."""

    __name__ = "budget"

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let all budgets pay or none, and warn where one is nearly spent."""
        entry.at_end(self._budgets.settle)
        try:
            shares = await self._budgets.reserve(call, only(Budget, entry.obligations), time())
        except Spent as spent:
            raise _soon(spent) if spent.soon else _refusal(spent) from None
        except BudgetError as error:
            raise _unwritten(error) from None
        entry.record.budgets = shares
        entry.check(self.__name__)
        result = await send(call, entry)
        if told := ", ".join(f"{name}={share}%" for name, share in sorted(shares.items()) if share >= WARN_AT):
            result.headers.append(("Toolwall-Budget", told))
        return result


def _refusal(spent: Spent) -> Refusal:
    name, renews = spent.budget.name, spent.renews
    when = f" It begins anew at {_moment(renews)}." if renews else ""
    return Refusal(
        "budget_spent",
        f"The budget {name} is spent, or the rest is too little for this call. Nothing was sent.{when}",
        suggestion="Make no more calls of this kind in this run. Tell the user that the budget is spent.",
        extra={"budget": name} | ({"renews": _moment(renews)} if renews else {}),
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _soon(spent: Spent) -> Refusal:
    return Refusal(
        "limit_reached",
        f"What is left of the budget {spent.budget.name} is set aside for calls under way. Nothing was sent.",
        suggestion="Wait until they have ended, then repeat the call; make fewer calls at once.",
        retry_after=1,
        extra={"budget": spent.budget.name},
    )


def _unwritten(error: BudgetError) -> Refusal:
    return Refusal(
        "internal",
        "What the call may cost cannot be written down, so nothing was sent.",
        suggestion="Tell the operator that the budgets of the sidecar cannot be written.",
        retry_after=RETRY_SECONDS,
        note=str(error),
    )

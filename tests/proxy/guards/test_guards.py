"""The one list of guards: which apply to a call, and in which order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.budgets import Budgets
from proxy.effects.deeds import Deeds
from proxy.guards import Guards
from proxy.guards.budget import Spending
from proxy.guards.cache import Cache
from proxy.guards.clean import Clean
from proxy.guards.known import KnownSecrets
from proxy.guards.limit import Limiting
from proxy.guards.once import Once
from proxy.guards.outgoing import Outgoing
from proxy.guards.price import Price
from proxy.guards.replycontract import ReplyContract
from proxy.guards.shape import Shape
from proxy.guards.warn import Warn
from proxy.health import healths
from proxy.limits import Limits
from proxy.protocols.masking import masked
from proxy.replies.answers import Answers
from proxy.replies.remainders import Remainders
from proxy.scanning import Scans
from proxy.store import Store
from redaction.known import NOTHING, Known
from rules.caching import Caching
from rules.obligations import Approval, Budget, Limit
from rules.once import Once as Action
from rules.outgoing import Outgoing as Terms
from rules.shaping import Shaping
from rules.terms import Retry
from rules.tools import Backend, Cost
from rules.urls import Url

SENDS = ["retry", "bulkhead", "breaker"]
NAMES = {
    ("read", False, "off"): ["timeout", "clean", *SENDS],
    ("write", False, "off"): ["timeout", "clean", *SENDS, "intent"],
    ("irreversible", True, "enforce"): ["approval", "timeout", "clean", "reply_contract", *SENDS, "intent"],
    ("read", True, "report"): ["approval", "timeout", "clean", "reply_contract", *SENDS],
}
BACKEND = Backend("b", Url("http", "b.test", 80, ""))


@pytest.mark.parametrize(("effect", "approval", "contract"), NAMES)
def test_which_guards_and_in_which_order(effect: str, approval: bool, contract: str) -> None:
    decision: Any = SimpleNamespace(obligations=(Approval("boss", 900.0),) if approval else ())
    assert _names(_call(effect=effect, contract=contract), decision) == NAMES[effect, approval, contract]


def test_known_secrets_are_searched_for_and_answers_shaped_where_it_is_said() -> None:
    decision: Any = SimpleNamespace(obligations=())
    names = _names(_call(effect="read", contract="enforce", shaping=Shaping()), decision, Known(["kq7-31aZ-w"]))
    assert names == ["shape", "timeout", "clean", "known_secrets", "reply_contract", *SENDS]


def test_what_cleaning_leaves_is_warned_of_where_it_is_said() -> None:
    decision: Any = SimpleNamespace(obligations=())
    names = _names(_call(effect="read", contract="off", warn=frozenset({"HIGH_ENTROPY"})), decision)
    assert names == ["timeout", "warn", "clean", *SENDS]


@pytest.mark.parametrize("keys", [{"caching": Caching(60)}, {"invalidates": frozenset({"crm.get"})}])
def test_answers_are_kept_outside_of_all_that_checks_them_and_shaped_for_each_caller(keys: dict[str, Any]) -> None:
    decision: Any = SimpleNamespace(obligations=())
    names = _names(_call(effect="read", contract="off", shaping=Shaping(), **keys), decision)
    assert names == ["shape", "cache", "timeout", "clean", *SENDS]


def test_no_retry_and_no_breaker_where_the_rules_turn_them_off() -> None:
    decision: Any = SimpleNamespace(obligations=())
    off = _call(effect="read", contract="off", backend="off", retry=Retry(1))
    assert _names(off, decision) == ["timeout", "clean", "bulkhead"]


def test_what_was_done_is_told_again_without_a_second_yes_and_costs_nothing() -> None:
    decision: Any = SimpleNamespace(obligations=(Approval("boss", 900.0), Limit("rule r", (), 1, 60.0)))
    call = _call(effect="write", contract="off", shaping=Shaping(), once=Action())
    assert _names(call, decision)[:4] == ["shape", "once", "approval", "limit"]


def test_limits_count_what_was_approved_and_what_is_given_again() -> None:
    decision: Any = SimpleNamespace(obligations=(Approval("boss", 900.0), Limit("rule r", (), 1, 60.0)))
    names = _names(_call(effect="read", contract="off", shaping=Shaping(), caching=Caching(60)), decision)
    assert names == ["shape", "approval", "limit", "cache", "timeout", "clean", *SENDS]


def test_budgets_pay_before_limits_count_and_prices_are_read_first_of_all() -> None:
    budget = Budget("purse", (), "day", (("calls", 1),))
    decision: Any = SimpleNamespace(obligations=(budget, Limit("rule r", (), 1, 60.0)))
    call = _call(effect="write", contract="enforce", costs=(Cost("EUR", 1),))
    assert _names(call, decision) == [
        "budget",
        "limit",
        "timeout",
        "clean",
        "reply_contract",
        "price",
        *SENDS,
        "intent",
    ]


def test_the_rest_of_answers_has_been_through_all_guards_before() -> None:
    assert _names(_call("read", "off", is_rest=True), SimpleNamespace(obligations=())) == []


def _call(
    effect: str, contract: str, shaping: Shaping | None = None, warn: frozenset[str] = frozenset(), **keys: Any
) -> Any:
    tool = {
        "costs": (),
        "once": None,
        "caching": None,
        "invalidates": frozenset(),
        "is_rest": False,
        "backend": "b",
        "retry": Retry(),
        **keys,
    }
    reply = SimpleNamespace(contract=contract, shaping=shaping, warn=warn)
    return SimpleNamespace(
        tool=SimpleNamespace(name="t", mcp=None, effect=effect, reply=reply, outgoing=Terms(), **tool)
    )


def no_table() -> Store:
    raise AssertionError("a list of guards opens nothing")


def _names(call: Any, decision: Any, known: Known = NOTHING) -> list[str]:
    off = Backend("off", Url("http", "b.test", 80, ""), breaker=None)
    scans = Scans()
    guards = Guards(
        Clean({}, {}, scans),
        Warn(scans),
        KnownSecrets(known, scans),
        ReplyContract(scans),
        Outgoing({}, NOTHING, masked, scans),
        Shape(Remainders(), scans),
        Cache(Answers()),
        Limiting(Limits()),
        healths({"b": BACKEND, "off": off}, {}),
        Spending(Budgets()),
        Price(scans),
        Once(Deeds(no_table, Path())),
    )(call, decision)
    scans.close()
    return [guard.__name__ for guard in guards]

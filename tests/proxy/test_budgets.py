"""Accounts: nothing is ever negative or above what may be spent, and each call is paid exactly once."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import budgets as module
from proxy.budgetfile import FILE, BudgetError, BudgetFile, look
from proxy.budgets import Budgets, Spent, cost, renewal
from proxy.record import Record
from rules.obligations import Budget
from rules.tools import Cost

NOW = datetime(2026, 1, 31, 23, 59, 30, tzinfo=UTC).timestamp()
PURSE = Budget("purse", ("run",), "", (("calls", 4), ("tokens", 100)))
DAILY = Budget("daily", (), "day", (("EUR", 1000), ("calls", 6)))


def call(id: str, run: str = "r", tokens: int = 30, euro: int = 150) -> Any:
    tool = SimpleNamespace(
        name="t",
        backend="b",
        timeout_s=30.0,
        reply=SimpleNamespace(most_bytes=1000),
        costs=(Cost("tokens", tokens, "/t"), Cost("EUR", euro)),
    )
    principal = SimpleNamespace(id="p", agent="a", user="u", roles=set())
    return SimpleNamespace(id=id, tool=tool, principal=principal, run=SimpleNamespace(id=run))


def ended(id: str, tokens: int | None = None, executed: Any = "yes") -> Record:
    record = Record(id, 1, executed=executed, attempts=0 if executed == "no" else 1)
    if tokens is not None:
        record.cost = {"tokens": tokens}
    return record


def reserve(budgets: Budgets, call: Any, wanted: list[Budget], now: float) -> dict[str, int]:
    """In memory it is one step."""
    return asyncio.run(budgets.reserve(call, wanted, now))


class Model:
    """What should be spent and set aside, kept in the plainest way."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, int]] = {}
        self.spent: dict[str, tuple[str, int, int]] = {}

    def tokens(self, run: str) -> tuple[int, int]:
        spent = sum(tokens for each, tokens, _ in self.spent.values() if each == run)
        return spent, sum(tokens for each, tokens in self.held.values() if each == run)

    def fits(self, run: str, tokens: int) -> bool:
        everything = [each for each, *_ in self.spent.values()] + [each for each, _ in self.held.values()]
        euro = 150 * (len(everything) + 1) <= 1000
        return everything.count(run) < 4 and len(everything) < 6 and sum(self.tokens(run)) + tokens <= 100 and euro


steps = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "release", "lose"]), st.integers(0, 9), st.integers(0, 60)),
    max_size=60,
)


@given(steps)
def test_reserve_settle_and_release_in_any_order(taken: list[tuple[str, int, int]]) -> None:
    budgets, model = Budgets(), Model()
    for what, number, tokens in taken:
        id, run = f"c{number}", f"r{number % 2}"
        if what == "reserve" and id not in model.held and id not in model.spent:
            fits = model.fits(run, tokens)
            try:
                reserve(budgets, call(id, run, tokens), [PURSE, DAILY], NOW)
                assert fits
                model.held[id] = run, tokens
            except Spent:
                assert not fits
        elif what != "reserve":
            cost = tokens if what == "settle" else None
            budgets.settle(ended(id, cost, "no" if what == "release" else "unknown"))
            if (found := model.held.pop(id, None)) and what != "release":
                model.spent[id] = found[0], found[1] if cost is None else cost, 150
        accounts = [*budgets._runs.values(), *budgets._periods.values()]
        assert all(amount >= 0 for each in accounts for amount in (*each.spent.values(), *each.held.values()))
    for run in ("r0", "r1"):
        (account,) = [each for each in budgets._runs.values() if f'"{run}"' in each.id] or [None]
        assert model.tokens(run) == ((account.spent["tokens"], account.held["tokens"]) if account else (0, 0))


def test_who_holds_the_rest_decides_what_is_said() -> None:
    budgets = Budgets()
    for number in range(3):
        reserve(budgets, call(f"c{number}"), [PURSE], NOW)
    with pytest.raises(Spent) as no:
        reserve(budgets, call("d"), [PURSE], NOW)
    assert no.value.soon  # tokens may come back
    budgets.settle(ended("c0", 100))
    with pytest.raises(Spent) as no:
        reserve(budgets, call("d"), [PURSE], NOW)
    assert not no.value.soon
    calls = Budget("calls", ("run",), "", (("calls", 1),))
    reserve(budgets, call("e"), [calls], NOW)
    with pytest.raises(Spent) as no:
        reserve(budgets, call("f"), [calls], NOW)
    assert not no.value.soon


def test_a_new_day_begins_anew_and_a_call_is_paid_where_it_began() -> None:
    budgets = Budgets()
    for number in range(6):
        reserve(budgets, call(f"c{number}"), [DAILY], NOW)
    with pytest.raises(Spent) as no:
        reserve(budgets, call("d"), [DAILY], NOW)
    assert no.value.renews == datetime(2026, 2, 1, tzinfo=UTC)
    reserve(budgets, call("e"), [DAILY], NOW + 60)
    budgets.settle(ended("c0"))
    first, second = budgets._periods.values()
    assert (first.spent["calls"], first.held["calls"], second.spent["calls"], second.held["calls"]) == (1, 5, 0, 1)


@pytest.mark.parametrize(
    ("each", "at"), [("hour", (2026, 2, 1, 0)), ("day", (2026, 2, 1, 0)), ("month", (2026, 2, 1, 0))]
)
def test_when_a_budget_renews(each: Any, at: tuple[int, ...]) -> None:
    assert renewal(Budget("b", (), each, ()), NOW) == datetime(*at, tzinfo=UTC)  # type: ignore[misc]
    assert renewal(Budget("b", ("run",), "", ()), NOW) is None


def test_what_is_over_is_forgotten_and_what_is_set_aside_is_not() -> None:
    budgets = Budgets()
    reserve(budgets, call("a", "old"), [PURSE, DAILY], NOW)
    reserve(budgets, call("b", "open"), [PURSE], NOW)
    budgets.settle(ended("a", 1))
    reserve(budgets, call("c", "new"), [PURSE], NOW + module.SILENT_S + 1)
    assert [each.id for each in budgets._runs.values()] == [
        '["purse", "", ["p", "open"]]',
        '["purse", "", ["p", "new"]]',
    ]
    assert budgets._periods == {}


def test_runs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RUNS", 5)
    budgets = Budgets()
    for number in range(9):
        reserve(budgets, call(f"c{number}", f"r{number}"), [PURSE], NOW)
    assert len(budgets._runs) == 5


def test_what_calls_cost() -> None:
    amounts = {"calls": 1, "bytes": 1000, "time": 30_000, "EUR": 150, "tokens": 30}
    record = Record("c", 1, executed="yes", attempts=1, bytes_out=7, total_ms=1.2, cost={"tokens": 3})
    assert cost(record, amounts) == {"calls": 1, "bytes": 7, "time": 2, "EUR": 150, "tokens": 3}
    assert cost(Record("c", 1, executed="no", attempts=1), amounts) == {}
    assert cost(Record("c", 1, executed="yes", attempts=0), amounts) == {}  # the answer of another call
    assert cost(Record("c", 0, executed="unknown", attempts=1), amounts) == amounts


def test_what_a_crash_left_open_is_settled_by_its_record_or_paid_in_full(tmp_path: Path) -> None:
    file = BudgetFile(tmp_path / FILE)
    budgets = Budgets(file)
    for number in range(3):
        reserve(budgets, call(f"c{number}"), [PURSE], NOW)
    budgets.settle(ended("c0", 5))
    file.close()
    file = BudgetFile(tmp_path / FILE)
    again = Budgets(file, look(tmp_path))
    assert (sorted(again.open_calls), again.since) == (["c1", "c2"], NOW)
    assert again.recover([ended("c1", 7), ended("elsewhere", 50)]) == 1
    file.close()
    found = look(tmp_path)
    assert [row.spent for row in found.accounts] == [{"calls": 3, "tokens": 5 + 7 + 30}]
    assert found.holds == []


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    file = BudgetFile(tmp_path / FILE)
    budgets = Budgets(file)
    reserve(budgets, call("a"), [PURSE], NOW)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("ALTER TABLE accounts RENAME TO elsewhere")
        db.commit()
        budgets.settle(ended("a", 5))
        with pytest.raises(BudgetError):
            reserve(budgets, call("b"), [PURSE], NOW)
        budgets.settle(ended("b", executed="no"))
        db.execute("ALTER TABLE elsewhere RENAME TO accounts")
        db.commit()
    reserve(budgets, call("c"), [PURSE], NOW)
    file.close()
    found = look(tmp_path)
    assert [hold.call for hold in found.holds] == ["c"]
    assert [row.spent for row in found.accounts] == [{"calls": 1, "tokens": 5}]


def test_who_leaves_while_it_is_written_gets_it_back(tmp_path: Path) -> None:
    async def play() -> None:
        file = BudgetFile(tmp_path / FILE)
        budgets = Budgets(file)
        waiting = asyncio.create_task(budgets.reserve(call("a"), [PURSE], NOW))
        await asyncio.sleep(0)
        waiting.cancel()
        budgets.settle(ended("a", executed="no"))
        await asyncio.gather(waiting, return_exceptions=True)
        (account,) = budgets._runs.values()
        assert not any((*account.spent.values(), *account.held.values()))
        file.close()
        assert look(tmp_path).holds == []

    asyncio.run(play())


def lost(id: str) -> Record:
    record = ended(id, executed="unknown")
    record.effect = "write"
    return record


def test_what_was_not_done_after_all_is_given_back_once_also_after_a_start(tmp_path: Path) -> None:
    async def play() -> None:
        budgets = Budgets.open(tmp_path)
        for id in ("a", "b", "c", "d"):
            await budgets.reserve(call(id, tokens=20), [PURSE, DAILY], NOW)
        for id in ("a", "b", "c"):
            budgets.settle(lost(id))
        budgets.settle(ended("d"))
        budgets.found("a", done=False)
        budgets.found("a", done=False)
        budgets.found("b", done=True)
        budgets.found("b", done=False)
        budgets.found("d", done=False)  # nobody doubted it
        budgets.close()
        assert {row.spent["calls"] for row in look(tmp_path).accounts} == {3}
        again = Budgets.open(tmp_path)
        again.found("c", done=False)
        again.close()
        found = look(tmp_path)
        assert [row.spent for row in found.accounts] == [{"calls": 2, "tokens": 40, "EUR": 300}] * 2
        assert found.doubts == []

    asyncio.run(play())


def test_a_read_and_what_is_over_give_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = Budgets()
    reserve(budgets, call("a"), [DAILY], NOW)
    record = lost("a")
    record.effect = "read"
    budgets.settle(record)
    budgets.found("a", done=False)
    assert reserve(budgets, call("b"), [DAILY], NOW) == {"daily": 33}
    budgets.settle(lost("b"))
    reserve(budgets, call("c"), [DAILY], NOW + 3 * module.SWEEP_S)  # by then the day of b is forgotten
    budgets.found("b", done=False)
    assert reserve(budgets, call("d"), [DAILY], NOW + 3 * module.SWEEP_S) == {"daily": 33}


def test_doubts_are_bounded_and_the_oldest_stay_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DOUBTS", 1)
    budgets = Budgets()
    for id in ("a", "b"):
        reserve(budgets, call(id), [DAILY], NOW)
        budgets.settle(lost(id))
    budgets.found("a", done=False)
    assert reserve(budgets, call("c"), [DAILY], NOW) == {"daily": 50}
    budgets.found("b", done=False)
    assert reserve(budgets, call("d"), [DAILY], NOW) == {"daily": 50}


def test_a_file_of_before_is_read_and_used(tmp_path: Path) -> None:
    Budgets.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("DROP TABLE doubts")
    assert look(tmp_path).doubts == []
    budgets = Budgets.open(tmp_path)
    asyncio.run(budgets.reserve(call("a"), [PURSE], NOW))
    budgets.settle(lost("a"))
    budgets.close()
    assert [(each.call, each.amounts["calls"]) for each in look(tmp_path).doubts] == [("a", 1)]

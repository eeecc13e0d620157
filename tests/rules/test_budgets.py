"""Budgets and prices in rules files, and everything in which they cannot be kept."""

import pytest

from rules.amounts import PARTS
from rules.budgets import most_of
from rules.load import load
from rules.obligations import Budget
from rules.tools import Cost
from tests.rules.helpers import facts, problems, write

CRM = """
    backend: crm
    url: https://crm.test/api
    tools:
      find: {says: Find., call: GET /find, price: 0.02 EUR, tokens: 5, timeout: 20s, reply: {most_bytes: 1MiB}}
      ask: {says: Ask., call: GET /ask, price: {from: /usage/cost, most: 0.50 EUR}, tokens: {from: '', most: 9}}
      free: {says: Free., call: GET /free}
"""
POLICY = """
    budgets:
      purse: {per: run, calls: 200, money: 5 EUR, bytes: 64MiB, time: 10m}
      daily: {per: [user, agent], each: day, tokens: 1000}
      house: {per: all, each: month, money: 100.5 EUR}
    rules:
      - {id: a, allow: crm.*, require: {budget: [purse, house]}}
      - {id: b, allow: crm.ask, require: {budget: daily, limit: 5/s}}
"""


def test_what_budgets_say(tmp_path):
    rules = load(write(tmp_path, crm=CRM, policy=POLICY))
    decision = rules.decide(facts(rules, "crm.ask", {}))
    most = (("EUR", 5 * PARTS), ("bytes", 64 << 20), ("calls", 200), ("time", 600_000))
    assert decision.obligations[:3] == (
        Budget("daily", ("agent", "user"), "day", (("tokens", 1000),)),
        Budget("house", (), "month", (("EUR", 100 * PARTS + PARTS // 2),)),
        Budget("purse", ("run",), "", most),
    )
    assert decision.obligations[0].as_text() == "at most 1000 tokens each day for each agent and user (budget daily)"


def test_what_prices_say(tmp_path):
    tools = load(write(tmp_path, crm=CRM, policy=POLICY)).catalog.tools
    assert tools["crm.find"].costs == (Cost("EUR", PARTS // 50), Cost("tokens", 5))
    assert tools["crm.ask"].costs == (Cost("EUR", PARTS // 2, "/usage/cost"), Cost("tokens", 9, ""))
    assert most_of(tools["crm.find"]) == {
        "calls": 1,
        "bytes": 1 << 20,
        "time": 20_000,
        "EUR": PARTS // 50,
        "tokens": 5,
    }


@pytest.mark.parametrize(
    ("before", "after", "path", "says"),
    [
        ("money: 5 EUR", "money: 5 USD", "budgets.purse", "is in USD, and the price of crm."),
        ("money: 5 EUR", "money: 0.1 EUR", "budgets.purse", "can never pay a call of crm.ask, which may cost 0.5 EUR"),
        ("bytes: 64MiB", "bytes: 1MiB", "budgets.purse", "lower `most_bytes`"),
        ("time: 10m", "time: 25s", "budgets.purse", "lower the tool's `timeout`"),
        ("money: 5 EUR", "money: 5", "budgets.purse.money", "must be an amount and a currency"),
        ("money: 5 EUR", "money: 0 EUR", "budgets.purse", "would allow nothing"),
        ("per: all, each: month", "per: all", "budgets.house", "never renews"),
        ("per: run,", "per: run, each: day,", "budgets.purse.each", "has no meaning for a run"),
        ("per: all,", "per: [all, user],", "budgets.house", "`all` alone"),
        (", money: 100.5 EUR", "", "budgets.house", "bounds nothing"),
        ("per: all,", "", "budgets.house", "lacks the key per"),
        ("budget: daily,", "budget: dayly,", "rules[1].require.budget", "did you mean daily?"),
        ("budget: daily, ", "", "budgets.daily", "is named by no rule"),
        ("allow: crm.ask", "allow: crm.free", "budgets.daily", "counts tokens, and none of its tools costs any"),
    ],
)
def test_what_cannot_be_kept(tmp_path, before, after, path, says):
    assert before in POLICY
    found = problems(tmp_path, crm=CRM, policy=POLICY.replace(before, after))
    assert any(each.path == path and says in str(each) for each in found), found


def test_a_name_stands_once_in_all_files(tmp_path):
    again = "budgets: {purse: {per: run, calls: 1}}"
    found = problems(tmp_path, crm=CRM, policy=POLICY, zebra=again)
    assert [(each.file, each.path, each.message) for each in found] == [
        ("zebra.yaml", "budgets.purse", "purse stands twice")
    ]

"""Amounts: exact, whole, rounded up, and never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.amounts import MOST, PARTS, money, parsed, spoken, told


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5 EUR", ("EUR", 5 * PARTS)),
        ("0.02 USD", ("USD", 20_000_000)),
        ("0.000000001 EUR", ("EUR", 1)),
        ("999999999.999999999 JPY", ("JPY", 10**18 - 1)),
    ],
)
def test_money_is_exact(text, meant):
    assert money(text) == meant


@pytest.mark.parametrize(
    ("unit", "value", "meant"),
    [
        ("EUR", Decimal("0.1"), 100_000_000),
        ("EUR", "0.1", 100_000_000),
        ("EUR", 2, 2 * PARTS),
        ("EUR", Decimal("1e-30"), 1),
        ("tokens", Decimal("1.2"), 2),
        ("tokens", 0, 0),
        ("tokens", "12", 12),
    ],
)
def test_what_a_reply_says_is_rounded_up(unit, value, meant):
    assert parsed(unit, value) == meant


@pytest.mark.parametrize(
    "value", [True, None, [], {}, 0.5, -1, "", "x", "NaN", "inf", Decimal("NaN"), Decimal("1e99"), 10**30, "9" * 50]
)
def test_what_is_no_amount(value):
    assert parsed("EUR", value) is None


@given(st.integers(0, MOST), st.sampled_from(["EUR", "tokens"]))
def test_what_a_record_holds_leads_back(amount, unit):
    assert parsed(unit, told(unit, amount)) == amount


def test_in_words():
    assert [spoken("EUR", 5 * PARTS), spoken("time", 1500), spoken("calls", 200)] == ["5 EUR", "1.5 s", "200 calls"]

"""Retrying: waits with jitter, what a backend asks for, and a budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.retrying import MOST_SAVED, SHARE, Budget, asked_s, backoff_s
from rules.terms import Retry

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(("failed", "most"), [(1, 0.2), (2, 0.4), (3, 0.8), (5, 3.2), (6, 5.0), (60, 5.0)])
def test_waits_double_up_to_a_bound_and_lie_anywhere_below(failed: int, most: float) -> None:
    terms = Retry(100, 0.2, 5.0)
    assert backoff_s(terms, failed, 1.0) == pytest.approx(most)
    assert backoff_s(terms, failed, 0.5) == pytest.approx(most / 2)
    assert backoff_s(terms, failed, 0.0) == 0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("9" * 40, 9_999_999_999.0),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30.0),
        ("Saturday, 31-Jan-26 12:00:30 GMT", 30.0),
        ("Sat Jan 31 12:00:30 2026", 30.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Sat, 99 Foo 2026 12:00:30 GMT", None),
        ("Sat, 31 Jan 2026 12:00:30 +999999999999999999999999", None),
    ],
)
def test_both_forms_of_retry_after_and_neither(said: str, seconds: float | None) -> None:
    assert asked_s(said, NOW) == seconds


@given(st.text(max_size=60))
def test_no_text_breaks_it(said: str) -> None:
    found = asked_s(said, NOW)
    assert found is None or found >= 0


def test_a_quiet_backend_may_be_asked_again_and_a_busy_one_a_fifth_more() -> None:
    budget = Budget(0.0)
    assert sum(budget.spend(0.0) for _ in range(100)) == MOST_SAVED
    spent = 0
    for _ in range(1_000):
        budget.called()
        spent += budget.spend(0.0)
    assert spent <= 1_000 * SHARE
    assert spent > 1_000 * SHARE - 2
    assert not budget.spend(0.0)
    assert budget.spend(10.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=200))
def test_never_more_than_its_share(steps: list[tuple[bool, float]]) -> None:
    budget, now, calls, spent = Budget(0.0), 0.0, 0, 0
    for is_call, later in steps:
        now += later
        if is_call:
            budget.called()
            calls += 1
        else:
            spent += budget.spend(now)
        assert spent <= MOST_SAVED + calls * SHARE + now * 0.1 + 1e-6


def test_the_moment_may_have_no_zone() -> None:
    later = (NOW + timedelta(seconds=5)).strftime("%a, %d %b %Y %H:%M:%S -0000")
    assert asked_s(later, NOW) == 5.0

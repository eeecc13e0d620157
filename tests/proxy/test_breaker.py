"""The breaker as a machine: whatever comes in whatever order, it lets through what it should and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.breaker import LEAST_WAIT_S, WINDOW_S, Breaker
from rules.terms import Breaker as Terms

TERMS = Terms(failures=0.5, slow=0.8, slower_than_s=1.0, window=4, open_s=10.0, probes=2)


def told(breaker: Breaker, now: float, *failed: bool, took_s: float = 0.0) -> None:
    for each in failed:
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.ended(ticket, now, each, took_s)


def opened() -> Breaker:
    breaker = Breaker(TERMS)
    told(breaker, 0.0, True, True, True, True)
    assert breaker.state == "open"
    return breaker


def test_half_of_the_window_opens_it_and_less_does_not() -> None:
    breaker = Breaker(TERMS)
    told(breaker, 0.0, True, False, False, False, False)
    assert breaker.state == "closed"
    told(breaker, 1.0, True)
    assert breaker.state == "closed"
    told(breaker, 2.0, True)
    assert breaker.state == "open"
    assert breaker.admit(2.0) is None


def test_it_judges_by_a_full_window_of_the_last_minute_only() -> None:
    breaker = Breaker(TERMS)
    told(breaker, 0.0, True, True, True)
    assert breaker.state == "closed"
    told(breaker, WINDOW_S + 1, True, True, True)
    assert breaker.state == "closed"
    told(breaker, WINDOW_S + 2, True)
    assert breaker.state == "open"


def test_slow_requests_open_it_where_the_rules_say_what_is_slow() -> None:
    breaker = Breaker(TERMS)
    told(breaker, 0.0, False, False, False, False, took_s=1.1)
    assert breaker.state == "open"
    breaker = Breaker(Terms(window=4))
    told(breaker, 0.0, *[False] * 50, took_s=1_000.0)
    assert breaker.state == "closed"


def test_it_stays_open_for_its_time_and_says_how_long() -> None:
    breaker = opened()
    assert breaker.admit(9.9) is None
    assert breaker.wait_s(4.0) == pytest.approx(6.0)
    assert breaker.wait_s(100.0) == LEAST_WAIT_S
    assert breaker.admit(10.0) is not None
    assert breaker.state == "half_open"


def test_so_many_probes_at_once_and_all_have_to_succeed() -> None:
    breaker = opened()
    first, second = breaker.admit(10.0), breaker.admit(10.0)
    assert first is not None
    assert second is not None
    assert breaker.admit(10.0) is None
    breaker.ended(first, 11.0, False, 0.1)
    assert breaker.admit(11.0) is None
    breaker.ended(second, 11.0, False, 0.1)
    assert breaker.state == "closed"


@pytest.mark.parametrize(("failed", "took_s"), [(True, 0.0), (False, 1.1)])
def test_one_bad_probe_opens_it_again(failed: bool, took_s: float) -> None:
    breaker = opened()
    told(breaker, 10.0, failed, took_s=took_s)
    assert breaker.state == "open"
    assert breaker.admit(19.9) is None
    assert breaker.admit(20.0) is not None


def test_an_abandoned_probe_gives_its_place_back() -> None:
    breaker = opened()
    for _ in range(10):
        ticket = breaker.admit(10.0)
        assert ticket is not None
        breaker.abandoned(ticket)
    assert breaker.state == "half_open"


def test_tickets_of_the_time_before_count_for_nothing() -> None:
    breaker = Breaker(TERMS)
    old = [breaker.admit(0.0) for _ in range(20)]
    told(breaker, 0.0, True, True, True, True)
    assert breaker.admit(10.0) is not None
    for each in old:
        assert each is not None
        breaker.ended(each, 10.0, True, 0.0)
        breaker.abandoned(each)
    assert breaker.state == "half_open"
    assert breaker.admit(10.0) is not None
    assert breaker.admit(10.0) is None


EVENT = st.tuples(st.sampled_from(["admit", "good", "bad", "slow", "leave"]), st.floats(0, 15))
SOME_TERMS = st.builds(
    Terms,
    failures=st.sampled_from([0.01, 0.25, 0.5, 1.0]),
    slow=st.sampled_from([0.5, 1.0]),
    slower_than_s=st.sampled_from([None, 1.0]),
    window=st.integers(2, 6),
    open_s=st.sampled_from([0.5, 10.0]),
    probes=st.integers(1, 3),
)


@given(SOME_TERMS, st.lists(EVENT, max_size=80))
def test_its_promises_hold_for_every_order_of_events(terms: Terms, events: list[tuple[str, float]]) -> None:
    breaker, now, opened_at, out = Breaker(terms), 0.0, -1.0, []
    probing: list[int] = []
    for what, later in events:
        now += later
        before = breaker.state
        if what == "admit":
            ticket = breaker.admit(now)
            if before == "closed":
                assert ticket is not None
            if before == "open":  # nothing gets through before its time, and after it always something
                assert (ticket is not None) == (now >= opened_at + terms.open_s)
            if ticket is not None:
                out.append(ticket)
                if breaker.state == "half_open":
                    probing = [each for each in probing if each == ticket] + [ticket]
                    assert len(probing) <= terms.probes
        elif out:
            ticket = out.pop(len(out) // 2)
            if what == "leave":
                breaker.abandoned(ticket)
                if before == "half_open" and ticket in probing:
                    probing.remove(ticket)
                assert breaker.state == before
            else:
                breaker.ended(ticket, now, what == "bad", 2.0 if what == "slow" else 0.0)
                # Good news never opens it, and bad news never closes it.
                assert not (what == "good" and before == "closed" and breaker.state != "closed")
                assert not (what == "bad" and before != "closed" and breaker.state == "closed")
            if breaker.state == "open" and before != "open":
                opened_at, probing = now, []
        assert breaker.wait_s(now) >= LEAST_WAIT_S
        assert len(breaker._last) <= terms.window


def test_who_looks_after_it_opens_it_and_ends_that_again() -> None:
    breaker = Breaker(TERMS)
    breaker.well()
    assert breaker.state == "closed"
    breaker.unwell(0.0, 30.0)
    assert breaker.admit(29.9) is None
    assert breaker.wait_s(10.0) == pytest.approx(20.0)
    breaker.well()
    assert breaker.state == "half_open"
    breaker.well()
    assert breaker.state == "closed"
    told(breaker, 1.0, *[False] * 10)


def test_what_was_found_holds_for_its_time_and_then_calls_find_out() -> None:
    breaker = Breaker(TERMS)
    breaker.unwell(0.0, 30.0)
    breaker.unwell(20.0, 5.0)  # never sooner than was said before
    assert breaker.admit(29.0) is None
    told(breaker, 30.0, False)
    assert breaker.state == "half_open"
    breaker.well()
    assert breaker.state == "closed"


def test_to_be_found_well_does_not_end_what_calls_found() -> None:
    breaker = opened()
    breaker.well()
    assert breaker.admit(9.9) is None
    breaker.unwell(5.0, 1.0)
    assert breaker.admit(9.9) is None
    breaker.well()
    told(breaker, 9.9, True)  # it says that it is well, and fails
    assert breaker.state == "open"
    breaker.well()
    assert breaker.admit(19.8) is None
    assert breaker.admit(19.9) is not None


def test_a_call_under_way_when_it_was_found_unwell_changes_nothing() -> None:
    breaker = Breaker(TERMS)
    ticket = breaker.admit(0.0)
    assert ticket is not None
    breaker.unwell(0.0, 10.0)
    breaker.ended(ticket, 1.0, False, 0.1)
    assert breaker.admit(1.0) is None
    breaker.well()
    trial = breaker.admit(2.0)
    assert trial is not None
    breaker.unwell(3.0, 10.0)
    breaker.ended(trial, 4.0, False, 0.1)
    breaker.abandoned(trial)
    assert breaker.admit(4.0) is None

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.obligations import Approval, Limit, lasting, merge
from tests.counts import examples

approvals = st.builds(Approval, st.sampled_from(["", "boss", "audit"]), st.sampled_from([1.0, 60.0, 900.0]))


def test_of_two_approvals_by_one_role_the_shorter_time_counts():
    assert merge([Approval("boss", 900), Approval("boss", 60)]) == (Approval("boss", 60),)


def test_approvals_by_two_roles_are_both_needed():
    assert merge([Approval("boss", 900), Approval("audit", 60)]) == (Approval("audit", 60), Approval("boss", 900))


def test_an_approval_by_anybody_is_covered_by_a_stricter_one_and_keeps_its_time():
    assert merge([Approval("", 60), Approval("boss", 900)]) == (Approval("boss", 60),)
    assert merge([Approval("", 60)]) == (Approval("", 60),)


def test_nothing_is_needed_where_nothing_is_asked():
    assert merge([]) == ()


@given(st.lists(approvals, max_size=5))
@settings(max_examples=examples(200), deadline=None, database=None)
def test_the_order_and_repetition_never_matter(asked):
    assert {merge(order) for order in list(permutations(asked))[:24]} == {merge(asked * 2)}


@given(st.lists(approvals, min_size=1, max_size=5))
@settings(max_examples=examples(200), deadline=None, database=None)
def test_what_is_left_is_at_least_as_strict_as_each_that_was_asked(asked):
    merged = merge(asked)
    for one in asked:
        assert any(one.by in ("", left.by) and left.within_s <= one.within_s for left in merged)


def test_a_duration_reads_as_it_is_written():
    said = {
        0.5: "500ms",
        0.0015: "1.5ms",
        1: "1s",
        90: "90s",
        60: "1m",
        900: "15m",
        5400: "90m",
        3600: "1h",
        86400: "1d",
    }
    for seconds, text in said.items():
        assert lasting(seconds) == text
    assert lasting(90000) == "25h"
    assert lasting(1.5) == "1500ms"


def test_an_approval_reads_as_words():
    assert Approval("boss", 900).as_text() == "an approval by boss within 15m"
    assert Approval("", 86400).as_text() == "an approval by any approver within 1d"


limits = st.builds(
    Limit,
    st.sampled_from(["rule a", "rule b", "tool t"]),
    st.sampled_from([(), ("run",), ("principal", "tool")]),
    st.integers(1, 5),
    st.sampled_from([0.0, 60.0]),
)


@given(st.lists(st.one_of(approvals, limits), max_size=8), st.randoms())
def test_whatever_is_demanded_the_order_never_matters(asked, random):
    shuffled = list(asked)
    random.shuffle(shuffled)
    assert set(merge(asked)) == set(merge(shuffled))
    assert len(asked) < 2 or merge(asked) == merge(shuffled)


@given(st.lists(limits, min_size=2, max_size=8))
def test_of_limits_that_share_their_counts_the_lower_wins(asked):
    merged = merge(asked)
    for one in asked:
        (same,) = [
            each for each in merged if (each.owner, each.per, each.within_s) == (one.owner, one.per, one.within_s)
        ]
        assert same.calls <= one.calls
    assert set(merged) <= set(asked)


def test_limits_in_words():
    assert Limit("rule r", ("principal", "tool"), 20, 3600.0).as_text() == (
        "at most 20 calls in 1h for each principal and tool"
    )
    assert Limit("rule r", (), 1).as_text() == "at most 1 call at once for all callers together"

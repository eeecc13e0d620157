"""Crowd: a long queue as long as all fit, a short one while they do not, and an end to that."""

from __future__ import annotations

from proxy.crowd import CALM_S, LONGEST_S, Crowd

SHORT = 4


def test_it_is_over_when_nobody_was_refused_for_a_while() -> None:
    crowd = Crowd(50, SHORT)
    assert not crowd.turns_away(0, SHORT + 1, 1.0)
    assert crowd.turns_away(20, 30, 1.0)
    assert crowd.turns_away(0, SHORT, 1.5)
    assert not crowd.turns_away(0, SHORT - 1, 1.6)
    assert crowd.turns_away(0, SHORT, 1.4 + CALM_S)
    assert not crowd.turns_away(0, SHORT, 1.5 + 2 * CALM_S)


def test_those_who_go_on_asking_are_tried_again_after_some_minutes() -> None:
    crowd, now = Crowd(50, SHORT), 1.0
    assert crowd.turns_away(20, 30, now)
    while now < LONGEST_S:
        now += CALM_S / 2
        assert crowd.turns_away(0, SHORT, now)
    assert not crowd.turns_away(0, SHORT, 1.0 + LONGEST_S)
    assert crowd.turns_away(0, 50, 2.0 + LONGEST_S)  # they do not wait for each other
    assert crowd.turns_away(0, SHORT, 2.1 + LONGEST_S)

"""Admission: who finds too much work before them for too long is refused; bursts and quiet times are not punished."""

from __future__ import annotations

from proxy.transports.admission import PATIENCE_S, TARGET_S, Admission

LONG = TARGET_S * 2


def test_a_burst_is_let_in_and_what_lasts_is_not() -> None:
    door = Admission(most_calls=10)
    assert not any(door.refuses(LONG, 1.0 + PATIENCE_S * part / 10) for part in range(10))
    assert door.refuses(LONG, 1.0 + PATIENCE_S * 1.1)
    assert not door.refuses(TARGET_S, 1.0 + PATIENCE_S * 1.1)  # who found little is let in meanwhile
    assert door.refuses(LONG, 1.0 + PATIENCE_S * 1.2)


def test_long_waits_far_between_are_single_ones() -> None:
    door = Admission(most_calls=10)
    assert not any(door.refuses(LONG, turn * PATIENCE_S * 1.01) for turn in range(1, 50))


def test_so_many_calls_and_no_more() -> None:
    door = Admission(most_calls=2)
    door.calls = 2
    assert door.refuses(0.0, 1.0)
    assert door.refuses(LONG, 1.0)
    door.calls = 1
    assert not door.refuses(0.0, 1.0)

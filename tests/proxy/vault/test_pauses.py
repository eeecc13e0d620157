"""Pauses grow, stay within bounds, and are not the same everywhere."""

from __future__ import annotations

from proxy.vault.pauses import LONGEST_S, backoff, spread


def test_pauses_grow_to_a_bound_whatever_the_number() -> None:
    assert 0.04 <= backoff(0) <= backoff(1) * 2 <= 0.1
    assert 0.32 <= backoff(4) <= 0.4
    assert 0.8 * LONGEST_S <= backoff(10_000) <= LONGEST_S


def test_vault_is_left_alone_for_as_long_as_it_wants_but_not_for_ever() -> None:
    assert backoff(1, after_s=3) == 3
    assert backoff(1, after_s=1e9) == LONGEST_S


def test_some_is_left_to_chance() -> None:
    assert len({spread(10) for _ in range(20)}) > 1
    assert all(8 <= spread(10) <= 10 for _ in range(100))

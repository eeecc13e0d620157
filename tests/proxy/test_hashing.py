"""Hashes of values."""

from __future__ import annotations

from proxy.hashing import keyed_hash


def test_equal_values_are_equal_whatever_the_order_of_names() -> None:
    assert keyed_hash(b"k", {"a": 1, "b": [2]}) == keyed_hash(b"k", {"b": [2], "a": 1})
    assert keyed_hash(b"k", {"a": 1}) != keyed_hash(b"k", {"a": 2})


def test_another_key_gives_another_hash() -> None:
    assert keyed_hash(b"k", {"a": 1}) != keyed_hash(b"l", {"a": 1})


def test_integers_beyond_64_bits_have_one() -> None:
    assert keyed_hash(b"k", 2**80) == keyed_hash(b"k", 2**80) != keyed_hash(b"k", 2**80 + 1)

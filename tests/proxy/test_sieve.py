"""The sieve never says of a name that was put in that it was not, and rarely the other way round."""

from __future__ import annotations

import hashlib

from proxy.sieve import Sieve


def names(word: str, count: int) -> list[bytes]:
    return [hashlib.blake2b(f"{word}{number}".encode(), digest_size=32).digest() for number in range(count)]


def test_what_was_added_is_there_and_little_else() -> None:
    sieve, added = Sieve(), names("a", 30_000)
    assert added[0] not in sieve
    for name in added:
        sieve.add(name)
    assert sieve.count == 30_000
    assert all(name in sieve for name in added)
    assert sum(name in sieve for name in names("b", 5_000)) < 10

"""Sieve: tells of most names that they were never put in, by a megabyte of bits (a Bloom filter). Names are hashes."""

from __future__ import annotations

from typing import Final

_BITS: Final = 1 << 23
"""With 600,000 names, which is what the table may hold, one of four hundred others seems to have been put in."""

_PLACES: Final = tuple(range(0, 20, 4))
"""Where the places of a name stand in its hash, four bytes each."""


class Sieve:
    """What it does not hold was not added; what it holds mostly was. `count` are the names that were added."""

    __slots__ = ("_bits", "count")

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)
        self.count = 0

    def __contains__(self, name: bytes) -> bool:
        """Whether it may have been added."""
        bits = self._bits
        for at in _PLACES:
            place = int.from_bytes(name[at : at + 4], "big") % _BITS
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
        return True

    def add(self, name: bytes) -> None:
        """From now on it is there."""
        for at in _PLACES:
            place = int.from_bytes(name[at : at + 4], "big") % _BITS
            self._bits[place >> 3] |= 1 << (place & 7)
        self.count += 1

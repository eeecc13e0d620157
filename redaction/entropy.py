"""How random a text looks."""

from math import log2


def entropy(value: str) -> float:
    """Shannon's entropy in bits a character: 0 of one character over and over, about 4.5 of 32 random letters."""
    size = len(value)
    return sum(count / size * log2(size / count) for count in map(value.count, sorted(set(value))))

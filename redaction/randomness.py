"""Words that look made by chance, and that no pattern knows. Only ever a warning.

Entropy alone tells a secret from a hash, an identifier or a picture no better than a coin does, so nothing is rewritten
for it. What is left out: hexadecimal (hashes, UUIDs, traces), figures, names in camelCase or with words between signs,
digests with their algorithm before them, and what is too long to be a token: pictures, archives, certificates.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from math import log2
from typing import Final

import re2

from redaction.entropy import entropy

KIND: Final = "HIGH_ENTROPY"
SHORTEST: Final = 20
LONGEST: Final = 200
"""Characters of a token. Keys of vendors have 20 to 180; a picture has thousands."""

_SIGNS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_=-"
_WORD: Final = re2.compile(rf"[A-Za-z0-9+/_=-]{{{SHORTEST},}}")
_DIGEST: Final = re.compile(rb"(?i)(?:sha|md|blake)\d{1,3}[a-z]?[_=\-]")
_HEX: Final = re.compile(rb"[0-9a-fA-F_\-]+")
_PLAIN: Final = re.compile(rb"[A-Za-z]{4,}|[0-9]{5,}")
"""A word or a number within: rare by chance, usual in names."""

_ENOUGH: Final = 4.7
"""Bits a character that are enough for any length: 62 signs by chance have at most 5.95."""

_CHANGES: Final = 0.42
"""Of the places between two characters, so many at least go from one class to another: 0.62 by chance, 0.3 in names."""


def random_words(text: bytes) -> Iterator[tuple[int, int]]:
    """Where such words stand in the UTF-8 text."""
    for found in _WORD.finditer(text):
        start, end = found.span()
        if end - start <= LONGEST and _is_random(text[start:end].strip(b"=-_/+")):
            yield start, end


def _is_random(word: bytes) -> bool:
    size = len(word)
    if size < SHORTEST or _HEX.fullmatch(word) or _DIGEST.match(word):
        return False
    text = word.decode()
    classes = [0 if each.isdigit() else 1 if each.islower() else 2 if each.isupper() else 3 for each in text]
    if not {0, 1, 2} <= set(classes) or classes.count(3) * 6 > size:
        return False
    plain = sum(len(each) for each in _PLAIN.findall(word) if each.islower() or each[1:].islower() or each.isdigit())
    changes = sum(one != two for one, two in pairwise(classes))
    return plain * 4 < size and changes >= _CHANGES * (size - 1) and entropy(text) >= min(log2(size) - 0.75, _ENOUGH)


class Watch:
    """Counts such words in bytes that come in pieces, wherever they were cut."""

    def __init__(self) -> None:
        self.count = 0
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Takes more; a word at the end waits for what follows."""
        text = self._rest + data
        cut = len(text.rstrip(_SIGNS))
        self.count += sum(1 for _ in random_words(text[:cut]))
        # Of a word that is too long already, enough is kept to know that it is.
        self._rest = text[cut:][: LONGEST + 1]

    def close(self) -> int:
        """The number of words in all that came."""
        self.count += sum(1 for _ in random_words(self._rest))
        self._rest = b""
        return self.count

"""Words around a value that say what it is."""

import re
from functools import lru_cache

import re2

# Keys of replies whose answer is kept; an API has some hundred.
KEYS_KEPT = 2_000

_NOTHING = r"[^\x{0}-\x{10FFFF}]"  # matches no text
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTER = re.compile(r"[\W_]+")
_GAP = r"[^\pL\pN]{0,2}"  # what may stand for a space in a word: `secret key`, `secret_key`, `secretkey`
# What may follow the word in a key that names the value itself.
_AND_SO_ON = "(?: (?:number|no|num|nr|value|text|[0-9]+)s?)*"


class Words:
    """Some words, each found whole, in any case, also in snake_case, and with a plural s."""

    def __init__(self, words: tuple[str, ...]) -> None:
        either = "|".join(map(_spaced, words)) or _NOTHING
        self._whole = re2.compile(f"(?i)(?:^|[^a-z])(?:{either})s?(?:[^a-z]|$)".encode())
        self._last = re2.compile(f"(?i)(?:^|[^a-z])(?:{either})s?{_AND_SO_ON}$".encode())
        self.end = lru_cache(KEYS_KEPT)(self._end)
        self._anywhere = re2.compile(("|".join(map(_loose, words)) or _NOTHING).encode())

    def stand_in(self, text: bytes) -> bool:
        """Whether one of the words stands in the UTF-8 text."""
        return self._whole.search(text) is not None

    def _end(self, key: str) -> bool:
        """Whether a key, also in camelCase, ends with one of the words: `phone_verified_at` holds no phone."""
        words = _NO_LETTER.sub(" ", _HUMP.sub(" ", key))
        return self._last.search(words.encode("utf-8", "replace")) is not None

    def may_stand_in(self, text: bytes) -> bool:
        """False only if no part of the text, no key and no string, could hold one of the words."""
        return self._anywhere.search(text) is not None


def _spaced(word: str) -> str:
    return _GAP.join(map(re2.escape, word.split()))


def _loose(word: str) -> str:
    """Matches the word wherever it is whole, or becomes so when camelCase is taken apart."""
    hump = f"[a-z0-9]{word[0].upper()}(?i:{_spaced(word[1:])})"
    return f"(?:(?:^|[^A-Za-z])(?i:{_spaced(word)})|{hump})[sS]?(?:$|[^a-z])"

"""Words around a value that say what it is."""

import re
from collections.abc import Iterable

from re2 import escape

from redaction.kept import Kept
from redaction.linear import ANYWHERE, Expression

# Keys of replies whose answer is kept; an API has some hundred.
KEYS_KEPT = 2_000

NOTHING = r"[^\x{0}-\x{10FFFF}]"  # matches no text
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTER = re.compile(r"[\W_]+")
_GAP = r"[^\pL\pN]{0,2}"  # what may stand for a space in a word: `secret key`, `secret_key`, `secretkey`
_WIDE_GAP = '[^0-9A-Za-z"]*'  # the same, looser: keys are read without what is neither letter nor digit
# What may follow the word in a key that names the value itself.
_AND_SO_ON = "(?: (?:number|no|num|nr|value|text|[0-9]+)s?)*"


class Words:
    """Some words, each found whole, in any case, also in snake_case, and with a plural s."""

    def __init__(self, words: tuple[str, ...]) -> None:
        either = "|".join(_spaced(word, _GAP) for word in words) or NOTHING
        self._whole = Expression(f"(?i)(?:^|[^a-z])(?:{either})s?(?:[^a-z]|$)")
        self._last = Expression(f"(?i)(?:^|[^a-z])(?:{either})s?{_AND_SO_ON}$")
        self.end = Kept(self._end, KEYS_KEPT).__getitem__

    def stand_in(self, text: bytes) -> bool:
        """Whether one of the words stands in the UTF-8 text."""
        return self._whole.on(text)(ANYWHERE, text, 0, len(text))[0][0] >= 0

    def _end(self, key: str) -> bool:
        """Whether a key, also in camelCase, ends with one of the words: `phone_verified_at` holds no phone."""
        words = _NO_LETTER.sub(" ", _HUMP.sub(" ", key)).encode("utf-8", "replace")
        return self._last.on(words)(ANYWHERE, words, 0, len(words))[0][0] >= 0


def beginning(words: Iterable[str]) -> str:
    """An expression that matches one of the words wherever it begins as a whole one, in a text or a key.

    It matches more: whether the word ends there is left open.
    """
    return "(?:" + "|".join(map(_begun, words)) + ")"


def within(words: Iterable[str]) -> str:
    """The same for a word that may begin within another, and without looking at what stands before it."""
    return "(?i:" + "|".join(_spaced(word, _WIDE_GAP) for word in words) + ")"


def _begun(word: str) -> str:
    hump = f"[a-z0-9]{word[0].upper()}(?i:{_spaced(word[1:], _WIDE_GAP)})"  # what is taken apart in camelCase
    return f"(?:^|[^A-Za-z])(?i:{_spaced(word, _WIDE_GAP)})|{hump}"


def _spaced(word: str, gap: str) -> str:
    return gap.join(map(escape, word.split()))

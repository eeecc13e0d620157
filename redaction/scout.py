"""Where in a JSON text it is worth looking.

One expression finds the next place that may have to do with a finding; what really is one is decided for the string,
name or number there as a whole (`Engine.find_in`). The expression is looser than the patterns where that makes it
smaller. A pattern that needs a word close by counts only where such a word stands in the same string as what the
pattern's gate asks for, or in a name: dates and numbers are everywhere, and so are the words, but not together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from redaction.detector import Pattern
from redaction.linear import Match, matcher
from redaction.words import NOTHING, beginning, within

# The automaton is built while scanning, within this much memory.
MEMORY = 64 << 20

_SPACE = r"[ \t\r\n]*"
_NAMES = rf'[^"]*"{_SPACE}:{_SPACE}'  # the rest of a name


class Scout:
    """Finds the next place in a JSON text that may have to do with a finding of some patterns.

    The text must be valid JSON with its escapes undone, except that quotation marks in strings must read otherwise.
    `near` and `far` are called as `linear.Match`es are.

    `near`: wherever a finding is, one of the places touches its string or number, or the name that stands just before.
    `far`: also where the name stands farther away, as in an array.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        plain = [pattern.gate or pattern.regex for pattern in patterns if not pattern.context]
        wordy = [pattern for pattern in patterns if pattern.context]
        self.near = _compiled([*plain, *_with_words(wordy)])
        self.far = _compiled([*plain, *(pattern.regex for pattern in wordy)])


def _with_words(patterns: Iterable[Pattern]) -> Iterator[str]:
    by_gate: defaultdict[str, list[str]] = defaultdict(list)
    for pattern in patterns:
        by_gate[pattern.gate] += pattern.context
    for gate, words in by_gate.items():
        if gate:
            yield f'{beginning(words)}(?:{_NAMES}(?:[\\-0-9\\[]|"[^"]*?(?:{gate}))|[^"]*?(?:{gate}))'
            yield f'(?:{gate})[^"]*?{within(words)}'
        else:
            yield f'{beginning(words)}(?:{_NAMES}["\\-0-9\\[])?'


def _compiled(expressions: Iterable[str]) -> Match:
    return matcher("|".join(f"(?:{expression})" for expression in expressions) or NOTHING, MEMORY, capture=False)

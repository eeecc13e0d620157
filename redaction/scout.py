"""Where in a JSON text it is worth looking.

One expression finds the next place that may have to do with a finding; what really is one is decided for the string,
name or number there as a whole (`Engine.find_in`). The expression is looser than the patterns where that makes it
smaller. A pattern that needs a word close by counts only where such a word stands in the same string as what the
pattern's gate asks for, or in a name: dates and numbers are everywhere, and so are the words, but not together.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from redaction.apart import sort_of
from redaction.detector import Pattern
from redaction.linear import ANYWHERE, CLASS, Match, matcher
from redaction.words import beginning, within

# The automaton is built while scanning, within this much memory.
MEMORY = 64 << 20
# The gate of most patterns that need a word close by.
FIGURES = "[0-9]"

_NOWHERE = (sys.maxsize, -1)
_SPACE = r"[ \t\r\n]*"
_NAMES = rf'[^"]*"{_SPACE}:{_SPACE}'  # the rest of a name


class Places:
    """The places in one text, which must be asked for in order."""

    def __init__(self, matches: Sequence[Match], text: bytes) -> None:
        self._matches, self._text = matches, text
        self._next = [(-1, -1)] * len(matches)

    def after(self, at: int) -> tuple[int, int]:
        """The first place that begins at `at` or later; (-1, -1) for none."""
        text, upcoming = self._text, self._next
        size = len(text)
        first = _NOWHERE
        for index, place in enumerate(upcoming):
            if place[0] < at:
                place = self._matches[index](ANYWHERE, text, at, size)[0]
                upcoming[index] = place = _NOWHERE if place[0] < 0 else place
            if place < first:
                first = place
        return (-1, -1) if first is _NOWHERE else first


class Scout:
    """Finds the next place in a JSON text that may have to do with a finding of some patterns.

    The text must be valid JSON with its escapes undone, except that quotation marks in strings must read otherwise.
    `names` are expressions for ends of names that matter by themselves.

    An automaton for expressions of different sorts has a state for each pair of theirs, and with a hundred patterns of
    each it does not fit in its memory any more; so each sort has its own, and the text is read once for each.
    """

    def __init__(self, patterns: Sequence[Pattern], names: Sequence[str] = ()) -> None:
        gates = [in_strings(pattern.gate) or pattern.regex for pattern in patterns if not pattern.context]
        # Those of runs of characters apart; each automaton reads all the text, so more of them cost what they save.
        runs = [gate for gate in gates if sort_of(gate) == "counted"]
        plain = [_compiled(runs), _compiled(gate for gate in gates if sort_of(gate) != "counted")]
        figures = [pattern for pattern in patterns if pattern.context and pattern.gate == FIGURES]
        wordy = [pattern for pattern in patterns if pattern.context and pattern.gate != FIGURES]
        # A gate that was passed stays so to the end of its string, so each gate doubles the states.
        before = [before for before, _ in _with_words(wordy)]
        behind = [behind for _, behind in _with_words(wordy) if behind]
        words = [each for both in _with_words(figures) for each in both if each]
        near = (*plain, *map(_compiled, (words, before, behind[::2], behind[1::2], names)))
        regexes = ([pattern.regex for pattern in figures], [*(pattern.regex for pattern in wordy), *names])
        far = (*plain, *map(_compiled, regexes))
        self._near = [match for match in near if match]
        self._far = [match for match in far if match]

    def near(self, text: bytes) -> Places:
        """Wherever a finding is, one of the places touches its string or number, or the name just before."""
        return Places(self._near, text)

    def far(self, text: bytes) -> Places:
        """Also where the name stands farther away, as in an array."""
        return Places(self._far, text)


def in_strings(gate: str) -> str:
    """The gate where quotation marks in strings read as HIDDEN, and others end the string."""

    def hidden(found: re.Match[str]) -> str:
        return found[0].replace('"', r'"\x01' if found[0].startswith("[^") else r"\x01")

    return CLASS.sub(hidden, gate)


def _with_words(patterns: Iterable[Pattern]) -> Iterator[tuple[str, str]]:
    """For each gate: words and then the gate; the gate and then words, which is empty where the gate is."""
    by_gate: defaultdict[str, list[str]] = defaultdict(list)
    for pattern in patterns:
        by_gate[pattern.gate] += pattern.context
    for gate, words in by_gate.items():
        if gate:
            behind = f'(?:{gate})[^"]*?{within(words)}'
            yield f'{beginning(words)}(?:{_NAMES}(?:[\\-0-9\\[]|"[^"]*?(?:{gate}))|[^"]*?(?:{gate}))', behind
        else:
            yield f'{beginning(words)}(?:{_NAMES}["\\-0-9\\[])?', ""


def _compiled(expressions: Iterable[str]) -> Match | None:
    either = "|".join(f"(?:{expression})" for expression in expressions)
    return matcher(either, MEMORY, capture=False) if either else None

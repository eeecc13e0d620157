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
from functools import cached_property

from redaction.apart import sort_of
from redaction.detector import Pattern
from redaction.linear import ANYWHERE, CLASS, Match, matcher
from redaction.words import beginning, within

# The automaton is built while scanning, within this much memory.
MEMORY = 64 << 20
# The gate of most patterns that need a word close by.
FIGURES = "[0-9]"

_NONE = (sys.maxsize, -1)
# Where strings with words in which nothing is come closer together than this on average, it is cheaper to read all of
# the text with what tells them apart.
FEW_BYTES = 512
_GRACE = 8
_QUOTE = b'"'
_SPACE = r"[ \t\r\n]*"
# From within a string to its end, and where it is a name, to that of its value or at least into it.
_REST = re.compile(rb'[^"]*+"?(?:[ \t\r\n]*+:[ \t\r\n]*+(?:"[^"]*+"|.)?)?', re.DOTALL)
_NAMES = rf'[^"]*"{_SPACE}:{_SPACE}'  # the rest of a name


class Places:
    """The places in one text, which must be asked for in order."""

    def __init__(self, matches: Sequence[Match], text: bytes) -> None:
        self._matches, self._text, self._size = matches, text, len(text)
        self._next = [(-1, -1)] * len(matches)

    def after(self, at: int) -> tuple[int, int]:
        """The first place that begins at `at` or later; (-1, -1) for none."""
        upcoming = self._next
        first = _NONE
        for index, place in enumerate(upcoming):
            if place[0] < at:
                place = self._matches[index](ANYWHERE, self._text, at, self._size)[0]
                place = upcoming[index] = place if place[0] >= 0 else _NONE
            if place < first:
                first = place
        return first if first is not _NONE else (-1, -1)


class _Confirmed:
    """A `Match` for one text: of what a loose automaton points at, only what one of the exact ones sees there too.

    Those read no more than the string around it and, if that is a name, its value: so one reads the text, not all.
    """

    def __init__(self, loose: Match, exact: Sequence[Match]) -> None:
        self._loose, self._exact = loose, exact
        self._misses = -_GRACE
        self._all: Places | None = None

    def __call__(self, anchor: object, text: bytes, at: int, size: int) -> list[tuple[int, int]]:
        while self._all is None:
            hit = self._loose(ANYWHERE, text, at, size)
            start, end = hit[0]
            if start < 0:
                return hit
            left, rest = max(at, text.rfind(_QUOTE, at, start + 1)), _REST.match(text, end)
            right = rest.end() if rest else size
            for exact in self._exact:
                places = exact(ANYWHERE, text, left, right)
                if places[0][0] >= 0:
                    return places
            at = right - 1
            self._misses += 1
            if self._misses * FEW_BYTES > at:
                self._all = Places(self._exact, text)
        return [self._all.after(at)]


class Scout:
    """Finds the next place in a JSON text that may have to do with a finding of some patterns.

    The text must be valid JSON with its escapes undone, except that quotation marks in strings must read otherwise.
    `names` are expressions for ends of names that matter by themselves, `labels` one for members that hold such a name.

    An automaton for expressions of different sorts has a state for each pair of theirs, and with a hundred patterns of
    each it does not fit in its memory any more; so each sort has its own, and the text is read once for each.
    """

    def __init__(self, patterns: Sequence[Pattern], names: Sequence[str] = (), labels: str = "") -> None:
        gates = [in_strings(pattern.gate) or pattern.regex for pattern in patterns if not pattern.context]
        # Those of runs of characters apart; each automaton reads all the text, so more of them cost what they save.
        runs = [gate for gate in gates if sort_of(gate) == "counted"]
        plain = [
            _compiled([*runs, labels] if labels else runs),
            _compiled(gate for gate in gates if sort_of(gate) != "counted"),
        ]
        figures = [pattern for pattern in patterns if pattern.context and pattern.gate == FIGURES]
        wordy = [pattern for pattern in patterns if pattern.context and pattern.gate != FIGURES]
        # A gate that was passed stays so to the end of its string, so each gate doubles the states.
        before = [before for before, _ in _with_words(wordy)]
        behind = [behind for _, behind in _with_words(wordy) if behind]
        words = [each for both in _with_words(figures) for each in both if each]
        self._plain = [match for match in (*plain, _compiled(names)) if match]
        exact = map(_compiled, (words, before, behind[::2], behind[1::2]))
        self._exact = [match for match in exact if match]
        any_word = within(word for pattern in wordy for word in pattern.context)
        self._loose = _compiled([*words, any_word]) if wordy else None
        self._regexes = ([pattern.regex for pattern in figures], [pattern.regex for pattern in wordy])

    def near(self, text: bytes) -> Places:
        """Wherever a finding is, one of the places touches its string or number, or the name just before."""
        with_words = [_Confirmed(self._loose, self._exact)] if self._loose else self._exact
        return Places([*self._plain, *with_words], text)

    def far(self, text: bytes) -> Places:
        """Also where the name stands farther away, as in an array."""
        return Places([*self._plain, *self._far], text)

    @cached_property
    def _far(self) -> list[Match]:
        return [match for match in map(_compiled, self._regexes) if match]


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

"""Regular expressions in time linear in the text (RE2, Cox 2010), over UTF-8."""

import re
from collections.abc import Callable
from functools import cached_property

import re2

Match = Callable[[int, bytes, int, int], list[tuple[int, int]]]

ANYWHERE, WHOLE = re2._Anchor.UNANCHORED, re2._Anchor.ANCHOR_BOTH
# The automata are built while matching, within a bound. RE2's own bound is enough for a single pattern.
MEMORY = 8 << 20
# An escape outside of brackets, or all that stands in a pair of them. Letters, numbers and marks.
CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNICODE = re.compile(r"\\p([LNM])")
_IN_ASCII = {"L": "A-Za-z", "N": "0-9", "M": r"\x{300}"}


def matcher(expression: str, memory: int = MEMORY, capture: bool = True) -> Match:
    """The compiled expression, to be called with ANYWHERE, a text, and where in it to begin and end.

    It gives the place of the leftmost match, then that of each group unless none is captured; (-1, -1) for none. It is
    RE2's own function: the wrapper's Match objects and generators cost more than most searches.
    """
    match: Match = _compiled(expression, memory, capture).Match
    return match


def _compiled(expression: str, memory: int, capture: bool) -> "re2._re2.RE2":
    limits = options(memory)
    limits.never_capture = not capture
    made = re2._re2.RE2(expression.encode(), limits)
    if not made.ok():
        raise re2.error(made.error())
    return made


class Expression:
    """An expression compiled twice: small for texts of ASCII alone, which most are, and as it is when another comes.

    Each is compiled when the first such text comes: of hundreds of expressions a process uses a few, and one takes less
    than a millisecond.
    """

    def __init__(self, expression: str) -> None:
        self._expression = expression

    @cached_property
    def groups(self) -> int:
        """How many groups it has."""
        count: int = self._small.NumberOfCapturingGroups()
        return count

    def on(self, text: bytes) -> Match:
        """What finds it in this text."""
        return self._ascii if text.isascii() else self._any

    @cached_property
    def _small(self) -> "re2._re2.RE2":
        return _compiled(_for_ascii(self._expression), MEMORY, True)

    @cached_property
    def _ascii(self) -> Match:
        match: Match = self._small.Match
        return match

    @cached_property
    def _any(self) -> Match:
        small = _for_ascii(self._expression) == self._expression
        return self._ascii if small else matcher(self._expression)


def _for_ascii(expression: str) -> str:
    """What matches the same in ASCII: of the classes of Unicode, thousands of instructions each, two are left."""
    return CLASS.sub(lambda found: _UNICODE.sub(lambda name: _IN_ASCII[name[1]], found[0]), expression)


def options(memory: int) -> "re2.Options":
    """How expressions are compiled, with a bound in bytes for what each builds while matching."""
    limits = re2.Options()
    limits.max_mem = memory
    limits.log_errors = False  # a full automaton is no news: RE2 starts it anew by itself
    return limits

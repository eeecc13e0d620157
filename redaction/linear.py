"""Regular expressions in time linear in the text (RE2, Cox 2010), over UTF-8."""

from collections.abc import Callable

import re2

Match = Callable[[int, bytes, int, int], list[tuple[int, int]]]

ANYWHERE = re2._Anchor.UNANCHORED
# The automata are built while matching, within a bound. RE2's own bound is enough for a single pattern.
MEMORY = 8 << 20


def matcher(expression: str, memory: int = MEMORY, capture: bool = True) -> Match:
    """The compiled expression, to be called with ANYWHERE, a text, and where in it to begin and end.

    It gives the place of the leftmost match, then that of each group unless none is captured; (-1, -1) for none. It is
    RE2's own function: the wrapper's Match objects and generators cost more than most searches.
    """
    limits = options(memory)
    limits.never_capture = not capture
    match: Match = re2.compile(expression.encode(), limits)._regexp.Match
    return match


def options(memory: int) -> "re2.Options":
    """How expressions are compiled, with a bound in bytes for what each builds while matching."""
    limits = re2.Options()
    limits.max_mem = memory
    limits.log_errors = False  # a full automaton is no news: RE2 starts it anew by itself
    return limits

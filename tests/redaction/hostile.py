"""Texts made to cost as much as they can: from the patterns themselves, and those that stalled other scanners."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from re import _constants as of  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from time import thread_time
from typing import Any

from redaction.detector import Pattern
from tests.redaction.fill import fill

MOST_REPEATS = 64
"""How often what may repeat without end is repeated."""

SIZE = 100_000
TRIED = 10_000
"""Characters of a text that is tried to see what it costs."""

KNOWN = {
    "one letter and a dot": "a.",
    "digits": "1234567890",
    "zeros": "0",
    "digits and spaces": "1 ",
    "digits and dashes": "1-2",
    "an open bracket": "[",
    "an open brace and a name": '{"a":',
    "escapes": "\\u0061",
    "escaped backslashes": "\\\\",
    "addresses without an end": "a@",
    "plus and digit": "+1",
    "percents": "%41",
    "entities": "&amp;",
    "hex": "deadbeef",
    "base64": "QUFB",
    "assignments": "password=",
    "colons": "::",
    "letters out of ASCII": "é",
    "halves of surrogate pairs": "\ud83d",
    "spaces": " ",
    "line breaks": "\n",
    "quotation marks": '"',
}
"""What is repeated, by its name."""


def of_pattern(pattern: Pattern) -> Iterator[str]:
    """Texts of SIZE for one pattern: what it looks for and what nearly is that, again and again, and one of its parts
    without end."""
    words = " ".join(pattern.context[:1])
    for each in {*_longest(pattern.regex), *(fill(yes, 7) for yes in pattern.yes[:2])}:
        if whole := each[:SIZE]:  # loops in loops make it a hundred times as long
            for piece in (
                whole,
                whole[:-1],
                whole[:-1] + "\x00",
                whole + " ",
                f"{words} {whole[:-1]} ",
                whole[: len(whole) // 2],
            ):
                if piece:
                    yield repeated(piece)
            yield whole[: len(whole) // 2] + repeated(whole[len(whole) // 2])
            yield repeated(whole[-1]) + whole


def worst_words(expression: str, cost: Callable[[str], float], dice: random.Random, steps: int = 12) -> Iterator[str]:
    """Texts of a short word again and again, over the characters that an expression knows; each costs more than the
    one before. `cost` tells what a text costs."""
    alphabet = sorted({*"".join(_longest(expression)), *"(1 "})
    word = "".join(dice.choices(alphabet, k=dice.randint(2, 4)))
    most = 0.0
    for _ in range(steps):
        place, sign = dice.randrange(len(word) + 1), dice.choice(alphabet)
        other = word[:place] + sign + word[place + (len(word) > 3) :]
        spent = cost(repeated(other)[:TRIED])
        if spent > most:
            word, most = other, spent
            yield repeated(word)


def repeated(piece: str) -> str:
    """`piece` again and again, SIZE characters."""
    return (piece * (SIZE // len(piece) + 1))[:SIZE]


def seconds(work: Any, bound: float) -> float:
    """The processor time that `work` takes, the least of up to twelve: another program's is not counted against it."""
    least = float("inf")
    for _ in range(12):
        started = thread_time()
        work()
        least = min(least, thread_time() - started)
        if least <= bound:
            break
    return least


def _longest(expression: str) -> set[str]:
    """Long texts that the expression fits or nearly fits, with the first and with the last of its alternatives."""
    readable = re.sub(r"\\p\{?\^?\w+\}?|\[\[:\w+:\]\]", "a", expression, flags=re.IGNORECASE).replace(r"\z", r"\Z")
    readable = re.sub(r"\\x\{(\w+)\}", lambda found: chr(int(found[1], 16)), readable)
    readable = re.sub(r"(?<!^)\(\?[ims]+\)", "", readable)
    try:
        tree = parser.parse(readable)
    except re.error:  # RE2 knows forms that Python does not; the examples are left
        return set()
    return {"".join(_written(tree, which)) for which in (0, -1)}


def _written(tree: Any, which: int) -> Iterator[str]:
    for kind, value in tree:
        if kind is of.LITERAL:
            yield chr(value)
        elif kind is of.IN:
            yield _member(value)
        elif kind is of.BRANCH:
            yield from _written(value[1][which], which)
        elif kind is of.SUBPATTERN:
            yield from _written(value[-1], which)
        elif kind in (of.MAX_REPEAT, of.MIN_REPEAT, of.POSSESSIVE_REPEAT):
            yield "".join(_written(value[2], which)) * min(value[1], max(value[0], MOST_REPEATS))
        elif kind in (of.ANY, of.NOT_LITERAL):
            yield "a"


def _member(choices: Any) -> str:
    categories = {of.CATEGORY_DIGIT: "1", of.CATEGORY_SPACE: " ", of.CATEGORY_WORD: "a"}
    kind, value = choices[0]
    if kind is of.NEGATE:
        return "~"
    if kind is of.RANGE:
        return chr(value[0])
    return categories.get(value, "a") if kind is of.CATEGORY else chr(value)

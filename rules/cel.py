"""Expressions in CEL (cel.dev): what conditions and formulas share, from text to something that can be asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from rules.problems import closest

MOST_CHARACTERS = 2_000
"""Of one condition: a page of text. Longer ones belong into several rules."""

MOST_ELEMENTS = 5_000
"""Items and members of arguments that a condition with `all`, `exists`, `map` and the like is asked about.

cel-cpp stops by itself after 10,000 rounds, but a round may search a list. With more elements nobody can tell.
"""

TEXT: Final = re.compile(r"""r?("(\\.|[^"\\])*"|'(\\.|[^'\\])*')""")
"""Quoted text, in which names mean nothing."""

_AT: Final = re.compile(r"<input>:(\d+):(\d+): (.*)")

_UNDECLARED: Final = re.compile(r"undeclared reference to '(\w+)")
_WORDS: Final = ("true", "false", "null", "has", "size", "contains", "startsWith", "endsWith", "matches", "exists")
"""What authors look for by another spelling."""

_ARGUMENT: Final = re.compile(r"""\bargs(?:\.([A-Za-z_]\w*)|\[(?:"([^"\\]+)"|'([^'\\]+)')\])""", re.ASCII)
_MEMBER: Final = re.compile(r"[\w\])]\[\Z")


class BadCondition(ValueError):
    """A condition that can never be answered: not CEL, an unknown name, a type that does not fit. `hint` helps."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def compiled(text: str, env: Any, known: Iterable[str]) -> Any:
    """A checked expression. Raises BadCondition; `known` are the names that it may use."""
    if len(text) > MOST_CHARACTERS:
        raise BadCondition(f"is longer than {MOST_CHARACTERS} characters", "split it into several rules")
    try:
        return env.compile(text)
    except Exception as error:
        raise BadCondition(*_complaint(str(error), known)) from None


def _complaint(error: str, known: Iterable[str]) -> tuple[str, str]:
    """CEL's message as one line, with the place in the condition."""
    found = _AT.search(error)
    if not found:
        return f"is not CEL: {error.partition(chr(10))[0]}", ""
    line, column, message = found.groups()
    message = message.removesuffix(" (in container '')")
    return f"is not CEL at line {line}, character {column}: {message}", _hint(message, known)


def _hint(message: str, known: Iterable[str]) -> str:
    """What helps who writes another language."""
    if message.startswith("Syntax error"):
        return "CEL writes == && || !, and texts in quotes"
    if found := _UNDECLARED.match(message):
        names = tuple(known)
        near = closest(found[1], (*names, *_WORDS))
        return f"did you mean {near}?" if near else f"known are: {', '.join(names)}"
    return ""


def bare(condition: str) -> str:
    """A condition without its texts, except those that name a member, as in `args["x"]`."""
    return TEXT.sub(lambda text: text[0] if _MEMBER.search(condition, 0, text.start()) else '""', condition)


def arguments_in(condition: str) -> list[str]:
    """The arguments that a condition names, in order, each once."""
    return list(dict.fromkeys(next(filter(None, found)) for found in _ARGUMENT.findall(bare(condition))))

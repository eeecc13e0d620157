"""Texts that match a pattern, made from the pattern alone."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

MOST_TEXT: Final = 1_000
"""Characters of a text; longer ones teach nobody."""

_LIKELY: Final = "a0A-_ ./:@"
"""Characters that are tried where a pattern only says which ones may not stand."""

_CATEGORIES: Final[Mapping[Any, str]] = {
    op.CATEGORY_DIGIT: "0",
    op.CATEGORY_WORD: "a",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: "a",
    op.CATEGORY_NOT_WORD: "-",
    op.CATEGORY_NOT_SPACE: "a",
}


class _NoText(Exception):
    """The pattern uses something for which no text is made."""


def matching(pattern: str, more: int = 0) -> str:
    """A text that should match, or an empty one; the caller checks it. With `more`, repeats
    come so many times more than they must, and other branches are taken."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what later Pythons may read differently
            text = _all(parser.parse(pattern), more)
    except (re.error, _NoText, RecursionError, OverflowError):
        return ""
    return text if len(text) <= MOST_TEXT else ""


def _all(parts: Any, more: int) -> str:
    text = ""
    for part in parts:
        text += _one(part, more)
        if len(text) > MOST_TEXT:
            raise _NoText
    return text


def _one(part: tuple[Any, Any], more: int) -> str:
    code, argument = part
    make = _WAYS.get(code)
    if make is None:
        raise _NoText
    return make(argument, more)


def _in(choices: list[tuple[Any, Any]], _: int) -> str:
    if choices[0][0] is op.NEGATE:
        return next((char for char in _LIKELY if not any(_holds(one, char) for one in choices[1:])), "")
    return _of(choices[0])


def _of(choice: tuple[Any, Any]) -> str:
    code, argument = choice
    if code is op.CATEGORY:
        return _CATEGORIES.get(argument, "a")
    return chr(argument[0] if code is op.RANGE else argument)


def _holds(choice: tuple[Any, Any], char: str) -> bool:
    code, argument = choice
    if code is op.RANGE:
        return bool(argument[0] <= ord(char) <= argument[1])
    return _of(choice) == char if code is op.CATEGORY else argument == ord(char)


def _repeat(argument: tuple[int, Any, Any], more: int) -> str:
    least, most, parts = argument
    times = min(least + more, int(most))
    if times > MOST_TEXT:
        raise _NoText
    return _all(parts, more) * times


_WAYS: Final[Mapping[Any, Callable[[Any, int], str]]] = {
    op.LITERAL: lambda argument, _: chr(argument),
    op.NOT_LITERAL: lambda argument, _: next(char for char in _LIKELY if ord(char) != argument),
    op.ANY: lambda _, __: "a",
    op.AT: lambda _, __: "",
    op.IN: _in,
    op.CATEGORY: lambda argument, _: _CATEGORIES.get(argument, "a"),
    op.BRANCH: lambda argument, more: _all(argument[1][min(more, len(argument[1]) - 1)], more),
    op.SUBPATTERN: lambda argument, more: _all(argument[3], more),
    op.MAX_REPEAT: _repeat,
    op.MIN_REPEAT: _repeat,
}

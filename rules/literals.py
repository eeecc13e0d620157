"""What stands in quotes in a condition and is read only when it is asked: patterns, time zones, points in time.

CEL compiles `args.text.matches("(")`. Each call would find that nobody can tell: an allow would grant nothing, and a
deny would refuse everything. So it is tried at load, by CEL itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from rules.cel import BadCondition
from rules.expressions import Expr

Ask = Callable[[str, dict[str, Any]], Any]
"""Evaluates an expression with these variables."""

_ZONE: Final = "knows no such time zone", "a name such as Europe/Berlin, or +02:00"
_OF_TIME: Final = (
    *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
    *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
)
_READERS: Final = {
    "matches": ('"".matches(args.it)', "takes no such pattern", "patterns have no look-around and no back-references"),
    "timestamp": ("timestamp(args.it) == time", "reads no such time", "write it as 2026-03-02T08:00:00Z"),
    "duration": ('duration(args.it) == duration("1s")', "reads no such duration", "write it as 90s or 1h30m"),
    **{name: (f"time.{name}(args.it) == 0", *_ZONE) for name in _OF_TIME},
}


def check_literals(expr: Expr, ask: Ask) -> None:
    """Raises BadCondition for the first text in quotes that can never be read where it stands."""
    for name, text in _quoted(expr):
        trial, wrong, hint = _READERS[name]
        answer = ask(trial, {"args": {"it": text}, "time": datetime(2026, 1, 1, tzinfo=UTC)})
        if isinstance(answer, str):  # CEL's errors are values
            why = answer.removeprefix("INVALID_ARGUMENT: ").removeprefix("invalid regular expression: ")
            raise BadCondition(f"can never be answered: {name}() {wrong} as '{text}': {why}", hint)


def _quoted(expr: Expr) -> Iterator[tuple[str, str]]:
    """The functions that read a text, each with the text that stands there."""
    last = expr.parts[-1] if expr.parts else expr
    if expr.what == "call" and expr.name in _READERS and last.what == "const" and isinstance(last.value, str):
        yield expr.name, last.value
    for part in expr.parts:
        yield from _quoted(part)

"""What Toolwall shall reach beside its neighbours in the same run, and whether it did. Nothing here fails a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import ge, le
from statistics import median
from typing import Any

Line = dict[str, Any]
_Rounds = list[dict[str, Line]]

START = "start"
"""`scenario` of the line that holds `cold_start_s` and `rss_after_calls_mb`."""


@dataclass(frozen=True)
class Target:
    """One promise: `value` (None where it was not measured) against `bound`."""

    says: str
    bound: float
    value: float | None
    at_least: bool

    @property
    def met(self) -> bool | None:
        """None where it was not measured."""
        return None if self.value is None else (ge if self.at_least else le)(self.value, self.bound)

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "met", False: "NOT MET", None: "not measured"}[self.met]


def targets(lines: Iterable[Line]) -> list[Target]:
    """All targets, judged by the lines of one run. Ratios are the median of the rounds' own ratios."""
    lines = list(lines)
    at_16, at_1 = rounds(lines, "1KB", 16), rounds(lines, "1KB", 1)
    return [
        Target("requests per second, times those of mitmproxy", 4.0, ratio(at_16, "mitmproxy"), True),
        Target("requests per second, times those of aiohttp", 0.45, ratio(at_16, "aiohttp"), True),
        Target("added p50 with one connection, times that of aiohttp", 1.7, _middle(at_1, _added), False),
        Target("seconds from start to the first proxied answer", 2.0, _started(lines, "cold_start_s"), False),
        Target("MB resident after 10,000 calls", 120.0, _started(lines, "rss_after_calls_mb"), False),
    ]


def rounds(lines: Iterable[Line], scenario: str, connections: int) -> _Rounds:
    """The lines of each round by subject."""
    found: dict[int, dict[str, Line]] = {}
    for line in lines:
        if line["scenario"] == scenario and line["connections"] == connections:
            found.setdefault(line["round"], {})[line["subject"]] = line
    return list(found.values())


def ratio(of: _Rounds, other: str, subject: str = "toolwall", key: str = "rps") -> float | None:
    """The median over the rounds of a subject's figure divided by another's; None where one is missing."""
    return _middle(of, lambda one: one[subject][key] / one[other][key])


def _added(one: dict[str, Line]) -> float:
    alone = float(one["backend"]["p50_ms"])
    return float((one["toolwall"]["p50_ms"] - alone) / (one["aiohttp"]["p50_ms"] - alone))


def _middle(of: _Rounds, figure: Callable[[dict[str, Line]], float]) -> float | None:
    figures = []
    for one in of:
        try:
            figures.append(figure(one))
        except (KeyError, ZeroDivisionError):
            continue
    return median(figures) if figures else None


def _started(lines: list[Line], key: str) -> float | None:
    return next((float(line[key]) for line in lines if line["scenario"] == START), None)

"""Counts and durations of calls, kept in plain dictionaries and read by Prometheus and OTLP.

The OpenTelemetry SDK takes 7 to 11 us for one measurement, and a call makes four or more of them; a dictionary takes
less than 1 us. So the counting is done here, and only the reading speaks OpenTelemetry: cumulative sums, histograms.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, Protocol

from proxy.record import Record
from proxy.telemetry import attributes as names

MOST_SERIES = 2000  # label sets of one family, the SDK's own bound; what comes after counts as OVERFLOW
OVERFLOW = "overflow"

# Seconds. The convention's bounds for HTTP durations, with finer steps below: cleaning takes microseconds.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """What one metric is: its convention name, meaning, unit in UCUM ("s", "{call}" or "1") and label names."""

    name: str
    says: str
    unit: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Series:
    """One label set of a family at one moment: a value, or the counts of each bucket and the sum of a histogram."""

    labels: Labels
    value: float
    buckets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric whose state lies elsewhere; `read` gives the value for each label set and is asked at each scrape."""

    family: Family
    kind: Literal["counter", "gauge"]
    read: Callable[[], Mapping[Labels, float]]

    def series(self) -> list[Series]:
        return [Series(labels, value) for labels, value in self.read().items()]


@dataclass(slots=True)
class Counter:
    """A sum that only grows, for each label set. Safe to use from several threads."""

    family: Family
    kind: Literal["counter"] = "counter"
    _cells: dict[Labels, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, labels: Labels, amount: float = 1) -> None:
        with self._lock:
            if labels not in self._cells and len(self._cells) >= MOST_SERIES:
                labels = (OVERFLOW,) * len(labels)
            self._cells[labels] = self._cells.get(labels, 0) + amount

    def series(self) -> list[Series]:
        with self._lock:
            return [Series(labels, value) for labels, value in self._cells.items()]


@dataclass(slots=True)
class Histogram:
    """Durations in seconds by BOUNDS, for each label set. Safe to use from several threads."""

    family: Family
    kind: Literal["histogram"] = "histogram"
    _cells: dict[Labels, tuple[list[int], list[float]]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def observe(self, labels: Labels, seconds: float) -> None:
        with self._lock:
            counts, total = self._cells.get(labels) or self._open(labels)
            counts[bisect_left(BOUNDS, seconds)] += 1
            total[0] += seconds

    def _open(self, labels: Labels) -> tuple[list[int], list[float]]:
        if len(self._cells) >= MOST_SERIES:
            labels = (OVERFLOW,) * len(labels)
        return self._cells.setdefault(labels, ([0] * (len(BOUNDS) + 1), [0.0]))

    def series(self) -> list[Series]:
        with self._lock:
            return [Series(labels, total[0], tuple(counts)) for labels, (counts, total) in self._cells.items()]


Metric = Counter | Histogram | Reading

_CALLS = Family(
    "gen_ai.execute_tool.duration",
    "Time from a call's arrival to the last byte of its answer.",
    "s",
    (names.TOOL, names.DECISION, names.CODE, names.ERROR),
)
_MESSAGES = Family(
    "mcp.server.operation.duration",
    "Time from the arrival of a message of MCP to the last byte of its answer.",
    "s",
    (
        *(names.MCP_METHOD, names.TOOL, names.PROMPT, names.MCP_REVISION),
        *(names.RPC_STATUS, names.ERROR, names.DECISION, names.CODE),
    ),
)
_REQUESTS = Family(
    "http.client.request.duration",
    "Time that one request to a backend took.",
    "s",
    (names.HTTP_METHOD, names.SERVER_ADDRESS, names.SERVER_PORT, names.HTTP_STATUS, names.ERROR, names.TOOL),
)
_CLEANING = Family("toolwall.clean.duration", "Time spent on cleaning one reply.", "s", (names.TOOL,))
_RETRIES = Family("toolwall.retries", "Requests that were sent again after a failure.", "{request}", (names.TOOL,))
_REFUSALS = Family("toolwall.refusals", "Calls refused.", "{call}", (names.CODE, names.TOOL))
_REDACTIONS = Family("toolwall.redactions", "Findings replaced in replies.", "{finding}", (names.KIND,))
_WARNINGS = Family("toolwall.warnings", "What replies hold that is only warned of.", "{finding}", (names.KIND,))
_UNCHECKED = Family(
    "toolwall.passed_unchecked", "Calls whose rule let a reply pass unchecked.", "{call}", (names.TOOL,)
)
_DEVIATIONS = Family(
    "toolwall.reply.deviations", "Replies that were off their tool's contract.", "{call}", (names.TOOL,)
)
_RELOADS = Family(
    "toolwall.rules.reloads", "Changes of the rules folder, by what became of them.", "1", (names.RESULT,)
)
_RULES = Family("toolwall.rules", "The revision of the rules in force; always 1.", "1", (names.REVISION,))


class Attempted(Protocol):
    """A request to a backend that has ended; `attributes` are those of `proxy.telemetry.attributes.of_attempt`."""

    attributes: Mapping[str, names.Value]
    status: int
    error: str
    seconds: float


class CallMetrics:
    """The metrics of one Toolwall, in `all`. Nothing is registered elsewhere, so many can live in one process."""

    def __init__(self) -> None:
        self._tools: frozenset[str] = frozenset()
        self._revision = ""
        self._calls = Histogram(_CALLS)
        self._messages = Histogram(_MESSAGES)
        self._requests = Histogram(_REQUESTS)
        self._cleaning = Histogram(_CLEANING)
        self._refusals = Counter(_REFUSALS)
        self._retries = Counter(_RETRIES)
        self._redactions = Counter(_REDACTIONS)
        self._warnings = Counter(_WARNINGS)
        self._unchecked = Counter(_UNCHECKED)
        self._deviations = Counter(_DEVIATIONS)
        durations = (self._calls, self._messages, self._requests, self._cleaning)
        counts = (self._refusals, self._retries, self._redactions, self._warnings, self._unchecked, self._deviations)
        self._reloads = Counter(_RELOADS)
        self.all: list[Metric] = [*durations, *counts, self._reloads, Reading(_RULES, "gauge", self._rules)]

    def rules(self, revision: str, tools: Iterable[str]) -> None:
        """The revision in force, and the names of its tools: no other name becomes a label."""
        self._revision = revision
        self._tools = frozenset(tools)

    def reloaded(self, done: bool) -> None:
        """A change of the rules folder was put in force, or could not be."""
        self._reloads.add(("done" if done else "failed",))

    def count(self, record: Record) -> str:
        """Count one finished call; returns the label of its tool, `unknown` for a name that the rules do not hold."""
        tool = record.tool if record.tool in self._tools else names.UNKNOWN
        if not record.mcp or record.mcp["method"] == names.CALL_TOOL:
            self._calls.observe((tool, record.decision, record.code, names.fault(record)), record.total_ms / 1e3)
        if record.mcp:
            self._messages.observe(_of_message(record, tool), record.total_ms / 1e3)
        if record.clean_ms:
            self._cleaning.observe((tool,), record.clean_ms / 1e3)
        if record.attempts > 1:
            self._retries.add((tool,), record.attempts - 1)
        if record.code:
            self._refusals.add((record.code, tool))
        if record.passed_unchecked:
            self._unchecked.add((tool,))
        if record.deviations:
            self._deviations.add((tool,))
        for kind, number in record.redactions.items():
            self._redactions.add((kind,), number)
        for kind, number in record.warnings.items():
            self._warnings.add((kind,), number)
        return tool

    def count_attempts(self, tool: str, attempts: Iterable[Attempted]) -> None:
        """Count the requests that were made to backends for one call of `tool`."""
        for made in attempts:
            where = made.attributes
            labels = (str(where[names.HTTP_METHOD]), str(where[names.SERVER_ADDRESS]), str(where[names.SERVER_PORT]))
            self._requests.observe((*labels, str(made.status or ""), made.error, tool), made.seconds)

    def _rules(self) -> dict[Labels, float]:
        return {(self._revision,): 1} if self._revision else {}


def _of_message(record: Record, tool: str) -> Labels:
    """The labels of a message of MCP, in the order of its family."""
    method = names.mcp_method(record)
    named = tool if method == names.CALL_TOOL else "", tool if method == names.GET_PROMPT else ""
    spoken = str(record.mcp.get("revision", "")), names.rpc_status(record), names.fault(record)
    return (method, *named, *spoken, record.decision, record.code)

"""Spans and metrics: two readers of the Record, and of the requests that were made upstream for it.

No span is ever current and nothing is attached to a context (a context that outlives its task is the classic fault of
traced streams): parents are passed by hand and every end is explicit. No global provider or registry is touched.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from proxy.record import Record
from proxy.telemetry import attributes as names
from proxy.telemetry.metrics import CallMetrics, Family, Reading
from proxy.telemetry.tracecontext import RANDOM, Parent, parse

if TYPE_CHECKING:
    from proxy.telemetry.otlp import Exporter
    from proxy.telemetry.spans import AttemptSpan, CallSpan, Spans

CLOSE_S = 2.0  # the longest that the last flush may hold up the end of the process
# Calls a second that are recorded because their caller asked for it with the sampled flag. Enough for traces to stay
# whole at the pace of people and agents; too few for a caller to make thousands of calls a second cost a span each.
ASKED_PER_SECOND = 50
WARN_EVERY_S = 60.0
_SCOPE = "toolwall"
_SPANS = Family("toolwall.telemetry.spans", "Recorded spans, by what became of them.", "{span}", ("toolwall.fate",))
_WAITING = Family("toolwall.telemetry.waiting", "Spans that wait for the collector.", "{span}", ())
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """`otlp`: base URL of an OTLP/HTTP collector, "" for none. `sample`: share of traces begun here that are recorded.

    `headers` go with each export and may hold the collector's credential. `version` is that of the service.
    """

    otlp: str = ""
    sample: float = 1.0
    service: str = "toolwall"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: str = ""


class Attempt:
    """One request to a backend: its duration, and a CLIENT span where the call is recorded."""

    __slots__ = ("_place", "_span", "_started", "attributes", "error", "seconds", "status")

    def __init__(self, attributes: Mapping[str, names.Value], place: Parent, span: AttemptSpan | None) -> None:
        self.attributes = attributes
        self.status = 0
        self.error = ""
        self.seconds = -1.0  # negative while the request is under way
        self._place = place
        self._span = span
        self._started = time.perf_counter_ns()

    def headers(self) -> dict[str, str]:
        """`traceparent`, and `tracestate` where the caller sent a valid one, for the request to the backend."""
        return self._place.headers()

    def end(self, status: int, error: str = "") -> None:
        """The request is over: its reply's status, or 0 and in `error` a word of low cardinality such as `timeout`.

        Only the first call counts.
        """
        if self.seconds >= 0:
            return
        self.seconds = (time.perf_counter_ns() - self._started) / 1e9
        self.status = status
        self.error = names.text(error) or (str(status) if status >= 400 else "")
        if self._span is not None:
            self._span.end(status, self.error)


class Trace:
    """The trace of one call. `trace_id` is 32 hex digits, the caller's where it sent a valid `traceparent`. `place` is
    what lies below it is told; `asked`: it is recorded because its caller wants that.
    """

    __slots__ = ("asked", "attempts", "place", "span", "trace_id")

    def __init__(self, place: Parent, span: CallSpan | None, asked: bool = False) -> None:
        self.trace_id = place.trace_id
        self.span = span
        self.attempts: list[Attempt] = []
        self.place = place
        self.asked = asked

    def attempt(self, method: str, host: str, port: int, template: str = "") -> Attempt:
        """Begin one request to the backend at `host`. `template` is the tool's path template, never the path itself.

        Where the call is not recorded, the caller's own place in its trace is passed on, so that the trace stays whole.
        """
        attributes = names.of_attempt(method, host, port, template, len(self.attempts))
        span = self.span.attempt(attributes) if self.span else None
        made = Attempt(attributes, span.place if span else self.place, span)
        self.attempts.append(made)
        return made


class _Recorder(NamedTuple):
    spans: Spans
    exporter: Exporter


class Telemetry:
    """All spans and metrics of one Toolwall. Make it with `open`; one process may hold several."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._metrics = CallMetrics()
        self._recorder = _record(settings, self._metrics) if settings.otlp and not _disabled() else None
        self._sample = settings.sample
        self._second = 0
        self._asked = 0
        self._warned = float("-inf")

    @classmethod
    def open(cls, settings: TelemetrySettings) -> Telemetry:
        """Start the export, if a collector is set (it need not be up). ValueError for a bad `otlp` or `sample`."""
        if not 0 <= settings.sample <= 1:
            raise ValueError(f"The share of traces to sample must lie between 0 and 1, and is {settings.sample}.")
        return cls(settings)

    def rules(self, revision: str, tools: Iterable[str]) -> None:
        """Tell which rules are in force. Until then, and for every other name, a tool is called `unknown` here."""
        self._metrics.rules(revision, tools)

    def reloaded(self, done: bool) -> None:
        """Count a change of the rules folder that was put in force, or could not be."""
        self._metrics.reloaded(done)

    def gauge(self, name: str, says: str, read: Callable[[], float]) -> None:
        """Add a gauge, such as `toolwall.ledger.healthy`, whose value `read` gives at each scrape."""
        self._metrics.all.append(Reading(Family(name, says, "1", ()), "gauge", lambda: {(): read()}))

    def counter(self, family: Family, read: Callable[[], Mapping[str, float]]) -> None:
        """Add a counter of one label, for each of whose values `read` gives how often at each scrape."""
        self._metrics.all.append(Reading(family, "counter", lambda: {(of,): n for of, n in read().items()}))

    def gauges(self, name: str, says: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """The same for a gauge with a label, whose values `read` gives by that."""
        family = Family(name, says, "1", (label,))
        self._metrics.all.append(Reading(family, "gauge", lambda: {(each,): value for each, value in read().items()}))

    def begin(
        self, traceparent: str | None, tracestate: str | None, started_ns: int, is_message: bool = False
    ) -> Trace:
        """Begin the trace of a call that came at `started_ns`, with the caller's headers, if valid, as its parent.
        `is_message`: it is one of MCP."""
        parent = parse(traceparent, tracestate)
        if self._recorder is None or not self._chosen(parent, started_ns) or self._recorder.exporter.full():
            return Trace(parent or _root(), None)
        span = self._recorder.spans.call(parent, started_ns, is_message)
        return Trace(span.place, span, asked=parent is not None)

    def below(self, above: Trace, started_ns: int) -> Trace:
        """Begin the trace of a call that came within another: recorded where that is, within what its caller may ask.

        The caller's `traceparent` is the other's."""
        if self._recorder is None or above.span is None or self._recorder.exporter.full():
            return Trace(above.place, None)
        if above.asked and not self._asked_for(started_ns):
            return Trace(above.place, None)
        span = self._recorder.spans.call(above.place, started_ns)
        return Trace(span.place, span, above.asked)

    def finish(self, trace: Trace, record: Record) -> None:
        """Read the finished Record into metrics and, where the call is recorded, its span. Never raises."""
        try:
            for attempt in trace.attempts:
                attempt.end(0, "abandoned")
            tool = self._metrics.count(record)
            self._metrics.count_attempts(tool, trace.attempts)
            if trace.span is not None:
                trace.span.end(record, tool)
        except Exception as error:  # telemetry may fail; the call it tells of may not
            self._fault(error)

    def count(self, record: Record) -> None:
        """Read the finished Record of a message that nobody read into metrics: whose trace it is of is not known."""
        self._metrics.count(record)

    def prometheus(self) -> bytes:
        """All metrics in Prometheus' text exposition format."""
        from proxy.telemetry.exposition import prometheus  # prometheus_client takes 30 ms to import: not at start

        return prometheus(self._metrics.all)

    def close(self) -> None:
        """Send what waits, for at most CLOSE_S seconds whatever the collector does."""
        if self._recorder is not None:
            self._recorder.exporter.close(CLOSE_S)

    def _chosen(self, parent: Parent | None, started_ns: int) -> bool:
        if parent is None:
            return random.random() < self._sample  # noqa: S311 - a sample needs no secret
        return parent.sampled and self._asked_for(started_ns)

    def _asked_for(self, started_ns: int) -> bool:
        second = started_ns // 1_000_000_000
        if second != self._second:
            self._second, self._asked = second, 0
        self._asked += 1
        return self._asked <= ASKED_PER_SECOND

    def _fault(self, error: Exception) -> None:
        if time.monotonic() - self._warned >= WARN_EVERY_S:
            self._warned = time.monotonic()
            _log.error("A call could not be told to telemetry (%s); the call itself went on.", type(error).__name__)


def _root() -> Parent:
    """The place of a call that is in nobody's trace and not recorded: its id is of use in the Record and upstream."""
    bits = random.getrandbits(192) | 1 << 191 | 1  # neither id may be zero
    return Parent(f"{bits >> 64:032x}", f"{bits & (1 << 64) - 1:016x}", RANDOM)


def _disabled() -> bool:
    """OpenTelemetry's own switch, which would otherwise turn every id into zeros."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _record(settings: TelemetrySettings, metrics: CallMetrics) -> _Recorder:
    from proxy.telemetry.otlp import (  # with the SDK 100 ms and 10 MB, only where used
        Collector,
        Exporter,
        metrics_request,
    )
    from proxy.telemetry.spans import Spans

    resource = {"service.name": settings.service, "service.instance.id": str(uuid4())}
    if settings.version:
        resource["service.version"] = settings.version
    started_ns = time.time_ns()
    exporter = Exporter(
        Collector(settings.otlp, settings.headers),
        lambda: metrics_request(metrics.all, resource, _SCOPE, started_ns, time.time_ns()),
    )
    metrics.all.append(Reading(_SPANS, "counter", lambda: {(fate,): n for fate, n in exporter.counts.items()}))
    metrics.all.append(Reading(_WAITING, "gauge", lambda: {(): exporter.waiting()}))
    return _Recorder(Spans(resource, _SCOPE, exporter), exporter)

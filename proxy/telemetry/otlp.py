"""Export to an OpenTelemetry collector over OTLP/HTTP, from one thread of its own. Imported only where one is set.

The SDK's BatchSpanProcessor and OTLPSpanExporter are not used, for what they cannot be told: to end within two seconds
(they wait for thirty), to log at most once a minute, to count what they drop, to leave the environment's proxies alone,
and to take a redirect for the failure that it is. The batching follows their bounds.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event, Thread

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from proxy.posting import Poster
from proxy.telemetry.metrics import BOUNDS, Family, Labels, Metric, Series

QUEUE = 2048  # finished spans that wait; further ones are dropped and counted. The SDK's default
BATCH = 512  # spans in one request, the SDK's default
SLICE = 4  # spans encoded at one go, about 0.3 ms: the thread that serves calls must not wait for more
DELAY_S = 5.0  # the longest that a span waits while the collector is well, the SDK's default
METRICS_EVERY_S = 60.0  # the SDK's default
TIMEOUT_S = 5.0  # of each socket operation
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
WARN_EVERY_S = 60.0
ABORT_S = 0.2  # for the thread to notice that its socket was shut

_RETRYABLE = frozenset({429, 502, 503, 504})  # the OTLP specification's list
_log = logging.getLogger(__name__)


class Collector(Poster):
    """One OTLP/HTTP collector. `url` is the base URL, to which `/v1/traces` and `/v1/metrics` are added. Raises
    ValueError for a URL that is not plain http or https."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        super().__init__("collector", url.rstrip("/"), headers, "application/x-protobuf", TIMEOUT_S)


class Exporter(SpanProcessor):
    """Takes finished spans in O(1) and sends them, and the metrics, from its own thread.

    A batch that the collector could not take for now is sent again, at growing intervals, while newer spans wait in a
    queue of QUEUE; what does not fit is dropped. `counts` says what became of the spans: sent, refused or dropped.
    """

    def __init__(self, collector: Collector, encode_metrics: Callable[[], bytes]) -> None:
        self.counts = dict.fromkeys(("sent", "refused", "dropped"), 0)
        self._collector = collector
        self._encode_metrics = encode_metrics
        self._queue: deque[ReadableSpan] = deque()
        self._batch: tuple[bytes, int] | None = (
            None  # encoded, with its number of spans; held until it is taken or refused
        )
        self._failures = 0
        self._metrics_due = time.monotonic() + METRICS_EVERY_S
        self._warned = float("-inf")
        self._deadline = float("inf")
        self._wake = Event()
        self._thread = Thread(target=self._run, name="toolwall-otlp", daemon=True)
        self._thread.start()

    def full(self) -> bool:
        """Whether there is no room for another span; it is then counted as dropped, and need not even be made."""
        if len(self._queue) < QUEUE and not self._closing:
            return False
        self.counts["dropped"] += 1
        return True

    def on_end(self, span: ReadableSpan) -> None:
        if self.full():
            return
        self._queue.append(span)
        if len(self._queue) >= BATCH and not self._failures:
            self._wake.set()

    def waiting(self) -> int:
        """Spans that wait to be sent."""
        return len(self._queue) + (self._batch[1] if self._batch else 0)

    def close(self, within: float) -> None:
        """Send what waits, for at most `within` seconds; the rest is dropped and counted."""
        self._deadline = time.monotonic() + within
        self._wake.set()
        self._thread.join(within)
        if self._thread.is_alive():
            self._collector.abort()
            self._thread.join(ABORT_S)
        self.counts["dropped"] += self.waiting()
        self._queue.clear()
        self._batch = None

    @property
    def _closing(self) -> bool:
        return self._deadline != float("inf")

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(self._pause())
            self._wake.clear()
            if not self._closing:
                self._round()
        self._round()
        self._collector.close()

    def _pause(self) -> float:
        doublings = min(self._failures, 10)  # of a number that would outgrow a float within hours
        return min(FIRST_BACKOFF_S * 2.0**doublings, LONGEST_BACKOFF_S) if doublings else DELAY_S

    def _round(self) -> None:
        try:
            self._send_spans()
            self._send_metrics()
        except (
            Exception
        ) as error:  # the thread must live: a span that cannot be encoded costs its batch, not all others
            self._warn(type(error).__name__)

    def _send_spans(self) -> None:
        while self._batch or self._queue:
            self._batch = self._batch or self._take()
            body, number = self._batch
            why = self._post("/v1/traces", body)
            self._failures = self._failures + 1 if why else 0
            if why and (not why.isdigit() or int(why) in _RETRYABLE):
                return
            self.counts["refused" if why else "sent"] += number
            self._batch = None

    def _take(self) -> tuple[bytes, int]:
        spans = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        try:
            return _encode(spans), len(spans)
        except Exception:
            self.counts["refused"] += len(spans)
            raise

    def _send_metrics(self) -> None:
        if time.monotonic() >= self._metrics_due or self._closing:
            self._metrics_due = time.monotonic() + METRICS_EVERY_S
            self._post("/v1/metrics", self._encode_metrics())

    def _post(self, path: str, body: bytes) -> str:
        timeout = min(TIMEOUT_S, self._deadline - time.monotonic())
        why = self._collector.post(path, body, timeout) if timeout > 0 else "closing"
        if why:
            self._warn(why)
        return why

    def _warn(self, why: str) -> None:
        if time.monotonic() - self._warned >= WARN_EVERY_S:
            self._warned = time.monotonic()
            _log.warning(
                "The collector at %s does not take telemetry (%s). Calls go on; %d spans wait, %d were dropped so far.",
                self._collector.place,
                why,
                self.waiting(),
                self.counts["dropped"],
            )


def _encode(spans: Sequence[ReadableSpan]) -> bytes:
    """One export request. Protobuf messages that follow each other are one message, so it may be made in slices."""
    slices = []
    for start in range(0, len(spans), SLICE):
        slices.append(encode_spans(spans[start : start + SLICE]).SerializeToString())
        time.sleep(0)  # lets the thread that serves calls run between two slices
    return b"".join(slices)


def metrics_request(
    metrics: Iterable[Metric], resource: Mapping[str, str], scope: str, started_ns: int, now_ns: int
) -> bytes:
    """An encoded export request: cumulative since `started_ns`, as of `now_ns`, in nanoseconds since the epoch."""
    encoded = [_encode_metric(metric, started_ns, now_ns) for metric in metrics]
    within = pb.ScopeMetrics(scope=InstrumentationScope(name=scope), metrics=encoded)
    whole = pb.ResourceMetrics(resource=Resource(attributes=_pairs(resource.items())), scope_metrics=[within])
    encoded_request: bytes = ExportMetricsServiceRequest(resource_metrics=[whole]).SerializeToString()
    return encoded_request


def _encode_metric(metric: Metric, started_ns: int, now_ns: int) -> pb.Metric:
    family = metric.family
    encoded = pb.Metric(name=family.name, description=family.says, unit=family.unit)
    if metric.kind == "histogram":
        encoded.histogram.aggregation_temporality = pb.AGGREGATION_TEMPORALITY_CUMULATIVE
        encoded.histogram.data_points.extend(_histogram(family, one, started_ns, now_ns) for one in metric.series())
        return encoded
    points = [_number(family, one, started_ns, now_ns) for one in metric.series()]
    if metric.kind == "gauge":
        encoded.gauge.data_points.extend(points)
        return encoded
    encoded.sum.aggregation_temporality = pb.AGGREGATION_TEMPORALITY_CUMULATIVE
    encoded.sum.is_monotonic = True
    encoded.sum.data_points.extend(points)
    return encoded


def _number(family: Family, series: Series, started_ns: int, now_ns: int) -> pb.NumberDataPoint:
    return pb.NumberDataPoint(
        attributes=_labels(family, series.labels),
        start_time_unix_nano=started_ns,
        time_unix_nano=now_ns,
        as_double=series.value,
    )


def _histogram(family: Family, series: Series, started_ns: int, now_ns: int) -> pb.HistogramDataPoint:
    return pb.HistogramDataPoint(
        attributes=_labels(family, series.labels),
        start_time_unix_nano=started_ns,
        time_unix_nano=now_ns,
        count=sum(series.buckets),
        sum=series.value,
        bucket_counts=series.buckets,
        explicit_bounds=BOUNDS,
    )


def _labels(family: Family, values: Labels) -> list[KeyValue]:
    return _pairs((name, value) for name, value in zip(family.labels, values, strict=True) if value)


def _pairs(items: Iterable[tuple[str, str]]) -> list[KeyValue]:
    return [KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in items]

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from proxy.telemetry import otlp
from proxy.telemetry.metrics import BOUNDS, Counter, Family, Histogram, Reading
from proxy.telemetry.otlp import BATCH, LONGEST_BACKOFF_S, QUEUE, Collector, Exporter, metrics_request
from tests.proxy.collecting import FakeCollector, closed_port, collector, values

RESOURCE = Resource({"service.name": "here"})


def span(number: int = 1, name: str = "execute_tool x") -> ReadableSpan:
    where = SpanContext(number, number, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(name, where, resource=RESOURCE, attributes={"n": number}, start_time=1, end_time=2)


@contextmanager
def exporting(url: str, metrics: bytes = b"", headers: dict[str, str] | None = None) -> Iterator[Exporter]:
    exporter = Exporter(Collector(url, headers or {}), lambda: metrics)
    try:
        yield exporter
    finally:
        exporter.close(0.2)


@pytest.fixture(name="brisk")
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "DELAY_S", 0.01)
    monkeypatch.setattr(otlp, "LONGEST_BACKOFF_S", 0.01)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_close_sends_what_waits_and_the_metrics() -> None:
    with collector() as fake, exporting(fake.url) as exporter:
        for number in range(1, 20):
            exporter.on_end(span(number))
        exporter.close(2.0)
        assert [values(found)["n"] for found in fake.spans()] == list(range(1, 20))
        assert fake.paths == ["/v1/traces", "/v1/metrics"]
        assert exporter.counts == {"sent": 19, "refused": 0, "dropped": 0}


def test_a_full_batch_does_not_wait_for_the_clock() -> None:
    with collector() as fake, exporting(fake.url) as exporter:
        for number in range(1, BATCH + 1):
            exporter.on_end(span(number))
        until(lambda: len(fake.spans()) == BATCH)


def test_base_path_headers_and_media_type_are_sent(brisk: None) -> None:
    with collector() as fake, exporting(fake.url + "/otlp/", headers={"x-api-key": "k"}) as exporter:
        exporter.on_end(span())
        until(lambda: bool(fake.spans()))
        assert fake.paths[0] == "/otlp/v1/traces"
        assert fake.headers[0]["x-api-key"] == "k"
        assert fake.headers[0]["Content-Type"] == "application/x-protobuf"


def test_a_batch_that_could_not_be_taken_for_now_is_sent_again_once(brisk: None) -> None:
    with collector(statuses=(503, 429, 502)) as fake, exporting(fake.url) as exporter:
        exporter.on_end(span(7))
        until(lambda: exporter.counts["sent"] == 1)
        assert [values(found)["n"] for found in fake.spans()] == [7]
        assert fake.paths == ["/v1/traces"] * 4


def test_a_batch_that_is_refused_is_counted_and_not_sent_again(brisk: None) -> None:
    with collector(statuses=(400,)) as fake, exporting(fake.url) as exporter:
        exporter.on_end(span())
        until(lambda: exporter.counts["refused"] == 1)
        exporter.on_end(span(2))
        until(lambda: exporter.counts["sent"] == 1)
        assert [values(found)["n"] for found in fake.spans()] == [2]


def test_a_redirect_is_a_refusal_and_is_not_followed(brisk: None) -> None:
    with collector() as other, collector(statuses=(307,), location=other.url) as fake, exporting(fake.url) as exporter:
        exporter.on_end(span())
        until(lambda: exporter.counts["refused"] == 1)
        assert other.paths == []


def test_a_proxy_of_the_environment_is_not_asked(brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as proxy, collector() as fake, monkeypatch.context() as patch:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            patch.setenv(name, proxy)
        with exporting(fake.url) as exporter:
            exporter.on_end(span())
            until(lambda: exporter.counts["sent"] == 1)


def test_a_span_that_cannot_be_encoded_costs_its_batch_and_not_the_next(brisk: None) -> None:
    with collector() as fake, exporting(fake.url) as exporter:
        exporter.on_end(span(1, name="\ud800"))
        until(lambda: exporter.counts["refused"] == 1)
        exporter.on_end(span(2))
        until(lambda: len(fake.spans()) == 1)


def test_nobody_listens_and_what_does_not_fit_is_counted() -> None:
    with closed_port() as url, exporting(url) as exporter:
        started = time.perf_counter()
        for number in range(1, QUEUE + BATCH + 101):
            exporter.on_end(span(number))
        assert time.perf_counter() - started < 1
        assert exporter.waiting() <= QUEUE + BATCH
        exporter.close(2.0)
        assert exporter.counts["sent"] == 0
        assert exporter.counts["dropped"] == QUEUE + BATCH + 100
        assert exporter.waiting() == 0


def test_close_is_bounded_when_the_collector_hangs() -> None:
    with collector(hanging=True) as fake, exporting(fake.url) as exporter:
        exporter.on_end(span())
        started = time.perf_counter()
        exporter.close(0.3)
        assert 0.25 < time.perf_counter() - started < 1.0
        assert exporter.counts == {"sent": 0, "refused": 0, "dropped": 1}


def test_close_breaks_off_a_request_that_is_under_way(brisk: None) -> None:
    with collector(hanging=True) as fake, exporting(fake.url) as exporter:
        exporter.on_end(span())
        until(lambda: bool(fake.headers))
        started = time.perf_counter()
        exporter.close(0.2)
        assert time.perf_counter() - started < 1.0
        assert exporter.counts["dropped"] == 1


def test_spans_after_the_close_are_dropped_and_counted() -> None:
    with collector() as fake, exporting(fake.url) as exporter:
        exporter.close(1.0)
        exporter.on_end(span())
        assert exporter.counts["dropped"] == 1
        assert fake.spans() == []


def test_a_dead_collector_is_warned_of_once(brisk: None, caplog: pytest.LogCaptureFixture) -> None:
    with closed_port() as url, caplog.at_level(logging.DEBUG), exporting(url) as exporter:
        exporter.on_end(span())
        until(lambda: exporter._failures > 5)
    assert [record.name for record in caplog.records] == ["proxy.telemetry.otlp"]
    assert "ConnectionRefusedError" in caplog.text


def test_the_pause_grows_to_its_bound_and_stays_there() -> None:
    with closed_port() as url, exporting(url) as exporter:
        pauses = []
        for exporter._failures in (1, 2, 3, 9, 100_000):
            pauses.append(exporter._pause())
    assert pauses == [1.0, 2.0, 4.0, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S]


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:4318",
        "ftp://collector:4318",
        "http://",
        "http://user:hunter2@collector",
        "http://user:hunter2/x@collector",
        "http://collector:hunter2",
        "http://collector/?token=hunter2",
        "http://collector/#hunter2",
        "http://[::1",
        "",
    ],
)
def test_a_bad_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="The collector must be a URL") as caught:
        Collector(url, {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "headers", [{"x": "hunter2\r\nEvil: 1"}, {"x y": "hunter2"}, {"": "hunter2"}, {"x": "hünter2"}]
)
def test_a_bad_header_is_refused_without_its_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header") as caught:
        Collector("http://127.0.0.1:1", headers)
    assert "nter2" not in str(caught.value)


def test_a_collector_that_speaks_no_tls_gets_nothing_over_https() -> None:
    with collector() as fake:
        taken = Collector(fake.url.replace("http:", "https:"), {"authorization": "Bearer k"})
        assert taken.post("/v1/traces", b"", 1.0) == "SSLError"
        assert fake.headers == []


def test_ports_follow_the_scheme() -> None:
    assert Collector("http://c", {}).place == "c:80"
    assert Collector("https://c/base", {}).place == "c:443"


def decoded(*metrics: Counter | Histogram | Reading) -> FakeCollector:
    fake = FakeCollector()
    fake.take("/v1/metrics", metrics_request(metrics, {"service.name": "here"}, "toolwall", 5, 9))
    return fake


def test_metrics_are_cumulative_sums_histograms_and_gauges() -> None:
    counter = Counter(Family("toolwall.refusals", "Refused.", "{call}", ("toolwall.code", "error.type")))
    counter.add(("denied", ""), 3)
    histogram = Histogram(Family("toolwall.wait", "Waiting.", "s", ()))
    histogram.observe((), 0.003)
    gauge = Reading(Family("toolwall.ready", "Ready.", "1", ()), "gauge", lambda: {(): 1})
    found = decoded(counter, histogram, gauge).last_metrics()

    total = found["toolwall.refusals"].sum
    assert total.is_monotonic
    assert total.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = total.data_points
    assert values(point) == {"toolwall.code": "denied"}
    assert (point.as_double, point.start_time_unix_nano, point.time_unix_nano) == (3, 5, 9)

    (spread,) = found["toolwall.wait"].histogram.data_points
    assert (spread.count, spread.sum, tuple(spread.explicit_bounds)) == (1, 0.003, BOUNDS)
    assert list(spread.bucket_counts).index(1) == BOUNDS.index(0.005)
    assert found["toolwall.wait"].histogram.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    assert found["toolwall.ready"].gauge.data_points[0].as_double == 1


def test_metrics_name_the_service() -> None:
    (resource,) = decoded().metrics[0].resource_metrics
    assert values(resource.resource) == {"service.name": "here"}

from __future__ import annotations

import asyncio
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import metrics as global_metrics
from opentelemetry import trace as global_trace
from prometheus_client.parser import text_string_to_metric_families

from proxy.telemetry.otlp import QUEUE
from proxy.telemetry.telemetry import ASKED_PER_SECOND, Attempt, Telemetry, TelemetrySettings, Trace
from proxy.telemetry.tracecontext import parse
from tests.proxy.collecting import TOOL, closed_port, collector, finished, refused, values

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED, NOT_ASKED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


@contextmanager
def telemetry(**settings: Any) -> Iterator[Telemetry]:
    made = Telemetry.open(TelemetrySettings(**settings))
    made.rules("rev-1", [TOOL])
    try:
        yield made
    finally:
        made.close()


def call(made: Telemetry, parent: str | None = None, **changes: Any) -> tuple[Trace, Attempt]:
    trace = made.begin(parent, None, time.time_ns())
    attempt = trace.attempt("GET", "crm.internal", 443, "/customers/{customer_id}")
    attempt.headers()
    attempt.end(200)
    made.finish(trace, finished(**changes))
    return trace, attempt


def sampled(attempt: Attempt) -> bool:
    sent = parse(attempt.headers()["traceparent"], None)
    assert sent is not None
    return sent.sampled


def counted(made: Telemetry, name: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(made.prometheus().decode())
    found = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels.values()): sample.value for sample in found}


def test_a_call_arrives_at_the_collector_as_two_spans_and_as_metrics() -> None:
    with collector() as fake, telemetry(otlp=fake.url, service="sidecar", version="1.2") as made:
        trace, attempt = call(made, ASKED)
        made.close()
        below, above = fake.spans()
        assert above.name == f"execute_tool {TOOL}"
        assert above.trace_id.hex() == trace.trace_id == TRACE
        assert above.parent_span_id.hex() == SPAN
        assert below.parent_span_id == above.span_id
        assert attempt.headers() == {"traceparent": f"00-{TRACE}-{below.span_id.hex()}-01"}
        assert values(above)["toolwall.rules"] == ("support-may-read",)
        assert values(below)["http.response.status_code"] == 200
        resource = values(fake.traces[0].resource_spans[0].resource)
        assert resource.pop("service.instance.id")
        assert resource == {"service.name": "sidecar", "service.version": "1.2"}
        duration = fake.last_metrics()["gen_ai.execute_tool.duration"]
        assert duration.unit == "s"
        assert values(duration.histogram.data_points[0]) == {"gen_ai.tool.name": TOOL, "toolwall.decision": "allow"}
        assert fake.last_metrics()["toolwall.telemetry.spans"].sum.data_points[0].as_double == 2


def test_a_refused_call_is_one_span_with_its_decision() -> None:
    with collector() as fake, telemetry(otlp=fake.url) as made:
        made.finish(made.begin(None, None, time.time_ns()), refused("schema_violation", 422))
        made.close()
        (span,) = fake.spans()
        assert values(span)["toolwall.code"] == "schema_violation"
        assert span.status.code == 0
        assert not span.events


def test_without_a_collector_the_callers_context_is_passed_on_as_it_came() -> None:
    with telemetry() as made:
        trace = made.begin(ASKED, "vendor=1", time.time_ns())
        assert trace.trace_id == TRACE
        assert trace.attempt("GET", "h", 80).headers() == {"traceparent": ASKED, "tracestate": "vendor=1"}


@pytest.mark.parametrize("parent", [None, "", "garbage", ASKED.upper(), f"00-{'0' * 32}-{SPAN}-01"])
def test_without_a_valid_parent_a_new_trace_begins(parent: str | None) -> None:
    with telemetry() as made:
        traces = [made.begin(parent, "vendor=1", time.time_ns()) for _ in range(50)]
        assert len({trace.trace_id for trace in traces}) == 50
        for trace in traces:
            sent = trace.attempt("GET", "h", 80).headers()
            assert list(sent) == ["traceparent"]
            assert parse(sent["traceparent"], None) is not None
            assert sent["traceparent"].endswith("-02")


def test_the_share_decides_on_traces_that_begin_here() -> None:
    with collector() as fake:
        for share, least, most in ((0.0, 0, 0), (0.3, 200, 400), (1.0, 1000, 1000)):
            with telemetry(otlp=fake.url, sample=share) as made:
                chosen = sum(sampled(made.begin(None, None, 1).attempt("GET", "h", 80)) for _ in range(1000))
                assert least <= chosen <= most


def test_the_caller_is_heard_when_it_asks_for_no_recording() -> None:
    with collector() as fake, telemetry(otlp=fake.url, sample=1.0) as made:
        _, attempt = call(made, NOT_ASKED)
        assert attempt.headers() == {"traceparent": NOT_ASKED}
        made.close()
        assert fake.spans() == []


def test_a_caller_can_ask_for_recording_only_so_often() -> None:
    with collector() as fake, telemetry(otlp=fake.url, sample=0.0) as made:
        second = 1_000_000_000

        def recorded(now: int) -> int:
            attempts = [made.begin(ASKED, None, now).attempt("GET", "h", 80) for _ in range(ASKED_PER_SECOND * 4)]
            return sum(attempt.headers()["traceparent"] != ASKED for attempt in attempts)

        assert recorded(7 * second) == ASKED_PER_SECOND
        assert recorded(7 * second + 1) == 0
        assert recorded(8 * second) == ASKED_PER_SECOND


def test_calls_beyond_the_budget_still_carry_the_callers_context() -> None:
    with collector() as fake, telemetry(otlp=fake.url) as made:
        headers = [made.begin(ASKED, None, 1).attempt("GET", "h", 80).headers() for _ in range(ASKED_PER_SECOND + 1)]
        assert headers[-1] == {"traceparent": ASKED}


def test_what_a_caller_wrote_is_nowhere() -> None:
    canary = "canary-77c1"
    with collector() as fake, telemetry(otlp=fake.url) as made:
        trace = made.begin(ASKED, f"vendor={canary}", time.time_ns())
        trace.attempt(canary, "crm.internal", 443, "/customers/{customer_id}").end(0, "timeout")
        fields = {"arguments": {"a": canary}, "arguments_hash": canary, "reason": canary, "notes": [canary]}
        made.finish(trace, finished(tool=canary, method=canary, result_hash=canary, **fields))
        text = made.prometheus()
        made.close()
        assert canary.encode() not in b"".join(fake.bodies) + text
        assert len(fake.spans()) == 2
        assert b"url.full" not in b"".join(fake.bodies)


def test_the_collectors_credential_is_in_no_repr() -> None:
    settings = TelemetrySettings(otlp="http://127.0.0.1:1", headers={"authorization": "Bearer hunter2"})
    with telemetry(otlp=settings.otlp, headers=settings.headers) as made:
        assert "hunter2" not in repr(settings) + repr(made) + repr(vars(made))


def test_telemetry_that_fails_is_logged_once_without_values_and_the_call_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with telemetry() as made:
        for _ in range(3):
            call(made, total_ms="hunter2")
    assert [record.getMessage() for record in caplog.records] == [
        "A call could not be told to telemetry (TypeError); the call itself went on."
    ]
    assert "hunter2" not in caplog.text


def test_a_request_that_nobody_ended_is_ended_with_its_call() -> None:
    with collector() as fake, telemetry(otlp=fake.url) as made:
        trace = made.begin(None, None, time.time_ns())
        attempt = trace.attempt("GET", "h", 80)
        made.finish(trace, finished(outcome="client_gone"))
        attempt.end(200)
        made.close()
        assert len(fake.spans()) == 2
        assert values(fake.spans()[0])["error.type"] == "abandoned"


def test_a_call_cancelled_from_another_task_ends_its_span_once_and_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stream(made: Telemetry) -> None:
        trace = made.begin(None, None, time.time_ns())
        attempt = trace.attempt("GET", "h", 80)
        try:
            await asyncio.sleep(60)
        finally:
            attempt.end(0, "cancelled")
            made.finish(trace, finished(outcome="client_gone"))

    async def story(made: Telemetry) -> None:
        task = asyncio.create_task(stream(made))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    with collector() as fake, telemetry(otlp=fake.url) as made, caplog.at_level(logging.DEBUG):
        asyncio.run(story(made))
        made.close()
        assert [span.name for span in fake.spans()] == ["GET", f"execute_tool {TOOL}"]
    assert not [record for record in caplog.records if record.name.startswith(("opentelemetry", "proxy"))]


@pytest.mark.parametrize("sample", [-0.1, 1.1, float("nan")])
def test_a_share_is_between_nought_and_one(sample: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Telemetry.open(TelemetrySettings(sample=sample))


def test_opentelemetrys_own_switch_stops_spans_and_keeps_ids_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with collector() as fake, telemetry(otlp=fake.url) as made:
        _, attempt = call(made, ASKED)
        assert attempt.headers() == {"traceparent": ASKED}
        made.close()
        assert fake.paths == []


def test_no_global_provider_is_set() -> None:
    with collector() as fake, telemetry(otlp=fake.url) as made:
        call(made)
        assert type(global_trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
        assert type(global_metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider"


def test_a_gauge_of_the_leads_is_asked_at_each_scrape() -> None:
    with telemetry() as made:
        level = 1.0
        made.gauge("toolwall.ledger.healthy", "Whether the ledger can be written.", lambda: level)
        assert counted(made, "toolwall_ledger_healthy") == {(): 1}
        level = 0.0
        assert counted(made, "toolwall_ledger_healthy") == {(): 0}


def test_when_nobody_takes_spans_they_are_dropped_and_counted_and_later_calls_make_none() -> None:
    with closed_port() as url, telemetry(otlp=url) as made:
        for _ in range(QUEUE):
            call(made)
        _, attempt = call(made, ASKED)
        assert attempt.headers() == {"traceparent": ASKED}
        assert counted(made, "toolwall_telemetry_spans_total")[("dropped",)] > 0
        assert counted(made, "toolwall_telemetry_waiting")[()] >= QUEUE


def pace(made: Telemetry, calls: int = 300) -> float:
    """Microseconds that the median call takes."""
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        call(made)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def test_a_hanging_collector_costs_calls_nothing() -> None:
    with collector() as well, collector(hanging=True) as hanging:
        with telemetry(otlp=well.url) as made:
            usual = pace(made)
        with telemetry(otlp=hanging.url) as made:
            pace(made, 600)  # more than a batch: the exporter now waits for its answer
            stuck = pace(made)
            started = time.perf_counter()
            made.close()
            assert time.perf_counter() - started < 3.0
        assert stuck < 3 * usual + 50


def test_what_a_call_costs() -> None:
    """Far above what is measured (about 7 and 65 us), to hold on a busy machine; a slip of the scale is caught."""
    with telemetry() as made:
        assert pace(made, 2000) < 100
    with collector() as fake, telemetry(otlp=fake.url) as made:
        assert pace(made) < 600


def test_a_toolwall_without_collector_or_scraper_imports_neither_sdk_nor_client() -> None:
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, proxy.telemetry.telemetry as t; t.Telemetry.open(t.TelemetrySettings()); print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "proxy.telemetry.telemetry" in seen
    assert "opentelemetry" not in seen
    assert "prometheus_client" not in seen

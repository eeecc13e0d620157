from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode, get_current_span

from proxy.telemetry.attributes import of_attempt
from proxy.telemetry.spans import Spans
from proxy.telemetry.tracecontext import Parent
from tests.proxy.collecting import TOOL, finished, refused

PARENT = Parent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, "vendor=secret")
WHERE = of_attempt("GET", "crm.internal", 443, "/customers/{customer_id}")


class Kept(SpanProcessor):
    """Keeps what has ended, and nothing else."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def recorder() -> tuple[Spans, list[ReadableSpan]]:
    kept = Kept()
    return Spans({"service.name": "here"}, "toolwall", kept), kept.ended


def test_one_trace_from_the_caller_over_the_call_to_the_backend() -> None:
    spans, ended = recorder()
    call = spans.call(PARENT, 1_000)
    attempt = call.attempt(WHERE)
    attempt.end(200, "")
    call.end(finished(started_ns=1_000, total_ms=2.0), TOOL)

    below, above = ended
    assert above.name == f"execute_tool {TOOL}"
    assert above.kind is SpanKind.INTERNAL
    assert (above.start_time, above.end_time) == (1_000, 2_001_000)
    assert above.parent is not None
    assert f"{above.parent.span_id:016x}" == PARENT.span_id
    assert below.name == "GET /customers/{customer_id}"
    assert below.kind is SpanKind.CLIENT
    assert below.parent is not None
    assert f"{below.parent.span_id:016x}" == call.place.span_id
    for place in (call.place, attempt.place):
        assert place.trace_id == PARENT.trace_id
        assert place.sampled
    assert len({PARENT.span_id, call.place.span_id, attempt.place.span_id}) == 3


def test_tracestate_goes_to_the_backend_and_into_no_span() -> None:
    spans, ended = recorder()
    call = spans.call(PARENT, 1)
    attempt = call.attempt(WHERE)
    assert attempt.place.headers()["tracestate"] == "vendor=secret"
    attempt.end(200, "")
    call.end(finished(), TOOL)
    for span in ended:
        assert span.context is not None
        assert not span.context.trace_state
        assert "secret" not in span.to_json()


def test_without_a_caller_a_trace_begins() -> None:
    spans, ended = recorder()
    places = {spans.call(None, 1).place.trace_id for _ in range(100)}
    spans.call(None, 1).end(finished(), TOOL)
    assert len(places) == 100
    assert ended[0].parent is None


def test_no_span_is_ever_current() -> None:
    spans, _ = recorder()
    call = spans.call(PARENT, 1)
    assert get_current_span() is INVALID_SPAN
    attempt = call.attempt(WHERE)
    assert get_current_span() is INVALID_SPAN
    attempt.end(500, "500")
    call.end(finished(), TOOL)
    assert get_current_span() is INVALID_SPAN


def test_a_refusal_is_a_decision_and_neither_an_event_nor_an_error() -> None:
    spans, ended = recorder()
    spans.call(None, 1).end(refused("denied", 403), TOOL)
    (span,) = ended
    assert span.attributes is not None
    assert span.attributes["toolwall.code"] == "denied"
    assert span.status.status_code is StatusCode.UNSET
    assert span.events == ()


def test_faults_and_failed_requests_are_errors_without_a_text() -> None:
    spans, ended = recorder()
    call = spans.call(None, 1)
    call.attempt(WHERE).end(0, "timeout")
    call.end(refused("timeout", 504), TOOL)
    for span in ended:
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None
        assert span.attributes is not None
        assert span.attributes["error.type"] == "timeout"
    assert "http.response.status_code" not in (ended[0].attributes or {})


def test_a_message_of_mcp_is_served() -> None:
    spans, ended = recorder()
    spans.call(None, 1, is_message=True).end(finished(mcp={"method": "tools/call", "error": "tool_error"}), TOOL)
    (span,) = ended
    assert (span.name, span.kind) == (f"tools/call {TOOL}", SpanKind.SERVER)
    assert span.status.status_code is StatusCode.ERROR
    assert span.events == ()

"""Spans of recorded calls, made with the OpenTelemetry SDK. Imported only where a collector is set: 100 ms, 10 MB.

Every span of a call is given its attributes when it ends, from the Record, and no processor sees it before.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from proxy.record import Record
from proxy.telemetry import attributes as names
from proxy.telemetry.tracecontext import Parent

# Ours are cut in proxy/telemetry/attributes.py; these hold whatever the environment says of OTEL_SPAN_ATTRIBUTE_*.
_LIMITS = SpanLimits(max_span_attributes=128, max_span_attribute_length=names.MOST_TEXT)


class Spans:
    """Starts spans whose parents are given by hand. Which calls are recorded is decided before, by Telemetry."""

    def __init__(self, resource: Mapping[str, str], scope: str, processor: SpanProcessor) -> None:
        provider = TracerProvider(ALWAYS_ON, Resource(resource), shutdown_on_exit=False, span_limits=_LIMITS)
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer(scope)

    def call(self, parent: Parent | None, started_ns: int, is_message: bool = False) -> CallSpan:
        """Start the span of one call, or of one message of MCP, below the caller's where it has one."""
        context = set_span_in_context(_remote(parent), Context()) if parent else Context()
        kind = SpanKind.SERVER if is_message else SpanKind.INTERNAL
        span = self._tracer.start_span(names.EXECUTE_TOOL, context, kind, start_time=started_ns)
        return CallSpan(span, self._tracer, parent.state if parent else "")


class CallSpan:
    """The span of one call."""

    def __init__(self, span: Span, tracer: Tracer, state: str) -> None:
        self.place = _place(span, state)
        self._span = span
        self._tracer = tracer

    def attempt(self, found: Mapping[str, names.Value]) -> AttemptSpan:
        """Start the span of one request to a backend, below this one; `found` are its attributes."""
        name = " ".join(str(found[key]) for key in (names.HTTP_METHOD, names.TEMPLATE) if key in found)
        below = set_span_in_context(self._span, Context())
        return AttemptSpan(self._tracer.start_span(name, below, SpanKind.CLIENT, found), self.place.state)

    def end(self, record: Record, tool: str) -> None:
        """Give the span its name and attributes, and end it at the time that the Record says."""
        self._span.update_name(names.name_of(record, tool))
        self._span.set_attributes(names.of_call(record, tool))
        if names.fault(record):
            self._span.set_status(StatusCode.ERROR)
        self._span.end(record.started_ns + int(record.total_ms * 1e6))


class AttemptSpan:
    """The span of one request to a backend. `place` is what that backend is told."""

    def __init__(self, span: Span, state: str) -> None:
        self.place = _place(span, state)
        self._span = span

    def end(self, status: int, error: str) -> None:
        if status:
            self._span.set_attribute(names.HTTP_STATUS, status)
        if error:
            self._span.set_attribute(names.ERROR, error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _place(span: Span, state: str) -> Parent:
    context = span.get_span_context()
    return Parent(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags), state)


def _remote(parent: Parent) -> Span:
    """The caller's span, without its `tracestate`: that is a caller's text, and what a span holds is exported."""
    flags = TraceFlags(parent.flags)
    return NonRecordingSpan(SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, flags))

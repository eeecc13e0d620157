"""A real OTLP/HTTP collector on a free port, and Records to tell it of."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from proxy.record import Record

TOOL = "crm.get_customer"


@dataclass
class FakeCollector:
    """What came in. `statuses` are answered in turn, then 200; while `hanging` is set, nothing is answered."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def spans(self) -> list[Span]:
        return [s for t in self.traces for r in t.resource_spans for scope in r.scope_spans for s in scope.spans]

    def last_metrics(self) -> dict[str, Metric]:
        scopes = [scope for r in self.metrics[-1].resource_metrics for scope in r.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def take(self, path: str, body: bytes) -> int:
        status = self.statuses.pop(0) if self.statuses else 200
        self.paths.append(path)
        self.bodies.append(body)
        if status == 200 and path.endswith("/v1/traces"):
            self.traces.append(ExportTraceServiceRequest.FromString(body))
        if status == 200 and path.endswith("/v1/metrics"):
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        return status


@contextmanager
def collector(statuses: tuple[int, ...] = (), hanging: bool = False, location: str = "") -> Iterator[FakeCollector]:
    fake = FakeCollector(statuses=list(statuses), location=location)
    if not hanging:
        fake.go_on.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            fake.headers.append(dict(self.headers.items()))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.go_on.wait(30)
            self.send_response(fake.take(self.path, body))
            if fake.location:
                self.send_header("Location", fake.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        fake.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def closed_port() -> Iterator[str]:
    with socket.socket() as held:  # bound but not listening: a connection is refused, and nobody else gets the port
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def values(found: Span | Any) -> dict[str, Any]:
    """Attributes of a decoded span or data point as plain values."""
    return {pair.key: _plain(pair.value) for pair in found.attributes}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return tuple(_plain(item) for item in value.array_value.values) if kind == "array_value" else getattr(value, kind)


def finished(**changes: Any) -> Record:
    """The Record of an allowed read whose reply was cleaned of two addresses."""
    record = Record(call="01JCALL", started_ns=time.time_ns() - 5_000_000, door="main", protocol="rest")
    record.run, record.step, record.principal, record.agent = "run-7", 3, "support-bot", "helpdesk"
    record.tool, record.effect, record.method, record.decision = TOOL, "read", "GET", "allow"
    record.rules, record.revision, record.checks = ("support-may-read",), "rev-1", ["contract", "rules", "clean"]
    record.status, record.executed, record.outcome, record.upstream_status = 200, "yes", "ok", 200
    record.attempts, record.redactions = 1, {"EMAIL_ADDRESS": 2}
    record.upstream_ms, record.clean_ms, record.total_ms = 3.0, 0.4, 5.0
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def refused(code: str, status: int, **changes: Any) -> Record:
    """The Record of a call that was refused before anything was sent."""
    nothing = {"executed": "no", "outcome": "refused", "upstream_status": 0, "attempts": 0, "redactions": {}}
    return finished(code=code, status=status, decision="deny", clean_ms=0.0, upstream_ms=0.0, **nothing, **changes)

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from aiohttp import web

from proxy import admin as admin_module
from proxy.admin import MOST_CONNECTIONS, MOST_LINE, Admits, Answer, admin_server, reading
from proxy.listening_settings import Place
from proxy.routes import Route, Who
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from proxy.transports.listening import listen
from tests.proxy.collecting import TOOL, finished


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Admin:
    host: str
    port: int
    telemetry: Telemetry

    def say(self, raw: bytes) -> bytes:
        """Send `raw` on a connection of its own; all that comes back until the listener ends it."""
        with socket.create_connection((self.host, self.port), timeout=5) as client:
            client.sendall(raw)
            got = b""
            while piece := client.recv(65536):
                got += piece
        return got

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        lines = {"Host": f"{self.host}:{self.port}", "Connection": "close", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return parsed(self.say(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode()))


def parsed(raw: bytes) -> Reply:
    head, _, body = raw.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return Reply(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body)


def ready() -> dict[str, str]:
    return {"rules": "ok", "ledger": "ok"}


@contextmanager
def running(
    readiness: Callable[[], Mapping[str, str]] = ready,
    allowed: Iterable[str] = (),
    bind: str = "127.0.0.1",
    token: bytes = b"",
    more: Mapping[Route, Answer] = MappingProxyType({}),
) -> Iterator[Admin]:
    """The listener on a loop in a thread of its own, as real clients meet it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def there(work: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)  # type: ignore[arg-type]

    telemetry = Telemetry.open(TelemetrySettings())
    telemetry.rules("rev-1", [TOOL])
    place, stack = Place(bind), AsyncExitStack()

    async def start() -> str:
        runner = admin_server(
            {**reading(telemetry, readiness), **more}, Admits(place.names | frozenset(allowed), token)
        )
        return await listen(stack, runner, place, None)

    try:
        yield Admin("127.0.0.1", int(there(start()).rpartition(":")[2]), telemetry)
    finally:
        there(stack.aclose())
        there(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_health_is_ok() -> None:
    with running() as admin:
        reply = admin.ask("/healthz")
        assert (reply.status, reply.body) == (200, "ok\n")


def test_ready_tells_each_check() -> None:
    with running() as admin:
        reply = admin.ask("/readyz")
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("application/json")
        assert json.loads(reply.body) == {"ready": True, "checks": {"rules": "ok", "ledger": "ok"}}


def fails() -> dict[str, str]:
    raise OSError("hunter2")


@pytest.mark.parametrize(
    ("readiness", "checks"),
    [
        (lambda: {"rules": "ok", "ledger": "disk full"}, {"rules": "ok", "ledger": "disk full"}),
        (dict, {}),
        (fails, {"readiness": "failed (OSError)"}),
    ],
)
def test_what_is_not_ready_says_so(readiness: Callable[[], Mapping[str, str]], checks: dict[str, str]) -> None:
    with running(readiness) as admin:
        reply = admin.ask("/readyz")
        assert reply.status == 503
        assert json.loads(reply.body) == {"ready": False, "checks": checks}


def test_readiness_is_asked_each_time() -> None:
    state = {"ledger": "recovering"}
    with running(lambda: state) as admin:
        assert admin.ask("/readyz").status == 503
        state["ledger"] = "ok"
        assert admin.ask("/readyz").status == 200


def test_metrics_are_those_of_the_calls() -> None:
    with running() as admin:
        admin.telemetry.finish(admin.telemetry.begin(None, None, 1), finished())
        reply = admin.ask("/metrics")
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'toolwall_redactions_total{toolwall_kind="EMAIL_ADDRESS"} 2.0' in reply.body


def test_a_query_changes_nothing() -> None:
    with running() as admin:
        assert admin.ask("/healthz?verbose=1").status == 200


def test_head_has_no_body() -> None:
    with running() as admin:
        reply = admin.ask("/healthz", "HEAD")
        assert (reply.status, reply.body) == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/crm/customers/7",
        "/metrics/",
        "//metrics",
        "/METRICS",
        "/%6detrics",
        "/x/../metrics",
        "/debug/pprof",
        "http://localhost/metrics",
    ],
)
def test_anything_else_is_not_found(path: str) -> None:
    with running() as admin:
        assert admin.ask(path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_nothing_can_be_changed(method: str) -> None:
    with running() as admin:
        reply = admin.ask("/healthz", method)
        assert reply.status == 405
        assert reply.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9000", "localhost.", "127.0.0.1", "127.0.0.1:1", "[::1]:9000", "[0:0:0:0:0:0:0:1]"]
)
def test_loopback_names_are_answered(host: str) -> None:
    with running() as admin:
        assert admin.ask("/healthz", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:9000",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "10.0.0.1",
        "0.0.0.0",
        "2130706433",
        "127.1",
        "localhost:port",
        "localhost:99999",
        "evil.example@localhost",
        "localhost@evil.example",
        "localhost/evil",
        "localhost?x",
        "localhost#x",
        "localhost,evil.example",
        "localhost evil.example",
        "",
        ".",
    ],
)
def test_rebound_and_broken_hosts_are_refused(host: str) -> None:
    with running() as admin:
        for path in ("/healthz", "/readyz", "/metrics", "/other"):
            reply = admin.ask(path, Host=host)
            assert reply.status in (400, 403)
            assert "evil" not in reply.body


@pytest.mark.parametrize(
    "hosts", ["", "Host: localhost\r\nHost: evil.example\r\n", "Host: localhost\r\nHost: localhost\r\n"]
)
def test_one_host_is_needed(hosts: str) -> None:
    with running() as admin:
        raw = admin.say(f"GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
        assert parsed(raw).status in (400, 403)


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://localhost.evil.example", "file://", "localhost"]
)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    with running() as admin:
        assert admin.ask("/metrics", Origin=origin).status == 403


def test_an_origin_of_this_machine_is_answered() -> None:
    with running() as admin:
        assert admin.ask("/metrics", Origin="http://localhost:3000").status == 200


def test_configured_names_are_answered_and_no_others() -> None:
    with running(allowed=["Toolwall.internal", "[fd00::1]"]) as admin:
        assert admin.ask("/healthz", Host="toolwall.INTERNAL:9000").status == 200
        assert admin.ask("/healthz", Host="[fd00:0::1]").status == 200
        assert admin.ask("/healthz", Host="x.toolwall.internal").status == 403


def test_the_address_that_was_reached_is_answered_when_all_were_bound() -> None:
    with running(bind="0.0.0.0") as admin:
        admin.host = "127.0.0.3"  # as a pod's address is to a kubelet
        assert admin.ask("/healthz").status == 200
        assert admin.ask("/healthz", Host="127.0.0.4").status == 403


def test_no_reply_tells_a_version_or_may_be_kept() -> None:
    with running() as admin:
        replies = [admin.ask("/healthz"), admin.ask("/x"), admin.ask("/metrics", Host="evil.example")]
        replies.append(parsed(admin.say(b"hunter2 garbage\r\n\r\n")))
        for reply in replies:
            assert reply.headers["Server"] == "toolwall"
            assert reply.headers["Cache-Control"] == "no-store"
            assert "aiohttp" not in str(reply)
            assert "Python" not in str(reply)


@pytest.mark.parametrize(
    "raw",
    [
        b"hunter2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: hunter2\x00\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nhunter2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"hunter2" * MOST_LINE + b"\r\n\r\n",
        b"GET /" + b"hunter2" * MOST_LINE + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-hunter2: 1\r\n" * 1000 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: hunter2\r\n\r\n",
    ],
)
def test_garbage_and_oversize_are_refused_and_not_repeated(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), running() as admin:
        got = admin.say(raw)
        assert parsed(got).status in (400, 431)
        assert b"hunter2" not in got
    assert "hunter2" not in caplog.text


def test_a_body_is_not_read() -> None:
    with running() as admin:
        head = f"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n"
        started = time.monotonic()
        assert parsed(admin.say(head.encode() + b"x" * 1000)).status == 405
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("part", [b"", b"GET /healthz HTTP/1.1\r\nHost: local"])
def test_who_never_ends_a_request_is_cut_off(part: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_module, "IDLE_S", 0.3)
    with running() as admin:
        started = time.monotonic()
        assert admin.say(part) == b""
        assert 0.2 < time.monotonic() - started < 3


def test_connections_are_few() -> None:
    with running() as admin:
        held = [socket.create_connection((admin.host, admin.port), timeout=5) for _ in range(MOST_CONNECTIONS)]
        try:
            time.sleep(0.1)
            late = socket.create_connection((admin.host, admin.port), timeout=5)
            with late, suppress(ConnectionResetError):
                assert late.recv(1) == b""
        finally:
            for client in held:
                client.close()
        time.sleep(0.1)
        assert admin.ask("/healthz").status == 200


def test_a_slow_scrape_does_not_hold_up_a_probe() -> None:
    with running() as admin:
        admin.telemetry.gauge("toolwall.slow", "Takes its time.", lambda: time.sleep(2.0) or 1.0)
        scrape = threading.Thread(target=admin.ask, args=("/metrics",))
        scrape.start()
        time.sleep(0.2)
        started = time.monotonic()
        assert admin.ask("/healthz").status == 200
        assert time.monotonic() - started < 1.5
        scrape.join()


TOKEN = "k7-Wq2." * 4
HELD = hashlib.sha256(TOKEN.encode()).digest()


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/readyz?x", "/no-such-route"])
@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer\t{TOKEN}"],
)
def test_without_the_token_nothing_but_health_is_told(path: str, given: str) -> None:
    with running(token=HELD) as admin:
        reply = admin.ask(path, Authorization=given)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, 'Bearer realm="toolwall admin"')
        assert "ledger" not in reply.body
        assert admin.ask("/healthz", Authorization=given).status == 200
        assert admin.ask(path, Authorization=f"bearer {TOKEN}").status == (404 if path == "/no-such-route" else 200)


def test_two_credentials_are_none() -> None:
    with running(token=HELD) as admin:
        head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n"
        assert parsed(admin.say(f"{head}\r\n".encode())).status == 200
        assert parsed(admin.say(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())).status == 401


def test_the_right_token_is_no_way_around_the_name() -> None:
    with running(token=HELD) as admin:
        assert admin.ask("/metrics", Host="evil.example", Authorization=f"Bearer {TOKEN}").status == 403


@pytest.mark.parametrize("token", [b"", HELD])
def test_a_route_for_the_token_alone_is_there_only_with_one(token: bytes) -> None:
    async def done(_: web.BaseRequest) -> web.Response:
        return web.Response(text="done")

    more = {Route("/stop", ("POST",), Who.TOKEN): done}
    with running(token=token, more=more) as admin:
        assert admin.ask("/stop", "POST").status == (401 if token else 404)
        reply = admin.ask("/stop", "POST", Authorization=f"Bearer {TOKEN}")
        assert (reply.status, reply.body) == (
            (200, "done") if token else (404, "There is /healthz, /metrics, /readyz.\n")
        )
        assert admin.ask("/stop", Authorization=f"Bearer {TOKEN}").status == (405 if token else 404)


def test_what_it_holds_is_not_shown() -> None:
    assert repr(Admits(frozenset(), HELD)) == "Admits()"

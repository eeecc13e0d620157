"""The admin listener: health, readiness and metrics, on an address of its own. It serves no tool and changes nothing.

A page in a browser may reach a listener on this machine by pointing a name of its own at it (DNS rebinding). So a
request is answered only if its Host is a loopback name, the address that was bound or reached, or a name that was
configured; an Origin, where there is one, must be such a host as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from proxy.telemetry import Telemetry

Readiness = Callable[[], Mapping[str, str]]
READY = "ok"

MOST_LINE = 4096  # bytes of the request line and of one header; a probe or a scrape needs a few hundred
MOST_HEADERS = 64
MOST_CONNECTIONS = 64  # probes and scrapers are a handful; files are a resource that the doors need
IDLE_S = 30.0  # for a request to arrive; longer than the default 15 s between two scrapes
STOP_S = 1.0

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {"Server": "toolwall", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_METHODS = ("GET", "HEAD")
_log = logging.getLogger(__name__)

Answer = Callable[[], Awaitable[web.Response]]


async def start_admin(
    bind_host: str,
    port: int,
    telemetry: Telemetry,
    readiness: Readiness,
    allowed_hosts: Iterable[str] = (),
    notes: Readiness = dict,
) -> web.ServerRunner:
    """Listen on `bind_host`:`port` (0 for any free port, see `runner.addresses`) and serve until `runner.cleanup()`.

    `readiness` names each thing that must be well, with READY or what is wrong; it is asked at each `/readyz`. So is
    `notes`: what somebody should look at although calls are served as they should be.
    `allowed_hosts` are further names, without port, by which the listener may be called. Raises OSError where the
    address cannot be bound.
    """
    hosts = _LOOPBACK | {_plain(bind_host)} | {_plain(host) for host in allowed_hosts}
    routes: dict[str, Answer] = {
        "/healthz": _health,
        "/readyz": partial(_ready, readiness, notes),
        "/metrics": partial(_metrics, telemetry, asyncio.Lock()),
    }
    runner = web.ServerRunner(_Server(partial(_answer, frozenset(hosts), routes)), shutdown_timeout=STOP_S)
    await runner.setup()
    await web.TCPSite(runner, bind_host, port).start()
    return runner


async def _answer(hosts: frozenset[str], routes: Mapping[str, Answer], request: web.BaseRequest) -> web.Response:
    if not _known(request, hosts):
        return _text(403, "This listener is not called by that name. Use localhost, or configure the name as allowed.")
    answer = routes.get(request.raw_path.partition("?")[0])
    if answer is None:
        return _text(404, "There is /healthz, /readyz and /metrics.")
    if request.method not in _METHODS:
        return _text(405, "Only GET and HEAD.", {"Allow": ", ".join(_METHODS)})
    return await answer()


def _known(request: web.BaseRequest, hosts: frozenset[str]) -> bool:
    given = [f"http://{host}" for host in request.headers.getall("Host", [])]
    origins = request.headers.getall("Origin", [])
    reached = request.get_extra_info("sockname")
    mine = hosts | {reached[0]} if reached else hosts
    return len(given) == 1 and all(_host(url) in mine for url in given + origins)


def _host(url: str) -> str:
    """The host of `http://host[:port]` or `https://...`, in its plain form; "" for whatever has any other form."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # a bad port is an error when it is asked for
    except ValueError:
        return ""
    bare = parts.netloc and not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return _plain(parts.hostname or "") if bare and parts.scheme in ("http", "https") else ""


def _plain(host: str) -> str:
    """A name in lower case without the root's dot, or an address in its one canonical form."""
    host = host.strip("[]").lower().removesuffix(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return host


async def _health() -> web.Response:
    return _text(200, READY)


async def _ready(readiness: Readiness, notes: Readiness) -> web.Response:
    try:
        checks, noted = dict(readiness()), dict(notes())
    except Exception as error:  # what cannot say that it is ready is not
        checks, noted = {"readiness": f"failed ({type(error).__name__})"}, {}
    ready = bool(checks) and all(said == READY for said in checks.values())
    body = json.dumps({"ready": ready, "checks": checks} | ({"notes": noted} if noted else {}))
    return web.Response(status=200 if ready else 503, text=body, content_type="application/json", headers=_HEADERS)


async def _metrics(telemetry: Telemetry, turn: asyncio.Lock) -> web.Response:
    """Rendering some thousand series takes tens of milliseconds: in a thread, one at a time, and calls go on."""
    async with turn:
        body = await asyncio.to_thread(telemetry.prometheus)
    return web.Response(body=body, headers={**_HEADERS, "Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _text(status: int, text: str, extra: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers={**_HEADERS, **(extra or {})})


class _Connection(web.RequestHandler):
    """aiohttp's, but for its error page: that shows the library's version, and repeats what the caller sent."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        level = logging.DEBUG if status < 500 else logging.ERROR  # who sends garbage shall not fill the log
        _log.log(level, "A request to the admin listener ended in %d (%s).", status, type(exc).__name__)
        reply = _text(status, "The request is malformed." if status < 500 else "The request could not be answered.")
        reply.force_close()
        return reply


class _Server(web.Server):
    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()

    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp takes None for "no access log"
            keepalive_timeout=IDLE_S,
            lingering_time=0,
            max_line_size=MOST_LINE,
            max_field_size=MOST_LINE,
            max_headers=MOST_HEADERS,
        )

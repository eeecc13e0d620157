"""The admin listener: health, readiness, metrics and the kill switch, on an address of its own. It serves no tool.

A page in a browser may reach a listener on this machine by pointing a name of its own at it (DNS rebinding). So a
request is answered only if its Host is a loopback name, the address that was bound or reached, or a name that was
configured; an Origin, where there is one, must be such a host as well. Who then may ask for what stands in
`proxy/routes.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from hmac import compare_digest
from ipaddress import ip_address
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from proxy import routes
from proxy.routes import Route, Who
from proxy.telemetry.telemetry import Telemetry

Readiness = Callable[[], Mapping[str, str]]
READY = "ok"

MOST_LINE = 4096  # bytes of the request line and of one header; a probe or a scrape needs a few hundred
MOST_HEADERS = 64
MOST_CONNECTIONS = 64  # probes and scrapers are a handful; files are a resource that the doors need
IDLE_S = 30.0  # for a request to arrive; longer than the default 15 s between two scrapes
STOP_S = 1.0

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {"Server": "toolwall", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="toolwall admin"'}
_log = logging.getLogger(__name__)

Answer = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Switch(Protocol):
    """The kill switch of a sidecar; `by` is who turns it."""

    @property
    def stopped(self) -> float:
        """Not 0 while every call is refused."""

    def stop(self, by: str) -> None:
        """Have every call refused."""

    def resume(self, by: str) -> None:
        """Let calls through again."""


class Admits(NamedTuple):
    """Whom the admin listener answers: `names` are Host values, without port, by which it may be called beside its own;
    `token` is the SHA-256 of the admin token, empty without one."""

    names: frozenset[str] = frozenset()
    token: bytes = b""

    def __repr__(self) -> str:
        return "Admits()"


def admin_server(answers: Mapping[Route, Answer], admits: Admits) -> web.ServerRunner:
    """The server of these routes. One that only the token opens is not there without a token."""
    served = {route.path: (route, do) for route, do in answers.items() if admits.token or route.who is not Who.TOKEN}
    admits = admits._replace(names=_LOOPBACK | {_plain(name) for name in admits.names})
    return web.ServerRunner(_Server(partial(_answer, admits, served)), shutdown_timeout=STOP_S)


def reading(telemetry: Telemetry, readiness: Readiness, notes: Readiness = dict) -> dict[Route, Answer]:
    """What the routes that are only read answer.

    `readiness` names each thing that must be well, with READY or what is wrong; it is asked at each `/readyz`. So is
    `notes`: what somebody should look at although calls are served as they should be.
    """
    turn = asyncio.Lock()
    return {
        routes.HEALTH: _health,
        routes.READY: lambda _: _ready(readiness, notes),
        routes.METRICS: lambda _: _metrics(telemetry, turn),
    }


def switching(switch: Switch) -> dict[Route, Answer]:
    """What the routes of the kill switch answer."""
    by = "the admin listener"

    async def stop(_: web.BaseRequest) -> web.Response:
        switch.stop(by)
        return _text(200, "Every call is refused.")

    async def resume(_: web.BaseRequest) -> web.Response:
        switch.resume(by)
        if switch.stopped:
            return _text(503, "Every call is still refused; /readyz says why.")
        return _text(200, "Calls go through again.")

    return {routes.STOP: stop, routes.RESUME: resume}


async def _answer(
    admits: Admits, served: Mapping[str, tuple[Route, Answer]], request: web.BaseRequest
) -> web.StreamResponse:
    if not _known(request, admits.names):
        return _text(403, "This listener is not called by that name. Use localhost, or configure the name as allowed.")
    route, answer = served.get(request.raw_path.partition("?")[0], (None, _health))
    if admits.token and (route is None or route.who is not Who.ANYBODY) and not _has(request, admits.token):
        return _text(401, "Send the admin token: `Authorization: Bearer TOKEN`.", _CHALLENGE)
    if route is None:
        return _text(404, f"There is {', '.join(sorted(served))}.")
    if request.method not in route.methods:
        return _text(405, f"Only {' and '.join(route.methods)}.", {"Allow": ", ".join(route.methods)})
    return await answer(request)


def _has(request: web.BaseRequest, token: bytes) -> bool:
    """Whether the request holds the token, once."""
    given = request.headers.getall("Authorization", [])
    scheme, _, held = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    found = hashlib.sha256(held.strip(" ").encode("utf-8", "surrogateescape")).digest()
    return compare_digest(found, token) and scheme.lower() == "bearer"


def _known(request: web.BaseRequest, hosts: frozenset[str]) -> bool:
    given = [f"http://{host}" for host in request.headers.getall("Host", [])]
    origins = request.headers.getall("Origin", [])
    reached = request.get_extra_info("sockname")
    mine = hosts | {reached[0]} if isinstance(reached, tuple) else hosts
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


async def _health(_: web.BaseRequest) -> web.Response:
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

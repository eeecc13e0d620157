"""A reverse proxy on aiohttp that checks nothing: what a proxy costs that is built from the same parts.

    python -m tests.bench.bareproxy PORT BACKEND_PORT LOOP          (LOOP: asyncio or uvloop)

It is what a careful author would write: the low-level server, one session, no cookies kept, nothing decoded, no
access log, paths passed on as they came, hop-by-hop headers removed (RFC 9110, 7.6.1).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import aiohttp
import uvloop
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def _passed(headers: Mapping[str, str], also: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    dropped = _HOP_BY_HOP | also
    return [(name, value) for name, value in headers.items() if name.lower() not in dropped]


class Proxy:
    """Passes each request on and the answer back."""

    def __init__(self, session: aiohttp.ClientSession, backend: str) -> None:
        self._session = session
        self._backend = backend

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        async with self._session.request(
            request.method,
            URL(self._backend + request.raw_path, encoded=True),
            headers=_passed(request.headers, _HOST),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as reply:
            return web.Response(status=reply.status, headers=_passed(reply.headers), body=await reply.read())


_HOST = frozenset({"host"})


async def _serve(port: int, backend_port: int) -> None:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )
    async with session:
        proxy = Proxy(session, f"http://127.0.0.1:{backend_port}")
        runner = web.ServerRunner(web.Server(proxy.answer, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    here, there, loop = sys.argv[1:]
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(int(here), int(there)))

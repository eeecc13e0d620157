"""A small MCP server of either era for tests of the client side, with what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from tests.wire import Backend, reply

LISTED = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
MODERN = "2026-07-28"


class McpServer:
    """What it has can be changed while it runs. `pages` is how many definitions stand on one page; `as_events` answers
    by event stream. `instead` may answer a method in another way: with the bytes of a whole reply."""

    def __init__(self, modern: bool = True, as_events: bool = False, pages: int = 1) -> None:
        self.has: dict[str, list[Any]] = {}
        self.instructions: Any = "Be careful."
        self.modern, self.as_events, self.pages = modern, as_events, pages
        self.revision = "2025-11-25"
        self.info = {"name": "Test hub", "version": "7"}
        self.instead: dict[str, Callable[[dict[str, Any]], bytes]] = {}
        self.token = ""
        self.port = 0
        self.messages: list[dict[str, Any]] = []
        self.heads: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def answer(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        self.heads.append(head.decode())
        if self.token and f"authorization: bearer {self.token}" not in head.decode().lower():
            return reply(b"{}", status="401 Unauthorized")
        if head.startswith(b"DELETE"):
            return reply(b"", status="204 No Content", kind="")
        message = json.loads(body)
        self.messages.append(message)
        method = message["method"]
        if method in self.instead:
            return self.instead[method](message)
        if "id" not in message:
            return reply(b"", status="202 Accepted", kind="")
        found = self._result(method, message["params"])
        if found is None:
            return self.said(message, error={"code": -32601, "message": f"no {method}"}, status="404 Not Found")
        return self.said(message, result=found)

    def said(self, message: dict[str, Any], *headers: str, status: str = "200 OK", **members: Any) -> bytes:
        """A reply with one response in it, after something else where it is a stream."""
        text = json.dumps({"jsonrpc": "2.0", "id": message["id"], **members})
        session = () if self.modern else ("Mcp-Session-Id: s1",)
        if self.as_events and status == "200 OK":
            first = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}})
            events = f": hello\n\nevent: message\ndata: {first}\n\nevent: message\nid: 7\ndata: {text}\n\n"
            return reply(events.encode(), *session, *headers, kind="text/event-stream")
        return reply(text.encode(), *session, *headers, status=status)

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        about = {"capabilities": {kind.partition("/")[0]: {} for kind in self.has}, "instructions": self.instructions}
        server = self.info
        if method == "server/discover" and self.modern:
            meta = {"io.modelcontextprotocol/serverInfo": server}
            return {**about, "supportedVersions": [MODERN], "resultType": "complete", "_meta": meta}
        if method == "initialize" and not self.modern:
            return {**about, "protocolVersion": self.revision, "serverInfo": server}
        if method not in self.has:
            return None
        start = int(params.get("cursor", "0"))
        page = self.has[method][start : start + self.pages]
        rest = {"nextCursor": str(start + self.pages)} if start + self.pages < len(self.has[method]) else {}
        return {LISTED[method]: page, **rest}


@contextmanager
def serving(server: McpServer) -> Iterator[McpServer]:
    """The server on a port of its own, in a thread of its own: commands have their own loops."""
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(asyncio.start_server(Backend(server.answer).serve, "127.0.0.1", 0))
    server.port = listener.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()
        loop.run_until_complete(_over())
        loop.close()


async def _over() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)

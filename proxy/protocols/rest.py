"""Plain HTTP calls of a backend's API: one request is one call of one tool. No I/O."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from proxy.model import Call, Hail, Outgoing
from proxy.protocols import head, placing, strictjson, target
from proxy.protocols.head import Door, bad
from rules.facts import Principal, Run
from rules.tools import Catalog, Tool

# Passed on without being declared; every other header that no contract declares is dropped.
PASSED = frozenset({"accept", "accept-language", "content-type", "authorization"})
PASSED_PREFIX = "if-"
# Written by the upstream alone, whatever a contract declares: a second one would change what the request means.
_OWN = frozenset({"host", "content-length", "accept-encoding", "via", "forwarded", "traceparent", "tracestate"})
_JSON_TYPE = re.compile(r"application/(?:json|[a-z0-9.+-]+\+json)", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
RawHeaders = tuple[tuple[bytes, bytes], ...]

# Long enough for a sentence of intent, short enough for every Record to hold it.
_MOST_REASON = 500


class RestAsk:
    """One HTTP/1.1 request. `read_body` gives the whole body, bounded by the door."""

    def __init__(
        self,
        door: Door,
        peer: str,
        method: str,
        raw_target: str,
        version: tuple[int, int],
        raw_headers: RawHeaders,
        read_body: Callable[[], Awaitable[bytes]],
    ) -> None:
        self.listener = door.name
        self._door = door
        self._peer = peer
        self._method = method
        self._target = raw_target
        self._version = version
        self._raw_headers = raw_headers
        self._read_body = read_body

    def hail(self) -> Hail:
        self._headers = head.texts(self._raw_headers)
        self._head = first = head.single(self._headers)
        head.check(self._door, self._method, self._version, first)
        self._headers = head.end_to_end(self._headers, first)
        run, key = first.get("toolwall-run", ""), first.get("toolwall-key")
        if run and not _RUN.fullmatch(run):
            raise bad("`Toolwall-Run` must be 1 to 128 letters, digits, or one of `._:-`.")
        return Hail(
            protocol="rest",
            peer=self._peer,
            # A malformed key is a wrong key: it must reach the comparison that says 401.
            key=key if key is None or _KEY.fullmatch(key) else "",
            run=run,
            reason=first.get("toolwall-reason", "")[:_MOST_REASON],
            traceparent=first.get("traceparent"),
            tracestate=",".join(value for name, value in self._headers if name == "tracestate") or None,
        )

    def find(self, catalog: Catalog) -> Tool | None:
        path, self._query = target.split(self._target)
        backend = self._door.hosts.get(head.host_name(self._head["host"]))
        self._base = ""
        if backend is None:
            backend, slash, rest = path[1:].partition("/")
            self._base, path = f"/{backend}", slash + rest
        self._path = path or "/"
        matched = catalog.match(backend, self._method, self._path)
        if matched is None:
            return None
        tool, self._segments = matched
        return tool

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        jar = head.cookies(self._head["cookie"]) if "cookie" in self._head else {}
        placed = placing.Placed(self._door.most_depth)
        placing.path(placed, tool, self._segments)
        placing.query(placed, tool, target.pairs(self._query))
        if tool.headers or tool.cookies:
            placing.headers(placed, tool, self._headers, jar)
        body = await self._read_body()
        if body:
            placing.body(placed, tool, self._json(body))
        return Call(
            id=call_id,
            run=run,
            principal=principal,
            tool=tool,
            arguments=placed.arguments,
            problems=tuple(placed.problems),
            outgoing=self._outgoing(tool, jar, body),
            base=self._base,
            peer=self._peer,
        )

    def _json(self, body: bytes) -> Any:
        kind, _, parameters = self._head.get("content-type", "").partition(";")
        if not _JSON_TYPE.fullmatch(kind.strip()):
            raise bad("The body's Content-Type is not JSON.", "Send JSON with `Content-Type: application/json`.")
        if parameters.strip().lower().replace('"', "") not in ("", "charset=utf-8", "charset=utf8"):
            raise bad("JSON is UTF-8.", "Send `Content-Type: application/json` without further parameters.")
        return strictjson.parse(body, self._door.most_depth)

    def _outgoing(self, tool: Tool, jar: dict[str, str], body: bytes) -> Outgoing:
        """What was judged, byte for byte, with the headers that may go on."""
        declared = tool.headers
        kept = [
            (name, value)
            for name, value in self._headers
            if (name in PASSED or name in declared or name.startswith(PASSED_PREFIX)) and name not in _OWN
        ]
        if jar and (baked := [f"{name}={value}" for name, value in jar.items() if name in tool.cookies]):
            kept.append(("cookie", "; ".join(baked)))
        headers = (*kept, ("via", "1.1 toolwall"), ("forwarded", self._forwarded()))
        mark = "?" if self._query or self._target.endswith("?") else ""
        return Outgoing(tool.method, f"{self._path}{mark}{self._query}", headers, body)

    def _forwarded(self) -> str:
        """RFC 7239. An IPv6 address stands in brackets and quotes."""
        peer = f'"[{self._peer}]"' if ":" in self._peer else self._peer or "unknown"
        return f'for={peer};host="{self._head["host"]}";proto=http'

"""Plain HTTP calls of a backend's API: one request is one call of one tool. No I/O."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from proxy.model import Call, Hail, Headers, Outgoing
from proxy.protocols import head, placing, strictjson, target
from proxy.protocols.head import Door, bad
from rules.facts import Principal, Run
from rules.tools import Catalog, Param, Tool

# Passed on without being declared; every other header that no contract declares is dropped.
PASSED = frozenset({"accept", "accept-language", "content-type", "authorization"})
PASSED_PREFIX = "if-"
_JSON_TYPE = re.compile(r"application/(?:json|[a-z0-9.+-]+\+json)", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
# Long enough for a sentence of intent, short enough for every Record to hold it.
_MOST_REASON = 500


@dataclass(eq=False)
class RestAsk:
    """One HTTP/1.1 request. `read_body` gives the whole body, bounded by the door."""

    door: Door
    peer: str
    method: str
    raw_target: str
    version: tuple[int, int]
    raw_headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    read_body: Callable[[], Awaitable[bytes]] = field(repr=False)
    segments: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @property
    def listener(self) -> str:
        return self.door.name

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Lower-case names and values in order of arrival."""
        return head.texts(self.raw_headers)

    @cached_property
    def head(self) -> dict[str, str]:
        """The first value of each header."""
        return head.single(self.headers)

    @cached_property
    def hail(self) -> Hail:
        head.check(self.door, self.method, self.version, self.head)
        run, key = self.head.get("toolwall-run", ""), self.head.get("toolwall-key")
        if run and not _RUN.fullmatch(run):
            raise bad("`Toolwall-Run` must be 1 to 128 letters, digits, or one of `._:-`.")
        return Hail(
            protocol="rest",
            peer=self.peer,
            # A malformed key is a wrong key: it must reach the comparison that says 401.
            key=key if key is None or _KEY.fullmatch(key) else "",
            run=run,
            reason=self.head.get("toolwall-reason", "")[:_MOST_REASON],
            traceparent=self.head.get("traceparent"),
            tracestate=self.head.get("tracestate"),
        )

    @cached_property
    def _route(self) -> tuple[str, str, str, str]:
        """Backend, base of the door, path inside the backend, raw query."""
        path, query = target.split(self.raw_target)
        if (backend := self.door.hosts.get(head.host_name(self.head["host"]))) is not None:
            return backend, "", path, query
        backend, slash, rest = path[1:].partition("/")
        return backend, f"/{backend}", (slash + rest) or "/", query

    def find(self, catalog: Catalog) -> Tool | None:
        backend, _, path, _ = self._route
        matched = catalog.match(backend, self.method, path)
        if matched is None:
            return None
        tool, self.segments = matched
        return tool

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        _, base, path, query = self._route
        jar = head.cookies(self.head.get("cookie"))
        placed = placing.Placed()
        placing.path(placed, tool, self.segments)
        placing.query(placed, tool, target.pairs(query))
        placing.headers(placed, tool, self.headers, jar)
        body = await self.read_body()
        if body:
            placing.body(placed, tool, self._json(body))
        return Call(
            id=call_id,
            run=run,
            principal=principal,
            tool=tool,
            arguments=placed.arguments,
            problems=tuple(placed.problems),
            outgoing=Outgoing(
                tool.method,
                path + (f"?{query}" if query else ""),
                self._outgoing_headers(tool, jar),
                body,
            ),
            base=base,
            peer=self.peer,
        )

    def _json(self, body: bytes) -> Any:
        kind, _, parameters = self.head.get("content-type", "").partition(";")
        if not _JSON_TYPE.fullmatch(kind.strip()):
            raise bad("The body's Content-Type is not JSON.", "Send JSON with `Content-Type: application/json`.")
        if parameters.strip().lower().replace('"', "") not in ("", "charset=utf-8", "charset=utf8"):
            raise bad("JSON is UTF-8.", "Send `Content-Type: application/json` without further parameters.")
        return strictjson.parse(body, self.door.most_depth)

    def _outgoing_headers(self, tool: Tool, jar: dict[str, str]) -> Headers:
        dropped = head.dropped(self.head)
        declared = {param.wire.lower() for param in tool.params if param.place == "header"}
        kept = [
            (name, value)
            for name, value in self.headers
            if (name in PASSED or name in declared or name.startswith(PASSED_PREFIX)) and name not in dropped
        ]
        if baked := [f"{param.wire}={jar[param.wire]}" for param in tool.params if _is_in(param, jar)]:
            kept.append(("cookie", "; ".join(baked)))
        return (*kept, ("via", "1.1 toolwall"), ("forwarded", self._forwarded()))

    def _forwarded(self) -> str:
        """RFC 7239. An IPv6 address stands in brackets and quotes."""
        peer = f'"[{self.peer}]"' if ":" in self.peer else self.peer or "unknown"
        return f'for={peer};host="{self.head["host"]}";proto=http'


def _is_in(param: Param, jar: dict[str, str]) -> bool:
    return param.place == "cookie" and param.wire in jar

"""Plain HTTP calls of a backend's API: one request is one call of one tool. No I/O."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from proxy.model import Call, Hail, Headers, Outgoing, Peer
from proxy.protocols import bodies, fields, head, placing, target
from proxy.protocols.baggage import RUN, run_of
from proxy.protocols.head import Door, bad
from rules.facts import Principal, Run
from rules.tools import Catalog, Tool
from rules.wire import Slots

# Passed on without being declared; every other header that no contract declares is dropped.
PASSED = frozenset({"accept", "accept-language", "content-type", "authorization"})
PASSED_PREFIX = "if-"
# Written by the upstream alone, whatever a contract declares: a second one would change what the request means.
_OWN = frozenset({"host", "content-length", "accept-encoding", "via", "forwarded", "traceparent", "tracestate"})
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # RFC 7515, compact
_SPACE = re.compile(r"\s")
_ONCE = re.compile(r"[!-~]{1,255}")
RawHeaders = tuple[tuple[bytes, bytes], ...]

# Long enough for a sentence of intent, short enough for every Record to hold it.
_MOST_REASON = 500


class Greeting(NamedTuple):
    """The head of a request, checked and read. `headers` are those that are not of one connection only, `first` holds
    the first value of each header, `passed` are the headers that go on to any backend.
    """

    headers: list[tuple[str, str]]
    first: dict[str, str]
    passed: tuple[tuple[str, str], ...]
    hail: Hail


class Greetings:
    """Reads the heads of one connection. The next is mostly the last again, byte for byte: then it is not read anew."""

    def __init__(self, door: Door, peer: Peer) -> None:
        self.door = door
        self.peer = peer
        self._raw: RawHeaders = ()
        self._version = (0, 0)
        self._last: Greeting | None = None
        self.made: Any = None
        """What a protocol above made of the last head."""

    def read(self, method: str, version: tuple[int, int], raw: RawHeaders) -> Greeting:
        """Raises Refusal `bad_request` for a head that this door does not serve or that could be read in two ways."""
        head.check_method(method)
        if self._last is None or raw != self._raw or version != self._version:
            self._last = None
            self._last = self._read(version, raw)
            self._raw, self._version = raw, version
        return self._last

    def _read(self, version: tuple[int, int], raw: RawHeaders) -> Greeting:
        headers = head.texts(raw)
        first = head.single(headers)
        head.check(self.door, version, first)
        headers = head.end_to_end(headers, first)
        if self.door.bearer:
            headers = [pair for pair in headers if pair[0] != "authorization"]
        passed = [(name, value) for name, value in headers if name in PASSED or name.startswith(PASSED_PREFIX)]
        ours = (("via", "1.1 toolwall"), ("forwarded", self._forwarded(first["host"])))
        return Greeting(headers, first, (*passed, *ours), _hail(self.door, self.peer, headers, first))

    def _forwarded(self, host: str) -> str:
        """RFC 7239. An IPv6 address stands in brackets and quotes."""
        address = self.peer.address
        peer = f'"[{address}]"' if ":" in address else address or "unknown"
        return f'for={peer};host="{host}";proto={self.door.scheme}'


def _hail(door: Door, peer: Peer, headers: list[tuple[str, str]], first: dict[str, str]) -> Hail:
    run, key = first.get("toolwall-run", ""), first.get("toolwall-key")
    if run and not RUN.fullmatch(run):
        raise bad("`Toolwall-Run` must be 1 to 128 letters, digits, or one of `._:-`.")
    if "baggage" in first and "toolwall-run" not in first:
        run = run_of(value for name, value in headers if name == "baggage")
    once = first.get("toolwall-idempotency-key", "")
    if "toolwall-idempotency-key" in first and not _ONCE.fullmatch(once):
        raise bad("`Toolwall-Idempotency-Key` must be 1 to 255 visible ASCII characters.")
    return Hail(
        protocol="rest",
        peer=peer.address,
        # A malformed key is a wrong key: it must reach the comparison that says 401.
        key=key if key is None or _KEY.fullmatch(key) else "",
        bearer=_bearer(first["authorization"]) if door.bearer and "authorization" in first else None,
        delegation=_token(first["toolwall-delegation"]) if "toolwall-delegation" in first else None,
        run=run,
        once=once,
        reason=first.get("toolwall-reason", "")[:_MOST_REASON],
        traceparent=first.get("traceparent"),
        tracestate=",".join(value for name, value in headers if name == "tracestate") or None,
        uid=peer.uid,
        certificate=peer.certificate,
    )


def _bearer(value: str) -> str:
    """RFC 6750, 2.1. What is of another scheme is a wrong token: nobody is let in because nothing could be read."""
    scheme, _, token = value.partition(" ")
    return _token(token) if scheme.lower() == "bearer" else ""


def _token(value: str) -> str:
    return value if _TOKEN.fullmatch(value) else ""


class RestAsk:
    """One HTTP/1.1 request. `read_body` gives the whole body, bounded by the door."""

    def __init__(
        self,
        greetings: Greetings,
        method: str,
        raw_target: str,
        version: tuple[int, int],
        raw_headers: RawHeaders,
        read_body: Callable[[], Awaitable[bytes]],
    ) -> None:
        self.listener = greetings.door.name
        self._greetings = greetings
        self._door = greetings.door
        self._peer = greetings.peer
        self._method = method
        self._target = raw_target
        self._version = version
        self._raw_headers = raw_headers
        self._read_body = read_body

    def hail(self) -> Hail:
        self._greeting = self._greetings.read(self._method, self._version, self._raw_headers)
        self._headers, self._head = self._greeting.headers, self._greeting.first
        return self._greeting.hail

    async def find(self, catalog: Catalog) -> Tool | None:
        path, self._query = target.split(self._target)
        backend, self._base, path = self._door.sought(self._head["host"], path)
        self._path = path or "/"
        matched = catalog.match(backend, self._method, self._path, self._sent)
        if matched is None:
            return None
        tool, self._segments = matched
        return tool

    def _sent(self, place: str, name: str) -> list[str]:
        """What the request has under a name, for tools that nothing else tells apart."""
        pairs = self._headers if place == "header" else target.pairs(self._query)
        return [value for known, value in pairs if known == name]

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        jar = head.cookies(self._head["cookie"]) if "cookie" in self._head else {}
        placed = placing.Placed(self._door.most_depth)
        placing.path(placed, tool, self._segments)
        if tool.slots.dropped:
            self._query = target.without(self._query, tool.slots.dropped)
        self._query = fields.with_raw_commas(tool.query, self._query)
        placing.query(placed, tool, self._query)
        if tool.headers or tool.cookies:
            placing.headers(placed, tool, self._headers, jar)
        body, kind = await self._read_body(), ""
        if body:
            body, kind = bodies.read(placed, tool, self._head.get("content-type", ""), body)
        return Call(
            id=call_id,
            run=run,
            principal=principal,
            tool=tool,
            arguments=placed.arguments,
            problems=tuple(placed.problems),
            outgoing=self._outgoing(tool, jar, body, kind),
            base=self._base,
            peer=self._peer.address,
            origin=self._door.seen(self._head["host"])[0],
        )

    def _outgoing(self, tool: Tool, jar: dict[str, str], body: bytes, kind: str) -> Outgoing:
        """What was judged, byte for byte, with the headers that may go on. `kind` is the Content-Type of a body that
        was made anew, else empty.
        """
        headers = self._greeting.passed
        if tool.credentials:
            headers = self._with_credentials(tool.slots, headers)
        if kind:
            headers = (("content-type", kind), *(pair for pair in headers if pair[0] != "content-type"))
        if tool.headers:
            headers = (*self._declared(tool.headers), *headers)
        passing = tool.cookies | tool.slots.cookies if jar else jar
        if any(_SPACE.search(value) for name, value in jar.items() if name in passing):
            raise bad("A cookie has a space in its value, where some servers let the next one begin.", "Encode it.")
        if jar and (baked := [f"{name}={value}" for name, value in jar.items() if name in passing]):
            headers = (("cookie", "; ".join(baked)), *headers)
        mark = "?" if self._query or self._target.endswith("?") else ""
        return Outgoing(tool.method, f"{self._path}{mark}{self._query}", headers, body)

    def _with_credentials(self, slots: Slots, headers: Headers) -> Headers:
        """The caller's credential, in the slots of the backend where it has such. No other Authorization goes on."""
        kept = [(name, value) for name, value in headers if name != "authorization" or slots.passing(value)]
        found = [(name, value) for name, value in self._headers if name in slots.headers and name != "authorization"]
        if len({name for name, _ in found}) != len(found):
            raise bad("A credential is given more than once.")
        return (*found, *kept)

    def _declared(self, names: frozenset[str]) -> list[tuple[str, str]]:
        """The headers that are arguments and that do not go on anyway."""
        return [
            (name, value)
            for name, value in self._headers
            if name in names and name not in _OWN and name not in PASSED and not name.startswith(PASSED_PREFIX)
        ]

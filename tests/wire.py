"""What tests of the door need: a real sidecar, a backend that logs bytes, and an agent that sends them."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from proxy.app import Running, running
from proxy.config import load_config
from proxy.ledger.segments import segments_in
from proxy.repeats import Repeats

POLICY = """
rules:
  - {id: everything, allow: "crm.*"}
"""
ALONE = "breaker: off\nretry: {attempts: 1}"
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'

Answer = Callable[[bytes], Awaitable[bytes | AsyncIterator[bytes] | None]]


@dataclass
class Backend:
    """A backend on a port of its own. `seen` holds the bytes of each connection, in order of their coming.

    `answer` gives the bytes to send for one request (head and body), or pieces of bytes after which the connection
    ends; None closes without an answer. `leftover` is what came and was no whole request.
    """

    answer: Answer
    port: int = 0
    seen: list[bytearray] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    leftover: bytes = b""
    readers: list[asyncio.StreamReader] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log = bytearray()
        self.seen.append(log)
        self.readers.append(reader)
        try:
            while request := await self._request(reader, log):
                self.requests.append(request)
                reply = await self.answer(request)
                if not isinstance(reply, bytes):
                    await _write_pieces(reply, writer)
                    break
                writer.write(reply)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, log: bytearray) -> bytes:
        """One whole request with a Content-Length, as bytes; empty at the end."""
        head = b""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(length_of(head))
        except asyncio.IncompleteReadError as rest:
            self.leftover += head + rest.partial
            log += head + rest.partial
            return b""
        log += head + body
        return head + body

    async def hung_up_on(self, within_s: float = 1.0) -> None:
        """Return as soon as the newest connection was closed by the sidecar. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not self.readers[-1].at_eof() and self.readers[-1].exception() is None:
                await asyncio.sleep(0.01)


async def _write_pieces(pieces: AsyncIterator[bytes] | None, writer: asyncio.StreamWriter) -> None:
    if pieces is not None:
        async for piece in pieces:
            writer.write(piece)
            await writer.drain()


def length_of(head: bytes) -> int:
    """The Content-Length of a message, 0 without one. Fails where a message is framed in two ways."""
    lines = head.lower().split(b"\r\n")
    lengths = [line[15:] for line in lines if line.startswith(b"content-length:")]
    assert len(lengths) <= 1, head
    assert not any(line.startswith(b"transfer-encoding") for line in lines), head
    return int(lengths[0]) if lengths else 0


@dataclass
class Told:
    """One exchange: the answer, its one Record, the requests that the backend saw for it, and whether the door hung up
    after its answer.
    """

    reply: Reply
    record: dict[str, Any]
    reached: list[bytes]
    closed: bool


@dataclass
class Wall:
    """A running sidecar with its backend."""

    sidecar: Running
    backend: Backend
    folder: Path
    closed: bool = False
    tls: ssl.SSLContext | None = None
    """How agents speak to the door, where it speaks TLS."""
    _read: int = 0

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.sidecar.doors[0].rpartition(":")
        return host, int(port)

    @property
    def host(self) -> str:
        """What a Host header says."""
        return "localhost" if self.sidecar.doors[0].startswith("unix:") else self.sidecar.doors[0]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the door."""
        door = self.sidecar.doors[0]
        if door.startswith("unix:"):
            return await asyncio.open_unix_connection(door.removeprefix("unix:"), ssl=self.tls, **_named(self.tls))
        return await asyncio.open_connection(*self.address, ssl=self.tls)

    def ledger(self) -> bytes:
        """The bytes of the whole ledger."""
        return b"".join(each.read_bytes() for each in segments_in(self.folder / "state" / "ledger"))

    def records(self, kind: str = "call") -> list[dict[str, Any]]:
        """The ledger's entries of one kind, in order."""
        return [entry for entry in map(json.loads, self.ledger().splitlines()) if entry["kind"] == kind]

    def news(self, kind: str = "call") -> list[dict[str, Any]]:
        """The entries that were written since the last look."""
        data = self.ledger()
        fresh, self._read = data[self._read :], len(data)
        return [entry for entry in map(json.loads, fresh.splitlines()) if entry["kind"] == kind]

    async def send(self, raw: bytes, *, quiet_s: float = 5.0) -> bytes:
        """Send bytes to the door and return all that comes back until the door closes or is silent for a moment."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            came = await until_quiet(reader, quiet_s)
            self.closed = reader.at_eof() or reader.exception() is not None
            return came
        finally:
            writer.close()

    async def call(self, method: str, path: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> Reply:
        """One well-formed request. The door ends the connection behind its answer, so the wait is for that."""
        return Reply.parse(await self.send(self.raw(method, path, body, headers), quiet_s=30.0))

    async def tell(self, method: str, path: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> Told:
        """One well-formed request, its answer, its only Record and what reached the backend."""
        return await self.tell_raw(self.raw(method, path, body, headers))

    async def tell_raw(self, raw: bytes) -> Told:
        """The same for bytes that may be no well-formed request."""
        self.news()
        before = len(self.backend.requests)
        reply = Reply.parse(await self.send(raw))
        await self.backend_is_idle()
        records = self.news()
        assert len(records) == 1, records
        return Told(reply, records[0], self.backend.requests[before:], self.closed)

    async def backend_is_idle(self) -> None:
        """Give a request that should not exist the time to arrive."""
        await asyncio.sleep(0.002)

    def raw(self, method: str, path: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> bytes:
        """The bytes of a well-formed request; JSON where it has a body and no other Content-Type is given."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        if body and not any(name.lower() == "content-type" for name, _ in headers):
            lines.append("Content-Type: application/json")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _named(tls: ssl.SSLContext | None) -> dict[str, str]:
    return {"server_hostname": "localhost"} if tls else {}


@dataclass
class Reply:
    """An answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> Reply:
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = _unchunked(body)
        return cls(int(first.split()[1]) if first else 0, headers, body, raw)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _unchunked(data: bytes) -> bytes:
    pieces = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        if not int(size, 16):  # trailers follow
            break
        pieces.append(rest[: int(size, 16)])
        data = rest[int(size, 16) + 2 :]
    return b"".join(pieces)


async def until_quiet(reader: asyncio.StreamReader, quiet_s: float = 5.0) -> bytes:
    """All that comes until the end, or until nothing came for so long."""
    pieces = []
    try:
        while piece := await asyncio.wait_for(reader.read(65536), quiet_s):
            pieces.append(piece)
    except (TimeoutError, ConnectionError):
        pass
    return b"".join(pieces)


async def always_ok(_: bytes) -> bytes:
    return OK


def reply(body: bytes = b'{"ok":true}', *headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """The bytes of a well-framed reply of a backend."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    if kind:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answering(raw: bytes | None) -> Answer:
    """A backend that always answers with these bytes."""

    async def answer(_: bytes) -> bytes | None:
        return raw

    return answer


def carrying(slot: str, key: str) -> tuple[list[tuple[str, str]], str]:
    """The headers and the query of a call with a credential of the caller's own."""
    headers = {
        "bearer": [("Authorization", f"Bearer {key}")],
        "{header: X-Api-Key}": [("X-Api-Key", key)],
        "{cookie: sid}": [("Cookie", f"sid={key}")],
    }
    return headers.get(slot, []), f"?api_key={key}" if "query" in slot else ""


_EFFECT = re.compile(r"^( *)(.*?)\beffect: (?:write|irreversible|admin)\b", re.MULTILINE)


def repeatable(tools: str) -> str:
    """The tools, with equal calls as actions of their own: the key stands beside the effect, or on a line below."""

    def said(effect: re.Match[str]) -> str:
        line = effect[0]
        return f"{line}, repeatable: true" if effect[2] else f"{line}\n{effect[1]}repeatable: true"

    return _EFFECT.sub(said, tools)


@asynccontextmanager
async def wall(
    folder: Path,
    tools: str,
    policy: str = POLICY,
    answer: Answer = always_ok,
    config: str = "",
    identity: str = "{static: {id: bot, roles: [support]}}",
    listener: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    backend_keys: str = "",
    once: bool = False,
    bind: str = "127.0.0.1:0",
    admin: str = "{bind: '127.0.0.1:0'}",
    state: str = "state",
) -> AsyncIterator[Wall]:
    """A sidecar over a backend `crm` with these tools (YAML, indented by two).

    `config` adds to toolwall.yaml, `listener` to its listener at `bind`, `backend_keys` to the backend's file; `host`
    and `port` are where the rules believe the backend to be. Most tests repeat calls on purpose, so tools with effects
    are `repeatable`, but where a test is about what is done `once`.
    """
    if not once:
        tools = repeatable(tools)
    backend = Backend(answer)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0, limit=1 << 22)
    backend.port = server.sockets[0].getsockname()[1]
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "crm.yaml").write_text(
        f"backend: crm\nurl: http://{host}:{port or backend.port}/api\n{backend_keys}\ntools:\n{tools}\n"
    )
    (rules / "policy.yaml").write_text(policy)
    (folder / "toolwall.yaml").write_text(
        f"state: {state}\nlisteners: [{{bind: '{bind}', identity: {identity}{listener}}}]\nadmin: {admin}\n{config}"
    )
    try:
        async with running(load_config(folder / "toolwall.yaml")) as sidecar:
            yield Wall(sidecar, backend, folder)
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Stage:
    """A wall that several plays share, on the event loop that the sidecar runs on in production."""

    runner: asyncio.Runner
    wall: Wall

    def run(self, play: Callable[[Wall], Coroutine[Any, Any, None]]) -> None:
        """One play. The backend answers as at the beginning again, and the failures of plays before are forgotten."""
        self.wall.backend.answer = always_ok
        self.wall.sidecar.firewall.repeats = Repeats()
        self.runner.run(play(self.wall))


@contextmanager
def staged(folder: Path, tools: str, **how: Any) -> Iterator[Stage]:
    """The same as `wall`, for plays that come one after the other. They must not know of each other, so no breaker
    remembers, and a play that counts requests is not disturbed by a second try."""
    how.setdefault("backend_keys", ALONE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        around = wall(folder, tools, **how)
        entered = runner.run(around.__aenter__())  # type: ignore[arg-type]
        try:
            yield Stage(runner, entered)
        finally:
            runner.run(around.__aexit__(None, None, None))  # type: ignore[arg-type]


def perform(play: Coroutine[Any, Any, None]) -> None:
    """One play with a wall of its own, on that same event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play)

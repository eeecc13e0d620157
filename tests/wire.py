"""What tests of the door need: a real sidecar, a backend that logs bytes, and an agent that sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.app import Running, running
from proxy.config import load_config
from proxy.ledger.export import export_lines

POLICY = """
rules:
  - {id: everything, allow: "crm.*"}
"""
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass
class Backend:
    """A backend on a port of its own. `seen` holds the bytes of each connection, in order of their coming.

    `answer` gives the bytes to send for one request (head and body); None closes without an answer.
    """

    answer: Callable[[bytes], Awaitable[bytes | None]]
    port: int = 0
    seen: list[bytearray] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log = bytearray()
        self.seen.append(log)
        try:
            while request := await _request(reader, log):
                self.requests.append(request)
                reply = await self.answer(request)
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader, log: bytearray) -> bytes:
    """One whole request with a Content-Length, as bytes; empty at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as rest:
        log += rest.partial
        return b""
    log += head
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    body = await reader.readexactly(length)
    log += body
    return head + body


@dataclass
class Wall:
    """A running sidecar with its backend."""

    sidecar: Running
    backend: Backend
    folder: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.sidecar.doors[0].rpartition(":")
        return host, int(port)

    def records(self, kind: str = "call") -> list[dict[str, Any]]:
        """The ledger's entries of one kind, in order."""
        lines = export_lines(self.folder / "state" / "ledger")
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]

    async def send(self, raw: bytes, *, finish: bool = False) -> bytes:
        """Send bytes to the door and return all that comes back until the door closes or is silent for a moment."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(raw)
            if finish:
                writer.write_eof()
            return await _until_quiet(reader)
        finally:
            writer.close()

    async def call(self, method: str, path: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> Reply:
        """One well-formed request."""
        host, port = self.address
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        raw = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        return Reply.parse(await self.send(raw))


@dataclass
class Reply:
    """An answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Reply:
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = _unchunked(body)
        return cls(int(first.split()[1]) if first else 0, headers, body)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _unchunked(data: bytes) -> bytes:
    pieces = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        data = rest[int(size, 16) + 2 :]
    return b"".join(pieces)


async def _until_quiet(reader: asyncio.StreamReader, quiet_s: float = 5.0) -> bytes:
    pieces = []
    try:
        while piece := await asyncio.wait_for(reader.read(65536), quiet_s):
            pieces.append(piece)
    except (TimeoutError, ConnectionError):
        pass
    return b"".join(pieces)


async def always_ok(_: bytes) -> bytes:
    return OK


@asynccontextmanager
async def wall(
    folder: Path,
    tools: str,
    policy: str = POLICY,
    answer: Callable[[bytes], Awaitable[bytes | None]] = always_ok,
    config: str = "",
    identity: str = "{static: {id: bot, roles: [support]}}",
) -> AsyncIterator[Wall]:
    """A sidecar over a backend `crm` with these tools (YAML, indented by two). `config` adds to toolwall.yaml."""
    backend = Backend(answer)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0, limit=1 << 22)
    backend.port = server.sockets[0].getsockname()[1]
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "crm.yaml").write_text(f"backend: crm\nurl: http://127.0.0.1:{backend.port}/api\ntools:\n{tools}\n")
    (rules / "policy.yaml").write_text(policy)
    (folder / "toolwall.yaml").write_text(
        f"state: state\nlisteners: [{{bind: '127.0.0.1:0', identity: {identity}}}]\n"
        f"admin: {{bind: '127.0.0.1:0'}}\n{config}"
    )
    try:
        async with running(load_config(folder / "toolwall.yaml")) as sidecar:
            yield Wall(sidecar, backend, folder)
    finally:
        server.close()
        await server.wait_closed()

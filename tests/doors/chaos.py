"""A backend that does to a proxy what networks and servers do to it on a bad day, and counts what it carried out."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_TOKEN = re.compile(rb"^(GET|POST) /api/\w+/([a-z]+) HTTP")


def body_of(token: str) -> bytes:
    """What a backend in order answers to the call of this token."""
    return b'{"token": "%b", "more": "%b"}' % (token.encode(), b"word " * 20)


def whole(token: str, *headers: str, status: str = "200 OK") -> bytes:
    """A reply in order."""
    body = body_of(token)
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Visit:
    """One request on its connection. Its body may not have been read yet."""

    token: str
    length: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    backend: Chaos

    async def carry_out(self) -> None:
        """Read the rest of the request, and do what it asks for."""
        await self.reader.readexactly(self.length)
        self.backend.done[self.token] += 1

    def reset(self) -> None:
        """End the connection rudely."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Mode = Callable[[Visit], Awaitable[bool]]
"""Deals with one request; whether the connection may carry another."""


@dataclass
class Chaos:
    """The backend. `done` counts how often each token was carried out, `mode` says how it behaves."""

    mode: str = "in_order"
    port: int = 0
    done: Counter[str] = field(default_factory=Counter)
    dice: random.Random = field(default_factory=lambda: random.Random(5))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                if self._mode() == "reset_before_reading":
                    await reader.readexactly(1)  # its first byte is here; nothing was understood, nothing is done
                    Visit("", 0, reader, writer, self).reset()
                    return
                head = await reader.readuntil(b"\r\n\r\n")
                found = _TOKEN.match(head)
                assert found, head
                length = re.search(rb"content-length: (\d+)", head)
                visit = Visit(found[2].decode(), int(length[1]) if length else 0, reader, writer, self)
                if not await MODES[self._mode()](visit):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _mode(self) -> str:
        return self.dice.choice(list(MODES)) if self.mode == "mixed" else self.mode


async def in_order(visit: Visit) -> bool:
    await visit.carry_out()
    visit.writer.write(whole(visit.token))
    return True


async def latency(visit: Visit) -> bool:
    await asyncio.sleep(visit.backend.dice.random() * 0.03)
    return await in_order(visit)


async def reset_before_reading(visit: Visit) -> bool:
    visit.reset()
    return False


async def reset_after_reading(visit: Visit) -> bool:
    await visit.carry_out()
    visit.reset()
    return False


async def drop_after_reading(visit: Visit) -> bool:
    await visit.carry_out()
    return False


async def half_close(visit: Visit) -> bool:
    """Half a reply, then no more of it, while the connection stays open in the other direction."""
    await visit.carry_out()
    visit.writer.write(whole(visit.token)[:-30])
    visit.writer.write_eof()
    await visit.reader.read()
    return False


async def drip(visit: Visit) -> bool:
    await visit.carry_out()
    reply = whole(visit.token)
    for at in range(0, len(reply), 16):
        visit.writer.write(reply[at : at + 16])
        await asyncio.sleep(0.001)
    return True


async def length_too_short(visit: Visit) -> bool:
    """More comes than was said, and it looks like a reply to somebody else."""
    await visit.carry_out()
    body = body_of(visit.token)
    stranger = whole("stranger")
    visit.writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b%b"
        % (len(body) - 5, body, stranger)
    )
    return True


async def length_too_long(visit: Visit) -> bool:
    await visit.carry_out()
    visit.writer.write(whole(visit.token).replace(b"Content-Length: ", b"Content-Length: 9"))
    return False


async def two_replies(visit: Visit) -> bool:
    await visit.carry_out()
    visit.writer.write(whole(visit.token) + whole("stranger"))
    return True


async def garbage(visit: Visit) -> bool:
    await visit.carry_out()
    visit.writer.write(bytes(visit.backend.dice.randrange(256) for _ in range(200)) + b"\r\n\r\n")
    return False


def _chunked(token: str) -> bytes:
    body = body_of(token)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


async def chunked_cut(visit: Visit) -> bool:
    await visit.carry_out()
    reply = _chunked(visit.token)
    visit.writer.write(reply[: visit.backend.dice.randrange(len(reply) - 60, len(reply) - 1)])
    return False


async def gzip_cut(visit: Visit) -> bool:
    await visit.carry_out()
    body = gzip.compress(body_of(visit.token))[:-12]
    visit.writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    )
    return True


async def server_errors(visit: Visit) -> bool:
    await visit.carry_out()
    status = visit.backend.dice.choice(["500 Broken", "502 Bad", "503 Busy", "504 Late"])
    visit.writer.write(whole(visit.token, status=status))
    return True


async def too_many(visit: Visit) -> bool:
    await visit.carry_out()
    asked = visit.backend.dice.choice([(), ("Retry-After: 0",), ("Retry-After: 3600",)])
    visit.writer.write(whole(visit.token, *asked, status="429 Many"))
    return True


async def slow_head(visit: Visit) -> bool:
    await visit.carry_out()
    reply = whole(visit.token)
    for at in range(0, 60, 12):
        visit.writer.write(reply[at : at + 12])
        await asyncio.sleep(0.005)
    visit.writer.write(reply[60:])
    return True


async def early_reply(visit: Visit) -> bool:
    """The answer is there before the body was read; then the connection ends."""
    visit.backend.done[visit.token] += 1
    visit.writer.write(whole(visit.token, "Connection: close"))
    await visit.writer.drain()
    await asyncio.sleep(0.01)
    return False


async def silence(visit: Visit) -> bool:
    await visit.carry_out()
    await visit.reader.read()
    return False


MODES: dict[str, Mode] = {
    each.__name__: each
    for each in (
        in_order, latency, reset_before_reading, reset_after_reading, drop_after_reading, half_close, drip,
        length_too_short, length_too_long, two_replies, garbage, chunked_cut, gzip_cut, server_errors, too_many,
        slow_head, early_reply, silence,
    )
}  # fmt: skip


@asynccontextmanager
async def chaos() -> AsyncIterator[Chaos]:
    """The backend on a port of its own."""
    backend = Chaos()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0, limit=1 << 20)
    backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    finally:
        server.close()
        await server.wait_closed()

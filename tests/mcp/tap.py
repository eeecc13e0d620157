"""A relay between a client and a server that keeps every byte, and what these bytes say once they are HTTP and MCP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LONGEST = 1 << 16


@dataclass
class Wire:
    """One connection: what the client sent, and what came back."""

    sent: bytearray = field(default_factory=bytearray)
    came: bytearray = field(default_factory=bytearray)


class Tap:
    """Takes connections at `port` and passes them on to the port `to`, until it is closed."""

    def __init__(self, port: int, to: int) -> None:
        self.port, self.to = port, to
        self.wires: list[Wire] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    async def _open(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def close(self) -> None:
        """Cut all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire()
        self.wires.append(wire)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self.to)
            pumps = [
                asyncio.ensure_future(_pump(reader, there, wire.sent)),
                asyncio.ensure_future(_pump(back, writer, wire.came)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in pumps:
                    each.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for side in (writer, there):
                if side is not None:
                    side.close()

    def forget(self) -> None:
        """Keep only what comes from now on."""
        self.wires.clear()

    def count(self, found: bytes) -> int:
        """How often something is in the bodies of all replies."""
        return sum(each.reply.body.count(found) for each in self.exchanges() if each.reply)

    def exchanges(self) -> list[Exchange]:
        """All requests with their replies, connection by connection."""
        return [each for wire in self.wires for each in exchanges(bytes(wire.sent), bytes(wire.came))]

    def said(self) -> list[Said]:
        """All messages of MCP that passed by."""
        return [said for each in self.exchanges() for said in messages(each)]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(LONGEST):
            kept += data
            writer.write(data)
            await writer.drain()


class Part(NamedTuple):
    """A request or a reply: its first line, its headers (names in lower case) and as much of its body as came."""

    first: str
    headers: dict[str, str]
    body: bytes


class Exchange(NamedTuple):
    """A request, and its reply where one came."""

    request: Part
    reply: Part | None


class Said(NamedTuple):
    """One message, who said it and in which exchange."""

    by: str
    message: dict[str, Any]
    exchange: Exchange


def exchanges(sent: bytes, came: bytes) -> list[Exchange]:
    """The exchanges of one connection, which come one after the other."""
    replies = [each for each in parts(came) if not each.first.startswith("HTTP/1.1 1")]
    return [Exchange(each, replies[at] if at < len(replies) else None) for at, each in enumerate(parts(sent))]


def parts(data: bytes) -> Iterator[Part]:
    """All that is in one direction of a connection (RFC 9112); the last may be cut short."""
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body, data = unchunked(data)
        elif "content-length" in headers or not first.startswith("HTTP/") or first[9:12] in ("204", "304"):
            length = int(headers.get("content-length", 0))
            body, data = data[:length], data[length:]
        else:  # until the connection ends
            body, data = data, b""
        yield Part(first, headers, body)


def unchunked(data: bytes) -> tuple[bytes, bytes]:
    """The body, and what follows it; all that came where it is cut short."""
    body = b""
    while b"\r\n" in data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            return body, rest.partition(b"\r\n")[2]  # nobody here sends trailers
        body, data = body + rest[:length], rest[length + 2 :]
    return body, b""


def messages(exchange: Exchange) -> Iterator[Said]:
    """What both sides said in one exchange."""
    if exchange.request.body:
        yield Said("client", json.loads(exchange.request.body), exchange)
    reply = exchange.reply
    if reply is None or not reply.body.strip():
        return
    kind = reply.headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        for event in events(reply.body):
            if event.get("data"):
                yield Said("server", json.loads(event["data"]), exchange)
    elif kind.startswith("application/json"):
        yield Said("server", json.loads(reply.body), exchange)


def events(body: bytes) -> Iterator[dict[str, str]]:
    """The whole events of a stream, each by its fields; comments are left out."""
    blocks = body.decode().replace("\r\n", "\n").split("\n\n")
    for block in blocks[:-1]:  # after the last one there is nothing, or what was cut short
        event: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                value = value.removeprefix(" ")
                event[name] = f"{event[name]}\n{value}" if name == "data" and name in event else value
        if event:
            yield event

"""An open loop of calls: they come at their times, whether or not those before were answered. Made to cost little, for
it shares the machine with what it measures."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

MOST_CONNECTIONS = 400
TICK_S = 0.002
REPLY = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass
class Load:
    """What came of the calls: how often which status, and the seconds from when an accepted call was due to its whole
    answer. `unsent` are those for which the loop had no connection left, `broken` those whose connection ended."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    unsent: int = 0
    broken: int = 0

    def within(self, share: float) -> float:
        """The time within which this share of the accepted calls was answered."""
        return sorted(self.took_s)[int(len(self.took_s) * share)]


class _Agent(asyncio.Protocol):
    def __init__(self, load: Load, idle: list[_Agent], raw: bytes) -> None:
        self._load, self._idle, self._raw, self._due = load, idle, raw, 0.0
        self._reply = b""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._idle.append(self)

    def send(self, due: float) -> None:
        self._due, self.busy = due, True
        self.transport.write(self._raw)

    def data_received(self, data: bytes) -> None:
        self._reply += data
        head, found, body = self._reply.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return
        status = int(head[9:12])
        self._load.statuses[status] += 1
        if status == 200:
            self._load.took_s.append(perf_counter() - self._due)
        self._reply, self.busy = b"", False
        if b"Connection: close" in head:
            self.transport.close()
        else:
            self._idle.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self.busy:
            self._load.broken += 1
        elif self in self._idle:
            self._idle.remove(self)


async def open_loop(
    address: tuple[str, int], raw: bytes, per_second: float, seconds: float, most: int = MOST_CONNECTIONS
) -> Load:
    """Send `raw` so many times a second, each time on a connection that is free. All of them are made before."""
    loop, load, idle = asyncio.get_running_loop(), Load(), list[_Agent]()
    agents = [(await loop.create_connection(lambda: _Agent(load, idle, raw), *address))[1] for _ in range(most)]
    started, sent = perf_counter(), 0
    while (now := perf_counter() - started) < seconds:
        for number in range(sent, int(now * per_second)):
            if idle:
                idle.pop().send(started + number / per_second)
            else:
                load.unsent += 1
        sent = int(now * per_second)
        await asyncio.sleep(TICK_S)
    for _ in range(100):
        if len(idle) + load.broken >= most:
            break
        await asyncio.sleep(0.05)
    for agent in agents:
        agent.busy = False
        agent.transport.abort()
    return load


class Slow(asyncio.Protocol):
    """A backend that answers each request without a body after `after_s`."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        *whole, self._seen = (self._seen + data).split(b"\r\n\r\n")
        for _ in whole:
            asyncio.get_running_loop().call_later(self._after_s, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(REPLY)

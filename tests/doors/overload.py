"""An open loop of calls: they come at their times, whether or not those before were answered. It runs as a process of
its own, and made to cost little, for it shares the machine with what it measures.

    python -m tests.doors.overload load PORT CALLS_A_SECOND SECONDS SKIPPED_SECONDS CONNECTIONS
    python -m tests.doors.overload backend SECONDS_PER_ANSWER
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

ROOT = Path(__file__).parents[2]
MOST_CONNECTIONS = 800
TICK_S = 0.001
LAST_S = 5.0
RAW = b"GET /crm/things/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"
REPLY = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass
class Load:
    """What came of the calls: how often which status, and the seconds from the sending of an accepted call to its whole
    answer. `unsent` are those for which the loop had no connection left, `broken` those whose connection ended, and
    `late_s` is within how long after its time 99 % of the others were sent: nobody's fault but the loop's own, since it
    waits for no answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    unsent: int = 0
    broken: int = 0
    late_s: float = 0.0

    def within(self, share: float) -> float:
        """The time within which this share of the accepted calls was answered."""
        return _within(self.took_s, share)

    @property
    def accepted(self) -> float:
        """The share of all calls that was."""
        return self.statuses[200] / (sum(self.statuses.values()) + self.unsent + self.broken)


def _within(times: list[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)]


class _Agent(asyncio.Protocol):
    def __init__(self, load: Load, idle: list[_Agent]) -> None:
        self._load, self._idle, self._sent, self._counts = load, idle, 0.0, False
        self._reply = b""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._idle.append(self)

    def send(self, counts: bool) -> None:
        self._sent, self._counts, self.busy = perf_counter(), counts, True
        self.transport.write(RAW)

    def data_received(self, data: bytes) -> None:
        self._reply += data
        head, found, body = self._reply.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return
        status = int(head[9:12])
        if self._counts:
            self._load.statuses[status] += 1
            if status == 200:
                self._load.took_s.append(perf_counter() - self._sent)
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


async def _open_loop(port: int, per_second: float, seconds: float, skipped_s: float, most: int) -> Load:
    """Call so many times a second, each time on a connection that is free. All of them are made before. The first
    `skipped_s` are of no account."""
    loop, load, idle, late = asyncio.get_running_loop(), Load(), list[_Agent](), list[float]()
    agents = [(await loop.create_connection(lambda: _Agent(load, idle), "127.0.0.1", port))[1] for _ in range(most)]
    started = perf_counter()
    sent = 0
    while (now := perf_counter() - started) < seconds:
        for number in range(sent, int(now * per_second) + 1):
            due = started + number / per_second
            if idle:
                idle.pop().send(due >= started + skipped_s)
                late.append(perf_counter() - due)
            elif due >= started + skipped_s:
                load.unsent += 1
        sent = int(now * per_second) + 1
        await asyncio.sleep(TICK_S)
    until = perf_counter() + LAST_S
    while len(idle) + load.broken < most and perf_counter() < until:
        await asyncio.sleep(0.05)
    for agent in agents:
        agent.busy = False
        agent.transport.abort()
    load.late_s = _within(late, 0.99)
    return load


class _Slow(asyncio.Protocol):
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


async def _backend(after_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Slow(after_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def open_loop(port: int, per_second: float, seconds: float, skipped_s: float = 0.0, most: int = 0) -> Load:
    """Call a door so many times a second, from another process."""
    words = ["load", port, per_second, seconds, skipped_s, most or MOST_CONNECTIONS]
    done = subprocess.run(_command(*words), cwd=ROOT, capture_output=True, check=True, timeout=seconds + 60)
    said = json.loads(done.stdout)
    statuses = Counter({int(status): count for status, count in said.pop("statuses").items()})
    return Load(statuses, **said)


@contextmanager
def backend(after_s: float) -> Iterator[int]:
    """The port of a backend, in another process."""
    with subprocess.Popen(_command("backend", after_s), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "tests.doors.overload", *map(str, words)]


def main(what: str, *words: str) -> None:
    """As the first lines say."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if what == "backend":
            runner.run(_backend(float(words[0])))
        else:
            port, per_second, seconds, skipped_s, most = words
            load = _open_loop(int(port), float(per_second), float(seconds), float(skipped_s), int(most))
            print(json.dumps(vars(runner.run(load))))


if __name__ == "__main__":
    main(*sys.argv[1:])

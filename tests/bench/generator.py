"""The load generator for machines without wrk. It costs about as much as a bare proxy: its rates are lower bounds.

python -m tests.bench.generator PORT PATH CONNECTIONS SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

CUSTOMERS = 100
_HEAD = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\nUser-Agent: agent/1.0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One call after the other, until the time is up; a call under way is finished."""

    def __init__(self, requests: list[bytes], until: float) -> None:
        self.times: list[float] = []
        self.errors = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._until = until
        self._reply = bytearray()
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._reply += data
        if not self._size and (end := self._reply.find(b"\r\n\r\n")) > 0:
            self._size = end + 4 + _length(self._reply[:end])
        if self._size and len(self._reply) >= self._size:
            self._answered()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.ended.done():
            self.errors += 1
            self.ended.set_result(None)

    def _answered(self) -> None:
        now = time.perf_counter()
        if self._reply.startswith(b"HTTP/1.1 200 "):
            self.times.append(now - self._sent)
        else:
            self.errors += 1
        self._reply.clear()
        self._size = 0
        if now < self._until:
            self._send()
        else:
            self.ended.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._requests[len(self.times) % len(self._requests)])


def _length(head: bytearray) -> int:
    for line in bytes(head).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise ValueError("the reply has no Content-Length")


async def _generate(port: int, path: str, connections: int, seconds: float) -> dict[str, float]:
    loop, started = asyncio.get_running_loop(), time.perf_counter()
    requests = [_HEAD.format(path=path.replace("{n}", str(n)), port=port).encode() for n in range(1, CUSTOMERS + 1)]
    made = [
        (await loop.create_connection(lambda: _Connection(requests, started + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(each.ended for each in made))
    times = sorted(second for each in made for second in each.times) or [0.0]
    return {
        "requests": sum(len(each.times) for each in made),
        "seconds": time.perf_counter() - started,
        "p50_us": times[len(times) // 2] * 1e6,
        "p99_us": times[len(times) * 99 // 100] * 1e6,
        "errors": sum(each.errors for each in made),
    }


if __name__ == "__main__":
    port, path, connections, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(_generate(int(port), path, int(connections), float(seconds)))))

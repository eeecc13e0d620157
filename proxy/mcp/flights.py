"""Requests under way to a server that speaks by lines: whose each line is, and by which ids both sides know it.

The server never sees an id or a progress token of the client's: nobody can have the answer to one request, or word of
how it goes, taken for that of another by giving both the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from proxy.mcp.heard import Heard, body_of, same_id
from proxy.protocols import jsonrpc, strictjson

CANCELLED: Final = "notifications/cancelled"
PROGRESS: Final = "notifications/progress"
MOST_UNHEARD: Final = 64
MOST_UNHEARD_BYTES: Final = 4 << 20
"""Messages that wait for whoever asked, and their bytes; then the server waits."""

MOST_GOING_ON: Final = 100
"""Requests that are answered and go on as tasks; the progress of what began longest ago is not told any more."""

_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Flight:
    """Who waits for what a server says. `asked` has the id that the client knows it by, and `number` is
    what the server knows it by. `why` says why there will never be an answer. `is_ours`: no client asked."""

    def __init__(self, number: int, asked: Heard) -> None:
        self.number, self.asked = number, asked
        self.is_answered = self.is_over = False
        self.is_ours = self.is_taken_back = False
        self.why = ""
        self._said, self._size = deque[bytes](), 0
        self._news, self._room = asyncio.Event(), asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether nobody listens as fast as the server talks."""
        return len(self._said) >= MOST_UNHEARD or self._size >= MOST_UNHEARD_BYTES

    async def say(self, message: bytes) -> None:
        """The server says something."""
        while self.is_full and not self.is_over:
            self._room.clear()
            await self._room.wait()
        if not self.is_over:
            self.put(message)

    def put(self, message: bytes) -> None:
        """The server says something, and nobody waits for room."""
        self._said.append(message)
        self._size += len(message)
        self._news.set()

    def close(self, why: str = "") -> None:
        """Nothing more will be said."""
        self.why = self.why or why
        self.is_over = True
        self._news.set()
        self._room.set()

    def left(self) -> list[bytes]:
        """What was said and nobody heard; it is taken away."""
        said, self._size = list(self._said), 0
        self._said.clear()
        return said

    async def heard(self) -> bytes | None:
        """What is said next; None at the end."""
        while not self._said and not self.is_over:
            self._news.clear()
            await self._news.wait()
        if not self._said:
            return None
        self._room.set()
        said = self._said.popleft()
        self._size -= len(said)
        return said


class Flights:
    """All that are under way, by number."""

    def __init__(self) -> None:
        self._all: dict[int, Flight] = {}
        self._last = 0
        self._going_on: dict[int, Any] = {}

    def __iter__(self) -> Iterator[Flight]:
        return iter(list(self._all.values()))

    def begin(self, asked: Heard) -> tuple[Flight, bytes]:
        """One more request, and the line that asks."""
        self._last += 1
        flight = self._all[self._last] = Flight(self._last, asked)
        params = asked.body
        meta = asked.value.get("_meta")
        if isinstance(meta, dict) and "progressToken" in meta:
            params = jsonrpc.written({**asked.value, "_meta": {**meta, "progressToken": flight.number}})
        return flight, jsonrpc.request(b"%d" % flight.number, asked.method, params)

    def end(self, flight: Flight) -> None:
        """Nobody waits for it any more."""
        self._all.pop(flight.number, None)
        flight.close()

    def of_id(self, id: bytes) -> Flight | None:
        """The request that the client knows by an id."""
        return next((one for one in self._all.values() if one.asked.id and same_id(one.asked.id, id)), None)

    def numbered(self, number: Any) -> Flight | None:
        """The request that the server knows by a number."""
        return self._all.get(number) if type(number) is int else None

    def answered(self, message: Heard) -> tuple[Flight, bytes] | None:
        """Whose answer a message is, and that answer in the client's words."""
        flight = self.numbered(int(message.id)) if message.id.isdigit() and len(message.id) < 20 else None
        if flight and "task" in flight.asked.value and "task" in message.value:
            self._goes_on(flight)
        return (flight, jsonrpc.reply(flight.asked.id, body_of(message))) if flight else None

    def _goes_on(self, flight: Flight) -> None:
        """It is answered, and goes on as a task, whose progress bears the same token."""
        if len(self._going_on) >= MOST_GOING_ON:
            del self._going_on[next(iter(self._going_on))]
        self._going_on[flight.number] = _token(flight)

    def of_nobody(self, message: Heard) -> bytes | None:
        """What is for no request under way, in the client's words; None for progress that is of no task either."""
        said, body = message.value, message.body
        if message.method == PROGRESS:
            number = said.get("progressToken")
            if type(number) is not int or number not in self._going_on:
                return None
            body = jsonrpc.written({**said, "progressToken": self._going_on[number]})
        return jsonrpc.request(message.id, message.method, body)

    def told(self, message: Heard) -> tuple[Flight, bytes] | None:
        """Whom a notification is for, in the client's words; None where it does not say."""
        said, meta = message.value, message.value.get("_meta")
        if message.method == PROGRESS:
            flight = self.numbered(said.get("progressToken"))
            return _instead(flight, message, {**said, "progressToken": flight and _token(flight)})
        if isinstance(meta, dict) and _SUBSCRIPTION in meta:
            flight = self.numbered(meta[_SUBSCRIPTION])
            own = {**meta, _SUBSCRIPTION: _value(flight)}
            return _instead(flight, message, {**said, "_meta": own})
        if message.method == CANCELLED and (flight := self.numbered(said.get("requestId"))):
            return _instead(flight, message, {**said, "requestId": _value(flight)})
        return None


def cancelled(number: int, said: Mapping[str, Any]) -> bytes:
    """The line that takes a request back."""
    return jsonrpc.request(b"", CANCELLED, jsonrpc.written({**said, "requestId": number}))


def _instead(flight: Flight | None, message: Heard, said: dict[str, Any]) -> tuple[Flight, bytes] | None:
    return (flight, jsonrpc.request(b"", message.method, jsonrpc.written(said))) if flight else None


def _value(flight: Flight | None) -> Any:
    return flight and _of(flight.asked.id)


def _of(id: bytes) -> Any:
    """What the text of an id says."""
    return strictjson.parse(id, 1)


def _token(flight: Flight) -> Any:
    """What the client knows its progress by."""
    meta = flight.asked.value.get("_meta")
    return meta.get("progressToken") if isinstance(meta, dict) else None

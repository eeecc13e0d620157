"""Keepsakes: what may be needed again of calls with effects, by their ids, in the encrypted table.

Of a call that was carried out, the call that undoes it; of one of which nobody knows whether it was, the call itself.
Both hold values that nobody may see, and the caller's credential: so both have an expiry, and bounds.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import Any, Final, NamedTuple

from proxy.model import Carried, Outgoing
from proxy.store import Bounds, Store, StoreError

_log = logging.getLogger("toolwall")

UNDO: Final = "undo"
LETTER: Final = "letter"
BOUNDS: Final = {
    UNDO: Bounds(rows=200_000, bytes=256 << 20),
    LETTER: Bounds(rows=20_000, bytes=256 << 20),
}
"""In the table, of each of the two."""

MOST_KEPT: Final = 1 << 20
"""Bytes of one."""

LEAST_ROOM: Final = 0.02
"""Of the table, as a share: with less, nothing is begun whose undo could not be kept."""

LETTER_S: Final = 30 * 24 * 3600.0
"""As long as it is remembered that the outcome of a call is not known."""


class Undoing(NamedTuple):
    """The call that undoes another: `tool` with `arguments`, and what the other brought from `peer`."""

    tool: str
    arguments: Mapping[str, Any]
    brought: Carried
    peer: str

    def __repr__(self) -> str:
        return f"Undoing({self.tool})"


class Letter(NamedTuple):
    """A call as it came: the hash of its arguments, its run, that and its key as the caller named them, its way, and
    its request."""

    tool: str
    same: str
    run: str
    named: str
    once: str
    base: str
    peer: str
    origin: str
    outgoing: Outgoing

    def __repr__(self) -> str:
        return f"Letter({self.tool})"


class Keepsakes:
    """Both, in a table that `opened` opens, which is done when rules first need it."""

    def __init__(self, opened: Callable[[], Store]) -> None:
        self._opened = opened
        self._store: Store | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Open the table, in any thread. Raises StoreError."""
        if self._store is None:
            self._store = self._opened()

    @property
    def is_full(self) -> bool:
        """Whether one more undo could not be kept."""
        return self._table.room(UNDO) < LEAST_ROOM

    async def keep_undo(self, call: str, undoing: Undoing, within_s: float) -> None:
        """Keep what undoes a call. Raises StoreError."""
        await self._put(UNDO, call, _sealed([*undoing]), within_s)

    def keep_soon(self, call: str, kept: Letter | Undoing, lasts_s: float = LETTER_S) -> None:
        """Keep a call, or what undoes it, without anybody waiting for it. Where it fails, the log says so."""
        if isinstance(kept, Letter):
            *said, (method, path, headers, body, _) = kept  # of a kind that is never kept where it is rooted
            work = self._put(LETTER, call, _sealed([*said, method, path, headers], body), lasts_s)
        else:
            work = self._put(UNDO, call, _sealed([*kept]), lasts_s)
        self._begin(call, work)

    def forget_soon(self, purpose: str, call: str) -> None:
        """Take one out without anybody waiting for it."""
        if self._store is not None:
            self._begin(call, self._table.aside(self._table.delete, purpose, call.encode()))

    def _begin(self, call: str, work: Awaitable[object]) -> None:
        task = asyncio.get_running_loop().create_task(_quietly(call, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def undo_of(self, call: str) -> Undoing | None:
        """What undoes a call; None where nothing is kept, or no longer. Raises StoreError."""
        data = await self._get(UNDO, call)
        if data is None:
            return None
        tool, arguments, (headers, query, cookies), peer = json.loads(data.partition(b"\n")[0])
        return Undoing(tool, arguments, Carried(_pairs(headers), tuple(query), _pairs(cookies)), peer)

    async def letter_of(self, call: str) -> Letter | None:
        """A call as it came; None where it is not kept, or no longer. Raises StoreError."""
        await self.settled()
        data = await self._get(LETTER, call)
        if data is None:
            return None
        head, _, body = data.partition(b"\n")
        *said, method, path, headers = json.loads(head)
        return Letter._make([*said, Outgoing(method, path, _pairs(headers), body)])

    async def forget(self, purpose: str, call: str) -> bool:
        """Take one out. Whether it was there, so that nobody else has taken it. Raises StoreError."""
        await self.settled()
        return await self._table.aside(self._table.delete, purpose, call.encode())

    async def settled(self) -> None:
        """Wait for what is on its way into the table."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _get(self, purpose: str, call: str) -> bytes | None:
        return None if self._store is None else await self._store.soon(purpose, call.encode(), time())

    async def _put(self, purpose: str, call: str, data: bytes, lasts_s: float) -> None:
        if len(data) > MOST_KEPT:
            raise StoreError(f"it has more than {MOST_KEPT} bytes")
        now = time()
        await self._table.aside(self._table.put, purpose, {call.encode(): data}, now + lasts_s, now)

    @property
    def _table(self) -> Store:
        assert self._store is not None, "rules with effects open it"
        return self._store


async def _quietly(call: str, work: Awaitable[object]) -> None:
    try:
        await work
    except (StoreError, ValueError) as error:
        _log.error("what may be needed again of call %s is not kept: %s", call, error)


def _sealed(said: list[Any], body: bytes = b"") -> bytes:
    """As it is stored: a line of JSON, then a body."""
    return json.dumps(said, separators=(",", ":")).encode() + b"\n" + body


def _pairs(found: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in found)

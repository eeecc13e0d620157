"""Remainders: what shaping left out of replies, kept for a while, so that who got the reply can get the rest.

In memory only: a restart forgets all of it. Nothing is here that was not cleaned as the reply was.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple

from proxy.routes import REST
from redaction.shaping import Bounds, Links, Part
from rules.mcp.plumbing import REST_TOOL

PATH: Final = REST.path

ASKED: Final = f"GET {PATH}"
CALLED: Final = f"call {REST_TOOL} with rest="
"""How who got a reply gets the rest: by a request, or by a call over MCP. The handle comes behind it."""

MOST_PARTS: Final = 1_000
"""Of one reply that can be had; a reply with more cuts than that says so without a link."""

_PART_BYTES: Final = 256  # what a part takes in memory, about


class Owner(NamedTuple):
    """Who may have it: nobody else, and only under the rules under which it was made."""

    principal: str
    run: str
    revision: str


@dataclass(frozen=True, slots=True)
class RestBounds:
    """How long the rest of a reply is kept, in seconds; how many replies, and bytes, of one run and of all. The oldest
    go first."""

    rest_s: float = 15 * 60.0
    most_run: int = 100
    most_run_bytes: int = 32 << 20
    most: int = 10_000
    most_bytes: int = 256 << 20


@dataclass(slots=True)
class Kept:
    """A reply of which parts were left out. `text` is all of it, `parts` by their places. `call` gave it."""

    owner: Owner
    call: str
    text: str = field(repr=False)
    is_json: bool
    bounds: Bounds
    parts: dict[int, Part] = field(repr=False)
    until: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return sys.getsizeof(self.text) + _PART_BYTES * len(self.parts)


class _Run:
    """What is kept of one run."""

    __slots__ = ("handles", "size")

    def __init__(self) -> None:
        self.handles: OrderedDict[str, None] = OrderedDict()
        self.size = 0


class Remainders:
    """What is kept, by unguessable handles, oldest first. Lives in one event loop."""

    def __init__(self, bounds: RestBounds | None = None) -> None:
        self._bounds = bounds or RestBounds()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._runs: dict[tuple[str, str], _Run] = {}
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many replies are kept."""
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of memory of all that is kept."""
        return self._size

    def fresh(self, body: bytes, way: str = ASKED) -> tuple[str, Links]:
        """A handle for this reply, and links with it; none where it is too large to be kept. `way` is how the rest is
        asked for."""
        handle = secrets.token_urlsafe(16)
        most = len(body) if body.isascii() else 4 * len(body)  # of the text that it is
        return handle, Links(f"{way}{handle}-", MOST_PARTS if most < self._bounds.most_run_bytes else 0)

    def links(self, handle: str, kept: Kept, way: str = ASKED) -> Links:
        """Links for what is left out of a piece of it."""
        return Links(f"{way}{handle}-", MOST_PARTS - len(kept.parts))

    def keep(self, handle: str, kept: Kept) -> None:
        """Keep it under a fresh handle, and let the oldest go where it is too much."""
        kept.until = monotonic() + self._bounds.rest_s
        run = self._runs.setdefault(kept.owner[:2], _Run())
        self._kept[handle] = kept
        run.handles[handle] = None
        self._count(kept, kept.size)
        self._bound(run)
        if self._timer is None:
            self._sweep()

    def extend(self, handle: str, kept: Kept, parts: Iterable[Part]) -> None:
        """A piece of it was given, of which parts were left out in turn."""
        if self._kept.get(handle) is not kept:  # forgotten while the piece was made
            return
        before = kept.size
        kept.parts.update((part.start, part) for part in parts)
        self._count(kept, kept.size - before)

    def find(self, handle: str, owner: Owner) -> Kept | None:
        """What is kept under a handle for this very owner."""
        kept = self._kept.get(handle)
        return kept if kept is not None and kept.owner == owner and kept.until > monotonic() else None

    def _count(self, kept: Kept, size: int) -> None:
        if run := self._runs.get(kept.owner[:2]):
            run.size += size
            self._size += size

    def _bound(self, run: _Run) -> None:
        bounds = self._bounds
        while len(run.handles) > 1 and (len(run.handles) > bounds.most_run or run.size > bounds.most_run_bytes):
            self._forget(next(iter(run.handles)))
        while len(self._kept) > 1 and (len(self._kept) > bounds.most or self._size > bounds.most_bytes):
            self._forget(next(iter(self._kept)))

    def _forget(self, handle: str) -> None:
        kept = self._kept.pop(handle)
        run = self._runs[kept.owner[:2]]
        self._count(kept, -kept.size)
        del run.handles[handle]
        if not run.handles:
            del self._runs[kept.owner[:2]]

    def _sweep(self) -> None:
        """Forget what is too old, now and as long as anything is kept."""
        now = monotonic()
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._forget(next(iter(self._kept)))
        first = next(iter(self._kept.values()), None)
        self._timer = None
        if first is not None:
            self._timer = asyncio.get_running_loop().call_later(first.until - now + 0.01, self._sweep)

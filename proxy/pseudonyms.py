"""The pseudonyms of all runs: those of the runs under way in memory, all of them in the encrypted table.

A run is a run of a principal: two principals that use one name for theirs share nothing. What is new is stored before
the reply that shows it leaves.

A run is forgotten `keep_s` after its last use. That it was there stays known for thirty times as long: a run of the
same name begins anew with numbers that were not given, for an old token must not mean another value.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from time import time
from typing import Any, Final
from weakref import WeakValueDictionary

import orjson

from proxy.store import Bounds, Store, StoreError
from redaction.pseudonyms import MOST_VALUES, Pseudonym, Pseudonyms

_log = logging.getLogger("toolwall")

PURPOSE: Final = "pseudonym"
BOUNDS: Final = Bounds(rows=100_000, bytes=256 << 20)
"""In the table. A run takes two rows, and one more for each reply with new values until there are MOST_PARTS."""

KEEP_S: Final = 24 * 3600.0
EPOCH_TIMES: Final = 30
"""How many times as long as its values it is known how often a run began anew."""

MOST_PARTS: Final = 32
"""Rows of one run; then they are written as one."""
MOST_IN_MEMORY: Final = 200
"""Runs that no call uses at the moment."""
LEAST_ROOM: Final = 0.02
"""Of the table, as a share: with less, no value gets a pseudonym that has none yet."""

TEND_S: Final = 60.0
_LATE = 1 / 24  # of `keep_s`: so much of it may pass before what is used is stored anew with a later expiry


class RunPseudonyms(Pseudonyms):
    """Those of one run, with what is known of their rows: `epoch` counts how often the run began anew."""

    def __init__(self, run: bytes, epoch: int, seed: bytes, expires: float) -> None:
        super().__init__(seed, (epoch - 1) * MOST_VALUES, threading.Lock())
        self.run, self.epoch, self.expires = run, epoch, expires
        self.stored = self.parts = 0
        self.broken = ""
        """Why they cannot be read or stored."""

    @property
    def note(self) -> str:
        """Why new values stand as their kinds, if they do."""
        if self.broken:
            return self.broken
        return "there is no room for more pseudonyms: values without one stand as their kinds" if self.is_full else ""


class Keeper:
    """Gives each call the pseudonyms of its run. `opened` opens the table, which is done when rules first need it;
    `seed` makes surrogates.
    """

    def __init__(self, opened: Callable[[], Store], seed: Callable[[], bytes], keep_s: float = KEEP_S) -> None:
        self._opened = opened
        self._seed = seed
        self._keep_s = keep_s
        self._store: Store | None = None
        self._alive: WeakValueDictionary[bytes, RunPseudonyms] = WeakValueDictionary()
        self._recent: OrderedDict[bytes, RunPseudonyms] = OrderedDict()
        self._loading = asyncio.Lock()
        self._saving = asyncio.Lock()

    def open(self) -> None:
        """Open the table, in any thread. Raises StoreError."""
        if self._store is None:
            self._store = self._opened()

    def close(self) -> None:
        """Let go of the table."""
        if self._store is not None:
            self._store.close()

    async def of(self, principal: str, run: str) -> RunPseudonyms:
        """Those of a run. Where they cannot be read none are given, and their `note` says why."""
        assert self._store is not None, "rules that need it open it"
        name = orjson.dumps([principal, run])
        known = self._in_memory(name)
        if known is None:
            async with self._loading:  # or two calls of one run would count twice
                known = self._in_memory(name)
                if known is None:
                    known = await self._loaded(name, self._store)
        if not known.broken:
            known.closed = self._store.room(PURPOSE) < LEAST_ROOM
            self._recent[name] = known
            self._recent.move_to_end(name)
            if len(self._recent) > MOST_IN_MEMORY:
                self._recent.popitem(last=False)
        return known

    async def save(self, known: RunPseudonyms) -> None:
        """Store what is new, and what was used for long. Raises StoreError: then no reply may show any of it."""
        if len(known) == known.stored and not (known.stored and self._is_late(known, time())):
            return
        async with self._saving:
            if known.broken:
                raise StoreError(known.broken)
            assert self._store is not None
            try:
                await self._store.aside(self._write, self._store, known, time())
            except StoreError as error:
                _log.error("the pseudonyms of a run cannot be stored: %s", error)
                known.broken = "the pseudonyms of the run cannot be stored"
                self._forget(known)  # the next call goes on from what is stored
                raise

    async def watch(self) -> None:
        """Take out what has expired, again and again."""
        while True:
            await asyncio.sleep(TEND_S)
            if self._store is not None:
                try:
                    await self._store.aside(self._store.sweep, time())
                except StoreError as error:
                    _log.error("%s", error)

    def _in_memory(self, name: bytes) -> RunPseudonyms | None:
        known = self._alive.get(name)
        return known if known is not None and known.expires > time() else None

    def _forget(self, known: RunPseudonyms) -> None:
        if self._alive.get(known.run) is known:
            del self._alive[known.run]
            self._recent.pop(known.run, None)

    def _is_late(self, known: RunPseudonyms, now: float) -> bool:
        return known.expires - now < self._keep_s * (1 - _LATE)

    async def _loaded(self, name: bytes, store: Store) -> RunPseudonyms:
        try:
            known = await store.aside(self._read, store, name, time())
        except StoreError as error:
            _log.error("the pseudonyms of a run cannot be read: %s", error)
            known = self._begun(name, 1, 0.0)
            known.closed, known.broken = True, "the pseudonyms of the run cannot be read"
            return known
        self._alive[name] = known
        return known

    def _begun(self, name: bytes, epoch: int, expires: float) -> RunPseudonyms:
        seed = hashlib.blake2b(_named(name, "seed", epoch), digest_size=32, key=self._seed()).digest()
        return RunPseudonyms(name, epoch, seed, expires)

    def _read(self, store: Store, name: bytes, now: float) -> RunPseudonyms:
        """What the table has of a run; otherwise the beginning of its next epoch."""
        epoch = _epoch(store, name, now)
        parts = list(_parts(store, name, epoch, now)) if epoch else []
        if not parts:
            return self._begun(name, epoch + 1, now + self._keep_s)
        known = self._begun(name, epoch, parts[0][0])
        known.load(Pseudonym(*each) for _, values in parts for each in values)
        known.parts, known.stored = len(parts), len(known)
        return known

    def _write(self, store: Store, known: RunPseudonyms, now: float) -> None:
        """Store the new values in a row of their own, or all of them in one. Those before are of this time at most."""
        whole = not known.parts or known.parts >= MOST_PARTS or self._is_late(known, now)
        expires = now + self._keep_s if whole else known.expires
        values = known.since(0 if whole else known.stored)
        if whole and _epoch(store, known.run, now) <= known.epoch:
            # Before its values: what is lost is a number, and no number is given twice.
            mark = {_named(known.run, "epoch"): str(known.epoch).encode()}
            store.put(PURPOSE, mark, now + EPOCH_TIMES * self._keep_s, now)
        place = 0 if whole else known.parts
        store.put(PURPOSE, {_named(known.run, "part", known.epoch, place): _packed(expires, values)}, expires, now)
        for number in range(1, known.parts if whole else 0):
            store.delete(PURPOSE, _named(known.run, "part", known.epoch, number))
        known.parts, known.expires = place + 1, expires
        known.stored = len(values) if whole else known.stored + len(values)


def _epoch(store: Store, name: bytes, now: float) -> int:
    last = store.get(PURPOSE, _named(name, "epoch"), now)
    return int(last) if last else 0


def _named(name: bytes, *what: str | int) -> bytes:
    return orjson.dumps([*what]) + name


def _packed(expires: float, values: list[Pseudonym]) -> bytes:
    return orjson.dumps([expires, [[*each] for each in values]])


def _parts(store: Store, name: bytes, epoch: int, now: float) -> Iterator[tuple[float, list[list[Any]]]]:
    for number in range(MOST_PARTS + 1):
        row = store.get(PURPOSE, _named(name, "part", epoch, number), now)
        if row is None:
            return
        expires, values = orjson.loads(row)
        yield expires, values

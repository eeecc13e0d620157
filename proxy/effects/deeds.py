"""Deeds: what became of actions, by the names of their keys, in the encrypted table.

The intent in the ledger, which is on disk before the first byte of a call leaves, is what reserves a key: nothing more
is written before a call is sent. What became of it is stored before its answer is given. So after a crash the ledger
knows of every call that may have been carried out, and from it is taken over what the table does not have: all since
the mark, a row that says up to which entry of the ledger the table is whole. Rows are stored one after the other, so
where the mark outlived a crash of the machine, all before it did.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import time
from typing import Any, Final, NamedTuple

from proxy.effects.once import Held, sealed, unsealed
from proxy.ledger.chain import Sealed, place, unseal
from proxy.ledger.segments import first_of, lines, segments_in
from proxy.store import Bounds, Store, StoreError
from rules.once import NAMED_S

_log = logging.getLogger("toolwall")

PURPOSE: Final = "once"
BOUNDS: Final = Bounds(rows=500_000, bytes=1 << 30)
"""In the table. A row takes some 400 bytes, besides the answer."""

MOST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that is kept; what a write answers is a receipt, not a document."""

LEAST_ROOM: Final = 0.02
"""Of the table, as a share: with less, nothing with effects is begun, for it could not be remembered."""

ANSWERS_ROOM: Final = 0.25
"""With less, actions are remembered without their answers."""

DOUBT_S: Final = 30 * 24 * 3600.0
"""How long it is remembered that an outcome is not known, if nobody settles it."""

MOST_UNSAVED: Final = 10_000
"""Rows that could not be stored and are kept in memory until they can; with so many, nothing with effects is begun."""

TEND_S: Final = 60.0
_MARK: Final = b"ledger"


class Deeds:
    """What is known of actions. `opened` opens the table, `ledger` is the ledger's folder."""

    def __init__(self, opened: Callable[[], Store], ledger: Path) -> None:
        self._opened = opened
        self._ledger = ledger
        self._store: Store | None = None
        self._whole_to: Callable[[], int] = lambda: 0
        self._unsaved: dict[bytes, _Row] = {}
        self._written: dict[bytes, _Row] = {}
        self._batch: _Batch | None = None
        self._saving: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Open the table and bring it up to what the ledger knows, in any thread. Raises StoreError, LedgerError."""
        if self._store is None:
            store = self._opened()
            _recover(store, self._ledger)
            self._store = store

    def close(self) -> None:
        """Let go of the table."""
        if self._store is not None:
            self._store.close()

    @property
    def is_full(self) -> bool:
        """Whether one more action could not be remembered."""
        return self._table.room(PURPOSE) < LEAST_ROOM or len(self._unsaved) >= MOST_UNSAVED

    def keeps(self, size: int) -> bool:
        """Whether an answer of so many bytes is kept."""
        return size <= MOST_ANSWER and self._table.room(PURPOSE) >= ANSWERS_ROOM

    async def get(self, name: bytes) -> Held | None:
        """What became of an action. Raises StoreError."""
        # Who left meanwhile waits for nothing, so what is still to be written may be asked for.
        for rows in (self._batch.rows if self._batch else {}, self._written, self._unsaved):
            if name in rows:
                return rows[name][0]
        data = await self._table.soon(PURPOSE, name, time())
        return None if data is None else unsealed(data)

    def put(self, name: bytes, held: Held, lasts_s: float) -> asyncio.Future[None]:
        """Remember it, in memory alone as long as the table cannot be written. What comes while the table is written
        is written together, also where who waits for it leaves.
        """
        if self._batch is None:
            self._batch = _Batch({}, asyncio.get_running_loop().create_future())
        batch = self._batch
        batch.rows[name] = (held, _until(held, lasts_s))
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())
        return asyncio.shield(batch.saved)

    async def _save(self) -> None:
        while self._batch is not None:
            batch, self._batch = self._batch, None
            self._written = batch.rows
            try:
                await self._stored(batch.rows)
            except Exception as error:
                batch.saved.set_exception(error)
            else:
                batch.saved.set_result(None)
            finally:
                self._written = {}

    async def _stored(self, rows: dict[bytes, _Row]) -> None:
        before = {name: self._unsaved[name] for name in rows if name in self._unsaved}
        try:
            await self._table.aside(_put, self._table, rows)
        except StoreError as error:
            _log.error("what became of %d calls cannot be stored yet: %s", len(rows), error)
            self._unsaved.update((name, (held._replace(answer=None), until)) for name, (held, until) in rows.items())
        else:
            for name, row in before.items():
                self._now_saved(name, row)

    def _now_saved(self, name: bytes, row: _Row) -> None:
        if self._unsaved.get(name) is row:  # nobody settled it meanwhile
            del self._unsaved[name]

    def settle(self, settled: Mapping[str, Any], at_ns: int) -> None:
        """Take over what somebody found out of an action, from an entry of the ledger of kind `settled`."""
        held = _held(settled, settled["once"], at_ns)
        if held is not None:
            lasts_s = float(settled["once"]["lasts_s"])
            self._unsaved[bytes.fromhex(settled["once"]["name"])] = (held, _until(held, lasts_s))

    async def tend(self, whole_to: int) -> None:
        """Store what could not be stored before, take out what has expired, and mark how far the table is whole:
        `whole_to` is the last entry of the ledger of which all before are of calls that ended. Raises StoreError.
        """
        # For the mark these calls ended, also where nobody waits for their rows any more.
        if self._saving and not self._saving.done():
            await asyncio.wait((self._saving,))
        for name in list(self._unsaved):
            if row := self._unsaved.get(name):
                await self._table.aside(_put, self._table, {name: row})
                self._now_saved(name, row)
        await self._table.aside(self._table.put, PURPOSE, {_MARK: b"%d" % whole_to}, time() + 10 * DOUBT_S, time())
        await self._table.aside(self._table.sweep, time())

    def follow(self, whole_to: Callable[[], int]) -> None:
        """Ask this how far the ledger may be marked."""
        self._whole_to = whole_to

    async def watch(self) -> None:
        """Tend again and again."""
        while True:
            await asyncio.sleep(TEND_S)
            await self.finish()

    async def finish(self) -> None:
        """Tend, also a last time: the next start has little to look for then."""
        if self._store is not None:
            try:
                await self.tend(self._whole_to())
            except StoreError as error:
                _log.error("%s", error)

    @property
    def _table(self) -> Store:
        assert self._store is not None, "rules with effects open it"
        return self._store


_Row = tuple[Held, float]
"""What became of an action, and until when that is remembered."""


class _Batch(NamedTuple):
    """What is stored together, by the names of the actions."""

    rows: dict[bytes, _Row]
    saved: asyncio.Future[None]


def _put(store: Store, rows: Mapping[bytes, _Row]) -> None:
    store.put_each(PURPOSE, {name: (sealed(held), until) for name, (held, until) in rows.items()}, time())


def _until(held: Held, lasts_s: float) -> float:
    return held.at + (max(DOUBT_S, lasts_s) if held.state in ("unknown", "again") else lasts_s)


def _recover(store: Store, ledger: Path) -> None:
    now = time()
    mark = int(store.get(PURPOSE, _MARK, now) or 0)
    for name, told in recovered(_after(ledger, mark)).items():
        held = told.held
        if (until := _until(held, told.lasts_s)) <= now:
            continue
        row = store.get(PURPOSE, name, now)
        if row is None or _is_news(told, unsealed(row)):
            store.put(PURPOSE, {name: sealed(held)}, until, now)


class _Told(NamedTuple):
    """What the ledger tells of an action, and for how long a repeat is known. `begun`: also that its call began."""

    held: Held
    lasts_s: float
    begun: bool


def _is_news(told: _Told, row: Held) -> bool:
    """Whether the ledger knows more than the table. A call that began behind the mark is later than any other that the
    table knows; one that only ended there may have been overtaken. Ids tell nothing of that: clocks go back.
    """
    held = told.held
    if row.call != held.call:
        return told.begun
    return held.state in ("again", "undone") or (row.state == "unknown" and held.state != "unknown")


def _after(folder: Path, seq: int) -> Iterator[Sealed]:
    """The entries after a number that may tell of actions."""
    segments = segments_in(folder)
    old = [segment for segment in segments if first_of(segment) <= seq + 1]
    for segment in segments[max(len(old) - 1, 0) :]:
        for _, line in lines(segment):
            if b'"once":' in line and place(line)[0] > seq and isinstance(each := unseal(line), Sealed):
                yield each


def recovered(entries: Iterable[Sealed]) -> dict[bytes, _Told]:
    """What the ledger tells of actions, of each by the call that began last.

    An intent without an end may have been carried out. The end of a call may come behind the beginning of the next: an
    answer may stream for long after it was known what became of the action.
    """
    found: dict[bytes, _Told] = {}
    for each in entries:
        told = each.entry.get("once")
        if not isinstance(told, dict):
            continue
        name, begins = bytes.fromhex(told["name"]), each.entry["kind"] == "intent"
        known = found.get(name)
        if known and known.held.call != each.entry["call"] and not begins:
            continue
        held, lasts_s = _held(each.entry, told, each.at_ns), float(told.get("lasts_s", NAMED_S))
        if held is not None:
            found[name] = _Told(held, lasts_s, begins or (known is not None and known.begun))
        elif known:
            del found[name]
    return found


def _held(entry: Mapping[str, Any], told: Mapping[str, Any], at_ns: int) -> Held | None:
    """The action after one entry; None where nothing was done."""
    state = told.get("state", "unknown")
    if not state:
        return None
    status = int(entry.get("upstream_status", 0))
    at = at_ns / 1e9
    return Held(
        entry["call"], told["first"], told["asked"], at, entry.get("run", ""), entry.get("revision", ""), state, status
    )

"""Batches: the calls of one request, each through the whole pipeline as if it had come alone, some at once."""

from __future__ import annotations

import asyncio
from math import isfinite
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify
from proxy.model import Hail, Result
from proxy.outcomes import withheld
from proxy.protocols.batch import BatchAsk, Limits, PartAsk
from proxy.protocols.batchreply import written
from proxy.record import Record, new_id
from proxy.shedding import busy
from proxy.telemetry.telemetry import Telemetry, Trace
from rules.facts import Principal, Run

if TYPE_CHECKING:
    from proxy.transports.http import HttpDoor

_INLINE_BYTES: Final = 16 * 1024
"""An answer up to this size is written at once; a larger one in a thread, so that it holds up no call."""


async def answer(door: HttpDoor, firewall: Firewall, ask: BatchAsk, identify: Identify) -> Result:
    """The answers to a batch. Raises Refusal; either way its Record is written. It is no step of a run, its calls are.

    Where it raises `bad_request` none of its calls was begun.
    """
    async with firewall.entries.open(ask.listener) as entry:
        entry.hailed(hail := ask.hail())
        principal = await identify(hail)
        run = firewall.runs.current(principal.id, hail.run, monotonic())
        entry.identified(principal, Run(run, 0))
        firewall.halts.check(entry)
        bounds, record = door.bounds, entry.record
        asks = await ask.asks(Limits(bounds.most_batch, bounds.most_line, bounds.most_field, bounds.most_headers))
        record.method, record.decision, record.revision = "POST", "allow", firewall.regime.rules.revision
        batch = _Batch(door, firewall, principal, entry, asks)
        try:
            given = await batch.run()
        except Exception:
            entry.sent = batch.acted
            raise
        finally:
            record.notes.append(f"a batch of {len(asks)} calls, of which {batch.begun} were begun")
        # If it cannot be recorded now, nobody is told that nothing was done; and what only read is a read.
        entry.sent, record.effect = batch.acted, "" if batch.acted else "read"
        body = b'{"answers": [' + b", ".join(given) + b"]}\n"
        return await entry.follow(Result(200, [("Content-Type", "application/json")], Body.of(body)))


class _Batch:
    """One batch under way. The place among the calls that it has itself is that of one of its calls; others take more,
    as long as there are any: so a full door makes a batch slow, and never turns it away in the middle.
    """

    def __init__(
        self, door: HttpDoor, firewall: Firewall, principal: Principal, entry: Entry, asks: list[PartAsk]
    ) -> None:
        self.is_full = False
        """Whether an answer had no room any more: then nothing more is sent."""
        self.left = door.bounds.most_batch_reply
        self.entry = entry
        self._door, self._firewall, self._principal = door, firewall, principal
        self._asks = asks
        self._given = [b""] * len(asks)
        self._next = 0
        self._entries: list[Entry] = []

    @property
    def begun(self) -> int:
        """How many of its calls have a Record."""
        return len(self._entries)

    @property
    def acted(self) -> bool:
        """Whether something that has effects may have reached a backend."""
        return any(each.sent and each.record.effect != "read" for each in self._entries)

    async def run(self) -> list[bytes]:
        """The answers, in the order of the calls."""
        async with asyncio.TaskGroup() as group:
            for number in range(min(self._door.bounds.batch_at_once, len(self._asks))):
                group.create_task(self._work(own=number == 0))
        return self._given

    async def _work(self, own: bool) -> None:
        """Make one call after the other, as long as there are any and a place for them."""
        admission = self._door.admission
        while self._next < len(self._asks) and (own or not admission.is_full):
            admission.calls += not own
            at, self._next = self._next, self._next + 1
            try:
                self._given[at] = await self._answer(self._asks[at])
            finally:
                admission.calls -= not own

    async def _answer(self, ask: PartAsk) -> bytes:
        admission = self._door.admission
        if not admission.take(counted=True) and not await admission.wait(counted=True):
            ask.refusal = busy()
        if self.is_full:
            ask.refusal = _full()
        try:
            result = await self._firewall.handle(ask, self._identify, self._open)
            status, headers, body = result.status, result.headers, result.body.whole or b""
        except Refusal as refusal:
            status, headers, body = self._door.said(refusal)
        if len(body) <= _INLINE_BYTES:
            return written(status, headers, body)
        return await asyncio.to_thread(written, status, headers, body)

    async def _identify(self, _: Hail) -> Principal:
        return self._principal

    def _open(self, listener: str) -> Entry:
        entry = _PartEntry(self, self._firewall, Record(call=new_id(), started_ns=time_ns(), door=listener))
        self._entries.append(entry)
        return entry


class _PartEntry(Entry):
    """The Record of one call of a batch. Its answer is read whole before: what does not fit is no answer."""

    def __init__(self, batch: _Batch, firewall: Firewall, record: Record) -> None:
        super().__init__(firewall.entries, record)
        self._batch = batch
        record.batch = batch.entry.record.call

    def _begun(self, telemetry: Telemetry) -> Trace:
        above = self._batch.entry.trace
        assert above is not None
        return telemetry.below(above, self.record.started_ns)

    async def follow(self, result: Result) -> Result:
        flow = result.body.flow
        result.body = Body.of(await self._whole(result.body))
        if flow:  # what would stand in its trailers
            told = flow.trailers()
            names = {name.lower() for name, _ in told}
            result.headers = [*(pair for pair in result.headers if pair[0].lower() not in names), *told]
        return await super().follow(result)

    async def _whole(self, body: Body) -> bytes:
        """All of it, also of a stream, which has the time that other answers of its tool have."""
        try:
            async with asyncio.timeout_at(self.deadline if isfinite(self.deadline) else None), body:
                return await self._read(body)
        except TimeoutError:
            note = "a stream that did not end within the time of its tool"
            raise withheld(self.record, "It did not end in time, as a call in a batch has to.", note) from None

    async def _read(self, body: Body) -> bytes:
        pieces, taken = [], 0
        async for piece in body:
            pieces.append(piece)
            taken += len(piece)
            self._batch.left -= len(piece)
            if self._batch.left < 0:
                self._batch.left += taken
                self._batch.is_full = True
                raise withheld(self.record, "With the other answers of its batch it is too large. Ask for it alone.")
        return b"".join(pieces)


def _full() -> Refusal:
    return Refusal(
        "limit_reached",
        "The answers to the calls before it fill what a batch may be answered with. Nothing was sent.",
        suggestion="Send this call again, in another batch or alone.",
        retry_after=1,
        note="batch: no room for its answer",
    )

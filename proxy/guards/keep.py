"""Keep: what undoes a call is taken from it and from its answer as it came, before anything of that is taken out.

And a call of which nobody knows whether it was carried out is kept itself, for a person who may send it again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from proxy import decoding, replyheaders
from proxy.body import Body, TooLong
from proxy.decoding import Undecodable
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.keepsakes import Keepsakes, Letter, Undoing
from proxy.ledger.pending import is_pending
from proxy.model import Call, Carried, Result, Send
from proxy.once import answered
from proxy.outcomes import whole
from proxy.record import Record
from proxy.scanning import INLINE_BYTES, Scans
from proxy.store import StoreError
from redaction.scanner import Unreadable
from rules.decide import Decision
from rules.formula import Untold
from rules.once import NOT_DONE
from rules.tools import Tool, Undo
from rules.undo import taken


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool has effects."""
    return tool.effect != "read"


class Keep:
    """The guard, with the place where things are kept, what a call brings besides its arguments, and the threads in
    which large replies are read.
    """

    __name__ = "keep"

    def __init__(self, keepsakes: Keepsakes, carried: Callable[[Call], Carried], scans: Scans) -> None:
        self._keepsakes = keepsakes
        self._carried = carried
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Send nothing whose undo could not be kept; keep it before the answer goes on."""
        undo = None if _is_undoing(entry) else call.tool.undo
        if undo and self._keepsakes.is_full:
            raise _full()
        entry.at_end(lambda record: self._ended(call, entry, record))
        result = await send(call, entry)
        not_done = call.tool.once.not_done if call.tool.once else NOT_DONE
        if undo and answered(result.status, not_done) == "done":
            await self._keep(undo, call, entry, result)
        entry.check(self.__name__)
        return result

    async def _keep(self, undo: Undo, call: Call, entry: Entry, result: Result) -> None:
        record = entry.record
        try:
            reply = await self._reply(call, entry, result) if undo.needs_reply else None
            arguments = taken(undo.arguments, {"args": dict(call.arguments), "reply": reply})
            kept = Undoing(undo.tool, arguments, self._carried(call), call.peer)
            await asyncio.shield(self._keepsakes.keep_undo(record.call, kept, undo.within_s))
            record.undo = undo.tool
        except (Untold, StoreError, ValueError) as why:
            record.notes.append(f"undo: it is not kept: {why}")

    async def _reply(self, call: Call, entry: Entry, result: Result) -> Any:
        """The answer as JSON. Raises Untold."""
        media_type, _ = replyheaders.content_type(result.headers)
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise Untold("the answer is no JSON")
        most = call.tool.reply.most_bytes
        raw = await whole(entry.record, result.body, most)
        result.body = Body.of(raw)
        coding = replyheaders.value(result.headers, "content-encoding")
        if len(raw) <= INLINE_BYTES:
            return read(raw, coding, most)
        try:
            return await self._scans.apart(read, raw, coding, most)
        except Unreadable as why:
            raise Untold(f"the answer could not be read: {why}") from None

    def _ended(self, call: Call, entry: Entry, record: Record) -> None:
        """The call is over. Where nobody knows how, it is kept; and what undoes it, as far as that is known."""
        unknown = record.executed == "unknown" and is_pending({"kind": "call", **record.as_dict()})
        if not unknown or _is_undoing(entry):
            return
        came, hail = entry.came or call, entry.hail
        named = hail.behalf.named if hail.behalf else hail.run
        about = (call.tool.name, entry.judged, call.run.id, named, hail.once)
        self._keepsakes.keep_soon(record.call, Letter(*about, came.base, came.peer, came.origin, came.outgoing))
        undo = call.tool.undo
        if undo and not undo.needs_reply:
            try:
                arguments = taken(undo.arguments, {"args": dict(call.arguments)})
            except Untold:
                return
            self._keepsakes.keep_soon(
                record.call, Undoing(undo.tool, arguments, self._carried(call), call.peer), undo.within_s
            )


def _is_undoing(entry: Entry) -> bool:
    """What undoes is not undone itself, and whoever wants it again undoes the run again."""
    return bool(entry.hail.behalf and entry.hail.behalf.undoes)


def read(raw: bytes, coding: str, most: int) -> Any:
    """An answer as JSON. Raises Untold, also where it could be read in two ways."""
    try:
        return json.loads(decoding.decode(raw, coding, most), object_pairs_hook=_members)
    except (ValueError, RecursionError, Undecodable, TooLong):
        raise Untold("the answer is no JSON that everybody reads alike") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _full() -> Refusal:
    return Refusal(
        "limit_reached",
        "What would undo this call cannot be kept, so it is not begun. Nothing was sent.",
        suggestion="Wait, then repeat the call; tell the operator.",
        retry_after=60,
        note="keep: the table is full",
    )

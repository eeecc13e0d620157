"""Keep: what undoes a call is taken from it and from its answer as it came, before anything of that is taken out.

And a call of which nobody knows whether it was carried out is kept itself, for a person who may send it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.effects.keepsakes import Keepsakes, Letter, Undoing
from proxy.effects.once import answered
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.ledger.pending import is_pending
from proxy.model import Call, Carried, Result, Send
from proxy.record import Record
from proxy.replies.rawjson import taken_from
from proxy.scanning import Scans
from proxy.store import StoreError
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
            reply = await taken_from(call, entry, result, self._scans) if undo.needs_reply else None
            arguments = taken(undo.arguments, {"args": dict(call.arguments), "reply": reply})
            kept = Undoing(undo.tool, arguments, self._carried(call), call.peer)
            await asyncio.shield(self._keepsakes.keep_undo(record.call, kept, undo.within_s))
            record.undo = undo.tool
        except (Untold, StoreError, ValueError) as why:
            record.notes.append(f"undo: it is not kept: {why}")

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


def _full() -> Refusal:
    return Refusal(
        "limit_reached",
        "What would undo this call cannot be kept, so it is not begun. Nothing was sent.",
        suggestion="Wait, then repeat the call; tell the operator.",
        retry_after=60,
        note="keep: the table is full",
    )

"""Asking: where a contract names a tool that tells whether a call was carried out, the sidecar asks it.

Never a guess: what is no clear yes or no leaves it as unknown as it was, and a no counts only when the backend has had
the time to be done with the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import time
from typing import Any, Final, NamedTuple

from proxy.body import TooLong
from proxy.effects.keepsakes import Keepsakes, Letter
from proxy.effects.once import Held, State
from proxy.effects.settling import AS, Settler
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.hashing import keyed_hash
from proxy.identity.identity import NotKnown, principal_of
from proxy.mcp.made import Making
from proxy.model import Behalf, Call, Carried, Hail, Outgoing, same
from proxy.orders import Answer, Order
from proxy.protocols.again import again
from proxy.protocols.ordered import DOOR, PROTOCOL
from proxy.protocols.placing import Placed
from proxy.protocols.writing import brought, carried, written
from proxy.store import StoreError
from rules.facts import Principal
from rules.formula import Untold
from rules.tools import Catalog, SettleBy, Tool
from rules.undo import taken

MOST_REPLY: Final = 1 << 20
"""Bytes of the answer that are waited for; what it says is heard on its way."""

ORDER: Final = "ledger ask"
Caller = tuple[str, Principal]


class Doubt(NamedTuple):
    """A call of which it is not known whether it was carried out: its id, its arguments, what it brought, and when it
    ended, in seconds since the epoch."""

    call: str
    settle_by: SettleBy
    arguments: Mapping[str, Any]
    brought: Carried
    ended: float

    def __repr__(self) -> str:
        return f"Doubt({self.call})"


class Found(NamedTuple):
    """What is known then: `done`, `not-done`, or nothing, and `why`; and the call that asked."""

    found: str
    by: str
    why: str = ""


class Asking:
    """Asks, and lets whoever makes the call again know."""

    def __init__(self, making: Making, settler: Settler) -> None:
        self._making = making
        self._settler = settler

    async def for_repeat(self, call: Call, entry: Entry, held: Held, once: Mapping[str, Any]) -> State | None:
        """What became of an action, which the ledger calls `once`, and for which this call asks again. It is written
        down."""
        settle_by = call.tool.settle_by
        assert settle_by is not None
        doubt = Doubt(held.call, settle_by, call.arguments, carried(call), held.at)
        hail = entry.hail._replace(protocol=PROTOCOL, once="", behalf=None)
        found = await self.ask(doubt, call.principal, hail, entry.record.door, call.principal.id)
        if not found.found:
            entry.record.notes.append(f"settle_by: it is still not known: {found.why}")
            return None
        said = {"tool": call.tool.name, "principal": call.principal.id, "run": held.run, "revision": held.revision}
        about = {"kind": "settled", "call": held.call, **said, "as": found.found, "by": f"call {found.by}"}
        try:
            self._settler.write({**about, "once": {**once, "state": AS[found.found]}})
        except ValueError:
            entry.record.notes.append("settle_by: what was found out could not be written down")
            return None
        return AS[found.found]

    async def ask(self, doubt: Doubt, principal: Principal, hail: Hail, listener: str, ordered: str) -> Found:
        """Ask the backend in the name of a principal, and judge what it says."""
        heard: list[tuple[int, bool, Any]] = []
        behalf = Behalf(ordered, settles=doubt.call, hear=lambda *said: heard.append(said))
        try:
            arguments = taken(doubt.settle_by.arguments, {"args": dict(doubt.arguments)})
        except Untold as why:
            return Found("", "", f"what to ask for cannot be worked out: {why}")

        def make(tool: Tool, catalog: Catalog) -> tuple[Placed, Outgoing]:
            return written(tool, arguments, doubt.brought, catalog)

        hail = hail._replace(behalf=behalf)
        try:
            result = await self._making(listener, hail, doubt.settle_by.tool, make, principal)
            async with result.body:
                with suppress(TooLong):
                    await result.body.read(MOST_REPLY)
        except Refusal as no:
            return Found("", no.call_id, f"{doubt.settle_by.tool} was refused as {no.code}")
        by = next((value for name, value in result.headers if name == "Toolwall-Call"), "")
        return self._judged(doubt, heard, by, result.status)

    def _judged(self, doubt: Doubt, heard: list[tuple[int, bool, Any]], by: str, status: int) -> Found:
        done, tool = doubt.settle_by.done, doubt.settle_by.tool
        if not heard:
            return Found("", by, f"{tool} was answered with {status}")
        told, is_read, reply = heard[-1]
        if not is_read and "reply" in done.uses:
            return Found("", by, f"the answer of {tool} cannot be read")
        answer = done.is_so({"args": dict(doubt.arguments), "status": told, "reply": reply})
        if answer is None:
            return Found("", by, f"the answer of {tool} does not tell it")
        if not answer and time() - doubt.ended < doubt.settle_by.after_s:
            return Found("", by, f"nothing is there yet, which counts {doubt.settle_by.after_s:g} s after the call")
        return Found("done" if answer else "not-done", by)


class AskingByOrder:
    """Carries out orders of the operator to find out what became of a call. `known` are all principals, each with its
    listener."""

    def __init__(
        self, asking: Asking, firewall: Firewall, settler: Settler, keepsakes: Keepsakes, known: Iterable[Caller]
    ) -> None:
        self._asking = asking
        self._firewall = firewall
        self._settler = settler
        self._keepsakes = keepsakes
        self._known = known

    async def __call__(self, order: Order) -> Answer:
        """Ask, and settle the call by one of the entries that the order brings, if the backend tells it."""
        call, by = str(order["call"]), str(order["by"])
        try:
            letter = await self._keepsakes.letter_of(call)
            if letter is None:
                return _error(call, "what it asked for was not kept, or its time is over")
            principal = principal_of(self._known, str(order["principal"]), str(order["door"]))
            doubt = self._doubt(call, letter, float(order["ended"]))
        except (NotKnown, StoreError, _Cannot) as why:
            return _error(call, str(why))
        hail = Hail(PROTOCOL, letter.peer, run=letter.run)
        found = await self._asking.ask(doubt, principal, hail, DOOR, f"operator {by}")
        if not found.found:
            return _error(call, found.why)
        entry = {**order["entries"][found.found], "by": f"{by}, by call {found.by}"}
        try:
            self._settler({"entry": entry})
        except ValueError:
            return _error(call, "it is still under way, or the ledger cannot be written")
        return Answer({"as": found.found, "by": found.by}, f"call {call} as {found.found}, by call {found.by}")

    def _doubt(self, call: str, letter: Letter, ended: float) -> Doubt:
        """Raises _Cannot where its arguments would not be those that were sent."""
        catalog = self._firewall.regime.rules.catalog
        tool = catalog.tools.get(letter.tool)
        if tool is None or tool.settle_by is None:
            raise _Cannot("its contract names no tool that tells it (`settle_by`)")
        try:
            placed, outgoing = again(tool, letter.outgoing, catalog)
        except Refusal:
            raise _Cannot("it means nothing by the rules of today") from None
        meant = keyed_hash(self._firewall.entries.hash_key, same(placed.arguments, placed.aside))
        if meant != letter.same or tool.outgoing.mask:
            raise _Cannot("its arguments were sent otherwise than they came, so nobody could ask for the same")
        return Doubt(call, tool.settle_by, placed.arguments, brought(tool, outgoing), ended)


class _Cannot(Exception):
    """Nobody can ask. The text says why."""


def _error(call: str, why: str) -> Answer:
    text = f"It is still not known what became of call {call}: {why}."
    return Answer({"error": text}, text)

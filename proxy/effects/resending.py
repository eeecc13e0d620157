"""Resending: a call of which a person says that it was not carried out is sent once more, as it came.

It goes the way of all calls, in the name of the principal that made it, by the rules of today. Whoever takes it out of
the table sends it: so it is sent once for each time that somebody says so, also after a crash in the middle.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from proxy.body import TooLong
from proxy.effects.keepsakes import LETTER, Keepsakes, Letter
from proxy.effects.settling import Settler
from proxy.errors import Refusal
from proxy.identity.identity import NotKnown, principal_of, static
from proxy.mcp.made import Making
from proxy.model import Behalf, Hail, Outgoing
from proxy.orders import Answer, Order
from proxy.protocols import mcpparams
from proxy.protocols.again import again
from proxy.protocols.ordered import DOOR, PROTOCOL, Ordered
from proxy.protocols.placing import Placed
from proxy.store import StoreError
from rules.facts import Principal
from rules.tools import Catalog, Tool

ORDER: Final = "ledger retry"
MOST_REPLY: Final = 1 << 20
"""Bytes of its answer that are waited for. Who made the call gets it by making it again."""


class Resending:
    """Carries out orders of the operator. `known` are all principals, each with its listener."""

    def __init__(
        self, making: Making, keepsakes: Keepsakes, settler: Settler, known: Iterable[tuple[str, Principal]]
    ) -> None:
        self._making = making
        self._keepsakes = keepsakes
        self._settler = settler
        self._known = known

    async def __call__(self, order: Order) -> Answer:
        """Settle a call as not done, unless it is, and send it. The answer has `error`, or says what came of it."""
        call = str(order["call"])
        try:
            letter = await self._keepsakes.letter_of(call)
            if letter is None:
                return _error(call, "what it asked for was not kept, or its time is over; the agent may make it anew")
            principal = principal_of(self._known, str(order["principal"]), str(order["door"]))
            if not await self._keepsakes.forget(LETTER, call):
                return _error(call, "somebody else has just sent it")
        except (NotKnown, StoreError) as why:
            return _error(call, str(why))
        try:  # only who has taken it may say so: or a call that was sent meanwhile would count as not done
            if order.get("entry"):
                self._settler({"entry": order["entry"]})
        except ValueError:
            self._keepsakes.keep_soon(call, letter)
            return _error(call, "it is still under way, or the ledger cannot be written")
        return await self._send(call, letter, principal, f"operator {order['by']}")

    async def _send(self, call: str, letter: Letter, principal: Principal, by: str) -> Answer:
        behalf = Behalf(by, resends=call, same=letter.same, named=letter.named)
        hail = Hail(PROTOCOL, letter.peer, run=letter.run, once=letter.once, behalf=behalf)

        def make(tool: Tool, catalog: Catalog) -> tuple[Placed, Outgoing]:
            return again(tool, letter.outgoing, catalog)

        def alone(tool: Tool, catalog: Catalog) -> tuple[Placed, Outgoing]:
            return again(tool, mcpparams.alone(letter.outgoing), catalog)

        ask = Ordered(DOOR, hail, letter.tool, make, letter.base, letter.origin)
        told: dict[str, Any]
        try:
            try:
                result = await self._making.firewall.handle(ask, static(principal))
            except Refusal as no:
                if no.code != "unknown_session":
                    raise
                # An MCP server took nothing of it: there is no session any more in which it came.
                result = await self._making(DOOR, hail, letter.tool, alone, principal)
            async with result.body:
                with suppress(TooLong):
                    await result.body.read(MOST_REPLY)
            said = {name.lower(): value for name, value in result.headers}
            told = {"call": said.get("toolwall-call", ""), "status": result.status}
            told |= {"replayed": said["toolwall-replayed"]} if "toolwall-replayed" in said else {}
        except Refusal as no:
            if no.executed == "no":  # it may be sent when the cause is mended
                self._keepsakes.keep_soon(call, letter)
            told = {"call": no.call_id, "code": no.code, "executed": no.executed, "detail": no.detail}
            told["suggestion"] = no.suggestion
        words = f"call {call} as call {told['call']}: {told.get('code', told.get('status'))}"
        return Answer({"resent": call, **told}, words)


def _error(call: str, why: str) -> Answer:
    text = f"Call {call} was not sent again: {why}."
    return Answer({"error": text}, text)

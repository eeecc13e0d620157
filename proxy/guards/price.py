"""Price: what a call cost is read from the reply as it came, before anything of it is taken out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal

from proxy.body import Body, TooLong
from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.outcomes import whole
from proxy.pointers import at
from proxy.replies import decoding, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.scanning import INLINE_BYTES, Scans
from redaction.scanner import Unreadable
from rules.amounts import parsed, told
from rules.decide import Decision
from rules.tools import Cost, Tool


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool costs something: also where no budget pays, the Record tells it."""
    return bool(tool.costs)


class Price:
    """The guard, with the threads in which large replies are read."""

    __name__ = "price"

    def __init__(self, scans: Scans) -> None:
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and note in the Record what it cost, as far as that is known.

        An answer of 400 to 499 says that nothing was carried out: it costs no money and no tokens. Where the reply does
        not say it, nothing is noted, and all that was set aside is paid.
        """
        result = await send(call, entry)
        costs = call.tool.costs
        if 400 <= result.status < 500:
            found = {cost.unit: 0 for cost in costs}
        else:
            found = {cost.unit: cost.most for cost in costs if cost.pointer is None}
            asked = [cost for cost in costs if cost.pointer is not None]
            if asked and _is_json(result):
                found |= await self._read(asked, call, entry, result)
        entry.record.cost = {unit: told(unit, amount) for unit, amount in found.items()}
        entry.check(self.__name__)
        return result

    async def _read(self, costs: list[Cost], call: Call, entry: Entry, result: Result) -> dict[str, int]:
        most = call.tool.reply.most_bytes
        raw = await whole(entry.record, result.body, most)
        result.body = Body.of(raw)
        coding = replyheaders.value(result.headers, "content-encoding")
        if len(raw) <= INLINE_BYTES:
            return _said(costs, raw, coding, most)
        try:
            return await self._scans.apart(_said, costs, raw, coding, most)
        except Unreadable:
            return {}


def _is_json(result: Result) -> bool:
    media_type, _ = replyheaders.content_type(result.headers)
    return media_type == "application/json" or media_type.endswith("+json")


def _said(costs: Iterable[Cost], raw: bytes, coding: str, most: int) -> dict[str, int]:
    """What a reply says of the costs; nothing of those that it does not tell."""
    try:
        document = json.loads(decoding.decode(raw, coding, most), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError, Undecodable, TooLong):
        return {}
    found = {cost.unit: parsed(cost.unit, at(document, cost.pointer or "")) for cost in costs}
    return {unit: amount for unit, amount in found.items() if amount is not None}

"""Requests for the rest of a shaped reply, and their answers."""

from __future__ import annotations

from time import monotonic

from proxy.body import Body
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify
from proxy.model import Result
from proxy.protocols.remainder import RemainderAsk
from proxy.replies.pieces import Pieces
from proxy.replies.remainders import ASKED, Owner
from rules.facts import Run


class Fetching:
    """Answers requests for the rest of replies."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    async def answer(self, firewall: Firewall, ask: RemainderAsk, identify: Identify) -> Result:
        """The answer to one request. Raises Refusal; either way its Record is written. It is no step of a run."""
        async with firewall.entries.open(ask.listener) as entry:
            entry.hailed(hail := ask.hail())
            principal = await identify(hail)
            run = firewall.runs.current(principal.id, hail.run, monotonic())
            entry.identified(principal, Run(run, 0))
            firewall.halts.check(entry)
            wanted = ask.wanted()
            record = entry.record
            record.method, record.revision = "GET", firewall.regime.rules.revision
            record.decision = "allow"
            try:
                body = await self._pieces.given(entry, wanted, Owner(principal.id, run, record.revision), ASKED)
            except Refusal as no:
                record.decision = "deny" if no.code == "unknown_rest" else "allow"
                raise
            return await entry.follow(Result(200, [("Content-Type", "application/json")], Body.of(body)))

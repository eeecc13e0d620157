"""Breaker: nothing is sent to a backend that fails; what is sent tells how it does."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from time import monotonic

from proxy.body import Body
from proxy.breaker import Breaker as Machine
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.health import Health
from proxy.model import Call, Result, Send
from proxy.replies import replyheaders
from redaction.mediatypes import EVENTS, LINES
from rules.decide import Decision
from rules.tools import Tool

_FAILURES = frozenset({"timeout", "upstream_unreachable", "outcome_unknown", "reply_refused"})
"""Refusals that tell of the backend. Others are our own, and an agent that hangs up says nothing of it either."""


class Breaker:
    """The guard, with the breaker of each backend that has one."""

    __name__ = "breaker"

    def __init__(self, healths: Mapping[str, Health]) -> None:
        self._machines = {name: health.breaker for name, health in healths.items() if health.breaker}

    def applies(self, tool: Tool, decision: Decision) -> bool:
        """Whether the tool's backend has a breaker."""
        return tool.backend in self._machines

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Refuse while the breaker is open. Otherwise tell it how the request went."""
        machine, started = self._machines[call.tool.backend], monotonic()
        ticket = machine.admit(started)
        if ticket is None:
            raise _unhealthy(machine.wait_s(started))
        try:
            result = await send(call, entry)
        except BaseException as error:
            if entry.late or (isinstance(error, Refusal) and error.code in _FAILURES):
                machine.ended(ticket, now := monotonic(), True, now - started)
            else:
                machine.abandoned(ticket)
            raise
        now = monotonic()
        if result.body.whole is None and replyheaders.content_type(result.headers)[0] not in (EVENTS, *LINES):
            _Watch(machine, ticket, result, entry, now - started)
        else:
            machine.ended(ticket, now, result.status >= 500, now - started)
        entry.check(self.__name__)
        return result


class _Watch:
    """Looks at a body that is still to come: a reply that breaks off is no good reply."""

    def __init__(self, machine: Machine, ticket: int, result: Result, entry: Entry, took_s: float) -> None:
        self._machine, self._ticket, self._took_s, self._entry = machine, ticket, took_s, entry
        self._failed = result.status >= 500
        self._told = False
        result.body = Body(self._pieces(result.body), result.body.close)
        result.body.when_closed(self._left)

    async def _pieces(self, body: Body) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in body:
                yield piece
        except Refusal:
            self._tell(True)
            raise
        self._tell(self._failed)

    def _tell(self, failed: bool) -> None:
        self._told = True
        self._machine.ended(self._ticket, monotonic(), failed, self._took_s)

    def _left(self) -> None:
        """Closed before its end: too late, or because nobody wanted it any more."""
        if self._told:
            return
        if self._entry.late:
            self._tell(True)
        else:
            self._machine.abandoned(self._ticket)


def _unhealthy(wait_s: float) -> Refusal:
    return Refusal(
        "upstream_unhealthy",
        "The backend has been failing, so it is left alone for a while. Nothing was sent.",
        suggestion="Do something else first, or tell the user; then repeat the call.",
        retry_after=math.ceil(wait_s),
        note="breaker: open",
    )

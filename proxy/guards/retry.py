"""Retry: a call that failed is sent again where that cannot do harm, and never otherwise."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.health import Health
from proxy.model import Call, Result, Send
from proxy.outcomes import whole
from proxy.replies import replyheaders
from proxy.retrying import Budget, asked_s, backoff_s
from rules.decide import Decision
from rules.tools import Tool

_PASSING = frozenset({502, 503, 504})
_TOO_MANY = 429
"""Asks for patience, and is taken at its word where it says how much."""

_LOST = frozenset({"timeout", "upstream_unreachable", "outcome_unknown"})
_LOOK_S = 0.25
"""Between two looks at whether a call that waits may still be sent again."""

_OURS = frozenset({"limit_reached", "upstream_unhealthy"})

Failure = Result | Refusal


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool may be asked more than once at all."""
    return tool.retry.attempts > 1


class Retry:
    """The guard, with the budget of each backend. Once `stopping` is set nothing is waited for, and sent again, any
    more."""

    __name__ = "retry"

    def __init__(self, healths: Mapping[str, Health], stopping: asyncio.Event | None = None) -> None:
        self._healths = healths
        self._stopping = stopping or asyncio.Event()

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Send, and send again while that is safe, promises something, and is within the deadline and the budget."""
        budget = self._healths[call.tool.backend].budget
        budget.called()
        entry.check(self.__name__)
        got = await _sent(call, entry, send)
        for failed in range(1, call.tool.retry.attempts):
            wait_s = _wait_s(got, failed, call, entry)
            if wait_s is None or not _affordable(budget, entry):
                break
            if isinstance(got, Result):
                got.body = Body.of(await whole(entry.record, got.body, call.tool.reply.most_bytes))
            if await self._stops_within(wait_s, entry):
                break
            got = await _once_more(got, wait_s, call, entry, send)
        if isinstance(got, Refusal):
            raise got
        return got

    async def _stops_within(self, wait_s: float, entry: Entry) -> bool:
        """Wait, unless the sidecar is about to stop, or nothing more may be sent for this call."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not (self._stopping.is_set() or entry.halted) and (left_s := until - loop.time()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _LOOK_S)):
                    await self._stopping.wait()
        if entry.halted:
            entry.record.notes.append("retry: not sent again, the operator stopped it")
        return self._stopping.is_set() or entry.halted


def may_be_sent_again(call: Call, entry: Entry) -> bool:
    """Whether a second request cannot do harm: nothing of the first left, it would change nothing, or the backend knows
    by a key that it is the same.

    This is the one place that decides it, for every layer.
    """
    return not entry.sent or call.tool.effect == "read" or entry.keyed


async def _sent(call: Call, entry: Entry, send: Send) -> Failure:
    """The result of one request, or the refusal that it ended by, where another may end otherwise."""
    try:
        return await send(call, entry)
    except Refusal as no:
        if no.lasting or no.code not in _LOST | _OURS:
            raise
        return no


def _wait_s(got: Failure, failed: int, call: Call, entry: Entry) -> float | None:
    """How long to wait before the next request; None where there is none."""
    asked: float | None = 0.0
    if isinstance(got, Refusal):
        asked = 0.0 if got.code in _LOST else None
    elif got.status in _PASSING:
        asked = _asked_s(got) or 0.0
    else:
        asked = _asked_s(got) if got.status == _TOO_MANY else None
    if asked is None or not may_be_sent_again(call, entry):
        return None
    wait_s = max(asked, backoff_s(call.tool.retry, failed, random.random()))  # noqa: S311 - no secret
    return wait_s if asyncio.get_running_loop().time() + wait_s < entry.deadline else None


def _asked_s(result: Result) -> float | None:
    said = replyheaders.value(result.headers, "retry-after")
    return asked_s(said, datetime.now(UTC)) if said else None


def _affordable(budget: Budget, entry: Entry) -> bool:
    if budget.spend(monotonic()):
        return True
    entry.record.notes.append("retry: not sent again, the budget of this backend's retries is spent")
    return False


async def _once_more(got: Failure, wait_s: float, call: Call, entry: Entry, send: Send) -> Failure:
    """Send again. The failure before stays what is told where we ourselves do not let the next out."""
    why = got.status if isinstance(got, Result) else got.note or got.code
    entry.record.notes.append(f"retry: sent again after {wait_s * 1000:.0f} ms: {why}")
    record, checked = entry.record, entry.record.checks.index("retry") + 1
    of_before, status = record.checks[checked:], record.upstream_status
    del record.checks[checked:]  # of the guards below, which run anew
    record.upstream_status = 0
    again = await _sent(call, entry, send)
    if isinstance(again, Refusal) and again.code in _OURS:
        record.checks += of_before
        record.upstream_status = status
        return got
    return again

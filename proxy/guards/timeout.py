"""Timeout: every call ends, and what ended late is not reported as what it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from proxy.body import Body
from proxy.deadlines import left_s
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import lost, not_sent, withheld
from proxy.replies import replyheaders
from redaction.mediatypes import EVENTS, LINES


async def timeout(call: Call, entry: Entry, send: Send) -> Result:
    """Bound the time to the last byte of the reply by the tool's own limit, of which a wait for another call is a part.
    Streams of events or lines may last: of those only the silences are bounded, elsewhere.

    As `asyncio.timeout` does it, whose state machine costs twice as much on every call.
    """
    loop, deadline = asyncio.get_running_loop(), _Deadline(entry)
    timer = loop.call_later(left_s(entry, call.tool.timeout_s), deadline.pass_)
    try:
        result = await send(call, entry)
    except asyncio.CancelledError:
        if deadline.is_ours():
            raise _late(call, entry) from None
        raise
    finally:
        timer.cancel()
    entry.check("timeout")
    if result.body.whole is None and replyheaders.content_type(result.headers)[0] not in (EVENTS, *LINES):
        _bound(result, call, entry, entry.deadline - loop.time())
    return result


class _Deadline:
    """Cancels the task that made it, and knows that cancel from anybody else's."""

    __slots__ = ("_before", "_entry", "_task")

    def __init__(self, entry: Entry) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before, self._entry = task, task.cancelling(), entry

    def pass_(self) -> None:
        self._entry.late = True
        self._task.cancel()

    def is_ours(self) -> bool:
        return self._entry.late and self._task.uncancel() <= self._before


def _late(call: Call, entry: Entry) -> Refusal:
    if entry.sent:
        return lost(entry.record, timed_out=True, note=f"no whole reply within {call.tool.timeout_s:g} s")
    return not_sent("timeout", "The call took too long.")


def _bound(result: Result, call: Call, entry: Entry, left_s: float) -> None:
    """Let the rest of the time hold for a body that goes out while it comes."""
    body = result.body
    result.body = Body(_pieces(body, call, entry, left_s), body.close)
    result.body.flow = body.flow


async def _pieces(body: Body, call: Call, entry: Entry, left_s: float) -> AsyncGenerator[bytes, None]:
    """What comes within the time. What the agent takes to read is not the backend's fault and does not count."""
    time = asyncio.get_running_loop().time
    pieces = aiter(body)
    while True:
        asked = time()
        try:
            async with asyncio.timeout(left_s):
                piece = await anext(pieces, None)
        except TimeoutError:
            entry.late = True
            note = f"no whole reply within {call.tool.timeout_s:g} s"
            raise withheld(entry.record, "The backend's reply broke off.", note=note) from None
        if piece is None:
            return
        left_s -= time() - asked
        yield piece

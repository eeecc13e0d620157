"""Timeout: every call ends, and what ended late is not reported as what it is not."""

from __future__ import annotations

import asyncio

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import lost, not_sent


async def timeout(call: Call, entry: Entry, send: Send) -> Result:
    """Bound the time from here to the reply (to its last byte, where it is read whole) by the tool's own limit.

    As `asyncio.timeout` does it, whose state machine costs twice as much on every call.
    """
    deadline = _Deadline()
    timer = asyncio.get_running_loop().call_later(call.tool.timeout_s, deadline.pass_)
    try:
        result = await send(call, entry)
    except asyncio.CancelledError:
        if deadline.is_ours():
            raise _late(call, entry) from None
        raise
    finally:
        timer.cancel()
    entry.check("timeout")
    return result


class _Deadline:
    """Cancels the task that made it, and knows that cancel from anybody else's."""

    __slots__ = ("_before", "_passed", "_task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before, self._passed = task, task.cancelling(), False

    def pass_(self) -> None:
        self._passed = True
        self._task.cancel()

    def is_ours(self) -> bool:
        return self._passed and self._task.uncancel() <= self._before


def _late(call: Call, entry: Entry) -> Refusal:
    if entry.sent:
        return lost(entry.record, timed_out=True, note=f"no whole reply within {call.tool.timeout_s:g} s")
    return not_sent("timeout", "The call took too long.")

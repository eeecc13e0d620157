"""Deadlines: the time of a call begins when it first waits, be it for a backend or for another call."""

from __future__ import annotations

import asyncio
from typing import Final

from proxy.entry import Entry

TOO_LATE: Final = 0.1
"""With a smaller part of its time left, a call that waited for another is not sent: nobody would hear its answer."""


def left_s(entry: Entry, timeout_s: float) -> float:
    """How long the call still has: `timeout_s` from the first time on that this is asked."""
    now = asyncio.get_running_loop().time()
    entry.deadline = min(entry.deadline, now + timeout_s)
    return entry.deadline - now


def is_too_late(entry: Entry, timeout_s: float) -> bool:
    """Whether so little time is left that nothing should be sent any more."""
    return left_s(entry, timeout_s) < TOO_LATE * timeout_s

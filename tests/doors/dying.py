"""A sidecar that is killed at a given moment of its first call with effects: `dying.py MOMENT run -c FILE`.

The moment is a method and whether the process dies before it, behind it, or (`sent`) as soon as the request is out.
`MOMENT:3` is the third time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from proxy.cli import app
from proxy.effects.deeds import Deeds
from proxy.effects.undoing import Undoing
from proxy.entry import Entry
from proxy.upstream.upstream import _Lane

MOMENTS: dict[str, tuple[type, str, bool]] = {
    "reserved": (Entry, "intent", False),
    "intended": (Entry, "intent", True),
    "answered": (Deeds, "put", False),
    "stored": (Deeds, "put", True),
    "recorded": (Entry, "_write", True),
    "undoing": (Undoing, "_send", False),
    "unmarked": (Undoing, "_done", False),
    "undone": (Undoing, "_done", True),
}
"""Each: the class and method, and whether it is done before the end."""


def dying(kind: type, name: str, after: bool, times: int) -> None:
    """Let the process end at the method."""
    inner: Callable[..., Any] = getattr(kind, name)
    counted = count(1)

    async def last(self: Any, *arguments: Any, **more: Any) -> Any:
        ends = next(counted) == times
        result = None if ends and not after else await inner(self, *arguments, **more)
        if ends:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(kind, name, last)


def dying_when_sent() -> None:
    """Let the process end when the request was written and nothing came back."""
    inner = _Lane.exchange

    async def exchange(self: Any, call: Any, tracing: Any, entry: Any) -> Any:
        import asyncio

        asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGKILL)
        return await inner(self, call, tracing, entry)

    setattr(_Lane, "exchange", exchange)  # noqa: B010 - mypy knows that a method is not assigned to


if __name__ == "__main__":
    moment, _, times = sys.argv.pop(1).partition(":")
    if moment == "sent":
        dying_when_sent()
    elif moment != "never":
        dying(*MOMENTS[moment], int(times or 1))
    app()

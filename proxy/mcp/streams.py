"""Streams that are open: each holds a connection to its server for as long as both want, so there is a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from proxy.errors import Refusal

MOST_OF_SERVER: Final = 50
"""Half of the connections that there may be to one server: calls have the others."""

MOST_OF_ONE: Final = 10
"""To one server, of one principal."""


class Streams:
    """Counts them."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, ...]] = Counter()

    def open(self, backend: str, principal: str) -> Callable[[], None]:
        """One more; what is given ends it, once. Raises Refusal."""
        of_server, of_one = (backend,), (backend, principal)
        if self._open[of_server] >= MOST_OF_SERVER or self._open[of_one] >= MOST_OF_ONE:
            raise _full()
        counted = [of_server, of_one]
        self._open.update(counted)

        def close() -> None:
            while counted:
                key = counted.pop()
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]

        return close


def _full() -> Refusal:
    return Refusal(
        "limit_reached",
        "Too many streams of this server are open. Nothing was sent.",
        suggestion="Close a stream before another is opened.",
        retry_after=5,
        note="mcp: no room for one more stream",
    )

"""Everything that listeners answer beside calls: each path, its methods, and whom it is answered. No I/O.

What is not in these tables is not answered; a route cannot be written down without saying who may use it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class Who(Enum):
    """Whom a route is answered."""

    ANYBODY = "whoever reaches the listener"
    ADMIN = "whoever has the admin token, where one is configured"
    TOKEN = "whoever has the admin token; without one there is no such route"  # noqa: S105 - no secret
    CALLER = "a principal that the listener knows"


class Route(NamedTuple):
    """One path, the methods that it is answered to, and to whom. Behind a slash at its end stands a name."""

    path: str
    methods: tuple[str, ...]
    who: Who

    def means(self, raw_target: str) -> bool:
        """Whether a request target is for it. Paths are compared as they are spelt."""
        rest = raw_target[len(self.path) :] if raw_target.startswith(self.path) else None
        return rest is not None and (self.path[-1] == "/" or rest[:1] in ("", "?"))


_READING: Final = ("GET", "HEAD")
OURS: Final = "/.toolwall"
"""What a door answers itself lies below this."""

HEALTH: Final = Route("/healthz", _READING, Who.ANYBODY)
READY: Final = Route("/readyz", _READING, Who.ADMIN)
METRICS: Final = Route("/metrics", _READING, Who.ADMIN)
STOP: Final = Route("/stop", ("POST",), Who.TOKEN)
RESUME: Final = Route("/resume", ("POST",), Who.TOKEN)
ADMIN: Final = (HEALTH, READY, METRICS, STOP, RESUME)
"""Of the admin listener."""

TOOLS: Final = Route(f"{OURS}/tools", ("GET",), Who.CALLER)
BATCH: Final = Route(f"{OURS}/batch", ("POST",), Who.CALLER)
UNDO: Final = Route(f"{OURS}/undo", ("POST",), Who.CALLER)
REST: Final = Route(f"{OURS}/rest/", ("GET",), Who.CALLER)
MCP: Final = Route(f"{OURS}/mcp", ("POST",), Who.CALLER)
DOOR: Final = (TOOLS, BATCH, UNDO, REST, MCP)
"""Of every door."""

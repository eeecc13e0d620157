"""Pins: what a server says today that its tools are, held against what was accepted. What differs is not called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple

from rules.definitions import KINDS, Definitions, hash_of
from rules.tools import Backend, Remote

FRESH_S: Final = 300.0
"""How long a look at a server's list counts, where the server does not say that it changed."""

MOST_PAGES: Final = 50


class Listing(NamedTuple):
    """How definitions of one kind are listed: the method, and the member of its result; and the method of a call."""

    kind: str
    method: str
    member: str
    call: str


LISTINGS: Final = (
    Listing("tools", "tools/list", "tools", "tools/call"),
    Listing("prompts", "prompts/list", "prompts", "prompts/get"),
    Listing("resources", "resources/list", "resources", "resources/read"),
    Listing("templates", "resources/templates/list", "resourceTemplates", "resources/read"),
)
BY_METHOD: Final = {listing.method: listing for listing in LISTINGS}
BY_KIND: Final = {listing.kind: listing for listing in LISTINGS}
CHANGES: Final = {
    "notifications/tools/list_changed": ("tools",),
    "notifications/prompts/list_changed": ("prompts",),
    "notifications/resources/list_changed": ("resources", "templates"),
}


class Pinned:
    """What is known of one server's definitions of today."""

    def __init__(self, accepted: Definitions) -> None:
        self.accepted = accepted
        self.turn = asyncio.Lock()
        """Whoever looks through a whole list has it."""
        self._differs: set[tuple[str, str]] = set()
        self._looked: dict[str, float] = {}

    def look(self, kind: str, listed: Sequence[Mapping[str, Any]], seen: set[str] | None = None) -> None:
        """Compare some definitions of a list that passes by. What is there twice is not what was accepted.

        `seen` are the names on the pages before, and gets those of this one. Without it this is one page of several
        of which nobody knows the others: then what differs goes on to differ, for it may stand there.
        """
        is_all = seen is not None
        seen = set() if seen is None else seen
        for one in listed:
            name = one.get(KINDS[kind])
            accepted = self.accepted.hashes[kind].get(name) if isinstance(name, str) else None
            if accepted is None or not isinstance(name, str):
                continue
            if hash_of(one) != accepted or name in seen:
                self._differs.add((kind, name))
            elif is_all:
                self._differs.discard((kind, name))
            seen.add(name)

    def looked(self, kind: str) -> None:
        """The whole list was looked at."""
        self._looked[kind] = monotonic()

    def changed(self, kinds: Sequence[str]) -> None:
        """The server says that lists are others now."""
        for kind in kinds:
            self._looked.pop(kind, None)

    def is_due(self, kind: str) -> bool:
        """Whether nobody knows what the server says today."""
        return monotonic() - self._looked.get(kind, -FRESH_S) >= FRESH_S

    def differs(self, kind: str, name: str) -> bool:
        """Whether the definition is another than the one that was accepted."""
        return (kind, name) in self._differs

    def differing(self, kind: str) -> frozenset[str]:
        """The names of all definitions of which that is so."""
        return frozenset(name for each, name in self._differs if each == kind)

    def kind_of(self, remote: Remote) -> str:
        """The kind of definition that a call goes by; empty where it goes by none."""
        for listing in LISTINGS:
            if listing.call == remote.method and remote.name in self.accepted.of(listing.kind):
                return listing.kind
        return ""


class Pins:
    """Of all MCP servers. What was accepted anew is looked at anew."""

    def __init__(self) -> None:
        self._of: dict[str, Pinned] = {}

    def of(self, backend: Backend) -> Pinned:
        """What is known of one server."""
        assert backend.mcp is not None
        pinned = self._of.get(backend.name)
        if pinned is None or pinned.accepted is not backend.mcp:
            pinned = self._of[backend.name] = Pinned(backend.mcp)
        return pinned

"""Pins: what a server says today that its tools are, held against what was accepted. What differs is not called."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from rules.definitions import KINDS, Definitions, hash_of
from rules.tools import Backend, Remote

FRESH_S: Final = 300.0
"""How long a look at a server's list counts, where the server does not say that it changed."""

MOST_LOOKED: Final = 10_000
"""Looks that are kept in mind of one server. Of those that are forgotten the next call is a new one."""

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
        self._differs: dict[tuple[str, str], tuple[str, float]] = {}
        self._looked: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def turn(self, kind: str, who: str) -> asyncio.Lock:
        """Whoever looks through a whole list for a principal has it, so that calls that come at once look once."""
        return self._turns.setdefault((kind, who), asyncio.Lock())

    def look(self, kind: str, listed: Sequence[Mapping[str, Any]], who: str, seen: set[str] | None = None) -> None:
        """Compare some definitions of a list that passes by on its way to a principal. What is there twice is not what
        was accepted, and what one was shown otherwise is not made good by what another is shown soon after.

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
                self._differs[kind, name] = who, monotonic()
            elif is_all and self._is_over(who, *self._differs.get((kind, name), (who, 0.0))):
                self._differs.pop((kind, name), None)
            seen.add(name)

    def _is_over(self, who: str, shown_to: str, at: float) -> bool:
        """Whether what differed for somebody may be what was accepted again, as it is for another."""
        return who == shown_to or monotonic() - at >= FRESH_S

    def looked(self, kind: str, who: str) -> None:
        """The whole list was looked at, as a principal is shown it."""
        if (kind, who) not in self._looked and len(self._looked) >= MOST_LOOKED:
            self._looked.popitem(last=False)
        self._looked[kind, who] = monotonic()

    def changed(self, kinds: Sequence[str]) -> None:
        """The server says that lists are others now."""
        for key in [key for key in self._looked if key[0] in kinds]:
            del self._looked[key]

    def is_due(self, kind: str, who: str) -> bool:
        """Whether nobody knows what the server says today to a principal: it may say something else to another."""
        return monotonic() - self._looked.get((kind, who), -FRESH_S) >= FRESH_S

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

"""Restoring: between reading a call and judging it, its run's values stand again where rules want them."""

from __future__ import annotations

from collections.abc import Callable

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call
from proxy.pseudonyms import Keeper
from proxy.scanning import INLINE_BYTES, Scans
from redaction.pseudonyms import MOST_RESTORED, Restoring, TooMany
from redaction.scanner import Unreadable
from rules.tools import Catalog

Remake = Callable[[Call, Restoring, Catalog], Call]
"""The call as its protocol makes it with the values in it. Raises Refusal where one cannot stand."""


class Restore:
    """Puts back the values of a call's own run, for tools whose backend wants them."""

    def __init__(self, keeper: Keeper, catalog: Catalog, remake: Remake, scans: Scans) -> None:
        self._keeper = keeper
        self._catalog = catalog
        self._remake = remake
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry) -> Call:
        """The call that is meant: contract, rules, hashes and approvals see this one. Raises Refusal."""
        known = await self._keeper.of(call.principal.id, call.run.id)
        if known.broken:
            entry.record.notes.append(known.broken)
        if not len(known):
            return call
        restoring = Restoring(known, call.tool.restore)
        try:
            made = await self._remade(call, restoring)
        except Unreadable as why:
            raise _refusal(f"The arguments could not be read: {why}.") from None
        except TooMany:
            raise _refusal(f"The call asks for more than {MOST_RESTORED} values.") from None
        except Refusal as no:
            if not restoring.restored:
                return call  # what is wrong with it was wrong before: it is judged so
            raise _refusal("A value cannot stand where its pseudonym is written.", no) from None
        if not restoring.restored:
            return call
        entry.restored(call, made, restoring)
        return made

    async def _remade(self, call: Call, restoring: Restoring) -> Call:
        if len(call.outgoing.body) <= INLINE_BYTES:
            return self._remake(call, restoring, self._catalog)
        return await self._scans.apart(self._remake, call, restoring, self._catalog)


def _refusal(detail: str, why: Refusal | None = None) -> Refusal:
    return Refusal(
        "unsafe_argument",
        f"{detail} Nothing was sent.",
        suggestion="Leave that pseudonym out, or write it where any text may stand.",
        note=f"restoring: {why.detail}" if why else "",
    )

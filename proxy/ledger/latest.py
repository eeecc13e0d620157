"""The ends of calls that were under way not long ago: read from the end of the ledger backwards."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from proxy.ledger.chain import unseal
from proxy.ledger.segments import lines, segments_in


def ends(folder: Path, calls: Collection[str], since_ns: int) -> Iterator[dict[str, Any]]:
    """The last entry of each of these calls that ended, as far as one was written since a time (ns since the epoch)."""
    missing = set(calls)
    for segment in reversed(segments_in(folder)) if missing else ():
        for _, line in reversed(list(lines(segment))):
            sealed = unseal(line)
            if isinstance(sealed, str):
                continue
            if sealed.at_ns < since_ns:
                return
            if sealed.entry.get("kind") == "call" and sealed.entry.get("call") in missing:
                missing.discard(sealed.entry["call"])
                yield sealed.entry
            if not missing:
                return

"""The ends of calls that were under way not long ago: read from the end of the ledger backwards."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from proxy.ledger.chain import place, unseal
from proxy.ledger.segments import lines, segments_in

_CALL = re.compile(rb'"call":"([^"\\]+)"')


def ends(folder: Path, calls: Collection[str], since_ns: int) -> Iterator[dict[str, Any]]:
    """The last entry of each of these calls that ended, as far as one was written since a time (ns since the epoch)."""
    missing = {call.encode() for call in calls}
    for segment in reversed(segments_in(folder)) if missing else ():
        for _, line in reversed(list(lines(segment))):
            named = _CALL.search(line)
            wanted = named is not None and named.group(1) in missing
            # Most lines are neither, and to read one as a whole takes fifty times as long.
            if not wanted and place(line)[1] >= since_ns:
                continue
            sealed = unseal(line)
            if isinstance(sealed, str):
                continue
            if sealed.at_ns < since_ns:
                return
            call = str(sealed.entry.get("call")).encode()
            if sealed.entry.get("kind") == "call" and call in missing:
                missing.discard(call)
                yield sealed.entry
            if not missing:
                return

"""Retention: old segments go as a whole, and the ledger itself says that they went.

Before a file is removed, an entry of kind `removed` is on the disk: it names the numbers that go, and the hash that the
first remaining record follows. So the chain still proves itself from there, and a segment that somebody else took away
is missed.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from proxy.ledger.chain import TRAILER, hash_at_end, unseal
from proxy.ledger.errors import LedgerError, told
from proxy.ledger.ledger import Ledger
from proxy.ledger.pending import is_pending
from proxy.ledger.segments import first_of, lines, read_at, segments_in
from proxy.state import sync

_CALL: Final = re.compile(rb'"kind":"(intent|call|settled)","call":"([^"]{1,128})"')


class Keep(NamedTuple):
    """What is kept: segments with records younger than `age_s`, and as many as have no more than `most_bytes`."""

    age_s: float = float("inf")
    most_bytes: float = float("inf")


def prune(ledger: Ledger, folder: Path, keep: Keep, covered: int, now_ns: int) -> list[str]:
    """Remove segments that are too old or too many, oldest first, and return their names.

    Only those behind a checkpoint (`covered` is its record, no newer than the head): what it and the head know stays.
    Never the last one, and none that holds a call of which it is not known how it ended. Raises LedgerError.
    """
    gone = []
    segments = segments_in(folder)
    with told(f"look at the ledger {folder}"):
        size = sum(segment.stat().st_size for segment in segments)
        for segment, following in pairwise(segments):
            old = size > keep.most_bytes or now_ns - _begun(following, now_ns) > keep.age_s * 1e9
            if not old or first_of(following) > covered or _is_open(segment, segments):
                break
            size -= segment.stat().st_size
            _remove(ledger, segment, first_of(following) - 1)
            gone.append(segment.name)
    return gone


def _begun(segment: Path, otherwise: int) -> int:
    """When its first record was written."""
    sealed = unseal(next((line for _, line in lines(segment)), b""))
    return otherwise if isinstance(sealed, str) else sealed.at_ns


def _is_open(segment: Path, segments: list[Path]) -> bool:
    """Whether it holds a call without an end, or one whose outcome is not known and was not settled since."""
    pending: set[bytes] = set()
    for each in segments[segments.index(segment) :]:
        for kind, call, line in _calls(each):
            if kind == b"intent" or (kind == b"call" and _is_pending(line)):
                if each is segment:
                    pending.add(call)
            else:
                pending.discard(call)
        if not pending:
            return False
    return True


def _calls(segment: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    for _, line in lines(segment):
        if found := _CALL.search(line, 0, 400):
            yield found[1], found[2], line


def _is_pending(line: bytes) -> bool:
    """Whether the line of a call's end says that it may or may not have had effects."""
    if b'"executed":"unknown"' not in line:
        return False
    try:
        return is_pending(json.loads(line))
    except ValueError:
        return True


def _remove(ledger: Ledger, segment: Path, last: int) -> None:
    end = segment.stat().st_size
    digest = hash_at_end(read_at(segment, end - TRAILER, TRAILER))
    if not digest:
        raise LedgerError(f"{segment} does not end with a record; it stays")
    seq = ledger.append({"kind": "removed", "first": first_of(segment), "last": last, "end_hash": digest})
    asyncio.run(ledger.durable(seq))
    segment.unlink()
    sync(segment.parent)

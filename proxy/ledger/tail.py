"""The end of the ledger, and what is added to it while one watches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import sleep

from proxy.ledger.chain import Sealed, unseal
from proxy.ledger.errors import LedgerError, told
from proxy.ledger.segments import lines, read_at, segments_in

TAIL_MOST = 10_000
"""Entries that `tail` gives at most."""

BLOCK = 64 * 1024
"""Bytes that are read first from the end of a segment; doubled until there are lines enough."""

PAUSE_SECONDS = 0.25
"""How often `follow` looks whether there is more: a glance costs two system calls."""


def tail(folder: Path, count: int) -> list[Sealed]:
    """The last `count` sound entries, oldest first."""
    return [sealed for _, _, sealed in _last(folder, min(count, TAIL_MOST))]


def follow(folder: Path, count: int = 0, pause: float = PAUSE_SECONDS) -> Iterator[Sealed]:
    """The last `count` entries, then each new one as it is written, without end; looks every `pause` seconds."""
    recent = _last(folder, max(min(count, TAIL_MOST), 1))
    segment, offset = recent[-1][:2] if recent else (Path(), 0)
    if count > 0:
        yield from (sealed for _, _, sealed in recent)
    while True:
        for later in [path for path in segments_in(folder) if path.name >= segment.name]:
            offset = offset if later.name == segment.name else 0
            segment = later
            for place, line in lines(segment, offset):
                if not line.endswith(b"\n"):
                    break
                offset = place + len(line)
                if isinstance(sealed := unseal(line), Sealed):
                    yield sealed
        sleep(pause)


def _last(folder: Path, count: int) -> list[tuple[Path, int, Sealed]]:
    """The last sound entries, oldest first, each with its segment and the offset of its end."""
    segments = segments_in(folder)
    if not segments:
        raise LedgerError(f"there is no ledger in {folder}")
    found: list[tuple[Path, int, Sealed]] = []
    for segment in reversed(segments):
        if len(found) >= count:
            break
        found = _last_of(segment, count - len(found)) + found
    return found


def _last_of(segment: Path, count: int) -> list[tuple[Path, int, Sealed]]:
    with told(f"read {segment}"):
        end = segment.stat().st_size
    size = BLOCK
    while True:
        start = max(end - size, 0)
        found = _sound(segment, start, read_at(segment, start, end - start))
        if len(found) >= count or not start:
            return found[-count:]
        size *= 2


def _sound(segment: Path, start: int, block: bytes) -> list[tuple[Path, int, Sealed]]:
    """The entries whose lines lie in `block` as a whole; a piece of one at its start does not fit its hash."""
    found = []
    for line in block.splitlines(keepends=True):
        start += len(line)
        if isinstance(sealed := unseal(line), Sealed):
            found.append((segment, start, sealed))
    return found

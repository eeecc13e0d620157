"""Where to go on: the last good record on disk, what a crash left behind it, and what does not fit the head."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from proxy.ledger.chain import GENESIS, LINE_MOST, TRAILER, Cursor, hash_at_end, unseal
from proxy.ledger.errors import told
from proxy.ledger.head import Head
from proxy.ledger.segments import first_of, lines, read_at, segments_in

CUT_SHOWN = 4096
"""Bytes of a torn line that are kept as text; the rest is kept as its length and hash."""

FAULTS_SHOWN = 20
"""Faults that one `open` entry lists; `verify` finds all of them."""


@dataclass(slots=True)
class Start:
    """What opening a ledger found.

    `seq` and `hash` are what the next record follows. `segment` and `offset` say where it goes; `segment` is
    None where a new file is due: at the very start, and after faults, so that what is there stays as it is.
    `cut` describes a torn last line that was removed; `faults` are sentences about what should not be.
    """

    seq: int = 0
    hash: str = GENESIS
    segment: Path | None = None
    offset: int = 0
    cut: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def recover(folder: Path, head: Head | str) -> Start:
    """Find the end of the ledger in `folder`; remove an incomplete last line, and nothing else.

    With a head that fits, only what came after it is read. Otherwise the last segment is read as a whole, and
    the fault is told; a head that is genuine but contradicts the disk is what the next record follows.
    """
    segments = segments_in(folder)
    if isinstance(head, str):
        start = Start() if not segments else _from_last(segments, head)
    elif wrong := _contradiction(folder, head, segments):
        start = _from_last(segments, wrong)
        start.seq, start.hash = max(start.seq, head.seq), head.hash
    else:
        after = [path for path in segments if path.name >= head.segment]
        start = _walk(after, head.offset, Start(head.seq, head.hash))
    if start.faults:
        start.segment = None
    return start


def _contradiction(folder: Path, head: Head, segments: list[Path]) -> str:
    if not head.seq:
        return ""
    place = max(head.offset - TRAILER, 0)
    if hash_at_end(read_at(folder / head.segment, place, head.offset - place)) == head.hash:
        return ""
    return f"record {head.seq}, which the head knows, is missing or was changed"


def _from_last(segments: list[Path], wrong: str) -> Start:
    """Read the last segment on its own word, with `wrong` as the first fault."""
    start = Start(faults=[wrong])
    if not segments:
        return start
    first = next((line for _, line in lines(segments[-1])), b"")
    sealed = unseal(first)
    start.seq = first_of(segments[-1]) - 1
    start.hash = GENESIS if isinstance(sealed, str) else sealed.prev
    return _walk(segments[-1:], 0, start)


def _walk(segments: list[Path], offset: int, start: Start) -> Start:
    cursor = Cursor(start.seq, start.hash)
    for segment in segments:
        for place, line in lines(segment, offset):
            if not line.endswith(b"\n") and len(line) < LINE_MOST and segment is segments[-1]:
                start.cut = _cut(segment, place, line)
                break
            _, wrong = cursor.step(line)
            if wrong and len(start.faults) < FAULTS_SHOWN:
                start.faults.append(f"{segment.name}, byte {place}: {wrong}")
            # After an unreadable line the next record follows the last good one.
            start.seq, start.hash = cursor.seq, cursor.hash or start.hash
        offset, start.segment = 0, segment
    if start.segment:
        start.offset = start.segment.stat().st_size
    return start


def _cut(segment: Path, place: int, torn: bytes) -> dict[str, Any]:
    with told(f"remove a torn line at byte {place} of {segment}"):
        os.truncate(segment, place)
    text = torn[:CUT_SHOWN].decode("ascii", "backslashreplace")
    name = segment.name
    return {"segment": name, "offset": place, "bytes": len(torn), "sha256": sha256(torn).hexdigest(), "text": text}

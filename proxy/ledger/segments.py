"""The files of a ledger: `segment-<number of its first record>.jsonl`, in the order of their names."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from proxy.ledger.chain import LINE_MOST
from proxy.ledger.errors import LedgerError, told

_NAME = re.compile(r"segment-([0-9]{18})\.jsonl")


def segment_name(first: int) -> str:
    """The file name of the segment whose first record has the number `first`."""
    return f"segment-{first:018d}.jsonl"


def first_of(segment: Path) -> int:
    """The number that a segment's name gives for its first record."""
    found = _NAME.fullmatch(segment.name)
    if not found:
        raise LedgerError(f"{segment} is not named like a segment")
    return int(found.group(1))


def segments_in(folder: Path) -> list[Path]:
    """All segments of a ledger, oldest first. A folder that does not exist has none."""
    with told(f"list the ledger {folder}"), contextlib.suppress(FileNotFoundError):
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return []


def lines(segment: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Each line of a segment with its byte offset, from `start` up to `end` (default: what is there now).

    The last piece lacks its line break where the file ends in the middle of a line; so does each piece of
    something longer than a line may be.
    """
    with told(f"read {segment}"), segment.open("rb") as file:
        file.seek(start)
        end = os.fstat(file.fileno()).st_size if end is None else end
        while start < end and (line := file.readline(min(LINE_MOST, end - start))):
            yield start, line
            start += len(line)


def read_at(segment: Path, offset: int, size: int) -> bytes:
    """`size` bytes of a segment from `offset`; fewer where the file is shorter or gone."""
    with told(f"read {segment}"), contextlib.suppress(FileNotFoundError), segment.open("rb") as file:
        file.seek(offset)
        return file.read(size)
    return b""

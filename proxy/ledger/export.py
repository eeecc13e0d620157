"""The ledger in other people's hands: its own lines byte for byte, or a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.ledger.chain import Sealed, unseal
from proxy.ledger.errors import LedgerError
from proxy.ledger.segments import lines, segments_in

COLUMNS = (
    *("seq", "at_ns", "kind", "call", "run", "step", "principal", "agent", "tool", "effect", "method"),
    *("decision", "rules", "revision", "code", "status", "executed", "outcome", "attempts", "upstream_status"),
    *("arguments_hash", "result_hash", "redactions", "checks", "total_ms", "trace", "hash"),
)
"""Of the table. What an entry holds beside them is in the JSON lines only."""

DAMAGED = "damaged"
"""`kind` of a row that stands for a line which does not fit its hash."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_lines(folder: Path, since_ns: int = 0) -> Iterator[bytes]:
    """Each line of the ledger that was written at `since_ns` or later, as it stands: its hashes can be checked.

    Damaged lines are given as they are. An unfinished last line is not.
    """
    for line, _ in _since(folder, since_ns):
        yield line


def export_csv(folder: Path, since_ns: int = 0) -> Iterator[bytes]:
    """The same as a table (RFC 4180, UTF-8) of COLUMNS. Lists and objects are JSON.

    A text that a spreadsheet would run as a formula gets a single quote in front.
    """
    yield _row(list(COLUMNS))
    for _, sealed in _since(folder, since_ns):
        values = _values(sealed)
        yield _row([_cell(values.get(name, "")) for name in COLUMNS])


def _since(folder: Path, since_ns: int) -> Iterator[tuple[bytes, Sealed | str]]:
    segments = segments_in(folder)
    if not segments:
        raise LedgerError(f"there is no ledger in {folder}")
    for segment in segments[_first(segments, since_ns) :]:
        for _, line in lines(segment):
            sealed = unseal(line)
            if not line.endswith(b"\n") or (isinstance(sealed, Sealed) and sealed.at_ns < since_ns):
                continue
            yield line, sealed


def _first(segments: list[Path], since_ns: int) -> int:
    """Which segment to begin with: the last one that begins before `since_ns`."""
    for number in range(len(segments) - 1, 0, -1):
        sealed = unseal(next((line for _, line in lines(segments[number])), b""))
        if isinstance(sealed, Sealed) and sealed.at_ns < since_ns:
            return number
    return 0


def _values(sealed: Sealed | str) -> dict[str, Any]:
    if isinstance(sealed, str):
        return {"kind": DAMAGED}
    return sealed.entry | {"seq": sealed.seq, "at_ns": sealed.at_ns, "hash": sealed.hash}


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")  # JSON may hold lone surrogates

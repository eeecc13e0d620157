"""Proof-reading: does the ledger still say what was written to it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proxy.ledger.chain import GENESIS, LINE_MOST, Cursor, Sealed
from proxy.ledger.errors import LedgerError, told
from proxy.ledger.head import Head, head_path, read_head
from proxy.ledger.segments import first_of, lines, segments_in

FAULTS_MOST = 1000
"""Faults that are listed; they are counted beyond."""

UNFINISHED_MOST = 10_000
"""Calls without an end that are listed; the oldest are kept, they are counted beyond."""

LATE_NS = 10_000_000_000
"""Time between the head's record and the last one of a ledger that was not closed, beyond which the head is too
old: its second of lag, and what a slow disk takes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that an honest disk and an untouched ledger cannot show.

    `line` counts from 1; it and `seq` are 0 where the fault is in no line.
    """

    file: str
    line: int
    seq: int
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: " + (f"record {self.seq} " if self.seq else "") + self.what


@dataclass(slots=True)
class Report:
    """What `verify` found. `unfinished` are calls whose intent has no end: under way, or lost to a crash.

    `notes` are no faults: torn lines, flushes that failed. `fault_count` and `unfinished_count` count what the
    bounded lists do not hold too. `closed` is whether the ledger was closed in order.
    """

    records: int = 0
    segments: int = 0
    last_seq: int = 0
    last_hash: str = GENESIS
    head_seq: int = 0
    closed: bool = False
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    notes: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    unfinished_count: int = 0

    @property
    def ok(self) -> bool:
        return not self.fault_count

    def blame(self, file: str, line: int, seq: int, what: str) -> None:
        """Add a fault, within the bound of the list."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_MOST:
            self.faults.append(Fault(file, line, seq, what))


def verify(folder: Path, key: bytes, checkpoints: Mapping[int, str] | None = None) -> Report:
    """Read the whole ledger in `folder` and compare it with its head under `key`; also while a sidecar writes.
    `checkpoints` are the hashes of records that are known from elsewhere.

    Reads up to where the ledger was at the beginning. LedgerError where there is no ledger, or it cannot be read.
    """
    head = read_head(head_path(folder), key)  # before the segments: the head never leads
    segments = segments_in(folder)
    if isinstance(head, str) and not segments:
        raise LedgerError(f"there is no ledger in {folder}")
    with told(f"read the ledger {folder}"):
        ends = [segment.stat().st_size for segment in segments]
    first = max(first_of(segments[0]), 1) if segments else 1
    check = _Check(head, Report(segments=len(segments)), first, checkpoints or {})
    for segment, end in zip(segments, ends, strict=True):
        check.segment(segment, end, last=segment is segments[-1])
    check.end()
    return check.report


class _Check:
    """The state of one reading."""

    def __init__(self, head: Head | str, report: Report, first: int, checkpoints: Mapping[int, str]) -> None:
        self.report = report
        self.headless = isinstance(head, str)
        self.head = head if isinstance(head, Head) else Head()
        if isinstance(head, str):
            report.blame("head", 0, 0, head)
        report.head_seq = self.head.seq
        self.base, self.base_hash = first - 1, GENESIS
        self.removed = {0: GENESIS}  # up to which record the ledger says that segments were removed, and its hash
        self.cursor = Cursor(self.base, "" if self.base else GENESIS)
        self.checkpoints = checkpoints
        self.begun: dict[str, int] = {}
        self.headed = not self.head.seq
        self.first_after = self.last_at = 0
        self.last_kind = ""

    def segment(self, segment: Path, end: int, last: bool) -> None:
        number = 0
        for number, (place, line) in enumerate(lines(segment, end=end), 1):
            if not line.endswith(b"\n") and last and len(line) < LINE_MOST:
                self.report.notes.append(
                    f"{segment.name}:{number}: {len(line)} bytes of an unfinished line at byte {place}: "
                    "being written, or torn by a crash; the next start removes them"
                )
                break
            self._line(segment, number, line)
        if not number and not last:
            self.report.blame(segment.name, 0, 0, "is empty")

    def _line(self, segment: Path, number: int, line: bytes) -> None:
        sealed, wrong = self.cursor.step(line)
        seq = sealed.seq if sealed else self.cursor.seq
        self.report.records += 1
        if wrong:
            self.report.blame(segment.name, number, seq, wrong)
        elif number == 1 and seq != first_of(segment):
            self.report.blame(segment.name, number, seq, "is not the one that the file is named after")
        if seq == self.head.seq:
            self._meet_head(segment, number, sealed)
        if sealed and self.checkpoints.get(seq, sealed.hash) != sealed.hash:
            self.report.blame(segment.name, number, seq, "is not the one that a checkpoint knows: it was replaced")
        if sealed and seq == self.base + 1:
            self.base_hash = sealed.prev
        if sealed:
            self._entry(segment, number, sealed)

    def _meet_head(self, segment: Path, number: int, sealed: Sealed | None) -> None:
        self.headed = True
        if sealed and sealed.hash != self.head.hash:
            self.report.blame(segment.name, number, sealed.seq, "is not the one that the head knows: it was replaced")

    def _entry(self, segment: Path, number: int, sealed: Sealed) -> None:
        entry, self.last_at = sealed.entry, sealed.at_ns
        self.last_kind = kind = str(entry.get("kind", ""))
        if sealed.seq > self.head.seq and not self.first_after:
            self.first_after = sealed.at_ns
        if kind == "intent":
            self.begun[str(entry.get("call", ""))] = sealed.seq
        elif kind in ("call", "settled"):
            self.begun.pop(str(entry.get("call", "")), None)
        elif kind == "removed" and entry.get("last") == self.base:
            self.removed[self.base] = str(entry.get("end_hash"))
        elif kind == "open":
            self._opening(segment, number, sealed)
        elif kind == "unsynced":
            self.report.notes.append(
                f"{segment.name}:{number}: the disk failed to flush records {entry.get('first')} to {entry.get('last')}"
            )

    def _opening(self, segment: Path, number: int, sealed: Sealed) -> None:
        self.first_after = self.first_after and sealed.at_ns  # the time the sidecar was down is no lag
        for what in sealed.entry.get("faults", ()):
            self.report.blame(segment.name, number, sealed.seq, f"found at a start: {what}")
        if cut := sealed.entry.get("cut"):
            self.report.notes.append(
                f"{segment.name}:{number}: a torn line of {cut.get('bytes')} bytes was removed at a start"
            )

    def end(self) -> None:
        report = self.report
        report.last_seq, report.last_hash = self.cursor.seq, self.cursor.hash
        report.closed = self.last_kind == "close"
        report.unfinished_count = len(self.begun)
        report.unfinished = list(self.begun)[:UNFINISHED_MOST]
        if self.removed.get(self.base) != self.base_hash:
            what = f"records 1 to {self.base} are missing, and no entry says that they were removed"
            report.blame("ledger", 0, 0, what)
        elif self.checkpoints.get(self.base, self.base_hash) != self.base_hash:
            report.blame("ledger", 0, 0, f"does not follow record {self.base}, which a checkpoint knows")
        newest = max(self.checkpoints, default=0)
        if newest > report.last_seq:
            report.blame("checkpoints", 0, 0, f"know record {newest}; the ledger ends with {report.last_seq}")
        if not self.headless:
            self._compare_head(report.last_seq - self.head.seq)

    def _compare_head(self, behind: int) -> None:
        late = self.last_at - self.first_after if self.first_after else 0
        if not self.headed:
            what = f"knows record {self.head.seq}; the ledger ends with {self.report.last_seq}"
        elif self.report.closed and behind:
            what = f"is {behind} records behind a ledger that was closed: it was put back, or could not be written then"
        elif late > LATE_NS:
            what = f"is {behind} records and {late // 10**9} s behind: it was put back, or cannot be written"
        else:
            return
        self.report.blame("head", 0, 0, what)

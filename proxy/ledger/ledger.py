"""The writing side: one process appends, and may ask when an entry is safe from a crash of the machine."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, NoReturn

from proxy.ledger.chain import LINE_MOST, TRAILER, encode, seal
from proxy.ledger.commit import Flushed, GroupCommit
from proxy.ledger.errors import InUse, LedgerError, told
from proxy.ledger.fields import clip
from proxy.ledger.head import Head, head_path, read_head, write_head
from proxy.ledger.recover import Start, recover
from proxy.ledger.segments import segment_name, segments_in
from proxy.state import sync

_log = logging.getLogger("toolwall")

SEGMENT_BYTES = 64 * 1024 * 1024
"""Size after which a segment is followed by the next: some 60,000 calls, read in about a second."""

RETRY_SECONDS = 1.0
"""After a failed flush, how long appends are refused before a new segment is tried: one new file a second at most."""

_OVERHEAD = 160 + TRAILER
"""What the chain adds to an entry, in bytes, at most."""


class Ledger:
    """An open ledger. `append` and `close` may be called from any thread, `durable` in any event loop.

    No method but `open` and `close` waits for the disk in the calling thread.
    """

    def __init__(
        self, folder: Path, key: bytes, handle: int, start: Start, segment_bytes: int, safe: Callable[[Head], None]
    ) -> None:
        """Use `Ledger.open`."""
        self._folder, self._key, self._handle = folder, key, handle
        self._segment_bytes = segment_bytes
        self._lock = threading.RLock()
        self._file = -1
        self._old_files: list[int] = []
        self._folder_changed = False
        self._torn = False
        self._closed = False
        self._retry_at = 0.0
        self._doubt = range(0)
        self._failed = ""
        name = start.segment.name if start.segment else ""
        self._tip = self._safe = Head(start.seq, start.hash, name, start.offset)
        self._commit = GroupCommit(start.seq, self._flush, self._publish)
        self._tell_safe = safe

    @classmethod
    def open(
        cls,
        folder: Path,
        key: bytes,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        safe: Callable[[Head], None] = lambda head: None,
    ) -> Ledger:
        """Open the ledger in `folder` for writing, making it where there is none.

        `key` is `StateKey.derive(state.LEDGER_HEAD)`. `safe` is told of each head that was published, in a thread of
        the ledger, and must not wait. A torn last line, which a crash leaves behind, is removed and
        noted; anything that does not fit is noted for `verify` and left as it is. Either note is a field of the
        entry of kind `open` with which each opening begins. LedgerError where another process has it open, or
        where the disk refuses.
        """
        with told(f"open the ledger {folder}"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with told(f"open the ledger {folder}"):
                head, start = _take(folder, key, handle)
        except BaseException:
            os.close(handle)
            raise
        ledger = cls(folder, key, handle, start, segment_bytes, safe)
        try:
            ledger._begin(head, start)
        except BaseException:
            ledger._release()
            raise
        return ledger

    def _begin(self, head: Head | str, start: Start) -> None:
        since = head.segment if isinstance(head, Head) else ""
        with told(f"open the ledger {self._folder}"):
            # A crash may have left files unflushed that the next head will vouch for.
            for path in segments_in(self._folder):
                if path.name >= since:
                    sync(path)
            if start.segment:
                self._file = os.open(start.segment, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        for fault in start.faults:
            _log.error("THE LEDGER IS NOT AS IT WAS LEFT: %s. `toolwall ledger verify` tells all of it", fault)
        found = {"cut": start.cut, "faults": start.faults}
        self.append({"kind": "open"} | {name: value for name, value in found.items() if value})
        # Only now: a head that was brought up to date before would approve of the faults that were found.
        self._commit.start()

    def append(self, entry: Mapping[str, Any]) -> int:
        """Write one entry and return its sequence number; it is then safe from a crash of this process.

        `entry` is plain JSON with a `kind`, none of its fields named like those of the chain (`chain.RESERVED`).
        One that is too long for a line is clipped, and says so by `"clipped": true`: what happened is never left
        out for its length. On LedgerError nothing of it is in the ledger, and the next append tries anew.
        """
        fields = encode(entry)
        if len(fields) > LINE_MOST - _OVERHEAD:
            fields = encode(clip({**entry, "clipped": True}))
        with self._lock:
            self._make_ready(len(fields) + _OVERHEAD)
            self._put(fields)
            return self._tip.seq

    async def durable(self, seq: int) -> None:
        """Return when entry `seq` is safe from a crash of the machine. LedgerError where that cannot be said."""
        await self._commit.wait(seq)

    @property
    def last(self) -> int:
        """The number of the last entry."""
        return self._tip.seq

    @property
    def trouble(self) -> str:
        """What the disk refused last, or "" when all is well; for health checks."""
        return self._commit.trouble or self._failed

    def close(self) -> None:
        """Write an entry of kind `close`, bring all of it and the head to the disk, and let go of the folder.

        LedgerError where the disk refuses; the folder is let go all the same. A second close does nothing.
        """
        with self._lock:
            if self._closed:
                return
            with contextlib.suppress(LedgerError):  # told below, as trouble
                self.append({"kind": "close"})
            self._closed = True
        self._release()
        if self.trouble:
            raise LedgerError(self.trouble)

    def _release(self) -> None:
        try:
            self._commit.stop()
        finally:
            for file in (self._file, *self._old_files, self._handle):
                _close(file)

    def _make_ready(self, size: int) -> None:
        if self._closed:
            raise LedgerError("the ledger is closed")
        if self._torn:
            self._mend()
        if self._file < 0 or (self._tip.offset and self._tip.offset + size > self._segment_bytes):
            self._next_segment()
        if self._doubt:
            self._put(encode({"kind": "unsynced", "first": self._doubt[0], "last": self._doubt[-1]}))
            self._doubt = range(0)

    def _next_segment(self) -> None:
        if monotonic() < self._retry_at:
            raise LedgerError(self._failed)
        path = self._folder / segment_name(self._tip.seq + 1)
        with told(f"begin {path}"):
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if os.fstat(file).st_size:
            os.close(file)
            raise LedgerError(f"cannot begin {path}: it is there already; move it away")
        if self._file >= 0:
            self._old_files.append(self._file)
        self._file, self._folder_changed = file, True
        self._tip = self._tip._replace(segment=path.name, offset=0)

    def _put(self, fields: bytes) -> None:
        tip, now = self._tip, time_ns()
        line, digest = seal(tip.seq + 1, now, tip.hash, fields)
        self._torn = True  # until the tip knows of the line: an exception in between must not leave half of it
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._refuse(error)
        if written != len(line):
            self._refuse(OSError(0, f"only {written} of {len(line)} bytes were taken"))
        self._tip = Head(tip.seq + 1, digest, tip.segment, tip.offset + written, now)
        self._torn = False
        self._failed = ""
        if not self._commit.pending:
            self._commit.nudge()

    def _refuse(self, error: OSError) -> NoReturn:
        self._failed = str(LedgerError.of(f"write to {self._tip.segment} of the ledger", error))
        with contextlib.suppress(LedgerError):  # tried again before the next entry
            self._mend()
        raise LedgerError(self._failed)

    def _mend(self) -> None:
        """Remove what a refused write may have left after the last entry."""
        with told(f"remove half an entry from {self._tip.segment}"):
            os.ftruncate(self._file, self._tip.offset)
        self._torn = False

    def _flush(self) -> Flushed:
        """Bring all that was written to the disk. In the thread of the group commit."""
        with self._lock:
            tip, file, folder_changed = self._tip, self._file, self._folder_changed
            old, self._old_files, self._folder_changed = self._old_files, [], False
        if file < 0:
            return Flushed(self._safe, "")
        try:
            for each in (*old, file):
                os.fdatasync(each)
            if folder_changed:
                os.fsync(self._handle)
        except OSError as error:
            return self._abandon(error)
        finally:
            for each in old:
                _close(each)
        self._safe = tip
        return Flushed(tip, "")

    def _publish(self, head: Head) -> None:
        write_head(head_path(self._folder), self._key, head)
        self._tell_safe(head)

    def _abandon(self, error: OSError) -> Flushed:
        """Leave a segment whose flush failed: the kernel may have dropped what it held, and a second flush lies.

        Whatever was not flushed before is in doubt from now on, and the next segment begins by saying so.
        """
        with self._lock:
            if self._torn:
                with contextlib.suppress(LedgerError):
                    self._mend()
            for file in (self._file, *self._old_files):
                _close(file)
            self._file, self._old_files, self._torn = -1, [], False
            self._doubt = range(self._safe.seq + 1, self._tip.seq + 1)
            self._retry_at = monotonic() + RETRY_SECONDS
            self._failed = str(LedgerError.of(f"flush {self._tip.segment} of the ledger", error))
            return Flushed(self._tip, self._failed)


def _take(folder: Path, key: bytes, handle: int) -> tuple[Head | str, Start]:
    """Lock the folder, and find out where to go on."""
    _lock(folder, handle)
    os.fchmod(handle, 0o700)
    head = read_head(head_path(folder), key)
    start = recover(folder, head)
    if isinstance(head, str) and not start.faults:
        write_head(head_path(folder), key, Head())  # first of all: from now on a missing head is a fault
    return head, start


def _lock(folder: Path, handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUse(f"the ledger {folder} is in use: another sidecar runs on the same state folder") from None


def _close(file: int) -> None:
    if file >= 0:
        with contextlib.suppress(OSError):  # nothing is lost: what must be safe was flushed
            os.close(file)

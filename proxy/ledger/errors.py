"""What goes wrong in the ledger."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_ADVICE = {
    errno.ENOSPC: "make room on its disk; nothing else is needed",
    errno.EDQUOT: "raise its quota; nothing else is needed",
    errno.EFBIG: "raise the limit on file sizes; nothing else is needed",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
    errno.EROFS: "mount its disk writable",
    errno.EIO: "check its disk (dmesg)",
}


class LedgerError(Exception):
    """An entry could not be stored or read. The message says what was wrong, where, and what to do next.

    After `Ledger.append` raised it, nothing of that entry is in the ledger; after `Ledger.durable` raised it, the
    entry may or may not outlive a crash of the machine and must not be relied upon.
    """

    @classmethod
    def of(cls, doing: str, error: OSError) -> LedgerError:
        """`cannot <doing>: <reason>; <advice>`."""
        advice = _ADVICE.get(error.errno or 0)
        return cls(f"cannot {doing}: {error.strerror or error}" + (f"; {advice}" if advice else ""))


class InUse(LedgerError):
    """Another process has the ledger open."""


class NoSuchCall(LedgerError):
    """No call of the ledger, or more than one, is meant by an id or the beginning of one."""


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn an OSError inside the block into a LedgerError that says what was being done."""
    try:
        yield
    except OSError as error:
        raise LedgerError.of(doing, error) from None

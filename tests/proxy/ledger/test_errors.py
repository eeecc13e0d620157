"""Errors say what was being done, why it failed, and what to do."""

import errno
import os

import pytest

from proxy.ledger.errors import LedgerError, told


def test_an_error_of_the_disk_says_what_to_do() -> None:
    error = LedgerError.of("write to x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert str(error) == "cannot write to x: No space left on device; make room on its disk; nothing else is needed"


def test_an_error_without_a_known_cause_still_says_what_happened() -> None:
    assert str(LedgerError.of("write to x", OSError("odd"))) == "cannot write to x: odd"


def test_told_passes_on_all_but_errors_of_the_disk() -> None:
    with pytest.raises(LedgerError, match="cannot read it: "), told("read it"):
        os.stat("/nonexistent/file")
    with pytest.raises(KeyError), told("read it"):
        raise KeyError

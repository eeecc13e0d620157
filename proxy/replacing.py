"""Small files of which whoever reads them sees all or none, and that two who change them at once do not lose."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proxy.state import sync

PATIENCE_S: Final = 5.0
"""How long one waits for another who changes a file of the same folder."""


class Busy(Exception):
    """Somebody else changes a file of this folder, and takes long. The text says what to do."""


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else changes a file of this folder meanwhile. Raises Busy, OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(folder: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Busy("somebody else changes a file of its folder just now: try again") from None
            time.sleep(0.02)


def replace_file(path: Path, data: bytes) -> None:
    """Put a file of mode 0600 in the place of another, on the disk before it is seen. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            with contextlib.suppress(FileNotFoundError, PermissionError):  # who reads it today reads it tomorrow
                before = os.stat(path)
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        sync(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def signature(status: os.stat_result) -> tuple[int, ...]:
    """Differs where the file may have changed."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode

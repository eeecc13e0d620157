"""Unix sockets: a path that only those may open who shall, and that nobody else listens on."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ASK_S = 1.0
"""How long connecting to a socket may take whose listener is busy: then somebody listens."""


def bound(path: Path, mode: int, backlog: int) -> socket.socket:
    """A socket that listens at `path`. A socket that is there already is replaced if nobody listens on it. Raises
    OSError, with EADDRINUSE where somebody does or where something else has that name.
    """
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone_in(path.parent):
            _make_way(path)
            own.bind(str(path))
            try:
                path.chmod(mode)  # nobody connects before it listens
                own.listen(backlog)
            except OSError:
                path.unlink()
                raise
    except BaseException:
        own.close()
        raise
    own.setblocking(False)
    return own


def remove(path: Path, identity: tuple[int, int]) -> None:
    """Remove the socket file, unless another has taken its place."""
    with suppress(OSError), _alone_in(path.parent):
        if identity_of(path) == identity:
            path.unlink()


def identity_of(path: Path) -> tuple[int, int]:
    """Which file this is, whatever its name. Raises OSError."""
    found = path.lstat()
    return found.st_dev, found.st_ino


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep others who do the same from looking at the sockets of a folder meanwhile. Raises OSError (EWOULDBLOCK)."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _make_way(path: Path) -> None:
    """Remove a socket on which nobody listens."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or _is_answered(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    path.unlink()


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ASK_S)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:  # it is not ours to open, or does not take us now
            return True
    return True

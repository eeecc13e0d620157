"""Unix sockets, and what may lie at their path."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from proxy.transports.unixsocket import bound, identity_of, remove


@contextmanager
def listening(path: Path, mode: int = 0o600) -> Iterator[socket.socket]:
    with closing(bound(path, mode, 8)) as own:
        yield own


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_it_has_its_mode_whatever_the_umask(mode: int, tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        with listening(tmp_path / "s", mode) as own:
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode
            assert connects(tmp_path / "s")
            assert not own.getblocking()
    finally:
        os.umask(before)


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    with listening(tmp_path / "s"):
        pass
    assert (tmp_path / "s").is_socket()
    with listening(tmp_path / "s"):
        assert connects(tmp_path / "s")


def test_a_socket_that_somebody_listens_on_is_not(tmp_path: Path) -> None:
    with listening(tmp_path / "s"):
        before = identity_of(tmp_path / "s")
        with pytest.raises(OSError) as caught:
            bound(tmp_path / "s", 0o600, 8)
        assert caught.value.errno == errno.EADDRINUSE
        assert identity_of(tmp_path / "s") == before
        assert connects(tmp_path / "s")


def test_one_whose_queue_is_full_is_not_either(tmp_path: Path) -> None:
    with closing(bound(tmp_path / "s", 0o600, 0)):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(str(tmp_path / "s"))
        with pytest.raises(OSError, match="in use"):
            bound(tmp_path / "s", 0o600, 8)
        for client in clients:
            client.close()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_nothing_else_is_ever_removed(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "s", tmp_path / "other"
    other.write_text("precious")
    made = {
        "file": lambda: path.write_text("x"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(other),
        "dangling": lambda: path.symlink_to(tmp_path / "none"),
    }
    made[kind]()
    before = identity_of(path)
    with pytest.raises(OSError) as caught:
        bound(path, 0o600, 8)
    assert caught.value.errno == errno.EADDRINUSE
    assert identity_of(path) == before
    assert other.read_text() == "precious"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bound(tmp_path / "none" / "s", 0o600, 8)


def test_two_that_begin_at_once_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(BlockingIOError):
            bound(tmp_path / "s", 0o600, 8)
        assert not (tmp_path / "s").exists()
    finally:
        os.close(lock)


def test_only_its_own_file_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path):
        own = identity_of(path)
        path.rename(tmp_path / "away")  # else its number might be given to the next
        path.write_text("another")
        remove(path, own)
        assert path.read_text() == "another"
        path.unlink()
        remove(path, own)
        (tmp_path / "away").rename(path)
        remove(path, own)
        assert not path.exists()

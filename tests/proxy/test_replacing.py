"""A file is replaced as a whole, and by one at a time."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from proxy import replacing
from proxy.replacing import Busy, alone, replace_file, signature


def test_a_file_is_there_as_a_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "f"
    replace_file(path, b"one")
    before = signature(os.stat(path))
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert signature(os.stat(path)) != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("")
    with pytest.raises(OSError, match="folder"):
        replace_file(tmp_path / "folder", b"text")
    assert os.listdir(tmp_path) == ["folder"]


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "n").write_text("0")

    def more() -> None:
        with alone(tmp_path):
            replace_file(tmp_path / "n", str(int((tmp_path / "n").read_text()) + 1).encode())

    threads = [threading.Thread(target=more) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "n").read_text() == "20"
    monkeypatch.setattr(replacing, "PATIENCE_S", 0.05)
    with alone(tmp_path), pytest.raises(Busy, match="try again"), alone(tmp_path):
        pass

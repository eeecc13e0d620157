"""The keyed head: it comes back as it was written, and nothing else passes for one."""

import os
import stat
from pathlib import Path

import pytest

from proxy.ledger.errors import LedgerError
from proxy.ledger.head import HEAD_MOST, Head, head_path, read_head, write_head

KEY = b"k" * 32
HEAD = Head(12, "ab" * 32, "segment-000000000000000001.jsonl", 3456, 99)


def test_a_head_comes_back(tmp_path: Path) -> None:
    path = head_path(tmp_path / "ledger")
    write_head(path, KEY, Head())
    write_head(path, KEY, HEAD)
    assert read_head(path, KEY) == HEAD
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["ledger.head"]


def test_it_lies_beside_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert head_path(Path("state/ledger")) == tmp_path / "state" / "ledger.head"
    assert head_path(Path("ledger/")) == tmp_path / "ledger.head"


def test_no_byte_of_it_can_change_unseen(tmp_path: Path) -> None:
    path = tmp_path / "head"
    write_head(path, KEY, HEAD)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for mask in (0x01, 0x80):
            changed = bytearray(whole)
            changed[place] ^= mask
            path.write_bytes(changed)
            assert isinstance(read_head(path, KEY), str), place
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert isinstance(read_head(path, KEY), str), end
    path.write_bytes(whole + b"\n")
    assert isinstance(read_head(path, KEY), str)


def test_another_key_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "head"
    write_head(path, KEY, HEAD)
    assert read_head(path, b"j" * 32) == "the head file was changed, or was written under another key"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b"x" * (2 * HEAD_MOST)])
def test_what_is_no_head_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "head"
    path.write_bytes(content)
    assert isinstance(read_head(path, KEY), str)


def test_a_missing_head_is_told_and_an_unreadable_one_raises(tmp_path: Path) -> None:
    assert read_head(tmp_path / "head", KEY) == "the head file is missing or empty"
    with pytest.raises(LedgerError, match="cannot read the head"):
        read_head(tmp_path, KEY)


def test_a_failed_write_leaves_the_old_head(tmp_path: Path) -> None:
    path = tmp_path / "head"
    write_head(path, KEY, HEAD)
    (tmp_path / "head.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_head(path, KEY, Head())
    assert read_head(path, KEY) == HEAD

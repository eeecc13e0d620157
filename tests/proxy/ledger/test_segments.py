"""The files of a ledger."""

from pathlib import Path

import pytest

from proxy.ledger.chain import LINE_MOST
from proxy.ledger.errors import LedgerError
from proxy.ledger.segments import first_of, lines, read_at, segment_name, segments_in


def test_names_sort_as_numbers_do(tmp_path: Path) -> None:
    firsts = [1, 9, 10, 99, 100_000, 10**17]
    for first in reversed(firsts):
        (tmp_path / segment_name(first)).touch()
    assert [first_of(path) for path in segments_in(tmp_path)] == firsts


def test_other_files_are_no_segments(tmp_path: Path) -> None:
    for name in ("index.sqlite3", "segment-1.jsonl", "segment-000000000000000001.jsonl.bak"):
        (tmp_path / name).touch()
    assert segments_in(tmp_path) == []
    with pytest.raises(LedgerError, match="not named like"):
        first_of(tmp_path / "segment-1.jsonl")


def test_a_missing_folder_has_no_segments_and_a_file_is_no_folder(tmp_path: Path) -> None:
    assert segments_in(tmp_path / "none") == []
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot list"):
        segments_in(tmp_path / "file")


def test_lines_come_with_their_offsets_and_the_last_piece_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"one\ntwo\nthr")
    assert list(lines(path)) == [(0, b"one\n"), (4, b"two\n"), (8, b"thr")]
    assert list(lines(path, 4)) == [(4, b"two\n"), (8, b"thr")]
    assert list(lines(path, 0, 6)) == [(0, b"one\n"), (4, b"tw")]
    assert list(lines(path, 99)) == []


def test_an_endless_line_comes_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"x" * (LINE_MOST + 1))
    assert [(place, len(line)) for place, line in lines(path)] == [(0, LINE_MOST), (LINE_MOST, 1)]


def test_reading_at_a_place_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"0123456789")
    assert read_at(path, 3, 4) == b"3456"
    assert read_at(path, 8, 4) == b"89"
    assert read_at(path, 80, 4) == b""
    assert read_at(tmp_path / "none", 0, 4) == b""
    with pytest.raises(LedgerError, match="cannot read"):
        read_at(tmp_path, 0, 4)
    with pytest.raises(LedgerError, match="cannot read"):
        list(lines(tmp_path / "none"))

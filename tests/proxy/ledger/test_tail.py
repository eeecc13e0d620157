"""The end of the ledger, and what comes after it."""

import threading
from itertools import islice
from pathlib import Path

import pytest

from proxy.ledger import Ledger, LedgerError
from proxy.ledger.segments import segments_in
from proxy.ledger.tail import BLOCK, follow, tail
from tests.proxy.ledger.helpers import KEY, call, write


@pytest.mark.parametrize("count", [0, 1, 5, 11, 12, 13, 100])
@pytest.mark.parametrize("segment_bytes", [1000, 1_000_000])
def test_the_last_entries_come_oldest_first(tmp_path: Path, count: int, segment_bytes: int) -> None:
    folder = write(tmp_path / "ledger", 10, segment_bytes=segment_bytes)
    assert [sealed.seq for sealed in tail(folder, count)] == list(range(1, 13))[max(12 - count, 0) :]


def test_entries_longer_than_a_block_are_found(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    for number in range(5):
        ledger.append(call(number, note="x" * (BLOCK + number)))
    ledger.close()
    assert [sealed.seq for sealed in tail(tmp_path / "ledger", 4)] == [4, 5, 6, 7]


def test_damaged_and_torn_lines_are_no_entries(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 3)
    with segments_in(folder)[0].open("ab") as file:
        file.write(b'{"seq":6}\n{"seq"')
    assert [sealed.seq for sealed in tail(folder, 2)] == [4, 5]


def test_no_ledger_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        tail(tmp_path, 1)
    with pytest.raises(LedgerError, match="there is no ledger"):
        next(follow(tmp_path))


def test_following_gives_each_entry_once_over_segments_and_restarts(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 3)

    def go_on() -> None:
        for _ in range(3):
            write(folder, 20, segment_bytes=1500)

    writer = threading.Thread(target=go_on)
    watching = follow(folder, 2, pause=0.01)
    assert [sealed.seq for sealed in islice(watching, 2)] == [4, 5]
    writer.start()
    assert [sealed.seq for sealed in islice(watching, 66)] == list(range(6, 72))
    writer.join()


def test_following_begins_with_what_is_new(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 3)
    watching, got = follow(folder, pause=0.01), []
    reader = threading.Thread(target=lambda: got.append(next(watching).seq), daemon=True)
    reader.start()
    reader.join(0.1)
    assert got == []
    write(folder, 1)
    reader.join(5)
    assert got == [6]


def test_half_a_line_is_waited_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 3)
    other = write(tmp_path / "other", 4)
    segment, line = segments_in(folder)[0], segments_in(other)[0].read_bytes().splitlines(keepends=True)[-1]
    watching, got = follow(folder, pause=0.01), []
    reader = threading.Thread(target=lambda: got.append(next(watching).seq), daemon=True)
    reader.start()
    for half in (line[:50], line[50:]):
        reader.join(0.1)
        assert got == []
        with segment.open("ab") as file:
            file.write(half)
    reader.join(5)
    assert got == [6]

"""Opening what a crash, or somebody else, left behind."""

import json
import os
from pathlib import Path

import pytest

from proxy.ledger import Ledger, LedgerError
from proxy.ledger.chain import GENESIS, LINE_MOST
from proxy.ledger.head import Head, head_path, read_head, write_head
from proxy.ledger.recover import recover
from proxy.ledger.segments import segments_in
from proxy.ledger.verify import verify
from tests.counts import every_third
from tests.proxy.ledger.helpers import KEY, call, copy, lines_of, write


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A ledger as a kill leaves it: no entry of kind close, and a head that lags: open, 5 calls."""
    source = tmp_path / "source"
    ledger = Ledger.open(source, KEY)
    for number in range(5):
        ledger.append(call(number))
    folder = copy(source, tmp_path / "ledger")
    ledger.close()
    return folder


def last(folder: Path) -> Path:
    return segments_in(folder)[-1]


def opening(folder: Path) -> dict[str, object]:
    """The entry with which a new opening of the ledger begins."""
    Ledger.open(folder, KEY).close()
    entry: dict[str, object] = json.loads(lines_of(folder)[-2])
    assert entry["kind"] == "open"
    return entry


def test_a_new_folder_begins_at_the_beginning(tmp_path: Path) -> None:
    start = recover(tmp_path, "the head file is missing or empty")
    assert (start.seq, start.hash, start.segment, start.faults, start.cut) == (0, GENESIS, None, [], {})


def test_a_crash_without_a_torn_line_leaves_nothing_to_tell(crashed: Path) -> None:
    entry = opening(crashed)
    assert "cut" not in entry
    assert "faults" not in entry
    assert entry["seq"] == 7
    assert verify(crashed, KEY).ok


def test_an_opening_brings_the_head_up_to_date(crashed: Path) -> None:
    """However often it crashes within the head's second."""
    head = read_head(head_path(crashed), KEY)
    assert isinstance(head, Head)
    assert head.seq == 1
    ledger = Ledger.open(crashed, KEY)
    head = read_head(head_path(crashed), KEY)
    assert isinstance(head, Head)
    assert head.seq == 7
    ledger.close()


def test_every_torn_last_line_is_cut_off_and_noted(crashed: Path, tmp_path: Path) -> None:
    whole = lines_of(crashed)
    for length in every_third(range(1, len(whole[-1]))):
        folder = copy(crashed, tmp_path / "torn")
        os.truncate(last(folder), sum(map(len, whole[:-1])) + length)
        torn = whole[-1][:length]
        entry = opening(folder)
        assert entry["seq"] == 6
        assert "faults" not in entry
        cut = entry["cut"]
        assert isinstance(cut, dict)
        assert (cut["bytes"], cut["text"]) == (length, torn.decode())
        assert lines_of(folder)[:5] == whole[:5]
        assert verify(folder, KEY).ok


def test_a_first_line_that_was_torn_is_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    folder.mkdir()
    write_head(head_path(folder), KEY, Head())
    (folder / "segment-000000000000000001.jsonl").write_bytes(b'{"seq":1')
    assert opening(folder)["seq"] == 1
    assert verify(folder, KEY).ok


def test_a_segment_that_was_begun_and_not_written_is_used(crashed: Path) -> None:
    (crashed / "segment-000000000000000007.jsonl").touch()
    assert opening(crashed)["seq"] == 7
    assert verify(crashed, KEY).ok
    assert last(crashed).stat().st_size > 0


def test_what_is_wrong_at_a_start_is_said_in_the_log(crashed: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert opening(crashed)["kind"] == "open"
    assert not caplog.records
    with last(crashed).open("ab") as file:
        file.write(b"{}\n")
    opening(crashed)
    (line,) = caplog.messages
    assert line.startswith(f"THE LEDGER IS NOT AS IT WAS LEFT: {segments_in(crashed)[0].name}, byte ")
    assert "toolwall ledger verify" in line


def test_a_complete_last_line_that_is_bad_is_left_where_it_is(crashed: Path) -> None:
    with last(crashed).open("ab") as file:
        file.write(b"\0" * 300 + b"\n")
    before = last(crashed).read_bytes()
    entry = opening(crashed)
    assert "is not a line of this ledger" in str(entry["faults"])
    assert segments_in(crashed)[0].read_bytes() == before
    assert len(segments_in(crashed)) == 2
    report = verify(crashed, KEY)
    assert [fault.line for fault in report.faults] == [7, 1]  # where it is, and where a start found it


def test_garbage_without_end_is_left_where_it_is(crashed: Path) -> None:
    with last(crashed).open("ab") as file:
        file.write(b"\0" * (LINE_MOST + 5))
    size = last(crashed).stat().st_size
    opening(crashed)
    assert segments_in(crashed)[0].stat().st_size >= size - 5
    assert not verify(crashed, KEY).ok
    write(crashed, 2)
    assert verify(crashed, KEY).last_seq > 7


def test_a_missing_head_is_told(crashed: Path) -> None:
    head_path(crashed).unlink()
    assert opening(crashed)["faults"] == ["the head file is missing or empty"]


def test_another_key_is_told(crashed: Path) -> None:
    Ledger.open(crashed, b"j" * 32).close()
    assert "under another key" in str(json.loads(lines_of(crashed)[6])["faults"])


def test_a_cut_tail_is_told_and_no_number_is_given_twice(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 5)
    whole = lines_of(folder)
    os.truncate(last(folder), sum(map(len, whole[:3])))
    entry = opening(folder)
    assert entry["seq"] == 8
    assert entry["prev"] == json.loads(whole[-1])["hash"]
    assert "record 7, which the head knows, is missing" in str(entry["faults"])


def test_a_removed_ledger_is_told_and_goes_on_after_its_head(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 5)
    last(folder).unlink()
    assert opening(folder)["seq"] == 8
    assert not verify(folder, KEY).ok


def test_the_faults_in_one_entry_are_bounded(crashed: Path) -> None:
    head_path(crashed).unlink()
    with last(crashed).open("ab") as file:
        file.write(b"?\n" * 5000)
    faults = opening(crashed)["faults"]
    assert isinstance(faults, list)
    assert len(faults) == 20


def test_a_link_in_the_place_of_a_segment_is_not_written_through(crashed: Path) -> None:
    moved = last(crashed).rename(crashed / "moved")
    (crashed / "segment-000000000000000001.jsonl").symlink_to(moved)
    with pytest.raises(LedgerError, match="cannot open the ledger"):
        Ledger.open(crashed, KEY)
    assert len(moved.read_bytes().splitlines()) == 6


def test_a_failed_opening_leaves_nothing_open(crashed: Path) -> None:
    (crashed / "segment-000000000000000009.jsonl").mkdir()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(LedgerError, match="Is a directory"):
        Ledger.open(crashed, KEY)
    assert os.listdir("/proc/self/fd") == before
    (crashed / "segment-000000000000000009.jsonl").rmdir()
    Ledger.open(crashed, KEY).close()

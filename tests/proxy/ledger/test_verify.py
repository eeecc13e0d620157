"""Whatever is done to a ledger shows: every mutation, at every place."""

import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from proxy.ledger import Ledger, LedgerError
from proxy.ledger.chain import GENESIS, encode, seal
from proxy.ledger.head import Head, head_path, read_head, write_head
from proxy.ledger.segments import segments_in
from proxy.ledger.verify import FAULTS_MOST, LATE_NS, verify
from tests.counts import every_third
from tests.proxy.ledger.helpers import KEY, call, copy, lines_of, write

SMALL, LARGE = 12, 1000
SMALL_SEGMENT = 1200  # four or five records


def removed(lines: list[bytes], at: int) -> list[bytes]:
    return lines[:at] + lines[at + 1 :]


def doubled(lines: list[bytes], at: int) -> list[bytes]:
    return lines[: at + 1] + lines[at:]


def swapped(lines: list[bytes], at: int) -> list[bytes]:
    other = (at + 1) % len(lines)
    lines = list(lines)
    lines[at], lines[other] = lines[other], lines[at]
    return lines


def moved_to_the_end(lines: list[bytes], at: int) -> list[bytes]:
    return [*removed(lines, at), lines[at], b"\n"] if at == len(lines) - 1 else [*removed(lines, at), lines[at]]


def halved(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at][: len(lines[at]) // 2], *lines[at + 1 :]]


def halved_with_its_line_break(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at][: len(lines[at]) // 2] + b"\n", *lines[at + 1 :]]


def without_its_line_break(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at][:-1], *lines[at + 1 :]]


def forged(lines: list[bytes], at: int) -> list[bytes]:
    """The record is changed and its hash made to fit; the attacker knows all but the key."""
    prev = lines[at].split(b'"prev":"')[1][:64].decode()
    return [*lines[:at], seal(at + 1, 5, prev, encode(call(666)))[0], *lines[at + 1 :]]


def rewritten(lines: list[bytes], at: int) -> list[bytes]:
    """The record is changed and all that follows is chained anew."""
    new, prev = lines[:at], lines[at].split(b'"prev":"')[1][:64].decode()
    for number in range(at, len(lines)):
        line, prev = seal(number + 1, 5, prev, encode(call(666) if number == at else {"kind": "close"}))
        new.append(line)
    return new


def cut_off(lines: list[bytes], at: int) -> list[bytes]:
    return lines[:at]


MUTATIONS = [
    *(removed, doubled, swapped, moved_to_the_end, halved, halved_with_its_line_break),
    *(without_its_line_break, forged, rewritten, cut_off),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small") / "ledger", SMALL)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("large") / "ledger", LARGE - 2)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of many segments."""
    return write(tmp_path_factory.mktemp("many") / "ledger", 40, segment_bytes=SMALL_SEGMENT)


@pytest.fixture
def fill(tmp_path: Path) -> Callable[[Path, list[bytes]], Path]:
    """A ledger of one segment made of the given lines, with the head of another."""

    def make(model: Path, lines: list[bytes]) -> Path:
        folder = tmp_path / "ledger"
        folder.mkdir(exist_ok=True)
        (folder / segments_in(model)[0].name).write_bytes(b"".join(lines))
        shutil.copy(head_path(model), head_path(folder))
        return folder

    return make


def test_an_untouched_ledger_has_no_fault(small: Path, large: Path, many: Path) -> None:
    for folder, records in ((small, SMALL + 2), (large, LARGE), (many, 42)):
        report = verify(folder, KEY)
        assert report.ok
        assert report.faults == report.notes == report.unfinished == []
        assert report.records == report.last_seq == report.head_seq == records
        assert report.closed
    assert len(segments_in(many)) == verify(many, KEY).segments > 5


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_every_mutation_shows_at_every_place(
    small: Path, fill: Callable[..., Path], mutate: Callable[..., list[bytes]]
) -> None:
    lines = lines_of(small)
    for at in range(len(lines)):
        report = verify(fill(small, mutate(lines, at)), KEY)
        assert not report.ok, at
        assert report.faults[0].file in ("head", segments_in(small)[0].name)


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_every_mutation_shows_among_a_thousand(
    large: Path, fill: Callable[..., Path], mutate: Callable[..., list[bytes]]
) -> None:
    lines = lines_of(large)
    assert len(lines) == LARGE
    for at in [0, 1, LARGE // 2, LARGE - 2, LARGE - 1, random.randrange(LARGE)]:
        assert not verify(fill(large, mutate(lines, at)), KEY).ok, at


def test_every_flipped_byte_shows(tmp_path: Path, fill: Callable[..., Path]) -> None:
    model = write(tmp_path / "model", 3)
    whole = b"".join(lines_of(model))
    for place in every_third(range(len(whole))):
        changed = bytearray(whole)
        changed[place] ^= 1 << random.randrange(8)
        assert not verify(fill(model, [bytes(changed)]), KEY).ok, place


def test_flipped_bytes_show_among_a_thousand_at_their_line(large: Path, fill: Callable[..., Path]) -> None:
    lines = lines_of(large)
    for at in [0, LARGE - 1, *random.sample(range(LARGE), 10)]:
        changed = bytearray(lines[at])
        changed[random.randrange(len(changed) - 1)] ^= 1 << random.randrange(8)
        report = verify(fill(large, [*lines[:at], bytes(changed), *lines[at + 1 :]]), KEY)
        assert not report.ok
        if b"\n" not in changed[:-1]:
            assert (report.faults[0].line, report.faults[0].seq) == (at + 1, at + 1)


def test_every_cut_tail_shows(small: Path, fill: Callable[..., Path]) -> None:
    whole = b"".join(lines_of(small))
    for end in every_third(range(len(whole))):
        assert not verify(fill(small, [whole[:end]]), KEY).ok, end


def test_one_removed_record_is_one_fault_and_names_it(small: Path, fill: Callable[..., Path]) -> None:
    report = verify(fill(small, removed(lines_of(small), 4)), KEY)
    assert report.fault_count == 1
    assert (report.faults[0].line, report.faults[0].seq) == (5, 6)
    assert str(report.faults[0]).endswith(":5: record 6 has number 6 where 5 is due: record 5 is missing")


def test_one_flipped_byte_is_one_fault(small: Path, fill: Callable[..., Path]) -> None:
    lines = lines_of(small)
    report = verify(fill(small, [*lines[:3], lines[3].replace(b"call-00002", b"call-00003"), *lines[4:]]), KEY)
    assert [(fault.line, fault.seq) for fault in report.faults] == [(4, 4)]
    assert "its bytes do not fit its hash" in report.faults[0].what


def test_every_removed_segment_shows(many: Path, tmp_path: Path) -> None:
    for number in range(len(segments_in(many))):
        folder = copy(many, tmp_path / "ledger")
        segments_in(folder)[number].unlink()
        assert not verify(folder, KEY).ok, number


def test_every_emptied_segment_shows(many: Path, tmp_path: Path) -> None:
    for number in range(len(segments_in(many))):
        folder = copy(many, tmp_path / "ledger")
        segments_in(folder)[number].write_bytes(b"")
        assert not verify(folder, KEY).ok, number


def test_swapped_segments_show(many: Path, tmp_path: Path) -> None:
    for one, other in pairwise(range(len(segments_in(many)))):
        folder = copy(many, tmp_path / "ledger")
        first, second = segments_in(folder)[one], segments_in(folder)[other]
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
        assert not verify(folder, KEY).ok, one


def test_a_renamed_segment_shows(many: Path, tmp_path: Path) -> None:
    folder = copy(many, tmp_path / "ledger")
    first = segments_in(folder)[0]
    first.rename(first.with_name("segment-000000000000000000.jsonl"))
    assert "not the one that the file is named after" in verify(folder, KEY).faults[0].what


def test_half_a_line_at_the_end_of_a_segment_in_the_middle_shows(many: Path, tmp_path: Path) -> None:
    folder = copy(many, tmp_path / "ledger")
    with segments_in(folder)[1].open("ab") as file:
        file.write(b'{"seq":9')
    assert not verify(folder, KEY).ok


def test_a_ledger_emptied_with_its_folder_shows(small: Path, tmp_path: Path) -> None:
    folder = copy(small, tmp_path / "ledger")
    shutil.rmtree(folder)
    report = verify(folder, KEY)
    assert [fault.what for fault in report.faults] == [f"knows record {SMALL + 2}; the ledger ends with 0"]


def test_a_removed_head_shows(small: Path, tmp_path: Path) -> None:
    folder = copy(small, tmp_path / "ledger")
    head_path(folder).unlink()
    assert [fault.what for fault in verify(folder, KEY).faults] == ["the head file is missing or empty"]


def test_the_head_of_another_ledger_shows(small: Path, tmp_path: Path) -> None:
    folder = copy(small, tmp_path / "ledger")
    other = write(tmp_path / "other", SMALL)
    shutil.copy(head_path(other), head_path(folder))
    assert not verify(folder, KEY).ok


def test_another_key_shows(small: Path) -> None:
    assert "under another key" in verify(small, b"j" * 32).faults[0].what


def test_every_head_that_is_put_back_shows(small: Path, tmp_path: Path) -> None:
    """Genuine heads of every earlier moment, as an attacker who copied them would have them."""
    folder = copy(small, tmp_path / "ledger")
    genuine, offset = read_head(head_path(folder), KEY), 0
    assert isinstance(genuine, Head)
    for line in lines_of(folder)[:-1]:
        offset += len(line)
        seq, digest = int(line.split(b":")[1].split(b",")[0]), line[-67:-3].decode()
        write_head(head_path(folder), KEY, genuine._replace(seq=seq, hash=digest, offset=offset))
        assert "it was put back" in verify(folder, KEY).faults[0].what, seq
    write_head(head_path(folder), KEY, Head())
    assert not verify(folder, KEY).ok


def test_a_head_far_behind_a_ledger_that_was_not_closed_shows(tmp_path: Path) -> None:
    """The records after the head span more time than the head may lag."""
    folder, prev, lines = tmp_path / "ledger", GENESIS, []
    for seq, at_ns in ((1, 10**18), (2, 10**18 + LATE_NS), (3, 10**18 + LATE_NS + 1)):
        line, prev = seal(seq, at_ns, prev, encode(call(seq)))
        lines.append(line)
    folder.mkdir()
    write_head(head_path(folder), KEY, Head())
    (folder / "segment-000000000000000001.jsonl").write_bytes(b"".join(lines[:2]))
    assert verify(folder, KEY).ok
    (folder / "segment-000000000000000001.jsonl").write_bytes(b"".join(lines))
    assert "3 records and 10 s behind" in verify(folder, KEY).faults[0].what


def test_what_an_attacker_did_before_a_restart_still_shows_after_it(small: Path, tmp_path: Path) -> None:
    """A restart brings the head up to date; it must not thereby approve what it found."""
    lines = lines_of(small)
    for mutate in (cut_off, rewritten, forged, removed, without_its_line_break):
        for at in (0, 5, len(lines) - 1):
            folder = copy(small, tmp_path / "ledger")
            segments_in(folder)[0].write_bytes(b"".join(mutate(lines, at)))
            write(folder, 3)
            assert not verify(folder, KEY).ok, (mutate, at)
            write(folder, 3)
            assert not verify(folder, KEY).ok, (mutate, at)


def test_a_head_removed_before_a_restart_still_shows_after_it(small: Path, tmp_path: Path) -> None:
    folder = copy(small, tmp_path / "ledger")
    head_path(folder).unlink()
    write(folder, 3)
    assert [fault.what for fault in verify(folder, KEY).faults] == [
        "found at a start: the head file is missing or empty"
    ]


def test_a_running_ledger_has_no_fault(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    try:
        for number in range(200):
            ledger.append(call(number))
            if not number % 20:
                assert verify(tmp_path / "ledger", KEY).ok
        assert not verify(tmp_path / "ledger", KEY).closed
    finally:
        ledger.close()


def test_an_intent_without_its_end_is_unfinished_and_no_fault(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    for number in range(4):
        ledger.append(call(number, kind="intent"))
    ledger.append(call(1))
    ledger.append(call(3))
    ledger.close()
    report = verify(tmp_path / "ledger", KEY)
    assert report.ok
    assert report.unfinished == ["call-00000", "call-00002"]
    assert report.unfinished_count == 2


def test_a_torn_last_line_is_a_note(small: Path, tmp_path: Path) -> None:
    folder = copy(small, tmp_path / "ledger")
    with segments_in(folder)[0].open("ab") as file:
        file.write(b'{"seq":15,"at')
    report = verify(folder, KEY)
    assert report.ok
    assert "13 bytes of an unfinished line" in report.notes[0]


def test_the_list_of_faults_is_bounded(fill: Callable[..., Path], small: Path) -> None:
    report = verify(fill(small, [b"{}\n"] * (FAULTS_MOST + 5)), KEY)
    assert len(report.faults) == FAULTS_MOST
    assert report.fault_count == FAULTS_MOST + 5


def test_no_ledger_is_no_good_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger in"):
        verify(tmp_path / "none", KEY)

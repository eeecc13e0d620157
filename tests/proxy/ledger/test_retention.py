"""Old segments go as a whole, never silently, and never with what somebody still has to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any

import pytest

from proxy.ledger import Ledger
from proxy.ledger.checkpoint import Signer, append, read
from proxy.ledger.retention import Keep, prune
from proxy.ledger.segments import first_of, segments_in
from proxy.ledger.verify import verify
from tests.proxy.ledger.helpers import KEY, call, lines_of

ALL = Keep(age_s=0)
SEED = b"s" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(folder, KEY, segment_bytes=1000)
    yield ledger
    ledger.close()


def fill(ledger: Ledger, *entries: dict[str, Any]) -> int:
    """These entries, and twenty calls behind them."""
    return [ledger.append(entry) for entry in (*entries, *(call(number) for number in range(20)))][-1]


def pruned(ledger: Ledger, folder: Path, keep: Keep = ALL, covered: int = 10**6) -> list[str]:
    return prune(ledger, folder, keep, covered, time_ns() + 10**9)


def test_all_but_the_last_segment_goes_and_the_rest_still_proves_itself(ledger: Ledger, folder: Path) -> None:
    fill(ledger)
    before = segments_in(folder)
    assert pruned(ledger, folder) == [path.name for path in before[:-1]]
    ledger.append(call(99))
    ledger.close()
    report = verify(folder, KEY)
    assert report.faults == []
    assert report.records == len(lines_of(folder))
    told = [entry for entry in map(json.loads, lines_of(folder)) if entry["kind"] == "removed"]
    assert [entry["first"] for entry in told] == [first_of(path) for path in before[:-1]]
    assert told[-1]["last"] == first_of(before[-1]) - 1
    assert told[-1]["end_hash"] == json.loads(lines_of(folder)[0])["prev"]


def test_a_ledger_that_lost_segments_goes_on_after_a_start(ledger: Ledger, folder: Path) -> None:
    fill(ledger)
    pruned(ledger, folder)
    ledger.close()
    again = Ledger.open(folder, KEY, segment_bytes=1000)
    fill(again)
    assert pruned(again, folder)
    again.close()
    assert verify(folder, KEY).faults == []


def test_a_segment_that_somebody_else_took_away_is_missed(ledger: Ledger, folder: Path) -> None:
    fill(ledger)
    pruned(ledger, folder)
    fill(ledger)
    ledger.close()
    segments_in(folder)[0].unlink()
    last = first_of(segments_in(folder)[0]) - 1
    assert f"records 1 to {last} are missing" in str(verify(folder, KEY).faults[0])


def test_a_crash_between_the_entry_and_the_removal_is_no_fault(ledger: Ledger, folder: Path) -> None:
    fill(ledger)
    kept = segments_in(folder)[0]
    data = kept.read_bytes()
    assert pruned(ledger, folder, covered=first_of(segments_in(folder)[1])) == [kept.name]
    kept.write_bytes(data)
    ledger.close()
    assert verify(folder, KEY).faults == []
    again = Ledger.open(folder, KEY)
    assert kept.name in pruned(again, folder)
    again.close()
    assert verify(folder, KEY).faults == []


def test_nothing_goes_that_is_not_behind_a_checkpoint(ledger: Ledger, folder: Path) -> None:
    fill(ledger)
    second = first_of(segments_in(folder)[1])
    assert pruned(ledger, folder, covered=second - 1) == []
    assert len(pruned(ledger, folder, covered=second)) == 1


def test_what_is_young_or_within_the_size_stays(ledger: Ledger, folder: Path) -> None:
    fill(ledger)
    assert pruned(ledger, folder, Keep(age_s=3600)) == []
    size = sum(path.stat().st_size for path in segments_in(folder))
    assert pruned(ledger, folder, Keep(most_bytes=size)) == []
    assert len(pruned(ledger, folder, Keep(most_bytes=size - 1))) == 1


UNKNOWN = call(500, effect="write", executed="unknown", attempts=1, outcome="outcome_unknown")


@pytest.mark.parametrize("entry", [{"kind": "intent", "call": "call-00500"}, UNKNOWN])
def test_a_call_that_somebody_has_to_look_at_holds_its_segment(
    ledger: Ledger, folder: Path, entry: dict[str, Any]
) -> None:
    fill(ledger, entry)
    assert pruned(ledger, folder) == []
    fill(ledger, {"kind": "settled", "call": "call-00500", "as": "done"})
    assert pruned(ledger, folder)


def test_a_call_that_ends_in_a_later_segment_holds_nothing(ledger: Ledger, folder: Path) -> None:
    fill(ledger, {"kind": "intent", "call": "call-00500"})
    fill(ledger, call(500, effect="write", executed="yes"))
    assert pruned(ledger, folder)


def test_an_unknown_outcome_of_a_read_holds_nothing(ledger: Ledger, folder: Path) -> None:
    fill(ledger, UNKNOWN | {"effect": "read"})
    assert pruned(ledger, folder)


def test_checkpoints_show_a_tail_that_was_cut_and_a_chain_that_was_written_anew(folder: Path, tmp_path: Path) -> None:
    signer, file = Signer(SEED), tmp_path / "checkpoints"
    ledger = Ledger.open(folder, KEY, safe=lambda head: append(file, signer.line(head)))
    fill(ledger)
    ledger.close()
    known = read(file, signer.public).known
    assert verify(folder, KEY, known).faults == []
    for path in (*segments_in(folder), folder.with_name("ledger.head")):
        path.unlink()  # whoever has the key writes another ledger, which is sound in itself
    forged = Ledger.open(folder, KEY)
    for number in range(5):
        forged.append(call(number))
    forged.close()
    assert verify(folder, KEY).faults == []
    faults = [str(fault) for fault in verify(folder, KEY, known).faults]
    assert any("is not the one that a checkpoint knows" in fault for fault in faults)
    assert any("the ledger ends with 7" in fault for fault in faults)

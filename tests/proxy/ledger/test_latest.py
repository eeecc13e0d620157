"""The ends of calls, found from the end of a ledger backwards."""

from __future__ import annotations

from pathlib import Path

from proxy.ledger import Ledger
from proxy.ledger.latest import ends
from proxy.ledger.segments import segments_in
from tests.proxy.ledger.helpers import KEY, call, write


def found(folder: Path, *calls: str, since_ns: int = 0) -> list[str]:
    return [entry["call"] for entry in ends(folder, set(calls), since_ns)]


def test_calls_are_found_across_segments_newest_first(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 60, segment_bytes=4000)
    assert len(segments_in(folder)) > 2
    wanted = [call(number)["call"] for number in (3, 59, 30)]
    assert found(folder, *wanted, "never was") == [wanted[1], wanted[2], wanted[0]]


def test_older_entries_are_not_looked_at(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 5)
    assert found(folder, "call-00002", since_ns=2**62) == []
    assert found(folder) == []
    assert found(tmp_path / "nowhere", "call-00002") == []


def test_what_does_not_fit_is_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 5)
    (segment,) = segments_in(folder)
    segment.write_bytes(segment.read_bytes().replace(b"call-00003", b"call-00004") + b'{"torn')
    assert found(folder, "call-00002", "call-00003", "call-00004") == ["call-00004", "call-00002"]


def test_a_name_within_the_arguments_is_not_the_calls_own(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    ledger.append({"kind": "call", "call": "first", "arguments": {"call": "second"}})
    ledger.append({"kind": "intent", "call": "second"})
    ledger.append({"kind": "call", "call": "third", "notes": ['"call":"first"']})
    ledger.close()
    assert found(tmp_path / "ledger", "first", "second") == ["first"]

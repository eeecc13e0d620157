"""Searching: the index is a convenience that can be lost, and never shows what the ledger does not say."""

import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from proxy.ledger import Ledger, LedgerError, NoSuchCall
from proxy.ledger.index import INDEX_FILE, UNFINISHED, Query, find, show
from proxy.ledger.segments import segments_in
from tests.proxy.ledger.helpers import KEY, call, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four calls: a read, a write with intent and end, one refused, one that never ended."""
    folder = tmp_path / "ledger"
    ledger = Ledger.open(folder, KEY, segment_bytes=700)
    for entry in (
        call(1, principal="ann", run="r1", decision="allow"),
        call(2, kind="intent", principal="ann", run="r1", tool="crm.create_refund", decision="allow", outcome=""),
        call(3, principal="bob", run="r2", decision="deny", code="denied", outcome="refused"),
        call(2, principal="ann", run="r1", tool="crm.create_refund", decision="allow"),
        call(4, kind="intent", principal="bob", run="r2", tool="crm.create_refund", decision="allow", outcome=""),
    ):
        ledger.append(entry)
    ledger.close()
    return folder


def found(folder: Path, **query: Any) -> list[str]:
    return [str(sealed.entry["call"])[-1] for sealed in find(folder, Query(**query))]


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ({}, ["4", "2", "3", "1"]),
        ({"limit": 2}, ["4", "2"]),
        ({"limit": 0}, []),
        ({"limit": -1}, []),
        ({"tool": "crm.create_refund"}, ["4", "2"]),
        ({"tool": "crm.%"}, []),
        ({"principal": "ann"}, ["2", "1"]),
        ({"run": "r2"}, ["4", "3"]),
        ({"decision": "deny"}, ["3"]),
        ({"code": "denied"}, ["3"]),
        ({"outcome": "ok"}, ["2", "1"]),
        ({"outcome": UNFINISHED}, ["4"]),
        ({"principal": "ann", "tool": "crm.create_refund", "outcome": "ok"}, ["2"]),
        ({"principal": "ann", "run": "r2"}, []),
        ({"principal": "' OR 1=1 --"}, []),
        ({"since_ns": 2**62}, []),
    ],
)
def test_search(folder: Path, query: dict[str, Any], calls: list[str]) -> None:
    assert found(folder, **query) == calls


def test_since_is_a_time(folder: Path) -> None:
    last = find(folder, Query(limit=1))[0]
    assert found(folder, since_ns=last.at_ns) == ["4"]
    assert found(folder, since_ns=last.at_ns + 1) == []


def test_a_call_is_shown_with_its_intent_and_its_end(folder: Path) -> None:
    assert [sealed.entry["kind"] for sealed in show(folder, "call-00002")] == ["intent", "call"]
    assert [sealed.entry["kind"] for sealed in show(folder, "call-00004")] == ["intent"]


def test_the_beginning_of_an_id_is_enough(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    for name in ("aab", "aac", "aacd", "b%c", "b_c"):
        ledger.append(call(0, call=name))
    ledger.close()

    def shown(start: str) -> object:
        return show(tmp_path / "ledger", start)[0].entry["call"]

    assert (shown("aab"), shown("aac"), shown("aacd"), shown("b_")) == ("aab", "aac", "aacd", "b_c")
    with pytest.raises(NoSuchCall, match=r"more than one call begins with 'aa': aab, aac, aacd$"):
        shown("aa")
    for start in ("", "x", "aabx", "%", "AAB"):
        with pytest.raises(NoSuchCall, match="no call in the ledger begins with"):
            shown(start)


def test_many_candidates_are_not_all_listed(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 50)
    with pytest.raises(LedgerError, match=r"call-00004, \.\.\.$"):
        show(folder, "call-")


def test_what_is_new_is_found(folder: Path) -> None:
    assert found(folder, outcome=UNFINISHED) == ["4"]
    ledger = Ledger.open(folder, KEY)
    ledger.append(call(4, outcome="ok", principal="bob"))
    assert found(folder, outcome=UNFINISHED) == []
    ledger.append(call(5))
    assert found(folder, limit=1) == ["5"]
    ledger.close()


def test_the_index_is_for_its_owner_and_can_be_deleted(folder: Path) -> None:
    before = found(folder)
    index = folder / INDEX_FILE
    assert stat.S_IMODE(index.stat().st_mode) == 0o600
    index.unlink()
    assert found(folder) == before


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_broken_index_is_made_anew(folder: Path, content: bytes) -> None:
    before = found(folder)
    (folder / INDEX_FILE).write_bytes(content)
    assert found(folder) == before


def test_an_index_of_another_version_is_made_anew(folder: Path) -> None:
    before = found(folder)
    with sqlite3.connect(folder / INDEX_FILE) as index:
        index.execute("PRAGMA user_version = 99")
    index.close()
    assert found(folder) == before


def test_the_index_of_another_ledger_is_made_anew(folder: Path, tmp_path: Path) -> None:
    before = found(folder)
    other = write(tmp_path / "other", 30, segment_bytes=700)
    found(other)
    (folder / INDEX_FILE).write_bytes((other / INDEX_FILE).read_bytes())
    assert found(folder) == before


def test_a_segment_that_is_gone_is_forgotten(folder: Path) -> None:
    found(folder)
    segments_in(folder)[0].unlink()
    assert "1" not in found(folder)


def test_a_changed_record_is_not_shown_as_genuine(folder: Path) -> None:
    found(folder)
    first = segments_in(folder)[0]
    first.write_bytes(first.read_bytes().replace(b'"ann"', b'"eve"'))
    with pytest.raises(LedgerError, match=r"was changed.*run `toolwall ledger verify`"):
        found(folder)
    (folder / INDEX_FILE).unlink()
    assert "1" not in found(folder)


def test_strange_values_do_not_stop_a_search(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    for entry in (call(1, tool=7, principal=None, run=["x"]), {"kind": "call"}, call(2, tool="x\x00\ud800")):
        ledger.append(entry)
    ledger.close()
    assert len(find(tmp_path / "ledger", Query())) == 3
    assert find(tmp_path / "ledger", Query(tool="x\x00\ud800"))[0].entry["call"] == "call-00002"
    with pytest.raises(NoSuchCall, match="no call"):
        show(tmp_path / "ledger", "\udcff")


def test_several_commands_at_once_and_a_sidecar_that_writes(folder: Path) -> None:
    ledger, results = Ledger.open(folder, KEY, segment_bytes=5000), []
    readers = [threading.Thread(target=lambda: results.append(len(found(folder, limit=10_000)))) for _ in range(8)]
    for number, reader in enumerate(readers):
        reader.start()
        for each in range(50):
            ledger.append(call(100 + number * 50 + each))
    for reader in readers:
        reader.join(30)
    ledger.close()
    assert len(results) == 8
    assert len(found(folder, limit=10_000)) == 404


def test_no_ledger_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        find(tmp_path, Query())
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / INDEX_FILE).mkdir()
    with pytest.raises(LedgerError, match="cannot make the index"):
        find(folder, Query())

"""The ledger for others: bytes that can be checked, and a table that opens without harm."""

import csv
import io
import json
from pathlib import Path

import pytest

from proxy.ledger import Ledger, LedgerError
from proxy.ledger.chain import GENESIS, Cursor
from proxy.ledger.export import COLUMNS, DAMAGED, export_csv, export_lines
from proxy.ledger.segments import segments_in
from tests.proxy.ledger.helpers import KEY, call, lines_of, write


def rows(folder: Path, since_ns: int = 0) -> list[dict[str, str]]:
    text = b"".join(export_csv(folder, since_ns)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_lines_are_the_ledger_byte_for_byte(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 30, segment_bytes=1500)
    exported = list(export_lines(folder))
    assert exported == lines_of(folder)
    cursor = Cursor(0, GENESIS)
    assert not any(cursor.step(line)[1] for line in exported)


@pytest.mark.parametrize("segment_bytes", [1000, 1_000_000])
def test_since_gives_what_was_written_then_or_later(tmp_path: Path, segment_bytes: int) -> None:
    folder = write(tmp_path / "ledger", 30, segment_bytes=segment_bytes)
    for line in lines_of(folder):
        since = json.loads(line)["at_ns"]
        expected = [each for each in lines_of(folder) if json.loads(each)["at_ns"] >= since]
        assert list(export_lines(folder, since)) == expected
        assert len(rows(folder, since)) == len(expected)
    assert list(export_lines(folder, 2**62)) == []


def test_the_table_has_one_row_for_each_entry(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    ledger.append(call(1, rules=["a", "b"], redactions={"EMAIL_ADDRESS": 2}, status=200, other="not a column"))
    ledger.close()
    table = rows(tmp_path / "ledger")
    assert tuple(table[0]) == COLUMNS
    assert [row["kind"] for row in table] == ["open", "call", "close"]
    row = table[1]
    assert (row["seq"], row["call"], row["status"]) == ("2", "call-00001", "200")
    assert json.loads(row["rules"]) == ["a", "b"]
    assert json.loads(row["redactions"]) == {"EMAIL_ADDRESS": 2}
    assert row["agent"] == ""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    ledger.append(call(1, agent=text))
    ledger.close()
    assert rows(tmp_path / "ledger")[1]["agent"] == f"'{text}"


@pytest.mark.parametrize("text", ['quo"te', "com,ma", "line\nbreak", "é \u2028 \U0001f600", "null\x00"])
def test_no_text_breaks_the_table(tmp_path: Path, text: str) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    ledger.append(call(1, agent=text))
    ledger.close()
    assert rows(tmp_path / "ledger")[1]["agent"] == text


def test_half_a_character_does_not_stop_the_table(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    ledger.append(call(1, agent="x\ud800"))
    ledger.close()
    assert rows(tmp_path / "ledger")[1]["agent"] == "x\\ud800"


def test_damage_is_shown_and_not_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "ledger", 3)
    segment = segments_in(folder)[0]
    segment.write_bytes(segment.read_bytes().replace(b"call-00001", b"call-00009") + b'{"torn')
    assert [row["kind"] for row in rows(folder)] == ["open", "call", DAMAGED, "call", "close"]
    assert list(export_lines(folder)) == lines_of(folder)[:-1]


def test_no_ledger_is_told(tmp_path: Path) -> None:
    for export in (export_lines, export_csv):
        with pytest.raises(LedgerError, match="there is no ledger"):
            list(export(tmp_path))

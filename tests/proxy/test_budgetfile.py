"""The file of the budgets: what is written is there at once for others, is closed to them, and is never misread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from proxy import budgetfile
from proxy.budgetfile import FILE, BudgetError, BudgetFile, Hold, Row, look
from proxy.budgets import Account


def test_others_see_it_at_once_and_it_is_there_again(tmp_path: Path) -> None:
    async def play() -> None:
        file = BudgetFile(tmp_path / FILE)
        account = Account("a", 5.0, 1.0, Counter(calls=3, EUR=0))
        file.settle("c0", [account])
        await file.hold(Hold("c1", 2.0, {"a": 5.0}, {"calls": 1}))
        seen = look(tmp_path)
        assert seen == ([Row("a", 5.0, 1.0, {"calls": 3})], [Hold("c1", 2.0, {"a": 5.0}, {"calls": 1})], [])
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
        file.close()
        assert look(tmp_path) == seen
        again = BudgetFile(tmp_path / FILE)
        again.forget(["a"])
        again.settle("c1", [])
        again.close()
        assert look(tmp_path) == ([], [], [])

    asyncio.run(play())


def test_many_are_written_together_and_the_log_is_brought_into_the_file(tmp_path: Path) -> None:
    async def play() -> None:
        file = BudgetFile(tmp_path / FILE)
        await asyncio.gather(*(file.hold(Hold(f"c{number}", 0.0, {}, {})) for number in range(2000)))
        file.close()

    asyncio.run(play())
    for name in (f"{FILE}-wal", f"{FILE}-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert len(look(tmp_path).holds) == 2000


def test_the_same_call_is_never_set_aside_twice(tmp_path: Path) -> None:
    async def play() -> None:
        file = BudgetFile(tmp_path / FILE)
        await file.hold(Hold("c", 0.0, {}, {}))
        with pytest.raises(BudgetError):
            await file.hold(Hold("c", 0.0, {}, {}))
        file.close()

    asyncio.run(play())


def test_files_that_are_none(tmp_path: Path) -> None:
    assert look(tmp_path) == ([], [], [])
    (tmp_path / FILE).write_bytes(b"x" * 5000)
    with pytest.raises(BudgetError):
        BudgetFile(tmp_path / FILE)
    with pytest.raises(BudgetError):
        look(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BudgetError):
        BudgetFile(tmp_path / FILE)
    (tmp_path / FILE).unlink()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(BudgetError, match="another version"):
        BudgetFile(tmp_path / FILE)


def test_a_disk_that_hangs_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgetfile, "LONGEST_S", 0.2)

    async def play() -> None:
        file = BudgetFile(tmp_path / FILE)
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BudgetError, match="nothing was written"):
                await file.hold(Hold("c", 0.0, {}, {}))
            file.settle("c", [])
            other.execute("ROLLBACK")
        file.close()

    asyncio.run(play())
    assert look(tmp_path).holds == []


def test_the_log_beside_it_stays_short_while_it_is_written_without_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written while the log is brought into the file would lengthen it for ever: here to 50 MB."""
    monkeypatch.setattr(budgetfile, "MOST_LOG", 256 << 10)
    monkeypatch.setattr(budgetfile, "SYNC_S", 0.05)
    most = 0

    async def work(file: BudgetFile, worker: int) -> None:
        nonlocal most
        for number in range(160):
            await file.hold(Hold(f"{worker}.{number}", 0.0, {"a": 9.0}, {"calls": 1}))
            most = max(most, (tmp_path / f"{FILE}-wal").stat().st_size)

    async def play() -> None:
        file = BudgetFile(tmp_path / FILE)
        await asyncio.gather(*(work(file, worker) for worker in range(100)))
        file.close()

    asyncio.run(play())
    assert 256 << 10 < most < 25 << 20
    assert len(look(tmp_path).holds) == 16_000


def test_who_reads_the_file_for_long_keeps_no_call_waiting_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log cannot begin anew while somebody reads what is in it."""
    monkeypatch.setattr(budgetfile, "MOST_LOG", 0)
    monkeypatch.setattr(budgetfile, "SYNC_S", 0.01)
    longest = 0.0

    async def play() -> None:
        nonlocal longest
        file = BudgetFile(tmp_path / FILE)
        await file.hold(Hold("first", 0.0, {"a": 9.0}, {"calls": 1}))
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM holds").fetchall()
            for number in range(3):
                began = monotonic()
                await file.hold(Hold(f"call.{number}", 0.0, {"a": 9.0}, {"calls": 1}))
                longest = max(longest, monotonic() - began)
                await asyncio.sleep(0.02)
            reader.execute("ROLLBACK")
        file.close()

    asyncio.run(play())
    assert longest < 3.0  # a call gives up after LONGEST_S, which is 5
    assert len(look(tmp_path).holds) == 4

"""What is known of actions: in the encrypted table, in memory while that cannot be written, and out of the ledger."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from proxy.effects.deeds import BOUNDS, MOST_ANSWER, PURPOSE, Deeds, recovered
from proxy.effects.once import Held, State
from proxy.ledger import Ledger
from proxy.ledger.chain import Sealed
from proxy.store import Store, StoreError

KEY = b"k" * 32
NAME, OTHER = b"n" * 32, b"o" * 32


def held(state: State = "done", call: str = "c1", at: float = 0.0) -> Held:
    return Held(call, "c0", "asked", at or time.time(), "run", "rev", state)


class House:
    """A folder with a table and a ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger.open(folder / "ledger", KEY)

    def deeds(self) -> Deeds:
        deeds = Deeds(lambda: Store(self.folder / "store.db", KEY, {PURPOSE: BOUNDS}), self.folder / "ledger")
        deeds.follow(lambda: self.ledger.last)
        deeds.open()
        return deeds

    def intent(self, call: str = "c1", name: bytes = NAME) -> None:
        once = {"name": name.hex(), "asked": "asked", "first": call, "lasts_s": 600.0}
        self.ledger.append({"kind": "intent", "call": call, "run": "run", "once": once})

    def end(self, state: str, call: str = "c1", name: bytes = NAME, kind: str = "call") -> None:
        once = {"name": name.hex(), "asked": "asked", "first": call, "lasts_s": 600.0, "state": state}
        self.ledger.append({"kind": kind, "call": call, "upstream_status": 200, "once": once})


def put(deeds: Deeds, name: bytes, what: Held, lasts_s: float) -> None:
    async def play() -> None:
        await deeds.put(name, what, lasts_s)

    asyncio.run(play())


def known(deeds: Deeds, name: bytes = NAME) -> Held | None:
    return asyncio.run(deeds.get(name))


def test_what_was_put_is_known_after_a_restart_and_not_for_ever(tmp_path: Path) -> None:
    async def play(deeds: Deeds) -> None:
        await deeds.put(NAME, held(), 60.0)
        await deeds.put(OTHER, held(at=time.time() - 61), 60.0)

    house = House(tmp_path)
    deeds = house.deeds()
    asyncio.run(play(deeds))
    deeds.close()
    again = house.deeds()
    assert known(again, NAME) is not None
    assert known(again, OTHER) is None
    again.close()


def test_a_doubt_outlives_its_window(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()
    put(deeds, NAME, held("unknown", at=time.time() - 3600), 60.0)
    assert known(deeds) is not None
    deeds.close()


def test_the_ledger_knows_what_the_table_does_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.intent("c1", NAME)
    house.intent("c2", OTHER)
    house.end("done", "c2", OTHER)
    deeds = house.deeds()
    first, second = known(deeds, NAME), known(deeds, OTHER)
    assert (first and first.state, second and second.state) == ("unknown", "done")
    assert second is not None
    assert second.answer is None
    deeds.close()


def test_what_the_table_knows_better_stays(tmp_path: Path) -> None:
    house = House(tmp_path)
    deeds = house.deeds()
    house.intent("c1")
    put(deeds, NAME, held("done", "c1"), 600.0)
    deeds.close()
    again = house.deeds()  # killed between the table and the end in the ledger
    row = known(again)
    assert row is not None
    assert row.state == "done"
    again.close()


def test_what_was_settled_while_nobody_ran_is_taken_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.intent("c1")
    deeds = house.deeds()
    asyncio.run(deeds.finish())
    deeds.close()
    house.end("again", "c1", kind="settled")
    again = house.deeds()
    row = known(again)
    assert row is not None
    assert row.state == "again"
    again.close()


def test_a_call_that_began_is_not_forgotten_for_the_end_of_one_before_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.intent("c1")
    house.intent("c2")  # a corrected call, after the first was declined; the answer to that still streams
    house.end("declined", "c1")
    deeds = house.deeds()
    row = known(deeds)
    assert row is not None
    assert (row.call, row.state) == ("c2", "unknown")
    deeds.close()


@pytest.mark.parametrize("calls", [("c1", "c2"), ("c2", "c1")])
def test_whichever_id_is_larger_the_call_that_began_last_counts(tmp_path: Path, calls: tuple[str, str]) -> None:
    house, (first, last) = House(tmp_path), calls
    house.intent(first)
    house.end("declined", first)
    deeds = house.deeds()
    put(deeds, NAME, held("declined", first), 600.0)
    deeds.close()
    house.intent(last)  # and killed
    again = house.deeds()
    row = known(again)
    assert row is not None
    assert (row.call, row.state) == (last, "unknown")
    again.close()


def test_the_late_end_of_a_call_does_not_outdo_one_that_the_table_knows(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.intent("c1")
    house.intent("c2")
    deeds = house.deeds()
    put(deeds, NAME, held("done", "c2"), 600.0)
    asyncio.run(deeds.finish())
    deeds.close()
    house.end("declined", "c1")
    again = house.deeds()
    row = known(again)
    assert row is not None
    assert (row.call, row.state) == ("c2", "done")
    again.close()


def test_what_is_before_the_mark_is_not_read_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.intent("c1")
    deeds = house.deeds()
    asyncio.run(deeds.finish())
    deeds.close()
    store = Store(tmp_path / "store.db", KEY, {PURPOSE: BOUNDS})
    assert store.delete(PURPOSE, NAME)
    store.close()
    again = house.deeds()
    assert known(again) is None
    again.close()


def test_what_cannot_be_stored_is_kept_in_memory_until_it_can_be(tmp_path: Path) -> None:
    house = House(tmp_path)
    deeds = house.deeds()
    store = deeds._table

    async def play() -> None:
        store._db.execute("PRAGMA query_only = ON")
        await deeds.put(NAME, held(), 600.0)
        row = await deeds.get(NAME)
        assert row is not None
        assert row.state == "done"
        with pytest.raises(StoreError):
            await deeds.tend(1)
        store._db.execute("PRAGMA query_only = OFF")
        await deeds.tend(1)
        assert deeds._unsaved == {}
        assert await deeds.get(NAME) == row

    asyncio.run(play())
    deeds.close()


def test_a_large_answer_is_not_kept(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()
    assert deeds.keeps(MOST_ANSWER)
    assert not deeds.keeps(MOST_ANSWER + 1)
    assert not deeds.is_full
    deeds.close()


@pytest.mark.parametrize("told", [None, "text", 7, []])
def test_arguments_that_look_like_an_action_are_none(told: Any) -> None:
    assert recovered([Sealed(1, 1, "", "", {"kind": "call", "call": "c1", "once": told})]) == {}


def test_a_call_that_did_nothing_leaves_what_was_known_before(tmp_path: Path) -> None:
    house = House(tmp_path)
    deeds = house.deeds()
    put(deeds, NAME, held("declined", "c0"), 600.0)
    house.intent("c1")
    house.end("", "c1")
    deeds.close()
    again = house.deeds()
    row = known(again)
    assert row is not None
    assert (row.call, row.state) == ("c0", "declined")
    again.close()


def test_what_comes_while_the_table_is_written_is_written_together(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()
    statements: list[str] = []
    deeds._table._db.set_trace_callback(statements.append)

    async def play() -> None:
        saved = [deeds.put(b"%032d" % number, held(call=f"c{number}"), 600.0) for number in range(50)]
        assert not any(each.done() for each in saved)
        await asyncio.gather(*saved)
        rows = [await deeds.get(b"%032d" % number) for number in range(50)]
        assert [row.call for row in rows if row] == [f"c{number}" for number in range(50)]

    asyncio.run(play())
    assert [each for each in statements if each.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    deeds.close()


def test_one_who_leaves_does_not_keep_the_others_from_being_remembered(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()

    async def play() -> None:
        async def keep(number: int) -> None:
            await deeds.put(b"%032d" % number, held(), 600.0)

        tasks = [asyncio.create_task(keep(number)) for number in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks].count(True) == 1
        for number in range(10):
            assert await deeds.get(b"%032d" % number) is not None

    asyncio.run(play())
    deeds.close()


def test_what_is_no_fault_of_the_table_is_told_to_who_waits(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()

    async def play() -> None:
        with pytest.raises(ValueError, match="name has at most"):
            await deeds.put(b"n" * 5_000, held(), 600.0)
        await deeds.put(NAME, held(), 600.0)
        assert await deeds.get(NAME) is not None

    asyncio.run(play())
    deeds.close()


def test_what_is_still_to_be_written_is_known_and_is_written_before_the_mark(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()

    async def play() -> None:
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            saved = [deeds.put(NAME, held(), 600.0)]
            await asyncio.sleep(0.05)
            saved.append(deeds.put(OTHER, held(), 600.0))
            for name in (NAME, OTHER):
                assert await deeds.get(name) is not None
            tending = asyncio.create_task(deeds.tend(9))
            await asyncio.sleep(0.05)
            other.execute("ROLLBACK")
        await tending
        assert deeds._table.get(PURPOSE, OTHER, time.time()) is not None
        await asyncio.gather(*saved)

    asyncio.run(play())
    deeds.close()


def test_what_is_settled_while_the_table_is_tended_is_not_lost(tmp_path: Path) -> None:
    house = House(tmp_path)
    deeds = house.deeds()
    once = {"name": NAME.hex(), "asked": "asked", "first": "c1", "lasts_s": 600.0}

    async def play() -> None:
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
            deeds.settle({"call": "c1", "once": {**once, "state": "unknown"}}, time.time_ns())
            other.execute("BEGIN IMMEDIATE")
            tending = asyncio.create_task(deeds.tend(9))
            await asyncio.sleep(0.05)
            deeds.settle({"call": "c1", "once": {**once, "state": "again"}}, time.time_ns())
            other.execute("ROLLBACK")
        await tending
        await deeds.tend(9)
        row = await deeds.get(NAME)
        assert row is not None
        assert (row.state, deeds._unsaved) == ("again", {})

    asyncio.run(play())
    deeds.close()


def test_what_is_settled_while_its_doubt_is_written_stays(tmp_path: Path) -> None:
    deeds = House(tmp_path).deeds()
    once = {"name": NAME.hex(), "asked": "asked", "first": "c0", "lasts_s": 600.0, "state": "again"}

    async def play() -> None:
        saved = deeds.put(NAME, held("unknown"), 600.0)
        await asyncio.sleep(0)  # its row is on its way
        deeds.settle({"kind": "settled", "call": "c1", "once": once}, time.time_ns())
        await saved
        row = await deeds.get(NAME)
        assert row is not None
        assert row.state == "again"

    asyncio.run(play())
    deeds.close()

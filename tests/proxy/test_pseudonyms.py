"""The pseudonyms of all runs: shared by the calls of one, stored before they are shown, forgotten in time."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import time

import pytest

from proxy import pseudonyms
from proxy.pseudonyms import BOUNDS, MOST_PARTS, PURPOSE, Keeper, RunPseudonyms
from proxy.store import FILE, Bounds, Store, StoreError

KEY = bytes(range(32))


def keeper(folder: Path, keep_s: float = 3600.0, bounds: Bounds = BOUNDS) -> Keeper:
    made = Keeper(lambda: Store(folder / FILE, KEY, {PURPOSE: bounds}), lambda: KEY, keep_s)
    made.open()
    return made


def play(folder: Path, scene: Callable[[Keeper], Awaitable[None]], keep_s: float = 3600.0) -> None:
    async def whole() -> None:
        made = keeper(folder, keep_s)
        try:
            await scene(made)
        finally:
            made.close()

    asyncio.run(whole())


async def given(made: Keeper, *values: str, run: str = "r", principal: str = "p") -> list[str]:
    known = await made.of(principal, run)
    told = [known.give("A", value) for value in values]
    await made.save(known)
    return told


def rows(folder: Path) -> int:
    with sqlite3.connect(folder / FILE) as db:
        count = db.execute("SELECT count(*) FROM rows WHERE purpose = ?", (PURPOSE,)).fetchone()[0]
    db.close()
    return int(count)


def test_calls_of_one_run_share_what_they_give(tmp_path: Path) -> None:
    async def scene(made: Keeper) -> None:
        one, two = await asyncio.gather(made.of("p", "r"), made.of("p", "r"))
        assert one is two
        assert await made.of("p", "s") is not one
        assert await made.of("q", "r") is not one
        assert await made.of('p","r', "") is not one

    play(tmp_path, scene)


def test_they_are_read_again_by_another_process(tmp_path: Path) -> None:
    async def first(made: Keeper) -> None:
        assert await given(made, "x", "y") == ["<A_1>", "<A_2>"]
        assert await given(made, "z") == ["<A_3>"]

    async def second(made: Keeper) -> None:
        assert await given(made, "y", "new", "x") == ["<A_2>", "<A_4>", "<A_1>"]
        assert len(await made.of("p", "other")) == 0

    play(tmp_path, first)
    play(tmp_path, second)


def test_many_small_replies_take_few_rows(tmp_path: Path) -> None:
    async def first(made: Keeper) -> None:
        for number in range(3 * MOST_PARTS):
            await given(made, f"v{number}")
            assert rows(tmp_path) <= MOST_PARTS + 1

    async def second(made: Keeper) -> None:
        told = await given(made, *(f"v{number}" for number in range(3 * MOST_PARTS)))
        assert told == [f"<A_{number + 1}>" for number in range(3 * MOST_PARTS)]

    play(tmp_path, first)
    play(tmp_path, second)


def test_a_call_that_gave_nothing_new_writes_nothing(tmp_path: Path) -> None:
    async def scene(made: Keeper) -> None:
        await given(made)
        assert rows(tmp_path) == 0
        await given(made, "x")
        before = rows(tmp_path)
        await given(made, "x")
        assert rows(tmp_path) == before == 2

    play(tmp_path, scene)


def test_use_makes_them_last(tmp_path: Path) -> None:
    async def scene(made: Keeper) -> None:
        await given(made, "x")
        for _ in range(6):
            await asyncio.sleep(0.1)
            assert await given(made, "x") == ["<A_1>"]

    play(tmp_path, scene, keep_s=0.35)


def test_a_run_that_begins_anew_gives_no_number_twice(tmp_path: Path) -> None:
    async def scene(made: Keeper) -> None:
        old = await made.of("p", "r")
        assert await given(made, "x") == ["<A_1>"]
        await asyncio.sleep(0.25)
        assert await given(made, "y") == ["<A_10001>"]
        assert (await made.of("p", "r")).of("<A_1>") is None
        # A stream that still goes on with the old ones does not bring them back for others.
        old.give("A", "z")
        await made.save(old)
        await asyncio.sleep(0.25)
        assert await given(made, "w") == ["<A_20001>"]

    play(tmp_path, scene, keep_s=0.2)


def test_what_no_call_uses_is_forgotten_in_memory_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "MOST_IN_MEMORY", 2)

    async def scene(made: Keeper) -> None:
        for run in ("a", "b", "c", "d"):
            await given(made, "x", run=run)
        gc.collect()
        assert len(made._alive) == 2
        assert await given(made, "y", "x", run="a") == ["<A_2>", "<A_1>"]

    play(tmp_path, scene)


def test_a_damaged_row_gives_nothing_and_says_so(tmp_path: Path) -> None:
    async def first(made: Keeper) -> None:
        await given(made, "x")

    async def second(made: Keeper) -> None:
        known = await made.of("p", "r")
        assert known.give("A", "y") == "<A>"
        assert known.note == "the pseudonyms of the run cannot be read"
        await made.save(known)
        assert len(await made.of("p", "fresh")) == 0

    play(tmp_path, first)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE rows SET sealed = zeroblob(90) WHERE purpose = ?", (PURPOSE,))
    db.close()
    play(tmp_path, second)


def test_what_cannot_be_stored_may_not_be_shown(tmp_path: Path) -> None:
    async def scene(made: Keeper) -> None:
        await given(made, "x")
        known = await made.of("p", "r")
        assert made._store is not None
        made._store._bounds = {PURPOSE: Bounds(100, 1)}  # the table is full from one moment to the next
        known.give("A", "y")
        with pytest.raises(StoreError):
            await made.save(known)
        with pytest.raises(StoreError):
            await made.save(known)  # nor by another call of the run that has it from this one
        again = await made.of("p", "r")
        assert again is not known
        assert [again.give("A", value) for value in ("x", "y")] == ["<A_1>", "<A>"]
        assert "no room" in again.note
        made._store._bounds = {PURPOSE: BOUNDS}
        assert await given(made, "y") == ["<A_2>"]

    play(tmp_path, scene)


def test_what_has_expired_is_taken_out_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "TEND_S", 0.05)
    monkeypatch.setattr(pseudonyms, "EPOCH_TIMES", 1)

    async def scene(made: Keeper) -> None:
        watch = asyncio.create_task(made.watch())
        await given(made, "x")
        assert rows(tmp_path) == 2
        until = time() + 5
        while rows(tmp_path) and time() < until:
            await asyncio.sleep(0.05)
        assert rows(tmp_path) == 0
        watch.cancel()

    play(tmp_path, scene, keep_s=0.1)


def test_nothing_shows_a_value() -> None:
    known = RunPseudonyms(b"r", 1, KEY, 0.0)
    known.give("A", "hidden")
    assert "hidden" not in repr(known)

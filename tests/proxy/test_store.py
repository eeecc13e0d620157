"""The encrypted table: what is kept, for how long, how much of it, and what the file shows."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from proxy.store import Bounds, Damaged, Full, Store, StoreError

KEY = bytes(range(32))
BOUNDS = {"a": Bounds(3, 10_000), "b": Bounds(1_000, 1 << 20)}
NOW = 1_000_000.0


def opened(folder: Path, key: bytes = KEY, now: float = NOW) -> Store:
    return Store(folder / "store.db", key, BOUNDS, now)


def test_a_row_is_had_until_it_expires(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("a", {b"name": b"value"}, NOW + 10, NOW)
    assert store.get("a", b"name", NOW + 9.9) == b"value"
    assert store.get("a", b"name", NOW + 10) is None
    assert store.get("b", b"name", NOW) is None
    assert store.get("a", b"other", NOW) is None
    store.put("a", {b"name": b"another"}, NOW + 20, NOW)
    assert store.get("a", b"name", NOW + 15) == b"another"
    assert store.delete("a", b"name")
    assert not store.delete("a", b"name")
    assert store.get("a", b"name", NOW) is None


def test_only_the_first_is_told_that_it_was_first(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.put_if_absent("a", b"k", b"1", NOW + 10, NOW)
    assert not store.put_if_absent("a", b"k", b"2", NOW + 10, NOW + 9)
    assert store.get("a", b"k", NOW) == b"1"
    assert store.put_if_absent("a", b"k", b"3", NOW + 30, NOW + 11)
    assert store.get("a", b"k", NOW + 12) == b"3"


def test_items_are_those_of_one_purpose_that_have_not_expired(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("a", {b"two": b"2"}, NOW + 20, NOW)
    store.put("a", {b"one": b"1"}, NOW + 10, NOW)
    store.put("b", {b"other": b"3"}, NOW + 10, NOW)
    assert store.items("a", NOW) == [(b"one", b"1"), (b"two", b"2")]
    assert store.items("a", NOW + 15) == [(b"two", b"2")]
    assert store.items("a", NOW, most=1) == [(b"one", b"1")]


def test_what_is_new_never_takes_the_place_of_what_is_not_expired(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("a", {b"%d" % number: b"v" for number in range(3)}, NOW + 10, NOW)
    with pytest.raises(Full):
        store.put("a", {b"4": b"v"}, NOW + 10, NOW)
    assert store.room("a") == 0
    store.put("a", {b"1": b"w"}, NOW + 20, NOW)  # in its own place there is room
    store.put("a", {b"4": b"v"}, NOW + 20, NOW + 11)  # and in that of what has expired
    assert [name for name, _ in store.items("a", NOW + 11)] == [b"1", b"4"]
    store.delete("a", b"1")
    with pytest.raises(Full):
        store.put("a", {b"5": bytes(10_000)}, NOW + 20, NOW + 11)
    assert store.put_if_absent("a", b"6", bytes(5_000), NOW + 30, NOW + 11)
    assert store.room("a") < 0.5
    assert opened_again(store, tmp_path).room("a") == store.room("a")


def opened_again(store: Store, folder: Path) -> Store:
    store.close()
    return opened(folder, now=NOW + 11)


def test_rows_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(Full):
        store.put("a", {b"%d" % number: b"v" for number in range(4)}, NOW + 10, NOW)
    assert store.items("a", NOW) == []
    assert store.room("a") == 1
    with pytest.raises(ValueError, match="name"):
        store.put("a", {bytes(5_000): b"v"}, NOW + 10, NOW)


def test_sweeping_takes_out_what_has_expired(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("a", {b"old": b"1", b"older": b"2"}, NOW + 10, NOW)
    store.put("a", {b"new": b"3"}, NOW + 30, NOW)
    assert store.sweep(NOW + 10) == 2
    assert store.sweep(NOW + 10) == 0
    assert [name for name, _ in store.items("a", 0)] == [b"new"]


def raw(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())


def test_the_files_show_neither_names_nor_values_and_belong_to_nobody_else(tmp_path: Path) -> None:
    store = opened(tmp_path)
    os.umask(old := os.umask(0))
    store.put("a", {b"a-readable-name": b"a-readable-value" * 100}, NOW + 10, NOW)
    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert files == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)
    assert old >= 0
    assert b"readable" not in raw(tmp_path)
    store.sweep(NOW + 20)
    store.close()
    assert b"readable" not in raw(tmp_path)


def test_another_key_is_told_at_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("a", {b"k": b"v"}, NOW + 10, NOW)
    store.close()
    with pytest.raises(StoreError, match="another state key"):
        opened(tmp_path, bytes(32))
    assert opened(tmp_path).get("a", b"k", NOW) == b"v"


def changed(folder: Path, statement: str, *values: object) -> Store:
    with sqlite3.connect(folder / "store.db") as db:
        db.execute(statement, values)
    db.close()
    return opened(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rows SET expires = expires + 1000 WHERE purpose = 'a'",
        "UPDATE rows SET sealed = x'00' WHERE purpose = 'a'",
        "UPDATE rows SET sealed = cast(substr(sealed, 1, 20) || x'00' AS BLOB) WHERE purpose = 'a'",
        "UPDATE rows SET sealed = (SELECT sealed FROM rows WHERE purpose = 'b') WHERE purpose = 'a'",
    ],
)
def test_a_changed_row_is_an_error_and_never_another_value(tmp_path: Path, statement: str) -> None:
    store = opened(tmp_path)
    store.put("a", {b"k": b"v"}, NOW + 10, NOW)
    store.put("b", {b"k": b"w"}, NOW + 10, NOW)
    store.close()
    store = changed(tmp_path, statement)
    with pytest.raises(Damaged):
        store.get("a", b"k", NOW)
    with pytest.raises(Damaged):
        store.items("a", NOW)
    assert store.get("b", b"k", NOW) == b"w"


def test_a_row_that_was_moved_does_not_open(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("b", {b"k": b"v"}, NOW + 10, NOW)
    store.close()
    store = changed(tmp_path, "UPDATE rows SET purpose = 'a' WHERE purpose = 'b'")
    assert store.get("a", b"k", NOW) is None
    with pytest.raises(Damaged):
        store.items("a", NOW)


def test_a_file_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no table at all, for certain" * 200)
    with pytest.raises(StoreError, match="take it away"):
        opened(tmp_path)
    (tmp_path / "store.db").unlink()
    (tmp_path / "store.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot open"):
        opened(tmp_path)


CHILD = """
import sys, time
from pathlib import Path
from proxy.store import Bounds, Store
store = Store(Path(sys.argv[1]), bytes(range(32)), {"b": Bounds(10**6, 10**9)})
for number in range(10**6):
    store.put("b", {b"%d" % number: b"v%d" % number}, time.time() + 1000, time.time())
    print(number, flush=True)
"""


def test_what_was_stored_outlives_a_kill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, tmp_path / "store.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(300)]
        child.send_signal(signal.SIGKILL)
        told += [int(line) for line in child.stdout if line.endswith("\n")]
    store = opened(tmp_path)
    assert all(store.get("b", b"%d" % number, NOW) == b"v%d" % number for number in told)


def test_from_the_event_loop_it_works_in_a_thread_of_its_own(tmp_path: Path) -> None:
    async def play() -> None:
        store = opened(tmp_path)
        puts = [store.aside(store.put, "b", {b"%d" % n: b"v"}, NOW + 10, NOW) for n in range(50)]
        firsts = [store.aside(store.put_if_absent, "b", b"one", b"%d" % n, NOW + 10, NOW) for n in range(9)]
        await asyncio.gather(*puts)
        assert sum(await asyncio.gather(*firsts)) == 1
        assert len(await store.aside(store.items, "b", NOW)) == 51
        store.close()

    asyncio.run(play())


def test_it_shows_nothing_of_its_key(tmp_path: Path) -> None:
    assert KEY.hex() not in repr(opened(tmp_path))


def test_a_row_is_read_at_once_where_nobody_reads_and_behind_them_where_somebody_does(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("a", {b"name": b"value"}, NOW + 10, NOW)
    held, done = threading.Event(), threading.Event()

    def reading() -> None:
        with store._seeing:
            held.set()
            done.wait(5)

    async def play() -> None:
        assert await store.soon("a", b"name", NOW) == b"value"
        assert await store.soon("a", b"other", NOW) is None
        thread = threading.Thread(target=reading)
        thread.start()
        held.wait(5)
        asked = asyncio.ensure_future(store.soon("a", b"name", NOW))
        await asyncio.sleep(0.05)
        assert not asked.done()
        done.set()
        assert await asked == b"value"
        thread.join()

    asyncio.run(play())
    store.close()


def test_many_rows_are_stored_together_each_with_its_own_expiry(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("b", {b"7": b"before"}, NOW + 5, NOW)
    rows = {b"%d" % number: (b"v%d" % number, NOW + 10 + number) for number in range(300)}
    store.put_each("b", rows, NOW)
    assert [store.get("b", b"%d" % number, NOW + 9) for number in (0, 7, 299)] == [b"v0", b"v7", b"v299"]
    assert [store.get("b", b"%d" % number, NOW + 110.5) for number in (0, 100, 101)] == [None, None, b"v101"]
    assert store.room("b") == 0.7
    with pytest.raises(Full):
        store.put_each("b", {b"n%d" % number: (b"v", NOW + 10) for number in range(701)}, NOW)
    assert store.room("b") == 0.7  # all or none, also of more than one statement takes
    assert store.get("b", b"n0", NOW) is None
    store.close()


def test_what_was_stored_before_is_found_by_the_next_start_and_after_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    store.put("b", {b"%d" % number: b"v" for number in range(200)}, NOW + 10, NOW)
    assert store.put_if_absent("b", b"late", b"v", NOW + 100, NOW)
    store.close()
    again = opened(tmp_path)
    assert all(again.get("b", b"%d" % number, NOW) == b"v" for number in range(200))
    monkeypatch.setattr("proxy.store.MOST_SIFTED", 10)
    assert again.sweep(NOW + 11) == 200
    assert again._sieve.count < 10
    assert again.get("b", b"late", NOW + 11) == b"v"
    again.close()


def test_reading_a_row_waits_for_no_writer(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put("b", {b"name": b"value"}, NOW + 10, NOW)
    with store._lock:
        thread = threading.Thread(target=lambda: seen.append(store.get("b", b"name", NOW)))
        seen: list[bytes | None] = []
        thread.start()
        thread.join(5)
    assert seen == [b"value"]
    store.close()

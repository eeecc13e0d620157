"""What was spent and what is set aside, in SQLite in the state folder: small, without any secret.

A thread writes, many calls in one commit; the event loop never waits for the disk. A commit is in the write-ahead log:
a crash of the process, also kill -9, loses nothing of it. A second thread brings the log to the disk each second in
which something was written: a power cut may lose the last one or two.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, Protocol

FILE: Final = "budgets.sqlite"
SYNC_S: Final = 1.0
LONGEST_S: Final = 5.0
"""How long a call waits for a disk that hangs; then it is refused."""

PATIENCE_S: Final = 0.1
"""What calls cost is written within this time; after a crash in between, their Records tell it."""

MOST_LOG = 8 << 20
"""Bytes of SQLite's log beside the file. Beyond, writing waits until all of it is in the file and it begins anew."""

READERS_S: Final = 1.0
"""How long writing waits for who reads the file meanwhile; then the log is shortened another time."""

MOST_AT_ONCE: Final = 500
"""Things written in one commit."""

MOST_LATE: Final = 10_000
"""Ended calls that are remembered while nothing can be written; of more, the ledger tells after a start. While it is
so, no call is let through that would add to them."""

_VERSION: Final = 1
_TABLES: Final = f"""
CREATE TABLE accounts(id TEXT PRIMARY KEY, ends REAL NOT NULL, touched REAL NOT NULL, spent TEXT NOT NULL)
WITHOUT ROWID;
CREATE TABLE holds(call TEXT PRIMARY KEY, at REAL NOT NULL, accounts TEXT NOT NULL, amounts TEXT NOT NULL)
WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_DOUBTS: Final = """
CREATE TABLE IF NOT EXISTS doubts(
  call TEXT PRIMARY KEY, at REAL NOT NULL, accounts TEXT NOT NULL, amounts TEXT NOT NULL) WITHOUT ROWID
"""
_DOUBT: Final = "REPLACE INTO doubts VALUES (?, ?, ?, ?)"
_HOLD: Final = "INSERT INTO holds VALUES (?, ?, ?, ?)"
_PUT: Final = "REPLACE INTO accounts VALUES (?, ?, ?, ?)"

_log = logging.getLogger("toolwall")


class BudgetError(Exception):
    """The file cannot be used. The text says why."""


class Account(Protocol):
    """An account as it is written."""

    id: str
    ends: float
    touched: float
    spent: Any


class Row(NamedTuple):
    """An account as it was read."""

    id: str
    ends: float
    touched: float
    spent: dict[str, int]


class Hold(NamedTuple):
    """What is set aside for a call that came at `at` (seconds since the epoch), and in which accounts, by the time at
    which each is over."""

    call: str
    at: float
    accounts: dict[str, float]
    amounts: dict[str, int]


class Doubt(NamedTuple):
    """What was paid from which accounts for a call that ended at `at`, and of which nobody knows whether it was carried
    out."""

    call: str
    at: float
    accounts: list[str]
    amounts: dict[str, int]


class Accounts(NamedTuple):
    """All that the file holds."""

    accounts: list[Row]
    holds: list[Hold]
    doubts: list[Doubt]


NOTHING: Final = Accounts([], [], [])


class _Paid(NamedTuple):
    """A call that is over, with the accounts as they are since."""

    call: str
    rows: list[Row]
    doubt: Doubt | None = None


_Waiter = asyncio.Future[None]


class BudgetFile:
    """The file, open for writing. Used from one event loop."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises BudgetError."""
        self._path = path
        self._queue: SimpleQueue[tuple[Hold, _Waiter] | _Paid | list[str] | None] = SimpleQueue()
        self._late: list[_Paid] = []
        self._urgent = threading.Event()
        self._written = threading.Event()
        self._closing = threading.Event()
        self._free = threading.Event()  # while it is not set, who writes leaves the file to who shortens the log
        self._free.set()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise BudgetError(f"cannot use {path}: {error}") from None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._sync)]
        for thread in self._threads:
            thread.start()

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise BudgetError(f"{self._path} was written by another version of Toolwall")
        self._db.execute("PRAGMA journal_mode = WAL")
        # No commit waits for the disk; the other thread does.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        if not version:
            self._db.executescript(f"BEGIN; {_TABLES} COMMIT;")
        self._db.execute(_DOUBTS)

    async def hold(self, hold: Hold) -> None:
        """Return when it is written that something is set aside. Raises BudgetError: then it is not."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._queue.put((hold, waiter))
        self._urgent.set()
        try:
            async with asyncio.timeout(LONGEST_S):
                await waiter
        except TimeoutError:
            raise BudgetError(f"{self._path}: nothing was written for {LONGEST_S:g} s") from None

    def settle(self, call: str, accounts: Iterable[Account], doubt: Doubt | None = None) -> None:
        """Have it written that a call is over, and what its accounts are since. Where that fails it is tried again with
        the next commit, and after a start the ledger tells it. Of one that is in `doubt` it is remembered what it paid.
        """
        rows = [Row(each.id, each.ends, each.touched, dict(each.spent)) for each in accounts]
        self._queue.put(_Paid(call, rows, doubt))

    def forget(self, ids: Sequence[str]) -> None:
        """Have accounts removed that are over."""
        self._queue.put(list(ids))

    def _write(self) -> None:
        """Write what is asked for, all that waits in one commit, until None comes."""
        over = False
        while not over:
            batch = [self._queue.get()]
            if isinstance(batch[0], _Paid):  # nobody waits for it: it may go with the next that somebody waits for
                self._urgent.wait(PATIENCE_S)
            self._urgent.clear()
            while len(batch) < MOST_AT_ONCE and not self._queue.empty():
                batch.append(self._queue.get())
            over = None in batch
            holds = [each for each in batch if isinstance(each, tuple) and not isinstance(each, _Paid)]
            paid = [*self._late, *(each for each in batch if isinstance(each, _Paid))]
            gone = [(id,) for each in batch if isinstance(each, list) for id in each]
            self._free.wait()
            error = self._commit([hold for hold, _ in holds], paid, gone)
            self._late = paid[-MOST_LATE:] if error else []
            _tell([waiter for _, waiter in holds], error)

    def _commit(self, holds: Iterable[Hold], paid: Iterable[_Paid], gone: list[tuple[str]]) -> BudgetError | None:
        db = self._db
        try:
            db.execute("BEGIN")
            db.executemany(_HOLD, [(call, at, json.dumps(ids), json.dumps(each)) for call, at, ids, each in holds])
            db.executemany("DELETE FROM holds WHERE call = ?", [(each.call,) for each in paid])
            db.executemany("DELETE FROM doubts WHERE call = ?", [(each.call,) for each in paid])
            last = {each.call: each.doubt for each in paid}  # of one call there may be two words in one commit
            doubts = [
                (call, at, json.dumps(ids), json.dumps(each)) for call, at, ids, each in filter(None, last.values())
            ]
            db.executemany(_DOUBT, doubts)
            rows = {row.id: row for each in paid for row in each.rows}
            db.executemany(
                _PUT, [(*row[:3], json.dumps({k: v for k, v in row.spent.items() if v})) for row in rows.values()]
            )
            db.executemany("DELETE FROM accounts WHERE id = ?", gone)
            db.execute("COMMIT")
        except Exception as error:  # whatever it is: the thread goes on, and calls are refused
            self._undo()
            _log.error("budgets cannot be written: %s: %s", self._path, error)
            return BudgetError(f"{self._path}: {error}")
        self._written.set()
        return None

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _sync(self) -> None:
        """Bring to the disk what was written, and keep the log short. In a thread of its own."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=READERS_S)) as db:
            db.execute("PRAGMA synchronous = FULL")
            over = False
            while not over:
                self._written.wait()
                self._written.clear()
                over = self._closing.wait(SYNC_S)
                self._checkpoint(db)

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        try:
            long = self._path.with_name(f"{self._path.name}-wal").stat().st_size > MOST_LOG
            if long:  # SQLite waits for a moment in which nobody writes, and without a pause there is none
                self._free.clear()
            db.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if long else 'PASSIVE'})").fetchall()
        except (OSError, sqlite3.Error) as error:
            _log.error("budgets could not be brought to the disk: %s: %s", self._path, error)
        finally:
            self._free.set()

    def close(self) -> None:
        """Bring everything to the disk."""
        self._queue.put(None)
        self._urgent.set()
        self._threads[0].join()
        self._closing.set()
        self._written.set()
        self._threads[1].join()
        self._db.close()


def _tell(waiters: Sequence[_Waiter], error: BudgetError | None) -> None:
    """Wake those who wait for a commit, in their event loop; nobody where it is gone."""
    if waiters:
        with suppress(RuntimeError):
            waiters[0].get_loop().call_soon_threadsafe(_wake, waiters, error)


def _wake(waiters: Iterable[_Waiter], error: BudgetError | None) -> None:
    for waiter in waiters:
        if waiter.done():  # whoever waited has left
            continue
        if error:
            waiter.set_exception(error)
        else:
            waiter.set_result(None)


def read(db: sqlite3.Connection) -> Accounts:
    """All that a file holds."""
    accounts = [Row(id, ends, touched, json.loads(spent)) for id, ends, touched, spent in db.execute(_ALL)]
    holds = [Hold(call, at, json.loads(ids), json.loads(each)) for call, at, ids, each in db.execute(_HOLDS)]
    has_doubts = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'doubts'").fetchone()  # a file of before has none
    found = db.execute("SELECT call, at, accounts, amounts FROM doubts ORDER BY at") if has_doubts else ()
    doubts = [Doubt(call, at, json.loads(ids), json.loads(each)) for call, at, ids, each in found]
    return Accounts(accounts, holds, doubts)


def look(folder: Path) -> Accounts:
    """What the file in a state folder holds, also while a sidecar writes it; nothing where there is none."""
    path = folder / FILE
    if not path.exists():
        return NOTHING
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5.0)) as db:
            return read(db)
    except sqlite3.Error as error:
        raise BudgetError(f"{path}: {error}") from None


_ALL: Final = "SELECT id, ends, touched, spent FROM accounts"
_HOLDS: Final = "SELECT call, at, accounts, amounts FROM holds"

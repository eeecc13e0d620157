"""The one encrypted table: what must be used again, each row with an expiry.

It is a SQLite file of mode 0600 in the state folder, `store.db` (with `-wal` and `-shm` beside it). Nothing readable
lies there but the purpose of a row, a word of ours, and when it expires:

- the name of a row is a keyed BLAKE2b (RFC 7693) of it, so equal names are found and none is guessed back;
- its value, and its name for `items`, are sealed by AES-256-GCM under a key of the row's own, derived from its hashed
  name: so random nonces are counted per row and never run out. Purpose, hashed name and expiry are authenticated with
  it: a row that was moved, renamed or given more time does not open.

Durability: a committed row is in the hands of the system, so it outlives a kill -9 of this process at any moment; a
crash of the machine may take the last rows back, and never half of one (WAL, `synchronous=NORMAL`). That is what
pseudonyms need: an agent that sees a token after such a crash finds it unknown.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.sieve import Sieve

T = TypeVar("T")

FILE: Final = "store.db"
Row = tuple[str, bytes, int, bytes]
"""As it lies in the file: purpose, hashed name, expiry, sealed name and value."""

MOST_SIFTED: Final = 1_500_000
"""Names that were put in before the sieve is made anew from those that are left."""

MOST_NAME = 4096
"""Bytes of a row's name."""

_NONCE = 12
_MARK: Final = ("toolwall", b"key")
"""A row that only the right key opens, so that a wrong one is told at once."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rows (
  purpose TEXT NOT NULL, name BLOB NOT NULL, expires INTEGER NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (purpose, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_expiry ON rows (expires);
"""
_PUT: Final = """
INSERT INTO rows VALUES {} ON CONFLICT (purpose, name)
DO UPDATE SET expires = excluded.expires, sealed = excluded.sealed
"""
_GET: Final = "SELECT expires, sealed FROM rows WHERE purpose = ? AND name = ?"
_PUT_ONE: Final = _PUT.format("(?, ?, ?, ?)")
_AT_ONCE: Final = 128
"""Rows of one statement."""
_FOR_EVER: Final = 1 << 62
"""Milliseconds; of the mark alone."""


class StoreError(Exception):
    """The table cannot be used. The message says what is wrong and what to do, and holds nothing of a row."""


class Damaged(StoreError):
    """A row does not open: it was changed, or sealed under another key."""


class Full(StoreError):
    """The rows of a purpose have reached their bound; nothing was stored."""


class Bounds(NamedTuple):
    """The most rows of one purpose, and the most bytes of their sealed values together."""

    rows: int
    bytes: int


class Store:
    """The table. Its methods block, on the disk at worst, and may be called from any thread; `aside` runs one of them
    in the table's own thread, and that is the way from the event loop.

    A purpose has `bounds`: what would pass them is not stored (Full) after expired rows were swept; nothing that has
    not expired is ever thrown away for something newer. `now` is in seconds since the epoch wherever it stands.
    """

    def __init__(self, path: Path, key: bytes, bounds: Mapping[str, Bounds], now: float | None = None) -> None:
        """Open the table, or make it. Raises StoreError, also where it was written under another key."""
        self._path = path
        self._bounds = bounds
        self._names, self._values = (_subkey(key, purpose) for purpose in (b"row names", b"row values"))
        self._lock = threading.RLock()
        self._thread = ThreadPoolExecutor(1, "store")
        self._seeing = threading.RLock()
        with self._told("open"):
            self._db = _opened(path)
            self._eyes = _opened(path)  # reads single rows: nobody who writes holds it up
        try:
            self._check_key()
            self._count(time() if now is None else now)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self._path})"

    async def aside(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` gives, done in the table's own thread, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def put(self, purpose: str, rows: Mapping[bytes, bytes], expires: float, now: float) -> None:
        """Store rows, all or none, in the place of those of these names. Raises Full, StoreError."""
        self.put_each(purpose, {name: (value, expires) for name, value in rows.items()}, now)

    def put_each(self, purpose: str, rows: Mapping[bytes, tuple[bytes, float]], now: float) -> None:
        """The same for rows that expire at times of their own."""
        made = [self._row(purpose, name, value, expires) for name, (value, expires) in rows.items()]
        with self._changing("write to") as db:
            for row in made:
                self._sieve.add(row[1])
            # One statement for many rows: a thread that begins another has to wait for its turn to run.
            for at in range(0, len(made), _AT_ONCE):
                self._put_some(db, purpose, made[at : at + _AT_ONCE], now)

    def _put_some(self, db: sqlite3.Connection, purpose: str, made: list[Row], now: float) -> None:
        marks = ",".join("?" * len(made))
        size_of = f"SELECT length(sealed) FROM rows WHERE purpose = ? AND name IN ({marks})"  # noqa: S608 - marks only
        old = [size for (size,) in db.execute(size_of, (purpose, *(row[1] for row in made)))]
        added, grown = len(made) - len(old), sum(len(row[3]) for row in made) - sum(old)
        self._make_room(purpose, added, grown, now)
        db.execute(_PUT.format(",".join(["(?, ?, ?, ?)"] * len(made))), [value for row in made for value in row])
        self._add(purpose, added, grown)

    def put_if_absent(self, purpose: str, name: bytes, value: bytes, expires: float, now: float) -> bool:
        """Store a row unless there is one of this name that has not expired. Whether it was first. Raises Full."""
        row = self._row(purpose, name, value, expires)
        with self._changing("write to") as db:
            self._sieve.add(row[1])
            if self._size(purpose, row[1], now) is not None:
                return False
            self._forget(purpose, row[1])
            self._make_room(purpose, 1, len(row[3]), now)
            db.execute(_PUT_ONE, row)
            self._add(purpose, 1, len(row[3]))
            return True

    def get(self, purpose: str, name: bytes, now: float) -> bytes | None:
        """The value of a row; None where there is none, or it has expired. Raises Damaged."""
        hashed = self._hashed(purpose, name)
        if hashed not in self._sieve:  # as of most actions: nobody asked for them before
            return None
        with self._seeing, self._told("read"):
            found = self._eyes.execute(_GET, (purpose, hashed)).fetchone()
        if found is None or found[0] <= _milliseconds(now):
            return None
        own, value = self._opened(purpose, hashed, *found)
        if own != name:
            raise Damaged(f"a row of {self._path} holds another name than its own")
        return value

    async def soon(self, purpose: str, name: bytes, now: float) -> bytes | None:
        """The same, from the event loop: at once where nobody else reads: to the thread takes five times that."""
        if not self._seeing.acquire(blocking=False):
            return await self.aside(self.get, purpose, name, now)
        try:
            return self.get(purpose, name, now)
        finally:
            self._seeing.release()

    def delete(self, purpose: str, name: bytes) -> bool:
        """Take a row out. Whether there was one."""
        with self._changing("write to"):
            return self._forget(purpose, self._hashed(purpose, name))

    def items(self, purpose: str, now: float, most: int = 10_000) -> list[tuple[bytes, bytes]]:
        """Names and values of the rows of a purpose, those that expire first before others. Raises Damaged."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT name, expires, sealed FROM rows WHERE purpose = ? AND expires > ? ORDER BY expires LIMIT ?",
                (purpose, _milliseconds(now), most),
            ).fetchall()
        return [self._opened(purpose, *row) for row in rows]

    def sweep(self, now: float) -> int:
        """Take out what has expired, overwritten with zeros, and empty the log of writes. How many rows went."""
        with self._changing("write to") as db:
            gone = self._swept(now)
            if self._sieve.count > MOST_SIFTED:  # most of them are gone
                self._sift(db)
        if gone:
            with self._lock, self._told("write to"):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def room(self, purpose: str) -> float:
        """The share of the bounds of a purpose that is free, 0 to 1."""
        rows, size = self._used.get(purpose, (0, 0))
        most = self._bounds[purpose]
        return max(0.0, min(1 - rows / most.rows, 1 - size / most.bytes))

    def close(self) -> None:
        """Let go of the file, after what is under way."""
        self._thread.shutdown()
        with self._lock, self._seeing, suppress(sqlite3.Error):
            self._eyes.close()
            self._db.close()

    def _check_key(self) -> None:
        """A table that another key made would look empty, and what was kept in it would seem never to have been."""
        purpose, name = _MARK
        hashed = self._hashed(purpose, name)
        with self._changing("open") as db:
            marks = db.execute("SELECT name, expires, sealed FROM rows WHERE purpose = ?", (purpose,)).fetchall()
            if not marks and not db.execute("SELECT 1 FROM rows LIMIT 1").fetchone():
                row = self._row(purpose, name, b"", _FOR_EVER / 1000)
                db.execute(_PUT_ONE, row)
                return
        if [row[0] for row in marks] != [hashed]:
            raise StoreError(
                f"{self._path} was written under another state key: bring that key back, or take the file away, with "
                "which all pseudonyms, which actions were done, and what undoes them, are forgotten"
            )
        self._opened(purpose, *marks[0])

    def _count(self, now: float) -> None:
        with self._changing("read") as db:
            self._used: dict[str, tuple[int, int]] = {}
            counted = "SELECT purpose, count(*), sum(length(sealed)) FROM rows GROUP BY purpose"
            for purpose, rows, size in db.execute(counted):
                self._used[purpose] = (rows, size)
            self._swept(now)
            self._sift(db)

    def _sift(self, db: sqlite3.Connection) -> None:
        sieve = Sieve()
        for (hashed,) in db.execute("SELECT name FROM rows"):
            sieve.add(hashed)
        self._sieve = sieve

    def _add(self, purpose: str, rows: int, size: int) -> None:
        before = self._used.get(purpose, (0, 0))
        self._used[purpose] = (before[0] + rows, before[1] + size)

    def _make_room(self, purpose: str, rows: int, size: int, now: float) -> None:
        if self._fits(purpose, rows, size):
            return
        self._swept(now)
        if not self._fits(purpose, rows, size):
            raise Full(f"{self._path} holds as much as it may of the purpose {purpose}")

    def _fits(self, purpose: str, rows: int, size: int) -> bool:
        most, used = self._bounds[purpose], self._used.get(purpose, (0, 0))
        return (rows <= 0 or used[0] + rows <= most.rows) and (size <= 0 or used[1] + size <= most.bytes)

    def _swept(self, now: float) -> int:
        gone = self._db.execute(
            "DELETE FROM rows WHERE expires <= ? RETURNING purpose, length(sealed)", (_milliseconds(now),)
        ).fetchall()
        for purpose, size in gone:
            self._add(purpose, -1, -size)
        return len(gone)

    def _size(self, purpose: str, hashed: bytes, now: float) -> int | None:
        found = self._db.execute(
            "SELECT length(sealed) FROM rows WHERE purpose = ? AND name = ? AND expires > ?",
            (purpose, hashed, _milliseconds(now)),
        ).fetchone()
        return None if found is None else int(found[0])

    def _forget(self, purpose: str, hashed: bytes) -> bool:
        found = self._db.execute(
            "DELETE FROM rows WHERE purpose = ? AND name = ? RETURNING length(sealed)", (purpose, hashed)
        ).fetchall()
        for (size,) in found:
            self._add(purpose, -1, -size)
        return bool(found)

    def _row(self, purpose: str, name: bytes, value: bytes, expires: float) -> Row:
        if len(name) > MOST_NAME:
            raise ValueError(f"a row's name has at most {MOST_NAME} bytes")
        hashed, until, nonce = self._hashed(purpose, name), _milliseconds(expires), os.urandom(_NONCE)
        inner = struct.pack(">I", len(name)) + name + value
        return (
            purpose,
            hashed,
            until,
            nonce + self._cipher(hashed).encrypt(nonce, inner, _about(purpose, hashed, until)),
        )

    def _opened(self, purpose: str, hashed: bytes, expires: int, sealed: bytes) -> tuple[bytes, bytes]:
        """Name and value of a row."""
        about = _about(purpose, hashed, expires)
        try:
            inner = self._cipher(hashed).decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
        except (InvalidTag, ValueError):
            raise Damaged(f"a row of {self._path} was changed, or written under another key") from None
        end = 4 + struct.unpack(">I", inner[:4])[0]
        return inner[4:end], inner[end:]

    def _hashed(self, purpose: str, name: bytes) -> bytes:
        return hashlib.blake2b(_about(purpose, name, 0), digest_size=32, key=self._names).digest()

    def _cipher(self, hashed: bytes) -> AESGCM:
        return AESGCM(hashlib.blake2b(hashed, digest_size=32, key=self._values).digest())

    @contextmanager
    def _changing(self, doing: str) -> Iterator[sqlite3.Connection]:
        """One transaction. What fails in it is undone, in the counts as well."""
        with self._lock:
            before = dict(getattr(self, "_used", {}))
            try:
                with self._told(doing), self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    yield self._db
            except BaseException:
                self._used = before
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._told("read"):
            yield self._db

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._fail(doing, error)

    def _fail(self, doing: str, error: Exception) -> NoReturn:
        advice = (
            "" if isinstance(error, sqlite3.OperationalError | OSError) else "; take it away if it cannot be mended"
        )
        # What SQLite itself says is of the file; what Python says of a column may show what is in it.
        known = isinstance(error, OSError) or hasattr(error, "sqlite_errorcode")
        raise StoreError(f"cannot {doing} {self._path}: {error if known else 'it is damaged'}{advice}") from None


def _opened(path: Path) -> sqlite3.Connection:
    # SQLite gives the files beside it the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    path.chmod(0o600)
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        for line in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON", "trusted_schema=OFF"):
            db.execute(f"PRAGMA {line}")
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _subkey(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(purpose, digest_size=32, key=key, person=b"toolwall store").digest()


def _about(purpose: str, name: bytes, expires: int) -> bytes:
    """What a row is, in one reading only."""
    word = purpose.encode()
    return struct.pack(">8sIIQ", b"store 1", len(word), len(name), expires) + word + name


def _milliseconds(at: float) -> int:
    return min(int(at * 1000), _FOR_EVER)

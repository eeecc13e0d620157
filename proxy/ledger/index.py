"""An index over the ledger for the reading commands: SQLite, made on demand, never written while a call is served.

It is not evidence: it can be deleted at any time, and every entry that is shown is read, and checked against its
own hash, from the segments.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.ledger.chain import TRAILER, Sealed, hash_at_end, unseal
from proxy.ledger.errors import LedgerError, NoSuchCall, told
from proxy.ledger.pending import is_pending
from proxy.ledger.segments import lines, read_at, segments_in

INDEX_FILE = "index.sqlite3"
VERSION = 3
"""Of the tables below. An index of another version is made anew."""

LIMIT_MOST = 10_000
"""Calls that one search returns at most."""

WAIT_SECONDS = 60.0
"""How long a command waits for another one that is bringing the index up to date."""

UNFINISHED = "unfinished"
"""The outcome, in a search, of a call whose intent has no end."""

_TABLES = f"""
PRAGMA user_version = {VERSION};
CREATE TABLE segments(name TEXT PRIMARY KEY, scanned INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries(seq INTEGER PRIMARY KEY, call TEXT NOT NULL, segment TEXT NOT NULL,
                     offset INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE INDEX entries_by_call ON entries(call);
CREATE TABLE calls(call TEXT PRIMARY KEY, seq INTEGER NOT NULL, at_ns INTEGER NOT NULL, tool TEXT NOT NULL,
                   principal TEXT NOT NULL, run TEXT NOT NULL, decision TEXT NOT NULL, code TEXT NOT NULL,
                   outcome TEXT NOT NULL, pending INTEGER NOT NULL, acts INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX calls_by_seq ON calls(seq);
CREATE INDEX calls_acting ON calls(run, seq) WHERE acts;
CREATE INDEX calls_pending ON calls(seq) WHERE pending;
"""
_SEARCH = """
SELECT segment, offset, size FROM calls JOIN entries USING (seq)
WHERE at_ns >= :since AND :tool IN ('', tool) AND :principal IN ('', principal) AND :run IN ('', run)
  AND :decision IN ('', decision) AND :code IN ('', code) AND :outcome IN ('', outcome)
ORDER BY seq DESC LIMIT :limit
"""
_PENDING = """
SELECT segment, offset, size FROM calls JOIN entries USING (seq) WHERE pending ORDER BY seq DESC LIMIT ?
"""
_ACTING = """
SELECT calls.call, entries.segment, entries.offset, entries.size
FROM (SELECT call, seq FROM calls WHERE acts AND run = ? AND principal = ? ORDER BY seq DESC LIMIT ?) AS calls
JOIN entries ON entries.call = calls.call ORDER BY calls.seq DESC, entries.seq
"""
_ACTORS = "SELECT DISTINCT principal FROM calls WHERE run = ? ORDER BY principal LIMIT 100"
_FIELDS = ("tool", "principal", "run", "decision", "code", "outcome")


@dataclass(frozen=True, slots=True)
class Query:
    """Which calls: every field that is not empty must be equal. `outcome` may be `UNFINISHED`.

    `since_ns` is a time in nanoseconds since the epoch; `limit` is capped at LIMIT_MOST.
    """

    tool: str = ""
    principal: str = ""
    run: str = ""
    decision: str = ""
    code: str = ""
    outcome: str = ""
    since_ns: int = 0
    limit: int = 50


def find(folder: Path, query: Query) -> list[Sealed]:
    """The last entry of each call that `query` describes, newest first: its end or, without one, its intent."""
    asked = {name: _storable(getattr(query, name)) for name in _FIELDS}
    bounds = {"since": query.since_ns, "limit": max(min(query.limit, LIMIT_MOST), 0)}
    with _fresh(folder) as index:
        places = index.execute(_SEARCH, asked | bounds).fetchall()
    return [_read(folder, *place) for place in places]


def pending(folder: Path, limit: int) -> list[Sealed]:
    """The last entry of each call that waits for somebody to settle it, newest first; some may be under way."""
    with _fresh(folder) as index:
        places = index.execute(_PENDING, (max(min(limit, LIMIT_MOST), 0),)).fetchall()
    return [_read(folder, *place) for place in places]


def acting(folder: Path, run: str, principal: str, limit: int) -> list[list[Sealed]]:
    """The calls of a run that may have had effects, the one that ended last first; of each all entries, in order."""
    found: dict[str, list[Sealed]] = {}
    with _fresh(folder) as index:
        for call, *place in index.execute(_ACTING, (_storable(run), _storable(principal), limit)).fetchall():
            found.setdefault(call, []).append(_read(folder, *place))
    return list(found.values())


def actors(folder: Path, run: str) -> list[str]:
    """The principals with a run of this name."""
    with _fresh(folder) as index:
        return [str(row[0]) for row in index.execute(_ACTORS, (_storable(run),))]


def show(folder: Path, call: str) -> list[Sealed]:
    """All entries of one call, in order; `call` is its id or the beginning of it.

    NoSuchCall where no call, or more than one, begins like that.
    """
    with _fresh(folder) as index:
        found = _whole_id(index, _storable(call))
        places = index.execute("SELECT segment, offset, size FROM entries WHERE call = ? ORDER BY seq", (found,))
        return [_read(folder, *place) for place in places.fetchall()]


def _whole_id(index: sqlite3.Connection, start: str) -> str:
    end = start + chr(0x10FFFF)
    rows = index.execute("SELECT call FROM calls WHERE call >= ? AND call < ? ORDER BY call LIMIT 6", (start, end))
    ids = [str(row[0]) for row in rows] if start else []
    if not ids:
        raise NoSuchCall(f"no call in the ledger begins with {start!r}")
    if len(ids) > 1 and ids[0] != start:
        raise NoSuchCall(f"more than one call begins with {start!r}: {', '.join(ids[:5])}{', ...' * (len(ids) > 5)}")
    return ids[0]


def _read(folder: Path, segment: str, offset: int, size: int) -> Sealed:
    sealed = unseal(read_at(folder / segment, offset, size))
    if isinstance(sealed, str):
        raise LedgerError(f"{segment}, byte {offset}: the record {sealed}; run `toolwall ledger verify`")
    return sealed


@contextmanager
def _fresh(folder: Path) -> Iterator[sqlite3.Connection]:
    """The index, brought up to date; made anew where it is broken."""
    path = folder / INDEX_FILE
    if not segments_in(folder):
        raise LedgerError(f"there is no ledger in {folder}")
    try:
        index = _up_to_date(folder, path)
    except sqlite3.OperationalError as error:
        raise LedgerError(f"cannot use the index {path}: {error}") from None
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        index = _up_to_date(folder, path)
    with contextlib.closing(index):
        try:
            yield index
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"the index {path} is broken ({error}); delete it, it is made anew") from None


def _up_to_date(folder: Path, path: Path) -> sqlite3.Connection:
    with told(f"make the index {path}"):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    index = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        index.execute("BEGIN IMMEDIATE")
        segments = segments_in(folder)
        if not _fits(index, folder):
            _empty(index)
        for segment in segments:
            _scan(index, segment)
        index.execute("COMMIT")
    except BaseException:
        index.close()
        raise
    return index


def _fits(index: sqlite3.Connection, folder: Path) -> bool:
    """Whether the index is of this version and what it has read is still there."""
    if index.execute("PRAGMA user_version").fetchone() != (VERSION,):
        return False
    scanned = index.execute("SELECT name, scanned, hash FROM segments")
    return all(hash_at_end(read_at(folder / name, end - TRAILER, TRAILER)) == last for name, end, last in scanned)


def _empty(index: sqlite3.Connection) -> None:
    for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        index.execute(f'DROP TABLE "{name}"')
    for statement in _TABLES.split(";"):
        index.execute(statement)


def _scan(index: sqlite3.Connection, segment: Path) -> None:
    row = index.execute("SELECT scanned, hash FROM segments WHERE name = ?", (segment.name,)).fetchone()
    scanned, last = row or (0, "")
    for place, line in lines(segment, scanned):
        sealed = unseal(line)
        if isinstance(sealed, str):
            continue  # verify tells of it; an index of it would pass it off as genuine
        scanned, last = place + len(line), sealed.hash
        _add(index, segment.name, place, len(line), sealed)
    if last:
        index.execute("REPLACE INTO segments VALUES (?, ?, ?)", (segment.name, scanned, last))


def _add(index: sqlite3.Connection, segment: str, place: int, size: int, sealed: Sealed) -> None:
    entry = sealed.entry
    call = _text(entry, "call")
    index.execute("REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", (sealed.seq, call, segment, place, size))
    kind = entry.get("kind")
    if kind == "intent":
        entry = entry | {"outcome": UNFINISHED}
    if kind in ("intent", "call"):
        texts = (_text(entry, name) for name in _FIELDS)
        row = (call, sealed.seq, sealed.at_ns, *texts, is_pending(entry), _acts(entry))
        index.execute("REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    if kind == "settled":
        index.execute("UPDATE calls SET pending = 0 WHERE call = ?", (call,))


def _acts(entry: dict[str, Any]) -> bool:
    """Whether the call may have had effects: it was sent, or is about to be."""
    return entry.get("kind") == "intent" or (bool(entry.get("attempts")) and entry.get("effect") != "read")


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name, "")
    return _storable(value) if isinstance(value, str) else ""


def _storable(text: str) -> str:
    """SQLite takes no lone surrogates; JSON, and the arguments of a command, may hold them."""
    return text.encode("utf-8", "backslashreplace").decode()

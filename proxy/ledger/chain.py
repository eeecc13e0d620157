"""One entry is one line of JSON, sealed into a hash chain over its exact bytes.

    {"seq":7,"at_ns":1760000000000000000,"prev":"<64 hex>", ...the entry... ,"hash":"<64 hex>"}\\n

`hash` is the SHA-256 of every byte before `,"hash":"`; `prev` is the `hash` of the line before. Lines are ASCII
(anything else is escaped), so a line break never stands inside an entry, and the hash of a line can be read from
its last 76 bytes without parsing it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from proxy.ledger.errors import LedgerError

LINE_MOST = 256 * 1024
"""Bytes of one line, its line break included. A reader may rely on it; `fields.clip` keeps any entry under it."""

GENESIS = "0" * 64
"""`prev` of the very first line."""

RESERVED = frozenset({"seq", "at_ns", "prev", "hash"})
"""Names that the chain writes itself; an entry must not use them."""

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_START = re.compile(rb'\{"seq":([1-9][0-9]{0,17}),"at_ns":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})","')
_END = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
TRAILER = len(',"hash":""}\n') + 64
"""Bytes of the fixed end of a line, from which its hash can be read."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One line that was read back: its place in the chain, its own hash, and the entry as it was given."""

    seq: int
    at_ns: int
    prev: str
    hash: str
    entry: dict[str, Any]


def encode(entry: Mapping[str, Any]) -> bytes:
    """The entry as ASCII JSON without its outer braces. Raises LedgerError for what is no plain, finite JSON."""
    if not entry or not RESERVED.isdisjoint(entry):
        raise LedgerError(f"an entry needs a field, and none of its fields may be named {', '.join(sorted(RESERVED))}")
    try:
        return (_quickly(entry) or _encode(entry).encode("ascii"))[1:-1]
    except (TypeError, ValueError, RecursionError) as error:
        # The message of json names the type or the key, never a value; still only the type of error is passed on.
        raise LedgerError(f"the entry is not plain JSON ({type(error).__name__})") from None


def _quickly(entry: Mapping[str, Any]) -> bytes:
    """The entry by orjson, ten times as fast; nothing where it could differ from what `json` would say.

    It does not escape what is not ASCII, writes NaN as null, and refuses integers beyond 64 bits.
    """
    try:
        data = orjson.dumps(entry, option=_PLAIN)
    except TypeError:
        return b""
    return data if data.isascii() and b"null" not in data else b""


def seal(seq: int, at_ns: int, prev: str, fields: bytes) -> tuple[bytes, str]:
    """The line for `fields` (see `encode`) and its hash. Raises LedgerError when it is longer than LINE_MOST."""
    text = b'{"seq":%d,"at_ns":%d,"prev":"%b",%b' % (seq, at_ns, prev.encode("ascii"), fields)
    if len(text) > LINE_MOST - TRAILER:
        raise LedgerError(f"an entry of {len(text)} bytes is longer than a line may be ({LINE_MOST}); clip its fields")
    digest = sha256(text).hexdigest()
    return b'%b,"hash":"%b"}\n' % (text, digest.encode("ascii")), digest


def hash_at_end(line: bytes) -> str:
    """The hash that stands in the last bytes of a line, or "" where there is none. It is not checked."""
    end = _END.fullmatch(line[-TRAILER:])
    return end.group(1).decode("ascii") if end else ""


def place(line: bytes) -> tuple[int, int]:
    """Which number a line says that it has, and when it was written; zeros where it is none. Nothing is checked."""
    start = _START.match(line)
    return (int(start.group(1)), int(start.group(2))) if start else (0, 0)


def unseal(line: bytes) -> Sealed | str:
    """A whole line read back and checked against its own hash, or what is wrong with it."""
    start, claimed = _START.match(line), hash_at_end(line)
    if not start or not claimed:
        return "is not a line of this ledger"
    if sha256(line[:-TRAILER]).hexdigest() != claimed:
        return "was changed: its bytes do not fit its hash"
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return "is not JSON"
    entry = {name: value for name, value in entry.items() if name not in RESERVED}
    return Sealed(int(start.group(1)), int(start.group(2)), start.group(3).decode("ascii"), claimed, entry)


@dataclass(slots=True)
class Cursor:
    """A place in the chain: the last sequence number and hash. `hash` is "" where the last line was unreadable."""

    seq: int
    hash: str

    def step(self, line: bytes) -> tuple[Sealed | None, str]:
        """Go on to the next line: what it holds, and what is wrong with it or its place ("" for nothing).

        After a fault the cursor goes on from what the line claims, so that one fault is told once.
        """
        sealed = unseal(line)
        if isinstance(sealed, str):
            self.seq, self.hash = self.seq + 1, ""
            return None, sealed
        wrong = self._misplaced(sealed)
        self.seq, self.hash = sealed.seq, sealed.hash
        return sealed, wrong

    def _misplaced(self, sealed: Sealed) -> str:
        due = self.seq + 1
        if sealed.seq > due:
            return f"has number {sealed.seq} where {due} is due: {_range(due, sealed.seq - 1)} missing"
        if sealed.seq < due:
            return f"has number {sealed.seq} where {due} is due: it is repeated or out of place"
        if self.hash and sealed.prev != self.hash:
            return "does not follow the line before it: one of the two was replaced"
        return ""


def _range(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"

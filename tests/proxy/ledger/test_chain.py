"""The line: what it holds, what it refuses, and that no byte of it can change unseen."""

import hashlib
import json
import math

import pytest

from proxy.ledger.chain import GENESIS, LINE_MOST, TRAILER, Cursor, Sealed, encode, hash_at_end, place, seal, unseal
from proxy.ledger.errors import LedgerError

ENTRY = {"kind": "call", "call": "01J", "rules": ["a", "b"], "note": 'é "\n\u2028 \ud800 \U0001f600', "ms": 1.5}


def line_of(seq: int, prev: str = GENESIS, **fields: object) -> tuple[bytes, str]:
    return seal(seq, 5, prev, encode({"kind": "call"} | fields))


def test_a_line_gives_back_the_entry_and_its_place() -> None:
    line, digest = seal(7, 123, "ab" * 32, encode(ENTRY))
    assert unseal(line) == Sealed(7, 123, "ab" * 32, digest, ENTRY)


def test_a_line_is_one_line_of_plain_ascii_json() -> None:
    line, _ = seal(1, 1, GENESIS, encode(ENTRY))
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.splitlines(keepends=True) == [line]
    assert json.loads(line)["note"] == ENTRY["note"]


def test_the_hash_is_the_sha256_of_the_bytes_before_it() -> None:
    line, digest = seal(1, 1, GENESIS, encode(ENTRY))
    before = line[: line.rindex(b',"hash":"')]
    assert digest == hashlib.sha256(before).hexdigest() == hash_at_end(line)
    assert len(line) == len(before) + TRAILER


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_no_byte_can_change_unseen(mask: int) -> None:
    line, _ = seal(1, 1, GENESIS, encode(ENTRY))
    for at in range(len(line)):
        changed = bytearray(line)
        changed[at] ^= mask
        assert isinstance(unseal(bytes(changed)), str), at


def test_no_part_of_a_line_passes_for_one() -> None:
    line, _ = seal(1, 1, GENESIS, encode(ENTRY))
    assert all(isinstance(unseal(line[:end]), str) for end in range(len(line)))
    assert all(isinstance(unseal(line[start:]), str) for start in range(1, len(line)))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"seq": 1},
        {"kind": "call", "hash": "x"},
        {"kind": "call", "prev": ""},
        {"at_ns": 0},
        {"kind": math.nan},
        {"kind": math.inf},
        {"kind": {1, 2}},
        {"kind": b"bytes"},
        {"kind": 10**5000},
        {("a",): 1},
    ],
)
def test_what_is_no_plain_entry_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(LedgerError):
        encode(entry)


def test_an_entry_without_end_is_refused() -> None:
    entry: dict[str, object] = {"kind": "call"}
    entry["self"] = entry
    with pytest.raises(LedgerError, match="RecursionError"):
        encode(entry)


def test_a_refusal_names_no_value() -> None:
    with pytest.raises(LedgerError) as caught:
        encode({"kind": "call", "secret": {"hunter2"}})
    assert "hunter2" not in str(caught.value)


def test_a_line_may_be_as_long_as_the_bound_and_no_longer() -> None:
    spare = LINE_MOST - len(line_of(1, text="")[0])
    assert len(line_of(1, text="x" * spare)[0]) == LINE_MOST
    with pytest.raises(LedgerError, match="clip"):
        line_of(1, text="x" * (spare + 1))


def test_the_cursor_follows_a_chain() -> None:
    first, digest = line_of(1)
    second, last = line_of(2, digest)
    cursor = Cursor(0, GENESIS)
    assert cursor.step(first)[1] == ""
    assert cursor.step(second)[1] == ""
    assert (cursor.seq, cursor.hash) == (2, last)


@pytest.mark.parametrize(
    ("seq", "prev", "says"),
    [
        (3, "ab" * 32, "record 2 is missing"),
        (5, "ab" * 32, "records 2 to 4 are missing"),
        (1, "ab" * 32, "repeated or out of place"),
        (2, "cd" * 32, "does not follow"),
    ],
)
def test_the_cursor_tells_what_is_out_of_place_and_goes_on_from_there(seq: int, prev: str, says: str) -> None:
    cursor = Cursor(1, "ab" * 32)
    line, digest = line_of(seq, prev)
    assert says in cursor.step(line)[1]
    assert cursor.step(line_of(seq + 1, digest)[0])[1] == ""


def test_an_unreadable_line_counts_as_one_record() -> None:
    cursor = Cursor(1, "ab" * 32)
    assert cursor.step(b"garbage\n") == (None, "is not a line of this ledger")
    assert cursor.step(line_of(3, "cd" * 32)[0])[1] == ""


def test_the_place_of_a_line_is_read_without_the_rest() -> None:
    line, _ = seal(7, 123, "ab" * 32, encode(ENTRY))
    assert place(line) == place(line[:120]) == (7, 123)
    assert place(b'{"torn') == (0, 0)

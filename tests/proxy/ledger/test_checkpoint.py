"""Checkpoints: signed by one key, checked by anybody who has its public half."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.ledger import LedgerError
from proxy.ledger.checkpoint import CONTEXT, Checkpoints, Signer, append, read
from proxy.ledger.head import Head

SEED, OTHER = b"s" * 32, b"o" * 32


def head(seq: int) -> Head:
    return Head(seq, f"{seq:064x}", "segment", 7, 1_760_000_000_000_000_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for seq in (3, 8):
        append(tmp_path / "checkpoints", Signer(SEED).line(head(seq)))
    return tmp_path / "checkpoints"


def test_what_was_signed_is_read(file: Path) -> None:
    assert read(file, Signer(SEED).public) == Checkpoints({3: f"{3:064x}", 8: f"{8:064x}"}, [], [])
    assert file.stat().st_mode & 0o077 == 0


def test_an_outsider_can_check_a_line_by_the_public_key_alone(file: Path) -> None:
    line = file.read_bytes().splitlines()[0]
    body, _, rest = line.partition(b',"signature":"')
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(json.loads(line)["key"]))
    public.verify(bytes.fromhex(rest[:128].decode()), CONTEXT + body)
    assert json.loads(line)["key"] == Signer(SEED).public


def test_any_changed_byte_shows(file: Path) -> None:
    whole = file.read_bytes()
    for at in range(0, len(whole) // 2, 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = read(file, Signer(SEED).public)
        assert found.faults or found.notes, at
        assert found.known.keys() <= {8}, at


def test_another_key_is_a_fault(file: Path) -> None:
    append(file, Signer(OTHER).line(head(9)))
    found = read(file, Signer(SEED).public)
    assert found.faults == ["checkpoints:3: was signed by another key"]
    assert found.known.keys() == {3, 8}


def test_two_that_contradict_each_other_are_a_fault(file: Path) -> None:
    append(file, Signer(SEED).line(head(8)._replace(hash="f" * 64)))
    assert "contradict" in read(file, Signer(SEED).public).faults[0]


def test_half_a_line_of_a_crash_costs_no_other(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])
    append(file, Signer(SEED).line(head(9)))
    found = read(file, Signer(SEED).public)
    assert (found.known.keys(), found.faults, len(found.notes)) == ({3, 9}, [], 1)


def test_a_file_without_a_checkpoint_is_no_proof(file: Path) -> None:
    for text in (b"neither\nis one\n", b""):  # such as an error page, or nothing, of the place that should have them
        file.write_bytes(text)
        assert read(file, Signer(SEED).public).faults == ["checkpoints: holds no checkpoint, so it proves nothing"]


def test_a_place_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot write the checkpoint"):
        append(tmp_path / "no" / "folder", b"x\n")
    with pytest.raises(LedgerError, match="cannot read the checkpoints"):
        read(tmp_path / "none", Signer(SEED).public)

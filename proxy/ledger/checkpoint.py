"""Checkpoints: signed lines that say how far the ledger had come, to be kept where nobody on this machine can write.

    {"key":"<64 hex>","seq":7,"hash":"<64 hex>","at_ns":1760000000000000000,"signature":"<128 hex>"}\\n

`key` is the public key (Ed25519, RFC 8032), `at_ns` the time of record `seq`. What is signed is CONTEXT and every byte
of the line before `,"signature":"`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import deque
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proxy.ledger.errors import told
from proxy.ledger.head import Head
from proxy.state import sync

CONTEXT = b"toolwall ledger checkpoint 1\n"
LINE_MOST = 1024
READ_MOST = 100_000
"""Checkpoints that are read, the newest ones: two months of one a minute. Each proves all records before it."""

_LINE = re.compile(
    rb'(\{"key":"(?P<key>[0-9a-f]{64})","seq":(?P<seq>[1-9][0-9]{0,17}),"hash":"(?P<hash>[0-9a-f]{64})",'
    rb'"at_ns":[0-9]{1,19}),"signature":"(?P<signature>[0-9a-f]{128})"\}\n'
)


class Checkpoints(NamedTuple):
    """What a file of checkpoints says: the hash of each record that one is of, and what is wrong with the file."""

    known: dict[int, str]
    faults: list[str]
    notes: list[str]


class Signer:
    """Signs checkpoints. `seed` is the private key, 32 bytes; `public` is the public one as 64 hex digits."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw().hex()

    def line(self, head: Head) -> bytes:
        """The checkpoint of a head."""
        said = {"key": self.public, "seq": head.seq, "hash": head.hash, "at_ns": head.at_ns}
        body = json.dumps(said, separators=(",", ":"))[:-1].encode("ascii")
        return b'%b,"signature":"%b"}\n' % (body, self._key.sign(CONTEXT + body).hex().encode("ascii"))


def append(path: Path, line: bytes) -> None:
    """Add a line to the file and bring it to the disk. LedgerError where that fails."""
    with told(f"write the checkpoint {path}"):
        is_new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if (size := os.fstat(file).st_size) and os.pread(file, 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash or a full disk left half of one
            if os.write(file, line) != len(line):
                raise OSError(0, "short write")
            os.fsync(file)
        finally:
            os.close(file)
        if is_new:
            sync(path.parent)


def read(path: Path, public: str) -> Checkpoints:
    """All checkpoints of a file that are signed by the key `public`. LedgerError where it cannot be read."""
    found = Checkpoints({}, [], [])
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    with told(f"read the checkpoints {path}"), path.open("rb") as file:
        newest = deque(enumerate(iter(lambda: file.readline(LINE_MOST), b""), 1), READ_MOST)
    for number, line in newest:
        _take(f"{path.name}:{number}", line, key, found)
    if not found.known and not found.faults:
        found.faults.append(f"{path.name}: holds no checkpoint, so it proves nothing")
    return found


def _take(place: str, line: bytes, key: Ed25519PublicKey, found: Checkpoints) -> None:
    parts = _LINE.fullmatch(line)
    if parts is None:
        found.notes.append(f"{place}: is no checkpoint: torn by a crash, or changed")
        return
    if bytes.fromhex(parts["key"].decode()) != key.public_bytes_raw():
        found.faults.append(f"{place}: was signed by another key")
        return
    with contextlib.suppress(InvalidSignature):
        key.verify(bytes.fromhex(parts["signature"].decode()), CONTEXT + parts[1])
        seq, digest = int(parts["seq"]), parts["hash"].decode()
        if found.known.setdefault(seq, digest) != digest:
            found.faults.append(f"{place}: two checkpoints of record {seq} contradict each other")
        return
    found.faults.append(f"{place}: was changed: its signature does not fit")

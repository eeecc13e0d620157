"""The keyed head: how far the chain had come, under a MAC, in a file that lies beside the ledger's folder.

The chain alone cannot tell that its end was cut off. The head can: it names a record that must be there. It is
written only after an fsync covers that record, so it may lag but never leads what is on disk.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
from pathlib import Path
from typing import NamedTuple

from proxy.ledger.chain import GENESIS
from proxy.ledger.errors import told
from proxy.state import sync

HEAD_SECONDS = 1.0
"""How long the head may lag behind the last record, apart from the time that the disk takes."""

HEAD_MOST = 4096
"""Bytes of a head file that are read; a real one has about 300."""

_MAC = ',"mac":"'


class Head(NamedTuple):
    """Record `seq` with hash `hash` ends at byte `offset` of `segment`; known since `at_ns`."""

    seq: int = 0
    hash: str = GENESIS
    segment: str = ""
    offset: int = 0
    at_ns: int = 0


def head_path(folder: Path) -> Path:
    """Where the head of the ledger in `folder` lies: beside the folder, not in it."""
    folder = folder.absolute()
    return folder.with_name(folder.name + ".head")


def write_head(path: Path, key: bytes, head: Head) -> None:
    """Replace the head file as a whole. OSError where that fails; then the old one stands."""
    body = json.dumps(head._asdict(), separators=(",", ":"))[:-1]
    data = f'{body}{_MAC}{_mac(key, body)}"}}\n'.encode("ascii")
    fresh = path.with_name(path.name + ".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        if os.write(file, data) != len(data):
            raise OSError(0, "short write", str(fresh))
        os.fsync(file)
    finally:
        os.close(file)
    os.rename(fresh, path)
    sync(path.parent)


def read_head(path: Path, key: bytes) -> Head | str:
    """The head, or what is wrong with it: it is missing, or its MAC does not fit `key`."""
    try:
        with told(f"read the head {path}"):
            text = _read(path)
    except UnicodeDecodeError:
        return "the head file was changed: it is not a head"
    if not text:
        return "the head file is missing or empty"
    body, _, mac = text.partition(_MAC)
    if not hmac.compare_digest(mac, f'{_mac(key, body)}"}}\n'):
        return "the head file was changed, or was written under another key"
    with contextlib.suppress(ValueError, TypeError):
        return Head(**json.loads(body + "}"))
    return "the head file was written by another version"


def _read(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return file.read(HEAD_MOST).decode("ascii")
    return ""


def _mac(key: bytes, body: str) -> str:
    return hmac.digest(key, b"toolwall ledger head 1\n" + body.encode("ascii"), "sha256").hex()

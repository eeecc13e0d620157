"""Ledgers to test with: small, quick to make, and as a real sidecar would leave them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from proxy.ledger import Ledger
from proxy.ledger.head import head_path
from proxy.ledger.segments import segments_in

KEY = b"k" * 32


def call(number: int, **fields: Any) -> dict[str, Any]:
    """A finished call; `number` makes its id."""
    base = {"kind": "call", "call": f"call-{number:05d}", "tool": "crm.get_customer", "outcome": "ok"}
    return base | fields


def write(folder: Path, count: int, **options: Any) -> Path:
    """A ledger of `count` calls that was closed in order: with `open` and `close`, count + 2 records."""
    ledger = Ledger.open(folder, KEY, **options)
    for number in range(count):
        ledger.append(call(number))
    ledger.close()
    return folder


def copy(folder: Path, to: Path) -> Path:
    """The ledger with its head, elsewhere."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    shutil.copy(head_path(folder), head_path(to))
    return to


def lines_of(folder: Path) -> list[bytes]:
    """Every line of every segment."""
    return [line for segment in segments_in(folder) for line in segment.read_bytes().splitlines(keepends=True)]


def file_of(folder: Path) -> int:
    """The number of the open file to which this process writes the last segment."""
    last = str(segments_in(folder)[-1].resolve())
    found = [int(name) for name in os.listdir("/proc/self/fd") if _target(name) == last]
    assert len(found) == 1
    return found[0]


def _target(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        return ""

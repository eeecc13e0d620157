"""What the ledger costs on this disk: `python -m tests.proxy.ledger.bench [FOLDER]`, JSON lines on the screen."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

from proxy.ledger import Ledger
from proxy.ledger.verify import verify

KEY = bytes(32)
APPENDS = 20_000
WAITS = {1: 300, 16: 3_000, 64: 12_000}
FLUSHES = 300


def record() -> dict[str, Any]:
    """An entry of about 1 KB with the fields of a Record."""
    names = {"door": "reverse", "run": "run-1", "principal": "billing-agent", "agent": "refunds", "method": "POST"}
    words = {"tool": "crm.create_refund", "effect": "write", "decision": "allow", "executed": "yes", "outcome": "ok"}
    hashes = {"arguments_hash": "a" * 64, "result_hash": "b" * 64, "revision": "c" * 64, "trace": "d" * 32}
    lists = {"roles": ["billing"], "rules": ["refunds"], "checks": ["contract", "rules", "address", "clean"]}
    numbers = {"step": 4, "status": 200, "attempts": 1, "upstream_ms": 12.345, "clean_ms": 0.25, "total_ms": 13.5}
    start = {"kind": "call", "call": "01JABCDEFGHJKMNPQRSTVWXYZ0", "started_ns": 1_760_000_000_000_000_000}
    return start | names | words | hashes | lists | numbers | {"redactions": {"EMAIL_ADDRESS": 2}, "notes": ["n" * 150]}


def measure(folder: Path) -> Iterator[dict[str, Any]]:
    """One row per measurement, in a ledger that is made in `folder`."""
    yield {"scenario": "bare flush", "per_second": round(bare_flushes(folder / "bare"))}
    ledger, entry = Ledger.open(folder / "ledger", KEY), record()
    wall, cpu = perf_counter(), thread_time()
    for _ in range(APPENDS):
        ledger.append(entry)
    wall, cpu = perf_counter() - wall, thread_time() - cpu
    size = round((folder / "ledger").joinpath("segment-000000000000000001.jsonl").stat().st_size / APPENDS)
    micro = {"wall_us": round(wall / APPENDS * 1e6, 1), "cpu_us": round(cpu / APPENDS * 1e6, 1)}
    yield {"scenario": "append", "bytes": size} | micro
    for waiters, total in WAITS.items():
        rate = asyncio.run(durable(ledger, entry, waiters, total))
        yield {"scenario": "durable append", "waiters": waiters, "per_second": round(rate)}
    ledger.close()
    wall = perf_counter()
    report = verify(folder / "ledger", KEY)
    yield {
        "scenario": "verify",
        "records": report.records,
        "per_second": round(report.records / (perf_counter() - wall)),
    }
    assert report.ok


async def durable(ledger: Ledger, entry: dict[str, Any], waiters: int, total: int) -> float:
    """Durable appends per second with so many tasks at it, each waiting for its own."""

    async def work() -> None:
        for _ in range(total // waiters):
            await ledger.durable(ledger.append(entry))

    wall = perf_counter()
    await asyncio.gather(*(work() for _ in range(waiters)))
    return total / (perf_counter() - wall)


def bare_flushes(path: Path) -> float:
    """Appends of 1 KB followed by an fdatasync, per second: what the disk gives."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    wall = perf_counter()
    for _ in range(FLUSHES):
        os.write(file, bytes(1024))
        os.fdatasync(file)
    os.close(file)
    return FLUSHES / (perf_counter() - wall)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as temporary:
        for row in measure(Path(temporary)):
            print(json.dumps(row))

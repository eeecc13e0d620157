"""Calls with effects: what it costs that their intent is on disk before they are sent, and that they are done once.

Three tools get the same request, and the backend gives the same answer: one is declared to be a read, one has effects
and may be repeated, and one has effects and is done once. What this disk can do alone is measured in the same run.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.bench import nginx
from tests.bench.evidence import LedgerTail
from tests.bench.load import writes
from tests.bench.processes import ROOT, BenchError, Running, free_port, running, wait_for

TOOLS = ("find", "note", "order")
CONNECTIONS = 64
LEAST = 1_000
"""Calls a second that one sidecar shall keep up, where the disk does LEAST_FLUSHES a second."""
LEAST_FLUSHES = 200

SAYS = {
    "find": "declared to be a read: no intent",
    "note": "effects, `repeatable: true`: an intent on disk",
    "order": "effects: an intent on disk, and done once",
}
_BACKEND = """
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 '{{"id": 7021994, "status": "open"}}'; }}
  }}
"""
_RULES = """\
backend: desk
url: http://127.0.0.1:{backend}
tools:
  find: {{says: Find., call: POST /find, args: {{text: {{type: string}}}}, effect: read}}
  note: {{says: Note., call: POST /note, args: {{text: {{type: string}}}}, effect: write, repeatable: true}}
  order: {{says: Order., call: POST /order, args: {{text: {{type: string}}}}, effect: write}}
"""
_CONFIG = """\
state: state
listeners: [{{bind: '127.0.0.1:{port}', identity: {{static: {{id: bot}}}}}}]
admin: {{bind: '127.0.0.1:{admin}'}}
"""


class Trial(NamedTuple):
    """One tool for a while."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def table(rounds: int, seconds: float) -> str:
    """Measure, in turn; what the figures are, as Markdown. Raises BenchError where one call was not as it should be."""
    (ROOT / "build").mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        flushes = _flushes(folder, 0.3)
        process, port = _started(stack, folder)
        tail = LedgerTail(folder / "state" / "ledger")
        trials = [
            {tool: _trial(process, port, tool, f"{tool}-{number}", seconds, tail) for tool in TOOLS}
            for number in range(rounds)
        ]
    return _written(trials, flushes)


def _started(stack: ExitStack, folder: Path) -> tuple[Running, int]:
    backend = free_port()
    nginx.server(stack, "backend", folder / "backend", _BACKEND.format(port=backend))
    (folder / "rules").mkdir()
    (folder / "rules" / "desk.yaml").write_text(_RULES.format(backend=backend))
    (folder / "rules" / "policy.yaml").write_text("rules: [{id: all, allow: desk.*}]\n")
    return sidecar(stack, folder)


def sidecar(stack: ExitStack, folder: Path) -> tuple[Running, int]:
    """Start one with the rules of a folder; its port."""
    port, config = free_port(), folder / "toolwall.yaml"
    config.write_text(_CONFIG.format(port=port, admin=free_port()))
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(config), "--log", "warning"]
    process = stack.enter_context(running("toolwall", command, folder))
    wait_for(process, f"http://127.0.0.1:{port}/.toolwall/tools")
    return process, port


def _trial(process: Running, port: int, tool: str, run: str, seconds: float, tail: LedgerTail) -> Trial:
    for _ in tail.records():
        pass  # of calls that were not this trial's
    cpu = process.cpu_s()
    load = writes(port, f"/desk/{tool}", CONNECTIONS, seconds, run)
    cpu = process.cpu_s() - cpu
    process.check()
    if load.errors or not load.requests:
        raise BenchError(f"{tool}: {load}\n{process.tail()}")
    _assert_recorded(tool, load.requests, tail)
    return Trial(load.requests / load.seconds, load.p50_us / 1e3, load.p99_us / 1e3, cpu / load.requests * 1e6)


def _assert_recorded(tool: str, answered: int, tail: LedgerTail) -> None:
    """Each answered call has a good Record, which has the check that its intent is on disk where it has effects."""
    records = [each for each in settled(tail) if each["outcome"] == "ok"]
    wanted = {"find": set(), "note": {"intent"}, "order": {"intent", "once"}}[tool]
    wrong = Counter(each.get("tool") for each in records if not wanted <= set(each["checks"]))
    if len(records) < answered or wrong:
        raise BenchError(f"{answered} answers of {tool}, and {len(records)} good Records, of which wrong: {wrong}")


def settled(tail: LedgerTail) -> list[dict[str, Any]]:
    """The Records since it was asked last, once those of calls that were under way are there as well."""
    time.sleep(0.3)
    return list(tail.records())


def _flushes(folder: Path, seconds: float) -> float:
    """How many lines a second this disk takes if each is flushed alone."""
    file = os.open(folder / "flushed", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        os.write(file, bytes(700))
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / took


def _written(trials: list[dict[str, Trial]], flushes: float) -> str:
    lines = ["| | calls/s | p50 ms | p99 ms | CPU us/call | CPU, times the read's |", "|---|---:|---:|---:|---:|---:|"]
    for tool in TOOLS:
        rps, p50, p99, cpu = (median(each) for each in zip(*(one[tool] for one in trials), strict=True))
        times = median(one[tool].cpu_us / one["find"].cpu_us for one in trials)
        lines.append(f"| {SAYS[tool]} | {rps:,.0f} | {p50:.1f} | {p99:.1f} | {cpu:,.0f} | {times:.2f} |")
    kept = median(one["note"].rps for one in trials)
    verdict = "met" if kept >= LEAST else "NOT MET" if flushes >= LEAST_FLUSHES else "not to be expected of this disk"
    said = (
        f"The disk alone does {flushes:,.0f} flushes/s. At least {LEAST:,} writes/s with an intent on disk: {verdict}."
    )
    return "\n".join([*lines, "", said])

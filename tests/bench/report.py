"""The lines of build/bench.jsonl, as tables for the screen and for docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.processes import ROOT, BenchError
from tests.bench.targets import START, Line, ratio, rounds, targets

FIELDS = ("scenario", "subject", "connections", "rps", "p50_ms", "p99_ms", "cpu_us")
"""What every line holds; a figure that makes no sense for it is null."""

MICRO = "micro"
LINES = ROOT / "build" / "bench.jsonl"
DOCS = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin of what the bench wrote -->", "<!-- end of what the bench wrote -->"

Rows = tuple[str, list[str], list[list[str]]]
"""Title, head and rows of one table."""


def line(scenario: str, subject: str, **more: Any) -> Line:
    """A line that is no trial."""
    return {**dict.fromkeys(FIELDS), "scenario": scenario, "subject": subject, **more}


def read(path: Path = LINES) -> list[Line]:
    """All lines. Raises BenchError where there are none."""
    try:
        return [json.loads(text) for text in path.read_text().splitlines()]
    except OSError:
        raise BenchError(f"there is no {path.name} yet: run `make bench` first") from None


def begin(path: Path, micro: bool) -> None:
    """Remove what an earlier run of the same part wrote; the other part's lines stay."""
    path.parent.mkdir(exist_ok=True)
    kept = [each for each in read(path) if (each["scenario"] == MICRO) != micro] if path.exists() else []
    path.write_text("".join(json.dumps(each) + "\n" for each in kept))


def add(path: Path, new: Line) -> None:
    """Append one line."""
    with path.open("a") as file:
        file.write(json.dumps(new) + "\n")


def tables(lines: list[Line]) -> Iterator[Rows]:
    """All tables that the lines are enough for."""
    trials = [each for each in lines if each["scenario"] not in (MICRO, START)]
    for (scenario, connections), group in groupby(trials, lambda each: (each["scenario"], each["connections"])):
        yield _trials(scenario, connections, list(group))
    if trials:
        yield "Targets (1 KB)", ["Toolwall's", "target", "measured", ""], _targets(lines)
    if micro := [each for each in lines if each["scenario"] == MICRO]:
        rows = [[each["subject"], f"{each['p50_ms'] * 1000:,.1f}", f"{each['cpu_us']:,.1f}"] for each in micro]
        yield "One call of one part", ["part", "us", "CPU us"], rows


def _trials(scenario: str, connections: int, lines: list[Line]) -> Rows:
    head = ["subject", "requests/s", "p50 ms", "p99 ms", "CPU us/request", "peak MB", "x aiohttp"]
    by_round = rounds(lines, scenario, connections)
    rows = [_row(name, [each for each in lines if each["subject"] == name], by_round) for name in _names(lines)]
    plural = "" if connections == 1 else "s"
    return f"{scenario} replies, {connections} connection{plural}", head, rows


def _row(name: str, lines: list[Line], by_round: list[dict[str, Line]]) -> list[str]:
    middle = {key: median(each[key] for each in lines) for key in ("rps", "p50_ms", "p99_ms", "cpu_us", "rss_mb")}
    times = ratio(by_round, "aiohttp", name)
    return [
        name,
        f"{middle['rps']:,.0f}",
        f"{middle['p50_ms']:.3f}",
        f"{middle['p99_ms']:.3f}",
        f"{middle['cpu_us']:,.0f}",
        f"{middle['rss_mb']:.0f}",
        "" if times is None else f"{times:.2f}",
    ]


def _names(lines: Iterable[Line]) -> list[str]:
    return list(dict.fromkeys(each["subject"] for each in lines))


def _targets(lines: list[Line]) -> list[list[str]]:
    return [
        [
            target.says,
            f"{'at least' if target.at_least else 'at most'} {target.bound:g}",
            "" if target.value is None else f"{target.value:.2f}",
            target.verdict,
        ]
        for target in targets(lines)
    ]


def show(console: Console, lines: list[Line]) -> None:
    """Print all tables."""
    for title, head, rows in tables(lines):
        table = Table(title=title, title_justify="left", title_style="bold")
        for number, name in enumerate(head):
            table.add_column(name, justify="right" if number and len(head) != 4 else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write_docs(lines: list[Line], path: Path = DOCS) -> None:
    """Replace the marked block of the docs by these lines' tables. Raises BenchError where the marks are missing."""
    text = path.read_text()
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise BenchError(f"{path.name} lacks the marks between which the tables go: {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n{_markdown(lines)}\n{END}{after}")


def _markdown(lines: list[Line]) -> str:
    blocks = [f"{machine()}. Each figure is the median of the rounds; ratios are taken within each round first."]
    for title, head, rows in tables(lines):
        table = [head, ["---"] + ["---" if len(head) == 4 else "---:"] * (len(head) - 1), *rows]
        blocks.append(f"**{title}**\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in table))
    return "\n" + "\n\n".join(blocks) + "\n"


def machine() -> str:
    """What the figures were measured on."""
    names = (each.partition(":")[2].strip() for each in _cpuinfo() if each.startswith("model name"))
    return (
        f"{len(os.sched_getaffinity(0))} cores of {next(names, platform.machine())}, Python {platform.python_version()}"
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []

"""`python -m tests.bench`: compare Toolwall with its neighbours on this machine, in one run."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NoReturn

from rich.console import Console

from tests.bench import report
from tests.bench.load import tool
from tests.bench.measure import Bench, start_and_memory
from tests.bench.processes import ROOT, BenchError
from tests.bench.replies import scenarios
from tests.bench.subjects import STARTERS, Place, default_names, start
from tests.bench.targets import START
from tests.proxy.collecting import collector

_SAY = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


@dataclass(frozen=True)
class Run:
    """What one comparison measures."""

    subjects: list[str]
    rounds: int
    seconds: float
    starts: int


def compare(run: Run, lines: Path) -> None:
    """Measure, one line at a time into `lines`. Raises BenchError where a count does not agree."""
    report.begin(lines, micro=False)
    with ExitStack() as stack:
        spans = stack.enter_context(collector())
        place = _place(stack, spans.url)
        if "toolwall" in run.subjects and run.starts:
            _say_start(place, run, lines)
        subjects = [start(place, name) for name in run.subjects]
        for trial in Bench(subjects, place.scenarios).trials(run.rounds, run.seconds):
            report.add(lines, trial.as_line())
            _SAY.print(
                f"{trial.scenario:>5} {trial.connections:>3} {trial.subject:<21} {trial.rps:>9,.0f}/s"
                f"  p50 {trial.p50_ms:>8.3f} ms  p99 {trial.p99_ms:>8.3f} ms  CPU {trial.cpu_us:>7,.0f} us"
            )
        stack.close()
        if "toolwall" in run.subjects and not spans.paths:
            raise BenchError("the collector was told nothing, so telemetry was off")


def _place(stack: ExitStack, collector_url: str) -> Place:
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return Place(stack, folder, scenarios(), collector_url)


def _say_start(place: Place, run: Run, lines: Path) -> None:
    starts = list(start_and_memory(place, place.scenarios[0], run.starts))
    seconds, memory = median(each for each, _ in starts), starts[-1][1]
    _SAY.print(f"start {seconds:.2f} s, {memory:.0f} MB after 10,000 calls")
    figures = {"cold_start_s": round(seconds, 3), "rss_after_calls_mb": round(memory, 1)}
    report.add(lines, report.line(START, "toolwall", **figures))


def micro(lines: Path, seconds: float) -> None:
    """Measure the parts of one call."""
    from tests.bench.micro import figures  # which loads the whole product

    report.begin(lines, micro=True)
    for figure in figures(seconds):
        us, name = round(figure.us, 2), figure.part.name
        measured = {"connections": figure.part.waiters, "rps": round(1e6 / us, 1), "p50_ms": us / 1000}
        report.add(lines, report.line(report.MICRO, name, **measured, cpu_us=round(figure.cpu_us, 2)))


def scan(docs: bool) -> None:
    """Measure how fast replies are scanned; into docs/performance.md where that is asked for."""
    from tests.bench.scan import tables, write_docs

    text = "\n\n".join(tables())
    print(text)
    if docs:
        write_docs(text)


def writes(run: Run) -> None:
    """Measure what calls with effects cost."""
    from tests.bench.writes import table

    _need_wrk()
    print(table(run.rounds, run.seconds))


def messages(run: Run) -> None:
    """Measure what calls by MCP cost."""
    from tests.bench.messages import table

    _need_wrk()
    print(table(run.rounds, run.seconds))


def _need_wrk() -> None:
    if tool() != "wrk":
        raise BenchError("wrk is missing, which alone posts here: on Debian, `apt-get install wrk`")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of one second each")
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all subjects (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of one trial (3)")
    parser.add_argument("--subjects", default=",".join(default_names()), help=f"some of {', '.join(STARTERS)}")
    parser.add_argument("--micro", action="store_true", help="measure the parts of a call instead")
    parser.add_argument("--scan", action="store_true", help="measure scanning beside Presidio instead")
    parser.add_argument("--writes", action="store_true", help="measure calls with effects instead")
    parser.add_argument("--mcp", action="store_true", help="measure calls by MCP instead")
    parser.add_argument("--docs", action="store_true", help="only write the tables into docs/performance.md")
    return parser


def _run_of(options: argparse.Namespace) -> Run:
    names = [name.strip() for name in options.subjects.split(",")]
    if unknown := [name for name in names if name not in STARTERS]:
        raise BenchError(f"there is no subject {', '.join(unknown)}; there are {', '.join(STARTERS)}")
    if options.rounds < 1 or options.seconds <= 0:
        raise BenchError("--rounds and --seconds must be above 0")
    return Run(names, 1, 1.0, 1) if options.quick else Run(names, options.rounds, options.seconds, 3)


def main() -> None:
    """Exit code 0 whatever the figures say; 3 where they cannot be trusted or had."""
    signal.signal(signal.SIGTERM, _ended)
    options = _options().parse_args()
    try:
        if options.scan:
            scan(options.docs)
            return
        if options.writes:
            writes(_run_of(options))
            return
        if options.mcp:
            messages(_run_of(options))
            return
        if options.docs:
            report.write_docs(report.read())
            return
        if tool() != "wrk":
            _SAY.print("wrk is missing (`apt-get install wrk`): a slow generator of our own takes its place.")
        if options.micro:
            micro(report.LINES, 0.05 if options.quick else 0.3)
        else:
            compare(_run_of(options), report.LINES)
        report.show(_SAY, report.read())
    except BenchError as error:
        _SAY.print(f"bench: {error}", markup=False)
        sys.exit(3)


def _ended(*_: object) -> NoReturn:
    sys.exit(143)


if __name__ == "__main__":
    main()

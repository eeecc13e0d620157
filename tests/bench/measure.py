"""Trials: one subject, one scenario, one number of connections, a few seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.bench.evidence import LedgerTail, assert_cleaned, assert_forwarded, assert_recorded
from tests.bench.load import Load, load
from tests.bench.processes import BenchError, wait_for
from tests.bench.replies import Scenario
from tests.bench.subjects import Place, Subject, toolwall

CONNECTIONS = (1, 16, 64)
WARM_CALLS_S = 1.0
MEMORY_CALLS = 10_000


@dataclass(frozen=True)
class Trial:
    """One line of build/bench.jsonl. Times are of one call: milliseconds, and microseconds of processor time."""

    scenario: str
    subject: str
    connections: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    round: int
    rss_mb: float

    def as_line(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class Bench:
    """The subjects of one run, with what is needed to check them."""

    def __init__(self, subjects: list[Subject], scenarios: tuple[Scenario, ...]) -> None:
        self._subjects = subjects
        self._scenarios = scenarios
        self._tails = {each.name: LedgerTail(each.ledger) for each in subjects if each.ledger}

    def trials(self, rounds: int, seconds: float) -> Iterator[Trial]:
        """All trials, the subjects in turn within each round: what disturbs the machine disturbs all of them."""
        for scenario in self._scenarios:
            for subject in self._subjects:
                self.trial(subject, scenario, max(CONNECTIONS), min(seconds, WARM_CALLS_S))
            for connections in CONNECTIONS:
                for number in range(rounds):
                    for subject in self._subjects:
                        yield replace(self.trial(subject, scenario, connections, seconds), round=number)

    def trial(self, subject: Subject, scenario: Scenario, connections: int, seconds: float) -> Trial:
        """Measure once, and assert that what was measured is what the name says. Raises BenchError."""
        before, cpu = subject.backend.settled(), subject.process.cpu_s()
        tail = self._tails.get(subject.name)
        for _ in tail.records() if tail else ():
            pass  # of calls that were not this trial's
        seen = _load(subject, scenario, connections, seconds)
        cpu = subject.process.cpu_s() - cpu
        forwarded = subject.backend.settled() - before
        assert_forwarded(subject.name, seen.requests, forwarded, connections)
        if tail:
            findings = scenario.findings if subject.cleans else Counter[str]()
            assert_recorded(tail, findings, seen.requests, forwarded, connections)
        if subject.cleans:
            assert_cleaned(subject, scenario)
        return Trial(
            scenario=scenario.name,
            subject=subject.name,
            connections=connections,
            rps=round(seen.requests / seen.seconds, 1),
            p50_ms=round(seen.p50_us / 1000, 3),
            p99_ms=round(seen.p99_us / 1000, 3),
            cpu_us=round(cpu / seen.requests * 1e6, 1),
            round=0,
            rss_mb=round(subject.process.rss_mb(peak=True), 1),
        )


def cold_start(place: Place, scenario: Scenario, run: int) -> tuple[Subject, float]:
    """A new sidecar, and the seconds from its start to its first answer that came from the backend."""
    started = time.perf_counter()
    subject = toolwall(place, "toolwall", f"-start{run}")
    wait_for(subject.process, subject.url(scenario))
    return subject, time.perf_counter() - started


def start_and_memory(folder_place: Place, scenario: Scenario, starts: int) -> Iterator[tuple[float, float]]:
    """Of some new sidecars, one after the other: seconds of its start; of the last, MB after MEMORY_CALLS calls."""
    for run in range(starts):
        with ExitStack() as stack:
            place = replace(folder_place, stack=stack)
            subject, seconds = cold_start(place, scenario, run)
            yield seconds, _memory(subject, scenario) if run == starts - 1 else 0.0


def _memory(subject: Subject, scenario: Scenario) -> float:
    done, give_up = 0, time.monotonic() + 120
    while done < MEMORY_CALLS and time.monotonic() < give_up:
        done += _load(subject, scenario, 16, 1).requests
    if done < MEMORY_CALLS:
        raise BenchError(f"{subject.name} answered {done} calls in two minutes")
    return subject.process.rss_mb()


def _load(subject: Subject, scenario: Scenario, connections: int, seconds: float) -> Load:
    """Raises BenchError where one answer was not as it should be, with the subject's log where it ended."""
    try:
        seen = load(subject.port, subject.path(scenario), connections, seconds)
    finally:
        subject.process.check()
    if seen.errors or not seen.requests:
        raise BenchError(
            f"{subject.name}, {scenario.name}, {connections} connections: {seen}\n{subject.process.tail()}"
        )
    return seen

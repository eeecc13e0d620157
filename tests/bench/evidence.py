"""What is asserted of each measurement: nobody answered by heart, and Toolwall recorded and cleaned every call.

A load tool hangs up when its time is over, so up to one call per connection may be under way then. Written as counts
of one trial, with `answered` from the load tool and the others from the backend and the ledger:

    answered <= good Records <= backend's requests <= attempts in Records <= Records <= answered + connections
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.ledger.segments import lines, segments_in
from tests.bench.nginx import SETTLE_S
from tests.bench.processes import BenchError, get
from tests.bench.replies import Scenario
from tests.bench.subjects import Subject

CHECKS = frozenset({"identity", "visible", "contract", "rules", "timeout", "clean"})
"""Without which no Record of a good answer counts."""


@dataclass
class LedgerTail:
    """Reads a ledger that is being written, each line once."""

    folder: Path
    _at: dict[Path, int] = field(default_factory=dict)

    def records(self) -> Iterator[dict[str, Any]]:
        """The Records of calls that came since it was asked last."""
        for segment in segments_in(self.folder):
            for offset, line in lines(segment, self._at.get(segment, 0)):
                if not line.endswith(b"\n"):
                    break
                self._at[segment] = offset + len(line)
                entry = json.loads(line)
                if entry["kind"] == "call":
                    yield entry


@dataclass
class Counts:
    """What the Records of one trial say."""

    records: int = 0
    good: int = 0
    attempts: int = 0

    def add(self, record: dict[str, Any], findings: Counter[str]) -> None:
        """Count one Record. Raises BenchError if it is none of a call that was checked and cleaned."""
        self.records += 1
        self.attempts += record["attempts"]
        if record["outcome"] == "client_gone":
            return
        missing = CHECKS.difference(record.get("checks", ()))
        if record["outcome"] != "ok" or missing or Counter(record.get("redactions", {})) != findings:
            raise BenchError(f"a Record is not that of a checked and cleaned call: {record}")
        self.good += 1

    def agree(self, answered: int, backend: int, connections: int) -> bool:
        """Whether the counts of the module's first lines hold."""
        return answered <= self.good <= backend <= self.attempts <= self.records <= answered + connections


def assert_recorded(tail: LedgerTail, findings: Counter[str], answered: int, backend: int, connections: int) -> None:
    """Raises BenchError unless exactly the calls of one trial were recorded, all checked and cleaned."""
    counts, give_up = Counts(), time.monotonic() + SETTLE_S
    while time.monotonic() < give_up:
        for record in tail.records():
            counts.add(record, findings)
        if counts.agree(answered, backend, connections):
            return
        time.sleep(0.02)
    raise BenchError(
        f"the counts of {tail.folder.parents[1].name} do not agree: {answered} answers on {connections} connections, "
        f"{backend} requests at the backend, in the ledger {counts}"
    )


def assert_forwarded(name: str, answered: int, backend: int, connections: int) -> None:
    """Raises BenchError unless the backend was asked for each answer."""
    if not answered <= backend <= answered + connections:
        raise BenchError(f"{name} gave {answered} answers, and the backend had {backend} requests")


def assert_cleaned(subject: Subject, scenario: Scenario) -> None:
    """Raises BenchError unless an answer of a Toolwall that cleans tells all findings and holds none."""
    headers, body = get(subject.url(scenario))
    told = ", ".join(f"{kind}={count}" for kind, count in sorted(scenario.findings.items()))
    if headers.get("toolwall-redacted") != told or b"@" in body or b"<EMAIL_ADDRESS>" not in body:
        raise BenchError(f"the answer of {subject.name} to {scenario.name} was not cleaned: {headers}, {body[:300]!r}")
    json.loads(body)

"""The bench itself: its counts agree, its evidence refuses what is not proved, its lines and tables are well-formed."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from proxy.ledger import Ledger
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from tests.bench import load, messages, nginx, report, writes
from tests.bench.__main__ import Run, compare
from tests.bench.evidence import CHECKS, Counts, LedgerTail, assert_forwarded, assert_recorded
from tests.bench.micro import figures
from tests.bench.processes import ROOT, BenchError, free_port, running, wait_for
from tests.bench.replies import LARGE, SMALL, dense, harmless, scenarios
from tests.bench.targets import START, targets

FINDINGS = Counter(EMAIL_ADDRESS=1)
needs_tools = pytest.mark.skipif(
    not shutil.which("wrk") or not shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"),
    reason="needs wrk and nginx: on Debian, `apt-get install wrk nginx-light`",
)


@pytest.mark.full
@needs_tools
def test_a_short_run_proves_every_call_and_writes_a_line_for_each_trial(tmp_path: Path) -> None:
    lines = tmp_path / "bench.jsonl"
    compare(Run(["backend", "toolwall"], rounds=1, seconds=0.2, starts=0), lines)
    found = report.read(lines)
    wanted = [(s, c, n) for s in ("1KB", "64KB") for c in (1, 16, 64) for n in ("backend", "toolwall")]
    assert [(each["scenario"], each["connections"], each["subject"]) for each in found] == wanted
    for each in found:
        assert set(report.FIELDS) <= set(each)
        assert each["rps"] > 0
        assert 0 < each["p50_ms"] <= each["p99_ms"]
        assert each["rss_mb"] > 0


@needs_tools
def test_a_short_run_leaves_no_folder_behind(tmp_path: Path) -> None:
    before = set((ROOT / "build").glob("bench-*"))
    compare(Run(["backend"], rounds=1, seconds=0.1, starts=0), tmp_path / "bench.jsonl")
    assert set((ROOT / "build").glob("bench-*")) == before


@needs_tools
@pytest.mark.parametrize("has_wrk", [True, False])
def test_both_load_tools_count_the_same_way(has_wrk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_wrk:
        monkeypatch.setattr(load, "tool", lambda: "tests.bench.generator")
    with ExitStack() as stack:
        backend = nginx.backend(stack, tmp_path / "backend", scenarios())
        before = backend.requests()
        seen = load.load(backend.port, scenarios()[0].path, 4, 0.2)
        after = backend.requests()
    assert seen.errors == 0
    assert 0 < seen.p50_us <= seen.p99_us
    assert seen.requests <= after - before <= seen.requests + (4 if has_wrk else 0)


def test_replies_have_their_size_and_findings_only_where_planted() -> None:
    small, large = scenarios()
    assert (len(small.body), len(large.body)) == (SMALL, LARGE)
    assert (sum(small.findings.values()), sum(large.findings.values())) == (3, 12)
    for text in harmless():
        assert b"@" not in text
        json.loads(text)
    crowd, count = dense()
    assert LARGE - 400 < len(crowd) <= LARGE
    assert sum(Scanner(kinds_of("standard")).clean(crowd, "application/json", None).counts.values()) == count


def record(**changes: Any) -> dict[str, Any]:
    good = {"kind": "call", "outcome": "ok", "attempts": 1, "checks": sorted(CHECKS), "redactions": dict(FINDINGS)}
    return good | changes


def test_counts_agree_when_each_answer_has_its_record_and_its_request(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path, bytes(32))
    for _ in range(3):
        ledger.append(record())
    ledger.append(record(outcome="client_gone", redactions={}))
    assert_recorded(LedgerTail(tmp_path), FINDINGS, answered=3, backend=4, connections=1)
    ledger.close()


@pytest.mark.parametrize(
    "broken",
    [{"redactions": {}}, {"checks": sorted(CHECKS - {"clean"})}, {"outcome": "refused"}],
    ids=["not cleaned", "a check is missing", "refused"],
)
def test_a_record_of_an_unchecked_call_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(BenchError, match="not that of a checked and cleaned call"):
        Counts().add(record(**broken), FINDINGS)


@pytest.mark.parametrize(
    ("counts", "answered", "backend"),
    [
        (Counts(records=9, good=9, attempts=9), 10, 9),
        (Counts(records=10, good=10, attempts=10), 10, 9),
        (Counts(records=10, good=10, attempts=10), 10, 11),
        (Counts(records=13, good=10, attempts=13), 10, 13),
        (Counts(records=20, good=20, attempts=20), 10, 20),
    ],
    ids=["an answer without a Record", "answered by heart", "sent twice", "too many hung up", "recorded twice"],
)
def test_counts_that_do_not_agree_are_seen(counts: Counts, answered: int, backend: int) -> None:
    assert not counts.agree(answered, backend, connections=2)


def test_a_subject_that_answers_without_its_backend_is_refused() -> None:
    with pytest.raises(BenchError, match="gave 10 answers"):
        assert_forwarded("cache", answered=10, backend=1, connections=1)


def test_a_process_that_ends_is_told_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no port for me'); raise SystemExit(7)"]
    with (
        running("broken", command, tmp_path) as process,
        pytest.raises(BenchError, match=r"(?s)code 7.*no port for me"),
    ):
        wait_for(process, f"http://127.0.0.1:{free_port()}/")


def test_a_process_is_gone_afterwards_with_its_children(tmp_path: Path) -> None:
    child = "import time; print('up', flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with running("family", [sys.executable, "-c", parent], tmp_path) as process:
        _until(lambda: "up" in process.tail())
        assert len(process.family()) == 2
    _until(lambda: not process.family())


def _until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def lines_of(toolwall_rps: float) -> list[dict[str, Any]]:
    p50 = {"backend": 0.1, "aiohttp": 0.3, "mitmproxy": 2.0, "toolwall": 0.4}
    rps = {"backend": 9e4, "aiohttp": 4000.0, "mitmproxy": 400.0, "toolwall": toolwall_rps}
    trials = [
        report.line(
            "1KB", name, connections=c, rps=rps[name], p50_ms=p50[name], p99_ms=9.0, cpu_us=1.0, round=r, rss_mb=1.0
        )
        for c in (1, 16)
        for r in range(3)
        for name in p50
    ]
    return [*trials, report.line(START, "toolwall", cold_start_s=0.5, rss_after_calls_mb=130.0)]


def test_targets_are_judged_by_ratios() -> None:
    by_mitmproxy, by_aiohttp, added, start, memory = targets(lines_of(2000.0))
    assert (by_mitmproxy.value, by_mitmproxy.verdict) == (5.0, "met")
    assert (by_aiohttp.value, by_aiohttp.verdict) == (0.5, "met")
    assert added.value == pytest.approx(1.5)
    assert (start.verdict, memory.verdict) == ("met", "NOT MET")
    assert targets(lines_of(1599.0))[0].verdict == "NOT MET"


def test_what_was_not_measured_is_said_so() -> None:
    assert {target.verdict for target in targets([])} == {"not measured"}


def test_docs_get_the_tables_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_docs(lines_of(2000.0), page)
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text
    assert "| toolwall | 2,000 | 0.400 |" in text
    page.write_text("no marks")
    with pytest.raises(BenchError, match="lacks the marks"):
        report.write_docs(lines_of(2000.0), page)


def test_the_page_has_its_marks() -> None:
    text = report.DOCS.read_text()
    assert text.index(report.BEGIN) < text.index(report.END)


def test_each_part_of_a_call_takes_time() -> None:
    found = figures(0.001)
    assert len({figure.part.name for figure in found}) == len(found) == 16
    assert all(figure.us > 0 for figure in found)


@pytest.mark.full
@needs_tools
def test_writes_are_measured_beside_a_read_of_the_same_bytes() -> None:
    said = writes.table(rounds=1, seconds=0.3)
    assert [line.count("|") for line in said.splitlines()[:5]] == [7] * 5
    assert all(f"| {name} |" in said for name in writes.SAYS.values())
    assert re.search(r"The disk alone does [\d,]+ flushes/s\.", said)


@pytest.mark.full
@needs_tools
def test_a_call_by_mcp_is_measured_beside_the_same_by_http() -> None:
    said = messages.table(rounds=1, seconds=0.3)
    assert [line.count("|") for line in said.splitlines()[:4]] == [7] * 4
    assert all(f"| {name} |" in said for name in messages.SAYS.values())
    assert re.search(r"At most 1\.5 times the processor time: (NOT MET|met)\.", said)

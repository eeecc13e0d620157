"""Shedding: what is refused unread has its Record and counts like any other, and the log tells of many by one line."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from proxy.entry import Entries
from proxy.ledger import Ledger
from proxy.ledger.export import export_lines
from proxy.shedding import Shedding
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from redaction.profiles import kinds_of
from redaction.scanner import Scanner


def opened(folder: Path) -> Entries:
    ledger = Ledger.open(folder, bytes(32))
    return Entries(ledger, Telemetry.open(TelemetrySettings()), bytes(32), Scanner(kinds_of("secrets")))


def test_each_has_its_record_and_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entries = opened(tmp_path)
    shedding = Shedding(entries, "127.0.0.1:8080")
    with caplog.at_level(logging.INFO, "toolwall.calls"):
        refusals = [shedding.refusal() for _ in range(50)]
    entries.ledger.close()
    lines = [json.loads(line) for line in export_lines(tmp_path)]
    records = [line for line in lines if line["kind"] == "call"]
    assert [record["call"] for record in records] == [refusal.call_id for refusal in refusals]
    assert {(record["code"], record["status"], record["outcome"], record["executed"]) for record in records} == {
        ("limit_reached", 429, "refused", "no")
    }
    assert {record["door"] for record in records} == {"127.0.0.1:8080"}
    counted = re.search(r'toolwall_refusals\w*\{.*"limit_reached".*\} (.*)', entries.telemetry.prometheus().decode())
    assert counted is not None
    assert float(counted.group(1)) == 50
    assert len(caplog.messages) < 5


def test_what_cannot_be_recorded_is_told_as_what_it_is(tmp_path: Path) -> None:
    entries = opened(tmp_path)
    entries.ledger.close()
    refusal = Shedding(entries, "127.0.0.1:8080").refusal()
    assert (refusal.code, refusal.executed) == ("internal", "no")
    assert len(refusal.call_id) == 28

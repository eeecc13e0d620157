"""The ledger in the sidecar's hands: its failures are logged, and stop nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.keeping import close, ordered
from proxy.ledger import Ledger
from tests.proxy.ledger.helpers import KEY, lines_of


def test_an_order_is_recorded(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    ordered(ledger, "cache clear", "all answers")
    close(ledger)
    entries = [json.loads(line) for line in lines_of(tmp_path / "ledger")]
    assert [entry["kind"] for entry in entries] == ["open", "order", "close"]
    assert (entries[1]["order"], entries[1]["said"]) == ("cache clear", "all answers")


def test_a_ledger_that_takes_nothing_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger.open(tmp_path / "ledger", KEY)
    close(ledger)
    ordered(ledger, "cache clear", "all answers")
    assert "could not be recorded: the ledger is closed" in caplog.text

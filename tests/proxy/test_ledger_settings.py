"""`ledger` in toolwall.yaml."""

from __future__ import annotations

from proxy.ledger_settings import LedgerSettings, read_ledger


def test_reads_are_refused_and_arguments_left_out_unless_the_file_says_otherwise() -> None:
    assert read_ledger({}) == LedgerSettings(arguments="off", on_error="refuse")
    assert read_ledger({"on_error": "pass", "arguments": "redacted"}) == LedgerSettings("redacted", "pass")

"""`ledger` in toolwall.yaml."""

from __future__ import annotations

from pathlib import Path

from proxy.ledger_settings import LedgerSettings, read_ledger

FOLDER = Path("/etc/toolwall")


def test_reads_are_refused_arguments_left_out_and_all_is_kept_unless_the_file_says_otherwise() -> None:
    assert read_ledger({}, FOLDER) == LedgerSettings(arguments="off", on_error="refuse", checkpoints=None, every_s=60.0)
    assert read_ledger({}, FOLDER).keeps_all
    assert not read_ledger({}, FOLDER).signs


def test_what_the_file_says_is_taken_over() -> None:
    said = {
        "arguments": "redacted",
        "on_error": "pass",
        "checkpoints": {"to": "../elsewhere/checkpoints", "every": "5m"},
        "keep": {"for": "90d", "size": "10GiB"},
    }
    read = read_ledger(said, FOLDER)
    assert (read.arguments, read.on_error, read.every_s) == ("redacted", "pass", 300.0)
    assert read.checkpoints == FOLDER / "../elsewhere/checkpoints"
    assert (read.keep_s, read.keep_bytes, read.keeps_all) == (90 * 86400.0, 10 * 2**30, False)
    assert not read_ledger({"keep": {"size": "1GiB"}}, FOLDER).keeps_all


def test_checkpoints_go_to_a_file_to_a_url_or_to_both() -> None:
    read = read_ledger({"checkpoints": {"url": "https://a/b", "headers": {"X-Key": "env:KEY"}}}, FOLDER)
    assert (read.url, read.headers, read.checkpoints, read.signs) == ("https://a/b", {"X-Key": "env:KEY"}, None, True)
    assert "KEY" not in repr(read)
    read = read_ledger({"checkpoints": {"to": "file", "url": "https://a/b"}}, FOLDER)
    assert (read.url, read.checkpoints, read.signs) == ("https://a/b", FOLDER / "file", True)

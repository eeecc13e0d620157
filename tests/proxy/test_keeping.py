"""The ledger in the sidecar's hands: checkpoints follow it, old segments go, and failures stop nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from proxy import pushing
from proxy.keeping import Keeping
from proxy.ledger import Ledger
from proxy.ledger.checkpoint import Signer, read
from proxy.ledger.segments import segments_in
from proxy.ledger.verify import verify
from proxy.ledger_settings import LedgerSettings
from tests.proxy.collecting import collector
from tests.proxy.ledger.helpers import KEY, call, lines_of

SEED = b"s" * 32


def kept(folder: Path, settings: LedgerSettings, **options: int) -> tuple[Keeping, Ledger]:
    keeping = Keeping(folder, SEED, settings)
    ledger = Ledger.open(folder, KEY, safe=keeping.reached, **options)
    keeping.begin(ledger)
    return keeping, ledger


def test_an_order_is_recorded(tmp_path: Path) -> None:
    keeping, _ = kept(tmp_path / "ledger", LedgerSettings())
    keeping.ordered("cache clear", "all answers")
    keeping.close()
    entries = [json.loads(line) for line in lines_of(tmp_path / "ledger")]
    assert [entry["kind"] for entry in entries] == ["open", "order", "close"]
    assert (entries[1]["order"], entries[1]["said"]) == ("cache clear", "all answers")


def test_a_ledger_that_takes_nothing_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeping, _ = kept(tmp_path / "ledger", LedgerSettings())
    keeping.close()
    keeping.ordered("cache clear", "all answers")
    assert "could not be recorded: the ledger is closed" in caplog.text


def test_the_last_checkpoint_is_of_the_last_record(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    keeping, ledger = kept(tmp_path / "ledger", LedgerSettings(checkpoints=file, every_s=0.1))
    ledger.append(call(1))
    time.sleep(2.5)
    during = read(file, Signer(SEED).public).known
    keeping.close()
    found = read(file, Signer(SEED).public)
    report = verify(tmp_path / "ledger", KEY, found.known)
    assert 0 < len(during) < len(found.known) <= 4  # and none where nothing was written
    assert found.known[report.last_seq] == report.last_hash
    assert (report.faults, found.faults) == ([], [])


def test_old_segments_go_and_the_checkpoints_still_fit(tmp_path: Path) -> None:
    settings = LedgerSettings(checkpoints=tmp_path / "checkpoints", every_s=0.1, keep_bytes=3000)
    keeping, ledger = kept(tmp_path / "ledger", settings, segment_bytes=1000)
    for number in range(40):
        ledger.append(call(number))
    before = len(segments_in(tmp_path / "ledger"))
    give_up = time.monotonic() + 20
    while len(segments_in(tmp_path / "ledger")) >= before and time.monotonic() < give_up:
        keeping._prune_at = 0.0  # as soon as the head has followed
        time.sleep(0.1)
    keeping.close()
    assert len(segments_in(tmp_path / "ledger")) < before
    known = read(tmp_path / "checkpoints", Signer(SEED).public).known
    assert verify(tmp_path / "ledger", KEY, known).faults == []


def test_a_place_that_cannot_be_written_is_told_and_holds_up_nothing(tmp_path: Path) -> None:
    settings = LedgerSettings(checkpoints=tmp_path / "gone" / "checkpoints", every_s=0.1)
    keeping, ledger = kept(tmp_path / "ledger", settings)
    give_up = time.monotonic() + 20
    while not keeping.trouble and time.monotonic() < give_up:
        time.sleep(0.05)
    assert keeping.trouble.startswith("cannot write the checkpoint")
    assert ledger.append(call(1)) == 2
    (tmp_path / "gone").mkdir()
    keeping.close()
    assert max(read(tmp_path / "gone" / "checkpoints", Signer(SEED).public).known) == 3


def test_no_segment_goes_before_its_checkpoint_is_where_it_is_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "FIRST_BACKOFF_S", 0.05)
    with collector((503,) * 10_000) as fake:
        file = tmp_path / "checkpoints"
        settings = LedgerSettings(checkpoints=file, every_s=0.1, keep_bytes=3000, url=fake.url)
        keeping, ledger = kept(tmp_path / "ledger", settings, segment_bytes=1000)
        for number in range(40):
            ledger.append(call(number))
        before = len(segments_in(tmp_path / "ledger"))
        give_up = time.monotonic() + 20
        while not (file.exists() and keeping.trouble) and time.monotonic() < give_up:
            time.sleep(0.05)
        time.sleep(0.3)
        assert len(segments_in(tmp_path / "ledger")) == before
        fake.statuses.clear()
        while len(segments_in(tmp_path / "ledger")) >= before and time.monotonic() < give_up:
            keeping._prune_at = 0.0
            time.sleep(0.05)
        assert len(segments_in(tmp_path / "ledger")) < before
        keeping.close()
        assert fake.bodies[-1].endswith(b"\n")
        assert fake.bodies[-1] == file.read_bytes().splitlines(keepends=True)[-1]


def test_a_volume_that_is_full_holds_up_no_push(tmp_path: Path) -> None:
    with collector() as fake:
        settings = LedgerSettings(checkpoints=tmp_path / "gone" / "checkpoints", every_s=0.1, url=fake.url)
        keeping, ledger = kept(tmp_path / "ledger", settings)
        ledger.append(call(1))
        keeping.close()
        assert keeping.trouble.startswith("cannot write the checkpoint")
        assert b'"seq":3' in fake.bodies[-1]

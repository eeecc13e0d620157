"""Regimes: what is made for rules, taken over from those before, and let go of. Plays with calls: test_reload.py."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

import pytest

from proxy.firewall import Firewall
from proxy.regimes import Ready, Regimes, scanners_of
from proxy.scanning import Scans
from proxy.upstream.upstream import UpstreamBounds
from redaction.rewriting import NO_WAYS
from redaction.scanner import Scanner
from redaction.sparing import NOTHING_SPARED
from rules.load import load
from rules.tools import Cleaning

CRM = """\
backend: crm
url: http://127.0.0.1:9
tools:
  get: {says: Read., call: GET /things}
  raw: {says: Read., call: GET /raw, reply: {redact: off}}
  few: {says: Read., call: GET /few, reply: {redact: [JWT]}}
  again: {says: Read., call: GET /again, reply: {redact: [JWT]}}
"""


def made(folder: Path, text: str = CRM, known: dict[Cleaning, Scanner] | None = None) -> Ready:
    (folder / "crm.yaml").write_text(text)
    rules = load(folder)
    return Ready(rules, scanners_of(rules, known))


def firewall(regimes: Regimes) -> Firewall:
    class Names:
        def check_name(self, name: str) -> None:
            return

    return Firewall(regimes.regime, Names())  # type: ignore[arg-type]


def test_one_scanner_for_each_set_of_kinds(tmp_path: Path) -> None:
    scanners = made(tmp_path).scanners
    assert (frozenset({"JWT"}), NO_WAYS, NOTHING_SPARED) in scanners
    assert (frozenset(), NO_WAYS, NOTHING_SPARED) not in scanners
    assert len(scanners) == 2


def test_known_scanners_are_used_again_and_others_forgotten(tmp_path: Path) -> None:
    first = made(tmp_path).scanners
    again = made(tmp_path, CRM.replace("[JWT]", "[IBAN_CODE]"), dict(first)).scanners
    kept = first.keys() & again.keys()
    assert len(kept) == 1
    assert all(again[each] is first[each] for each in kept)
    assert set(again) - kept == {(frozenset({"IBAN_CODE"}), NO_WAYS, NOTHING_SPARED)}


def test_a_regime_is_kept_while_a_call_uses_it(tmp_path: Path) -> None:
    async def play() -> None:
        scans = Scans()
        regimes = Regimes(made(tmp_path), scans, UpstreamBounds())
        wall = firewall(regimes)
        first = wall.regime
        with first:
            regimes.enact(made(tmp_path, CRM.replace(":9", ":8")), wall)
            assert wall.regime is not first
            await regimes.tend()
            assert [each.regime for each in regimes._before] == [first]
        await regimes.tend()
        assert regimes._before == []
        await regimes.close()
        scans.close()

    asyncio.run(play())


def test_what_a_later_regime_took_over_is_not_closed(tmp_path: Path) -> None:
    async def play() -> None:
        scans = Scans()
        regimes = Regimes(made(tmp_path), scans, UpstreamBounds())
        wall = firewall(regimes)
        held, lane = wall.regime, regimes._upstream._lanes["crm"]
        held.__enter__()
        regimes.enact(made(tmp_path, CRM.replace("  get:", "  got:")), wall)
        regimes.enact(made(tmp_path, CRM.replace(":9", ":8")), wall)
        await regimes.tend()
        assert len(regimes._before) == 1
        assert not lane.pool._closed
        assert regimes._upstream._lanes["crm"] is not lane
        held.__exit__()
        await regimes.tend()
        assert lane.pool._closed
        assert not regimes._upstream._lanes["crm"].pool._closed
        await regimes.close()
        assert regimes._upstream._lanes["crm"].pool._closed
        scans.close()

    asyncio.run(play())


def test_what_could_not_be_made_is_not_put_in_force(tmp_path: Path) -> None:
    async def play() -> None:
        scans = Scans()
        regimes = Regimes(made(tmp_path), scans, UpstreamBounds())
        wall = firewall(regimes)
        first = wall.regime
        with pytest.raises(AttributeError):
            regimes.enact(None, wall)  # type: ignore[arg-type]
        assert wall.regime is regimes.regime is first
        assert regimes._before == []
        await regimes.close()
        scans.close()

    asyncio.run(play())


def test_rules_that_go_need_no_collector(tmp_path: Path) -> None:
    async def play() -> None:
        scans = Scans()
        regimes = Regimes(made(tmp_path), scans, UpstreamBounds())
        wall = firewall(regimes)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            for turn in range(5):
                old = weakref.ref(wall.regime.rules)
                regimes.enact(made(tmp_path, CRM.replace(":9", f":{turn + 1}")), wall)
                await regimes.tend()
                assert old() is None
            assert gc.get_freeze_count() > 0
        finally:
            gc.enable()
            gc.unfreeze()
        await regimes.close()
        scans.close()

    asyncio.run(play())

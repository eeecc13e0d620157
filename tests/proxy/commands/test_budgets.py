"""`toolwall budgets`, beside a real sidecar and after it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from typer.testing import CliRunner

from proxy.budgetfile import PATIENCE_S
from proxy.cli import app
from tests.wire import perform, wall

TOOLS = '  get: {says: Read., call: "GET /get", price: 0.25 EUR}'
POLICY = """
budgets:
  purse: {per: run, calls: 9, money: 1 EUR}
  daily: {per: all, each: day, calls: 100}
rules: [{id: r, allow: crm.*, require: {budget: [purse, daily]}}]
"""


def shown(folder: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["budgets", *arguments, "-c", str(folder / "toolwall.yaml")])
    return result.exit_code, result.output


def test_what_was_spent_is_shown_the_fullest_first(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:
            assert shown(tmp_path) == (0, "Nothing was spent yet.\n")
            for _ in range(3):
                await w.call("GET", "/crm/get", headers=[("Toolwall-Run", "one")])
            await asyncio.sleep(3 * PATIENCE_S)
            code, text = shown(tmp_path)
            assert code == 0
            purse, daily = [line for line in text.splitlines() if "EUR" in line]
            assert "purse" in purse
            assert "bot one" in purse
            assert "0.75 EUR, 3 calls" in purse
            assert "75%" in purse
            assert "3%" in daily
            assert "all" in daily
        assert "daily" not in shown(tmp_path, "purse")[1]
        assert shown(tmp_path, "purs") == (1, "There is no budget purs. There are: daily, purse.\n")

    perform(play())


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY):
            pass
        (tmp_path / "state" / "budgets.sqlite").write_bytes(b"no database" * 100)
        code, text = shown(tmp_path)
        assert code == 3
        assert "budgets.sqlite" in text

    perform(play())

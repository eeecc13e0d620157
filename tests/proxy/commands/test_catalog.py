"""`toolwall catalog`: what it writes and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rules.load import load
from tests.proxy.rulescli import rules_folder, toolwall

ROOT = Path(__file__).parents[3]


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return rules_folder(tmp_path, monkeypatch)


def test_markdown_goes_to_the_terminal(rules: Path) -> None:
    code, out, err = toolwall("catalog")
    assert (code, err) == (0, "")
    assert out.startswith("# Tool catalogue\n\n2 tools of 1 backends under 2 rules, revision `")
    assert f"`{load(rules).revision}`" in out
    assert toolwall("catalog", str(rules))[1] == out


def test_html_where_the_file_or_the_option_says_so(rules: Path, tmp_path: Path) -> None:
    page = toolwall("catalog", "--format", "html")[1]
    assert page.startswith("<!doctype html>")
    file = tmp_path / "catalogue.HTML"
    assert toolwall("catalog", "-o", str(file)) == (0, f"2 tools are in {file}\n", "")
    assert file.read_text() == page
    toolwall("catalog", "-o", str(file), "--format", "markdown")
    assert file.read_text() == toolwall("catalog")[1]


def test_the_same_rules_give_the_same_bytes_in_every_process(rules: Path) -> None:
    (rules / "more.yaml").write_text(
        "rules: [{id: all, allow: '*', to: {roles: [z, y, x, w], agents: [b, a], users: [d, c]}}]\n"
        "examples: [{as: {}, call: crm.get, expect: deny}]\n"
    )
    both = "".join(f"app(['catalog', '--format', '{each}'], standalone_mode=False);" for each in ("markdown", "html"))
    command = [sys.executable, "-c", f"from proxy.cli import app; {both}"]

    def run(seed: str) -> bytes:
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=env, check=True, capture_output=True).stdout

    first, second = run("1"), run("2")
    assert len(first) > 5000
    assert first == second


def test_what_cannot_be_written(rules: Path, tmp_path: Path) -> None:
    assert toolwall("catalog", "--format", "pdf") == (2, "", "--format is one of markdown, html.\n")
    code, out, err = toolwall("catalog", "-o", str(tmp_path / "no" / "x.md"))
    assert (code, out) == (3, "")
    assert err.endswith("No such file or directory.\n")
    code, out, err = toolwall("catalog", "nowhere")
    assert (code, out) == (3, "")
    assert err.startswith("There is no rules folder nowhere.")


def test_rules_that_cannot_be_used_are_1(rules: Path, tmp_path: Path) -> None:
    (rules / "policy.yaml").write_text("rules: [{id: a, allow: crm.gett}]")
    code, out, _ = toolwall("catalog", "-o", str(tmp_path / "x.md"))
    assert (code, out) == (1, "")
    assert not (tmp_path / "x.md").exists()

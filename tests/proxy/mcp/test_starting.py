"""What a server that is started says that it has: by the commands that write it down, from a real process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from tests import scripted

SERVER = [sys.executable, str(Path(scripted.__file__))]


def run(*words: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, list(words))
    return said.exit_code, said.output


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-command"], "no-such-command cannot be run"),
        (["true"], "true has ended"),
        pytest.param(
            ["sh", "-c", "while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"],
            "more than",
            marks=pytest.mark.full,
        ),
    ],
)
def test_a_server_that_does_not_answer_writes_nothing(tmp_path: Path, command: list[str], why: str) -> None:
    code, said = run("import", "mcp", "--out", str(tmp_path / "rules"), "--", *command)
    assert code == 3, said
    assert why in said
    assert not (tmp_path / "rules").exists()


def test_what_a_started_server_has_is_written_down_and_compared(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    code, said = run("import", "mcp", "--backend", "crm", "--out", str(rules), "--", *SERVER)
    assert code == 0, said
    assert "4 tools" in said
    assert "url: 'stdio:'" in (rules / "crm.yaml").read_text() or 'url: "stdio:"' in (rules / "crm.yaml").read_text()
    code, said = run("check", str(rules))
    assert code in (0, 1), said
    assert "no errors" in said

    code, said = run("mcp", "accept", "crm", "--rules", str(rules))
    assert code == 2
    assert "-- COMMAND" in said
    code, said = run("mcp", "accept", "crm", "--rules", str(rules), "--", *SERVER)
    assert code == 0, said
    assert "crm is what was accepted" in said

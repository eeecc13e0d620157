"""What the commands share: how an end is said, and that no text moves what a terminal shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from proxy.commands.common import CANNOT_RUN, FINDINGS, console, fail, say, settings_of, visible

ROOT = Path(__file__).parents[3]
HIDDEN = ["\x1b[2J", "\x00", "\r", "\x08", "\x7f", "\x9b31m", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff",
          "\ue000", "\ud800", "\U000e0041"]  # fmt: skip


@pytest.mark.parametrize("text", HIDDEN, ids=ascii)
def test_what_a_terminal_would_not_show_is_an_escape(text: str) -> None:
    shown = visible(f"a{text}b")
    assert shown.isprintable()
    assert shown.isascii()
    assert shown[0] + shown[-1] == "ab"
    assert shown.encode().decode("unicode_escape").encode("utf-8", "surrogatepass") == f"a{text}b".encode(
        "utf-8", "surrogatepass"
    )


@pytest.mark.parametrize("text", ["", "plain", "José 東京 Ω", "🙂", 'a "quoted" <b> [red]word[/red]'])
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text) == text


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo\x1b[0m\n  three")
    assert capsys.readouterr() == ("one\ntwo\\x1b[0m\n  three\n", "")


@pytest.mark.parametrize("code", [FINDINGS, CANNOT_RUN])
def test_an_end_is_told_on_standard_error(capsys: pytest.CaptureFixture[str], code: int) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail("It cannot \u202ebe.", code)
    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", "It cannot \\u202ebe.\n")


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        settings_of(tmp_path / "toolwall.yaml")
    assert ended.value.exit_code == CANNOT_RUN
    said = capsys.readouterr().err
    assert said.startswith(f"Cannot read {tmp_path / 'toolwall.yaml'}: No such file or directory. ")
    assert "--config" in said


def test_a_configuration_that_is_wrong_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "toolwall.yaml"
    file.write_text('"\\e[2J": 1\nlisteners: 7\n')
    with pytest.raises(typer.Exit) as ended:
        settings_of(file)
    assert ended.value.exit_code == CANNOT_RUN
    assert [line.split(" ")[0] for line in capsys.readouterr().err.splitlines()] == [f"{file}:1:1:", f"{file}:2:12:"]


def test_tables_hold_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[bold]crm.get[/bold] :smile: " + "x" * 100)
    assert capsys.readouterr().out == "[bold]crm.get[/bold] :smile: " + "x" * 100 + "\n"


def test_a_pipe_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", "20")
    assert console().width >= 120


@pytest.mark.full  # six processes with Presidio in them
def test_commands_know_what_a_configuration_adds_to_presidio(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "code").mkdir()
    (tmp_path / "rules" / "crm.yaml").write_text(
        "backend: crm\nurl: https://crm.example\ntools:\n"
        "  get: {says: Read., call: GET /x, reply: {redact: ['presidio:BADGE']}}\n"
    )
    (tmp_path / "rules" / "policy.yaml").write_text(
        "rules:\n  - {id: all, allow: crm.*}\nexamples:\n  - {as: {roles: [x]}, call: crm.get, expect: allow}\n"
    )
    (tmp_path / "code" / "registry.yaml").write_text(
        "recognizers: [{name: Badges, supported_entity: BADGE, deny_list: [EB-000014]}]\n"
    )
    (tmp_path / "toolwall.yaml").write_text(
        "listeners: [{bind: '127.0.0.1:0', identity: {static: {id: bot}}}]\n"
        "presidio: {registry: code/registry.yaml, time: 20s}\n"
    )
    config = ["-c", str(tmp_path / "toolwall.yaml")]
    assert "nothing finds the kind 'presidio:BADGE'" in run("check", str(tmp_path / "rules"), code=1)
    assert "1 tools" in run("check", str(tmp_path / "rules"), *config)
    assert "1 of 1" in run("test", str(tmp_path / "rules"), *config, code=None)
    assert run("redact", "--profile", "presidio:BADGE", *config, given="it is EB-000014") == "it is <BADGE>"
    (tmp_path / "code" / "registry.yaml").write_text("recognizers: [NoSuch]")
    assert re.search(r"registry\.yaml:1:15: .*NoSuch", run("check", str(tmp_path / "rules"), *config, code=3))


def run(*words: str, given: str = "", code: int | None = 0) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "proxy.cli", *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, check=False)
    assert code in (None, done.returncode), done
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code"), [(["check"], 0), (["test"], 1), (["schema"], 0), (["check", "--format", "sarif"], 0)]
)
def test_a_reader_that_has_seen_enough_changes_no_verdict(tmp_path: Path, words: list[str], code: int) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "crm.yaml").write_text(
        "backend: crm\nurl: https://crm.test\ntools:\n  get: {says: Read., call: GET /get}\n"
    )
    (tmp_path / "rules" / "policy.yaml").write_text(
        "rules: [{id: a, allow: crm.get}]\nexamples: [{as: {roles: [a]}, call: crm.get, expect: deny}]\n"
    )
    nobody, end = os.pipe()
    os.close(nobody)
    command = [sys.executable, "-m", "proxy.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, stdout=end, stderr=subprocess.PIPE, cwd=tmp_path, env=environment, check=False, timeout=60
    )
    os.close(end)
    assert (done.returncode, done.stderr) == (code, b"")

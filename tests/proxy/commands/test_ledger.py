"""`toolwall ledger`: what it shows, proves and hands out, and that nothing in it moves a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from proxy.ledger import Ledger
from proxy.ledger.checkpoint import Signer, append
from proxy.ledger.segments import segments_in
from proxy.state import CHECKPOINTS, LEDGER_HEAD, load_key, state_folder

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "proxy.cli", "ledger"]
ID = "01a1fb543f33a4076321b5762107"
EVIL = ["\x1b[2J\x1b]0;owned\x07", "\u202eevil\u2066", "\r\n\x00\x08", "\x9b31m\x7f\u2028\u200b", "\ud800"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, where commands run."""
    text = "state: state\nlisteners: [{bind: '127.0.0.1:0', identity: {static: {id: bot}}}]\n"
    (tmp_path / "toolwall.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def written(home: Path) -> Iterator[Ledger]:
    """The ledger, open for writing."""
    key = load_key("", state_folder(home / "state"), {}, make=True)
    ledger = Ledger.open(home / "state" / "ledger", key.derive(LEDGER_HEAD))
    try:
        yield ledger
    finally:
        ledger.close()


def call(number: int, **fields: Any) -> dict[str, Any]:
    base = {
        "kind": "call",
        "call": f"01{number:04x}",
        "tool": "crm.get",
        "principal": "ann",
        "run": "work",
        "step": number,
    }
    return base | {"decision": "allow", "outcome": "ok", "status": 200, "total_ms": 1.25} | fields


def fill(home: Path, *entries: dict[str, Any]) -> None:
    with written(home) as ledger:
        for entry in entries:
            ledger.append(entry)


def toolwall(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["ledger", *args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def rows(out: str) -> list[list[str]]:
    """The rows of a printed table, below its head."""
    return [line.split() for line in out.splitlines() if line.strip() and "───" not in line][1:]


def test_show_lists_the_last_calls_newest_first(home: Path) -> None:
    fill(home, *(call(number) for number in range(30)))
    code, out, err = toolwall("show")
    assert (code, err) == (0, "")
    assert [row[1] for row in rows(out)] == [f"01{number:04x}" for number in range(29, 9, -1)]
    assert rows(out)[0][2:] == ["crm.get", "ann", "ok", "200", "1.2"]
    assert len(rows(toolwall("show", "--limit", "3")[1])) == 3


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        (["--tool", "crm.put"], {"010002"}),
        (["--principal", "bob"], {"010003"}),
        (["--run", "other"], {"010004"}),
        (["--decision", "deny"], {"010005"}),
        (["--code", "denied"], {"010005"}),
        (["--outcome", "client_gone"], {"010006"}),
        (["--outcome", "unfinished"], {"010007"}),
        (
            ["--tool", "crm.get", "--principal", "ann", "--run", "work", "--decision", "allow", "--outcome", "ok"],
            {"010001"},
        ),
        (["--since", "2000-01-01"], {f"01000{number}" for number in range(1, 8)}),
        (["--since", "0001-01-01"], {f"01000{number}" for number in range(1, 8)}),
        (["--since", "2999-01-01T00:00:00"], set()),
        (["--tool", "crm.*"], set()),
        (["--principal", "' OR 1=1 --"], set()),
    ],
)
def test_show_only_what_is_asked_for(home: Path, options: list[str], calls: set[str]) -> None:
    special = [{}, {"tool": "crm.put"}, {"principal": "bob"}, {"run": "other"}, {"decision": "deny", "code": "denied"},
               {"outcome": "client_gone"}]  # fmt: skip
    fill(home, *(call(n, **fields) for n, fields in enumerate(special, 1)), {"kind": "intent", "call": "010007"})
    code, out, err = toolwall("show", *options)
    assert (code, err) == (0, "")
    assert {row[1] for row in rows(out)} == calls or (not calls and out == "No call in the ledger fits.\n")
    _, out, _ = toolwall("show", "--json", *options)
    assert {json.loads(line)["call"] for line in out.splitlines() if calls} == calls


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--outcome", "denied"], "did you mean --code denied?"),  # as the table's column says it
        (["--code", "ok"], "did you mean --outcome ok?"),
        (["--decision", "denied"], "did you mean --code denied?"),
        (["--code", "shema_violation"], "did you mean --code schema_violation?"),
        (["--decision", "x"], "--decision is one of allow, deny."),
    ],
)
def test_a_word_that_no_record_can_hold(home: Path, options: list[str], hint: str) -> None:
    fill(home, call(1, decision="deny", code="denied", outcome="refused"))
    code, out, err = toolwall("show", *options)
    assert (code, out) == (2, "")
    assert hint in err


def test_show_of_one_call_has_its_intent_too(home: Path) -> None:
    fill(home, {"kind": "intent", "call": "01ffff"}, call(0xFFFF, arguments={"id": 7}), call(1))
    code, out, err = toolwall("show", "01ff")
    assert (code, err) == (0, "")
    intent, end = out.index('"kind": "intent"'), out.index('"kind": "call"')
    assert intent < end
    _, out, _ = toolwall("show", "01ffff", "--json")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["intent", "call"]
    assert json.loads(out.splitlines()[1])["arguments"] == {"id": 7}


@pytest.mark.parametrize(("id", "says"), [("ff", "no call in the ledger begins"),
                                          ("01", "more than one call"),
                                          ("\x1b[2J", "no call in the ledger")])  # fmt: skip
def test_a_call_that_is_not_there_or_not_one(home: Path, id: str, says: str) -> None:
    fill(home, call(1), call(2))
    code, out, err = toolwall("show", id)
    assert (code, out) == (1, "")
    assert err.startswith(says)
    assert err[:-1].isprintable()


@pytest.mark.parametrize("command", ["show", "tail", "verify", "export"])
def test_before_the_first_start_there_is_no_ledger(home: Path, command: str) -> None:
    code, out, err = toolwall(command)
    assert (code, out) == (3, "")
    assert err.lower().startswith("there is no ")
    assert not (home / "state").exists()


def test_tail_gives_the_end_as_json_lines(home: Path) -> None:
    fill(home, *(call(number) for number in range(20)))
    code, out, err = toolwall("tail")
    assert (code, err) == (0, "")
    entries = [json.loads(line) for line in out.splitlines()]
    assert [entry["seq"] for entry in entries] == list(range(13, 23))
    assert entries[-1]["kind"] == "close"
    assert [json.loads(line)["seq"] for line in toolwall("tail", "-n", "1")[1].splitlines()] == [22]
    assert toolwall("tail", "-n", "0") == (0, "", "")


def test_tail_follows_until_it_is_stopped(home: Path) -> None:
    with written(home) as ledger:
        ledger.append(call(1))
        command = [*COMMAND, "tail", "-f", "-n", "1", "-c", str(home / "toolwall.yaml")]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
            try:
                assert tail.stdout is not None
                assert tail.stderr is not None
                assert json.loads(tail.stdout.readline())["call"] == "010001"
                ledger.append(call(2))
                assert json.loads(tail.stdout.readline())["call"] == "010002"
                tail.send_signal(signal.SIGINT)
                assert tail.wait(10) == 0
                assert tail.stderr.read() == b""
            finally:
                tail.kill()


def test_a_sound_ledger_is_told_with_its_last_record(home: Path) -> None:
    fill(home, call(1), call(2))
    code, out, err = toolwall("verify")
    assert (code, err) == (0, "")
    assert "4 records in 1 segments, head at 4: sound\n" in out
    last = segments_in(home / "state" / "ledger")[-1].read_bytes().splitlines()[-1]
    assert out.splitlines()[-1] == f"last: 4 {json.loads(last)['hash']}"


def test_a_call_without_an_end_is_no_fault(home: Path) -> None:
    fill(home, call(1), {"kind": "intent", "call": "01\x1b[2J"})
    code, out, _ = toolwall("verify")
    assert code == 0
    assert "unfinished: 01\\x1b[2J has an intent and no end\n" in out
    assert "sound, 1 unfinished" in out


TAMPERED = {
    "a changed byte": lambda lines: [lines[0], lines[1].replace(b"ann", b"eve"), *lines[2:]],
    "a removed record": lambda lines: [lines[0], *lines[2:]],
    "swapped records": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "a doubled record": lambda lines: [lines[0], lines[1], *lines[1:]],
    "a cut tail": lambda lines: lines[:-2],
    "an invented record": lambda lines: [*lines, b'{"seq":9,"kind":"call\x1b[2J"}\n'],
    "nothing left": lambda lines: [],
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_ledger_that_was_changed_is_broken(home: Path, how: str) -> None:
    fill(home, *(call(number) for number in range(1, 6)))
    (segment,) = segments_in(home / "state" / "ledger")
    segment.write_bytes(b"".join(TAMPERED[how](segment.read_bytes().splitlines(keepends=True))))
    code, out, err = toolwall("verify")
    assert (code, err) == (1, "")
    assert "BROKEN" in out
    assert out.isascii()
    assert all(line.isprintable() for line in out.splitlines())


def test_a_ledger_is_not_proved_by_another_key(home: Path) -> None:
    fill(home, call(1))
    (home / "state" / "state.key").write_text("7" * 64)
    code, out, _ = toolwall("verify")
    assert code == 1
    assert "BROKEN" in out
    (home / "state" / "state.key").unlink()
    code, out, err = toolwall("verify")
    assert (code, out) == (3, "")
    assert "cannot read the state key" in err


def test_export_is_the_ledger_byte_for_byte(home: Path) -> None:
    fill(home, *(call(number, principal=evil) for number, evil in enumerate(EVIL)))
    code, out, err = toolwall("export")
    assert (code, err) == (0, "")
    assert out.encode() == segments_in(home / "state" / "ledger")[0].read_bytes()
    assert all(line.isascii() and line.isprintable() for line in out.splitlines())


def test_export_since(home: Path) -> None:
    fill(home, call(1))
    hour = timedelta(hours=1)
    before, after = (f"{datetime.now(UTC) + shift:%Y-%m-%dT%H:%M:%S}" for shift in (-hour, hour))
    assert toolwall("export", "--since", before)[1].count("\n") == 3
    assert toolwall("export", "--since", after)[1] == ""


def test_export_as_a_table(home: Path) -> None:
    fill(home, call(1, principal="=cmd()", redactions={"JWT": 2}))
    code, out, err = toolwall("export", "--csv")
    assert (code, err) == (0, "")
    opened, row, closed = csv.DictReader(io.StringIO(out))
    assert (opened["kind"], closed["kind"]) == ("open", "close")
    assert (row["call"], row["principal"], json.loads(row["redactions"])) == ("010001", "'=cmd()", {"JWT": 2})


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_nothing_in_a_record_moves_what_a_terminal_shows(home: Path, evil: str) -> None:
    names = ("call", "tool", "principal", "run", "agent", "decision", "code", "outcome", "effect", "door", "reason")
    fill(home, call(1, **{name: f"{evil}{name}" for name in names}, rules=[evil], redactions={evil: 1}, status=evil))
    for command in (["show"], ["show", "--json"], ["show", evil], ["tail"], ["verify"], ["export"]):
        code, out, err = toolwall(*command)
        assert code == 0, err
        assert all(line.isprintable() for line in out.split("\n")), command


def test_show_fits_a_terminal(home: Path) -> None:
    fill(
        home,
        call(1, call=ID, principal="\x1b[2J" + "p" * 200, redactions=dict.fromkeys(("A" * 30, "B" * 30, "C" * 30), 1)),
    )
    ours, theirs = pty.openpty()
    command = [*COMMAND, "show", "-c", str(home / "toolwall.yaml")]
    env = os.environ | {"COLUMNS": "80", "TERM": "xterm-256color"}
    done = subprocess.run(command, cwd=ROOT, stdout=theirs, env=env, timeout=30, check=True)
    os.close(theirs)
    out = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert ID in out
    assert "\x1b[2J" not in out
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in out.splitlines())


@pytest.mark.parametrize(
    "command",
    [
        ["export"],
        pytest.param(["export", "--csv"], marks=pytest.mark.full),
        pytest.param(["tail", "-n", "5000"], marks=pytest.mark.full),
        ["show", "--json", "--limit", "5000"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_seen_enough_is_no_error(home: Path, command: list[str]) -> None:
    fill(home, *(call(number, reason="x" * 800) for number in range(300)))
    full = [*COMMAND, *command, "-c", str(home / "toolwall.yaml")]
    with subprocess.Popen(full, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert len(running.stdout.read(100)) == 100
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(10) in (0, 1)


def test_checkpoints_prove_that_nothing_up_to_them_is_missing(home: Path) -> None:
    key = load_key("", state_folder(home / "state"), {}, make=True)
    signer = Signer(key.derive(CHECKPOINTS))
    safe = lambda head: append(home / "elsewhere", signer.line(head))  # noqa: E731
    ledger = Ledger.open(home / "state" / "ledger", key.derive(LEDGER_HEAD), safe=safe)
    for number in range(5):
        ledger.append(call(number))
    ledger.close()
    assert toolwall("key") == (0, f"{signer.public}\n", "")
    code, out, _ = toolwall("verify", "--checkpoints", "elsewhere")
    assert (code, out.splitlines()[-1]) == (0, "checkpoints: 2, the newest of record 7")
    (home / "state" / "ledger.head").unlink()
    segments_in(home / "state" / "ledger")[0].unlink()
    Ledger.open(home / "state" / "ledger", key.derive(LEDGER_HEAD)).close()
    assert toolwall("verify")[0] == 0  # a ledger that was begun anew is sound in itself
    code, out, _ = toolwall("verify", "--checkpoints", "elsewhere")
    assert code == 1
    assert "checkpoints: know record 7; the ledger ends with 2" in out
    assert toolwall("verify", "--checkpoints", "nowhere")[0] == 3

"""The command itself: wrong usage, redacting, keys, and what `run` says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli import app

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "proxy.cli"]
CARD = "4242 4242 4242 4242"
LISTENER = "listeners: [{bind: '127.0.0.1:0', identity: {static: {id: bot}}}]\nadmin: {bind: '127.0.0.1:0'}\n"


def toolwall(*args: str, given: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, standard output and standard error of a command."""
    done = CliRunner().invoke(app, list(args), input=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout_bytes, done.stderr


def process(*args: str, given: bytes = b"") -> tuple[int, bytes, str]:
    """The same by a process of its own."""
    done = subprocess.run([*COMMAND, *args], cwd=ROOT, input=given, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize(
    "args",
    [
        ["chek"],
        ["--folder", "x"],
        ["check", "--verbose"],
        ["check", "a", "b"],
        ["test", "-x", "y"],
        ["run", "toolwall.yaml"],
        ["run", "--log", "loud"],
        ["run", "--config"],
        ["explain"],
        ["explain", "id", "--call", "crm.get"],
        ["redact", "file.txt"],
        ["redact", "--profile", "nothing"],
        ["keys"],
        ["keys", "add"],
        ["keys", "add", "two words"],
        ["keys", "add", "", "--role", "a"],
        ["keys", "add", "a", "--role", ""],
        ["keys", "add", "x" * 129],
        ["ledger"],
        ["ledger", "shows"],
        ["ledger", "show", "--since", "yesterday"],
        ["ledger", "show", "--limit", "0"],
        ["ledger", "show", "--limit", "many"],
        ["ledger", "tail", "-n", "-1"],
        ["ledger", "export", "--json"],
        ["demo", "--port", "http"],
        ["demo", "--port", "65536"],
        ["demo", "--port", "-1"],
        ["schema", "backend"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = toolwall(*args)
    assert code == 2
    assert err or b"Usage: " in out  # a group alone shows its help
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_misspelt_is_told_by_name() -> None:
    code, out, err = process("chek")
    assert (code, out) == (2, b"")
    assert "Usage: toolwall " in err
    assert "Did you mean 'check'" in err


@pytest.mark.parametrize("command", [["run"], ["ledger", "show"], ["ledger", "tail"], ["ledger", "verify"],
                                     ["ledger", "export"], ["explain", "0123"]], ids=" ".join)  # fmt: skip
def test_without_a_configuration_nothing_runs(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = toolwall(*command)
    assert (code, out) == (3, b"")
    assert err.startswith("Cannot read toolwall.yaml: No such file or directory. ")
    (tmp_path / "toolwall.yaml").write_text(LISTENER + "legder: {}\n")
    code, out, err = toolwall(*command)
    assert (code, out) == (3, b"")
    assert err == "toolwall.yaml:3:1: legder: is an unknown key (did you mean ledger?)\n"


def test_run_says_what_is_wrong_with_the_rules(tmp_path: Path) -> None:
    (tmp_path / "toolwall.yaml").write_text(LISTENER)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text("rules:\n  - {id: a}\n")
    code, out, err = process("run", "-c", str(tmp_path / "toolwall.yaml"))
    assert (code, out) == (3, b"")
    assert err == "The rules cannot be used:\npolicy.yaml:2:5: rules[0]: needs exactly one of the keys allow, deny\n"
    assert not (tmp_path / ".toolwall").exists()


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"no newline", b"no newline"),
        (b"\xef\xbb\xbfmark", b"\xef\xbb\xbfmark"),
        (b"a\r\nb\rc\x00\x1b[0m\n\n", b"a\r\nb\rc\x00\x1b[0m\n\n"),
        (b"to ana@example.org", b"to <EMAIL_ADDRESS>"),
        (f"Zoë: {CARD}\r\n".encode(), "Zoë: <CREDIT_CARD>\r\n".encode()),
        (b'{ "b" : 1e2,\n\t"a":["ana@example.org"] }', b'{ "b" : 1e2,\n\t"a":["<EMAIL_ADDRESS>"] }'),
        (b'{"a": "ana\\u0040example.org", "n": 12345678901234567890}\n',
         b'{"a": "<EMAIL_ADDRESS>", "n": 12345678901234567890}\n'),
        (b'{"a": "ana@example.org"', b'{"a": "<EMAIL_ADDRESS>"'),
    ],
)  # fmt: skip
def test_redact_changes_nothing_but_findings(given: bytes, cleaned: bytes) -> None:
    assert toolwall("redact", given=given) == (0, cleaned, "")


def test_redact_is_exact_between_real_pipes() -> None:
    assert process("redact", given=b"x\r\n\x00 ana@example.org") == (0, b"x\r\n\x00 <EMAIL_ADDRESS>", "")


@pytest.mark.parametrize(
    ("profile", "cleaned"),
    [
        ("off", f"ana@example.org {CARD}"),
        ("secrets", f"ana@example.org {CARD}"),
        ("standard", "<EMAIL_ADDRESS> <CREDIT_CARD>"),
        ("CREDIT_CARD", "ana@example.org <CREDIT_CARD>"),
        ("CREDIT_CARD,EMAIL_ADDRESS", "<EMAIL_ADDRESS> <CREDIT_CARD>"),
        ("CREDIT_CARD, JWT", "ana@example.org <CREDIT_CARD>"),
    ],
)
def test_redact_by_profile_or_by_kinds(profile: str, cleaned: str) -> None:
    given = f"ana@example.org {CARD}".encode()
    assert toolwall("redact", "--profile", profile, given=given) == (0, cleaned.encode(), "")


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("standart", "there is no profile 'standart' (did you mean 'standard'?)"),
        ("", "there is no profile ''"),
        ("pii", "there is no profile 'pii' (there are off, secrets, standard, strict, medical, payment); "),
        ("EMAIL_ADDRES", "nothing finds the kind 'EMAIL_ADDRES' (did you mean 'EMAIL_ADDRESS'?)"),
        ("EMAIL_ADDRESS,", "nothing finds the kind ''"),
    ],
)
def test_redact_knows_no_such_profile(profile: str, says: str) -> None:
    code, out, err = toolwall("redact", "--profile", profile, given=b"ana@example.org")
    assert (code, out) == (2, b"")
    assert err.startswith(says)


def test_findings_tell_places_in_bytes_and_no_value() -> None:
    given = f'{{"é": "Zoë ana@example.org", "n": {CARD.replace(" ", "")}}}'.encode()
    code, out, err = toolwall("redact", "--findings", given=given)
    assert (code, err) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert [(each["kind"], each["pointer"], given[each["start"] : each["end"]]) for each in found] == [
        ("EMAIL_ADDRESS", "/é", b"ana@example.org"),
        ("CREDIT_CARD", "/n", CARD.replace(" ", "").encode()),
    ]
    assert b"ana@" not in out
    assert toolwall("redact", "--findings", given=b"nothing") == (0, b"", "")


@pytest.mark.parametrize("given", [b"\xff", b"ana@example.org \xc3", b"\xed\xa0\x80"])
@pytest.mark.parametrize("option", [[], ["--findings"]])
def test_what_is_not_utf_8_cannot_be_redacted(given: bytes, option: list[str]) -> None:
    assert toolwall("redact", *option, given=given) == (3, b"", "The text is not UTF-8.\n")


def test_what_is_no_json_after_all_is_cleaned_as_text() -> None:
    deep = b"[" * 5000 + b'"%s"' + b"]" * 5000
    for text in (deep, b'{"a": 1, %s', b'{"a": NaN, "b": "%s"}'):
        assert toolwall("redact", given=text % b"ana@example.org") == (0, text % b"<EMAIL_ADDRESS>", "")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "redact", "--profile", "off"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        running.stdin.write(b"x" * 1_000_000)
        running.stdin.close()
        assert running.stderr.read() == b""


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["schema"], marks=pytest.mark.full),
        ["version"],
        ["redact"],
        pytest.param(["check", "deploy/demo/rules"], marks=pytest.mark.full),
        ["--help"],
    ],
)
def test_what_cannot_be_written_is_said(args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *args], cwd=ROOT, input=b"a", stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (3, b"toolwall cannot go on: No space left on device.\n")


def test_a_terminal_that_lacks_a_character_gets_an_escape(tmp_path: Path) -> None:
    document = '{"openapi": "3.1.0", "info": {"title": "Caf\u00e9 \u2713", "version": "1"}}'
    (tmp_path / "bare.json").write_text(document, encoding="utf-8")
    done = subprocess.run(
        [*COMMAND, "import", "openapi", str(tmp_path / "bare.json"), "-o", str(tmp_path / "rules")],
        cwd=ROOT, capture_output=True, timeout=60, check=False, env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Caf\xe9 \\u2713 1 (3.1.0): 0 operations\n")


def test_the_version_is_that_of_the_package() -> None:
    try:
        expected = (0, f"toolwall {installed('toolwall')}\n".encode(), "")
    except PackageNotFoundError:
        expected = (3, b"", "Toolwall runs from its source here; an installed one has a version.\n")
    assert toolwall("version") == toolwall("--version") == toolwall("--version", "check") == expected


def test_help_names_every_command_and_the_exit_codes() -> None:
    code, out, _ = process("--help")
    assert code == 0
    for word in (
        "run",
        "check",
        "test",
        "explain",
        "redact",
        "ledger",
        "keys",
        "schema",
        "demo",
        "version",
        "Exit codes",
    ):
        assert word in out.decode()


def test_a_start_that_fails_leaves_signals_as_they_were(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGHUP)
    assert toolwall("run", "--config", str(tmp_path / "nowhere.yaml"))[0] == 3
    assert signal.getsignal(signal.SIGHUP) is before

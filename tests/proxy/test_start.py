"""The beginning of the command, in processes of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "proxy.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
sys.argv = ["toolwall", "schema"]
from proxy.start import main
main()
"""


def run(before: Callable[[], object]) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-c", INTERRUPTED]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60, preexec_fn=before)


def test_ctrl_c_while_it_is_being_read_leaves_no_traceback() -> None:
    done = run(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_what_runs_in_the_background_of_a_shell_ignores_it() -> None:
    done = run(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"{")


def test_later_it_is_python_s_own_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from proxy import cli, start

    held = []
    monkeypatch.setattr(cli, "main", lambda: held.append(signal.getsignal(signal.SIGINT)))
    start.main()
    assert held == [signal.default_int_handler]


@pytest.mark.parametrize(
    ("ends", "code", "out"),
    [("<&-", 0, b""), (">&-", 0, b""), ("2>&-", 0, b"<EMAIL_ADDRESS>"), ("<&- >&- 2>&-", 0, b"")],
)
def test_streams_that_were_closed_are_empty(ends: str, code: int, out: bytes) -> None:
    shell = f'exec "$0" -m proxy.start redact {ends}'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable], input=b"ann@mail.example", capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, out, b"")

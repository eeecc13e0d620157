"""The keeper: whatever ends, the whole group ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy.mcp import keeper

SLEEPS = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"

DAEMON = """
import os, signal, subprocess, sys, time
def away():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    below = subprocess.Popen(["sleep", "600"], start_new_session=True)
    if sys.argv[1] == "asked":
        signal.signal(signal.SIGTERM, lambda *_: (print("asked", flush=True), below.kill(), os._exit(0)))
    print(os.getpid(), below.pid, flush=True)
    time.sleep(600)
    os._exit(0)
away()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.readline()
"""


@contextmanager
def kept(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """The keeper of a command, and our end of its socket."""
    ours, its = socket.socketpair()
    ours.settimeout(60)
    line = [sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(its.fileno()), *command]
    with (
        ours,
        subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(its.fileno(),),
            start_new_session=True,
        ) as process,
    ):
        its.close()
        try:
            yield process, ours
        finally:
            ours.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def said(line: socket.socket) -> bytes:
    """All that it says until it is gone."""
    pieces = []
    while piece := line.recv(64):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-command"], b"!2"),
        (["/dev/null"], b"!13"),
        (["true"], b"+\n=0\n"),
        (["sh", "-c", "exit 9"], b"+\n=9\n"),
        (["sh", "-c", "kill -KILL $$"], b"+\n=-9\n"),
    ],
)
def test_it_says_what_became_of_the_command(command: list[str], words: bytes) -> None:
    with kept(command) as (process, line):
        assert said(line).strip() == words.strip()
        assert process.wait(60) == -signal.SIGKILL


def test_what_the_command_has_begun_ends_when_nobody_wants_it_any_more() -> None:
    with kept([sys.executable, "-c", SLEEPS]) as (process, line):
        assert process.stdout
        grandchild = int(process.stdout.readline())
        line.shutdown(socket.SHUT_WR)
        assert process.wait(60) == -signal.SIGKILL
        assert process.stdout.read() == b""  # nobody of them holds it open
        assert not runs(grandchild)


def runs(process: int) -> bool:
    """Whether there is such a process, and it is not over."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="nothing else hands such processes to who began them")
@pytest.mark.parametrize("how", ["nobody wants it", "it ended", "asked"])
def test_what_went_into_a_session_of_its_own_ends_too(how: str) -> None:
    with kept([sys.executable, "-c", DAEMON, how]) as (process, line):
        assert process.stdout
        assert process.stdin
        away = [int(each) for each in process.stdout.readline().split()]
        assert len(away) == 2
        assert all(map(runs, away))
        if how == "it ended":
            process.stdin.close()
        elif how == "asked":
            assert line.recv(2) == b"+\n"
            line.send(b"T")
            assert process.stdout.readline() == b"asked\n"
            line.shutdown(socket.SHUT_WR)
        else:
            line.shutdown(socket.SHUT_WR)
        assert process.wait(60) == -signal.SIGKILL
        assert not any(map(runs, away))


@pytest.mark.skipif(sys.platform != "linux", reason="there they are handed to nobody")
def test_processes_that_are_handed_to_it_leave_nothing_behind() -> None:
    """Or they would fill the table of processes as long as the server lives."""
    with kept(["sh", "-c", "for i in 1 2 3 4 5; do (setsid true &) ; done; echo on; read line"]) as (process, line):
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"on\n"
        for _ in range(200):
            below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if len(below) == 1:
                break
            time.sleep(0.02)
        assert len(below) == 1
        process.stdin.close()
        assert said(line).startswith(b"+\n=")


def test_a_command_that_does_not_want_to_end_is_asked_and_then_ended() -> None:
    with kept([sys.executable, "-c", STUBBORN]) as (process, line):
        assert process.stdout
        assert process.stdout.readline() == b"on\n"
        assert line.recv(2) == b"+\n"
        line.send(b"T")
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.recv(1)
        line.shutdown(socket.SHUT_WR)
        assert process.wait(60) == -signal.SIGKILL


def test_the_command_has_the_signals_of_a_fresh_process() -> None:
    script = "import signal; print(signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL, flush=True)"
    shell = f'grep SigIgn /proc/self/status; exec {sys.executable} -S -c "{script}"'
    with kept(["sh", "-c", shell]) as (process, line):
        assert said(line) == b"+\n=0\n"
        assert process.stdout
        ignored = int(process.stdout.readline().split()[1], 16)
        assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGTERM - 1))
        assert os.getpid() != process.pid

"""What the worker says and takes on its socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from proxy.presidio.worker import HEAD, MOST_MESSAGE, read, write


def test_a_message_is_read_as_it_was_written() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in ({}, {"text": "ä" * 50_000, "seconds": 0.5}):
            ours.setblocking(True)
            write(ours, message)
            assert read(theirs) == message


def test_the_end_is_no_message() -> None:
    for sent in (b"", b"\x00", HEAD.pack(10) + b"{}"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(sent)
            ours.shutdown(socket.SHUT_WR)
            assert read(theirs) is None


def test_what_is_no_message_is_refused() -> None:
    for sent in (HEAD.pack(MOST_MESSAGE + 1), HEAD.pack(2) + b"[]", HEAD.pack(2) + b"{]"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(sent)
            with pytest.raises(ValueError):
                read(theirs)


def inside(code: str) -> subprocess.CompletedProcess[str]:
    """What the code does in a process that is confined as the worker is."""
    confined = f"from proxy.presidio.worker import _confine\n_confine({1 << 30})\n{code}"
    return subprocess.run([sys.executable, "-c", confined], capture_output=True, text=True, timeout=60, check=False)


def test_it_opens_no_connection_and_looks_up_no_name() -> None:
    for code in (
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'a', ('127.0.0.1', 9))",
    ):
        assert "may not open connections" in inside(code).stderr


def test_it_grows_no_larger_than_it_may() -> None:
    assert "MemoryError" in inside("b = bytearray(2 << 30)").stderr


def test_the_system_ends_it_in_the_midst_of_anything() -> None:
    timed = "import signal; signal.setitimer(signal.ITIMER_REAL, 0.1)"
    ended = inside(f"{timed}\ntry:\n    while True: pass\nfinally: print('went on')")
    assert (ended.returncode, ended.stdout) == (-signal.SIGALRM, "")


def test_it_ends_when_the_other_end_hangs_up() -> None:
    ours, theirs = socket.socketpair()
    code = f"from proxy.presidio.worker import serve; serve({theirs.fileno()}, {2 << 30})"
    worker = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], pass_fds=(theirs.fileno(),))
    theirs.close()
    ours.close()
    assert worker.wait(60) in (0, 1)  # 1: it was hung up on before it could say that it is ready
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


def test_where_bounds_may_not_be_set_it_goes_on() -> None:
    denied = "import resource, os\ndef deny(*_): raise PermissionError\nresource.setrlimit = os.nice = deny\n"
    code = f"{denied}from proxy.presidio.worker import _confine\n_confine(1 << 30)\nprint('confined')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "confined\n"

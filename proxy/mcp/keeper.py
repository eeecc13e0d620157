"""Starts one command in the group of this process, and ends all that it began when the command ends, or when nobody is
left who wants it: `keeper.py FD COMMAND ARGS`. At the other end of the socket FD is who started this; as soon as that
is closed, however it came, all is killed. It is run as a file of its own, without what it lies in.

It says `+` when the command runs, `!ERRNO` when it cannot be run, and `=STATUS` when it has ended. `T` asks it to ask
all to end.

What leaves the group (`setsid`, a daemon) is handed to this process when its parent is gone: Linux can do that. Only
children are killed, for no other process may wait for them, so that none of these numbers can mean another one; then
theirs are children.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LAST_S = 1.0
"""For so long what is killed is waited for, and what it had begun killed in turn."""

NOT_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def main() -> None:
    """Keep the command."""
    line, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(line, False)
    ended, told = os.pipe()
    os.set_blocking(told, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(told)
    _set(PR_SET_CHILD_SUBREAPER, 1)
    failed, failing = os.pipe()
    child = os.fork()
    if not child:
        _become(command, failing)
    for each in NOT_OURS:
        signal.signal(each, signal.SIG_IGN)
    os.close(failing)
    _let_go()
    errno = os.read(failed, 16)
    _say(line, b"!" + errno if errno else b"+")
    if not errno:
        _say(line, b"=%d" % _wait(line, ended, child))
    _end()


def _become(command: list[str], failing: int) -> None:
    try:
        for name in ("SIGPIPE", "SIGXFSZ", "SIGCHLD"):  # the first two are ignored by Python, and would stay so
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _set(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execvp(command[0], command)  # noqa: S606 - what the operator wrote, as it stands
    except OSError as error:
        os.write(failing, b"%d" % (error.errno or 0))
    finally:
        os._exit(127)


def _set(what: int, value: int) -> None:
    """Linux alone knows this; elsewhere the socket and the group have to do."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def _let_go() -> None:
    """The ends of the command's streams are the command's alone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nothing, each)


def _wait(line: int, ended: int, child: int) -> int:
    """The status with which the command ended. Where nobody wants it any more, that is the end of this process too."""
    while True:
        ready, _, _ = select.select([line, ended], [], [])
        if line in ready:
            asked = _heard(line)
            if not asked:
                _end()
            if b"T" in asked:
                os.killpg(0, signal.SIGTERM)
                _signal([each for each in _children() if _group_of(each) != os.getpgid(0)], signal.SIGTERM)
        if ended in ready:
            os.read(ended, 64)
        while (over := os.waitpid(-1, os.WNOHANG))[0]:  # also of what was handed to this process
            if over[0] == child:
                return os.waitstatus_to_exitcode(over[1])


def _end() -> NoReturn:
    """Kill all, and this process last."""
    until = time.monotonic() + LAST_S
    with contextlib.suppress(ChildProcessError):  # there is none left
        while time.monotonic() < until:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            _signal(_children(), signal.SIGKILL)
            time.sleep(0.005)
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _signal(processes: list[int], which: int) -> None:
    for each in processes:
        with contextlib.suppress(OSError):  # it is over, or runs as somebody else
            os.kill(each, which)


def _children() -> list[int]:
    """Those of this process."""
    numbers = [name for name in _names("/proc") if name.isdigit()]
    return [int(each) for each in numbers if _parent_of(each) == os.getpid()]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _parent_of(process: str) -> int:
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _group_of(process: int) -> int:
    try:
        return os.getpgid(process)
    except OSError:
        return 0


def _heard(line: int) -> bytes:
    try:
        return os.read(line, 16)
    except OSError:
        return b""


def _say(line: int, words: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(line, words + b"\n")


if __name__ == "__main__":
    main()

"""Starts one command in the group of this process, and ends all of the group when the command ends, or when nobody is
left who wants it: `keeper.py FD COMMAND ARGS`. At the other end of the socket FD is who started this; as soon as that
is closed, however it came, the whole group is killed. It is run as a file of its own, without what it lies in.

It says `+` when the command runs, `!ERRNO` when it cannot be run, and `=STATUS` when it has ended. `T` asks it to ask
the group to end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def main() -> None:
    """Keep the command."""
    line, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(line, False)
    ended, told = os.pipe()
    os.set_blocking(told, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(told)
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
    os.killpg(0, signal.SIGKILL)


def _become(command: list[str], failing: int) -> None:
    try:
        for name in ("SIGPIPE", "SIGXFSZ", "SIGCHLD"):  # the first two are ignored by Python, and would stay so
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _die_with_parent()
        os.execvp(command[0], command)  # noqa: S606 - what the operator wrote, as it stands
    except OSError as error:
        os.write(failing, b"%d" % (error.errno or 0))
    finally:
        os._exit(127)


def _die_with_parent() -> None:
    """Linux alone knows this; elsewhere the socket has to do."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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
                os.killpg(0, signal.SIGKILL)
            if b"T" in asked:
                os.killpg(0, signal.SIGTERM)
        if ended in ready:
            os.read(ended, 64)
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)


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

"""Runs a program as systemd would under two of its settings, where there is no systemd to do it.

    python confined.py WORDS [WORDS ...] -- PROGRAM [ARGUMENTS ...]

WORDS are those of SystemCallFilter= lines, in order; what they do not allow fails with EPERM. MemoryDenyWriteExecute=
is in force too. Needs pyseccomp, so it runs in the environment of the tests' tools.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from contextlib import suppress

import pyseccomp

PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1


def calls(name: str) -> set[str]:
    """The system calls of a set of systemd's, or the one of that name."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    members = [line.strip() for line in said.stdout.splitlines()[1:]]
    return {call for each in members if each and not each.startswith("#") for call in calls(each)}


def allowed(lines: list[str]) -> set[str]:
    """What is left after all lines: the first one allows, those with a tilde take away again."""
    left = calls("@default")
    for line in lines:
        named = {call for name in line.removeprefix("~").split() for call in calls(name)}
        left = left - named if line.startswith("~") else left | named
    return left


def confine(lines: list[str]) -> None:
    """Both settings, for this process and all that it becomes."""
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
        raise OSError("this kernel has no PR_SET_MDWE")
    barrier = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for call in allowed(lines):
        with suppress(OSError, RuntimeError, ValueError):  # a call of another machine's
            barrier.add_rule(pyseccomp.ALLOW, call)
    barrier.load()


if __name__ == "__main__":
    end = sys.argv.index("--")
    confine(sys.argv[1:end])
    os.execv(sys.argv[end + 1], sys.argv[end + 1 :])

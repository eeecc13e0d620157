"""What a page shows of a terminal: its commands, run in one shell, and what it says that they print."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOST_S = 300.0
PATIENCE_S = 30.0  # for what a page gives some seconds: a busy machine gets its time
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<'(\w+)'")
# What is new each time: ids, revisions, times, durations; how wide a table is for their sake; and the line of a file,
# which moves with every comment that an import writes above it.
_NEW = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b[0-9a-f]{28}\b"), "CALL"),
    (re.compile(r"\b[0-9a-f]{24}\b"), "APPROVAL"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "REVISION"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[,.]\d+)?(?:Z|\+00:00)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b\d+(?:\.\d+)? ms\b"), "N ms"),
    (re.compile(r"(?<=  )\d+\.\d(?=\s*$)", re.MULTILINE), "N"),
    (re.compile(r"(?<=\.yaml):\d+(?::\d+)?"), ":LINE"),
    (re.compile(r"  +"), "  "),
    (re.compile(r"\u2500+"), "\u2500"),
)


@dataclass(frozen=True)
class Step:
    """One command of a page, and the lines that it is said to print. A line `...` stands for any lines, and one that
    ends so for any that begins alike.
    """

    command: str
    output: tuple[str, ...]


def steps(page: str) -> list[Step]:
    """The commands of all `console` blocks, in order."""
    found = []
    for block in _BLOCK.findall(page):
        lines = block.splitlines()
        while lines:
            command = _command(lines)
            output = []
            while lines and not lines[0].startswith("$ "):
                output.append(lines.pop(0))
            found.append(Step(command, tuple(output)))
    return found


def _command(lines: list[str]) -> str:
    first = lines.pop(0)
    assert first.startswith("$ "), first
    said = [first[2:]]
    heredoc = _HEREDOC.search(first)
    while said[-1].endswith("\\") or (heredoc and said[-1] != heredoc.group(1)):
        said.append(lines.pop(0))
    return "\n".join(said)


class Shell:
    """A shell that remembers where it is and what it started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._count = 0

    def run(self, command: str) -> list[str]:
        """The lines that a command prints, on either stream."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._count += 1
        end = f"-- end {self._count} --"
        self._process.stdin.write(f"{command}\nprintf '\\n{end}\\n'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.strip() == end:
                return [each.rstrip() for each in "".join(lines).rstrip("\n").splitlines()]
            lines.append(line)
        raise AssertionError(f"the shell ended during: {command}\n{''.join(lines)}")


@contextmanager
def shell(folder: Path, **env: str) -> Iterator[Shell]:
    """A shell in this folder. What it started has ended when the block is left."""
    settings: Mapping[str, str] = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_PROXY": "127.0.0.1"} | env
    pipe = subprocess.PIPE
    command = ["bash", "--norc", "--noprofile"]
    with subprocess.Popen(
        command, cwd=folder, env=settings, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT
    ) as process:
        watch = threading.Timer(MOST_S, process.kill)  # then `run` says what it waited for
        watch.start()
        try:
            yield Shell(process)
        finally:
            watch.cancel()
            assert process.stdin is not None
            process.stdin.write("kill $(jobs -p) 2> /dev/null\nwait\nexit\n")
            process.stdin.close()
            process.wait(30)


def play(shell: Shell, step: Step) -> None:
    """Run one command and hold what it prints against the page. One that begins with `sleep` is given more time."""
    give_up = time.monotonic() + PATIENCE_S
    while not fits(came := shell.run(step.command), step.output):
        waits = step.command.startswith("sleep") and time.monotonic() < give_up
        assert waits, f"$ {step.command}\nprinted\n" + "\n".join(came) + "\nand not\n" + "\n".join(step.output)


def fits(came: list[str], shown: tuple[str, ...]) -> bool:
    """Whether what came is what is shown, apart from what is new each time and from what is left out."""
    pattern = "".join(_line(line) for line in plain(shown))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in plain(came))) is not None


def plain(lines: Iterable[str]) -> list[str]:
    """Without what is new each time, and without empty lines."""
    text = "\n".join(lines)
    for pattern, word in _NEW:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _line(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    if line.endswith(" ..."):
        return re.escape(line[:-4]) + r".*\n"
    return re.escape(line) + r"\n"

"""docs/first-rules.md tells the truth: its commands are run in its order, and print what it shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.bench.processes import free_port
from tests.console import Shell, Step, fits, plain, play, shell, steps

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "first-rules.md").read_text(encoding="utf-8")
PORTS = ("8765", "8080", "9464")


class Elsewhere(Shell):
    """A shell that takes the page's ports for free ones."""

    def __init__(self, inner: Shell) -> None:
        self._inner = inner
        self._ports = {port: str(free_port()) for port in PORTS}

    def run(self, command: str) -> list[str]:
        for shown, port in self._ports.items():
            command = command.replace(shown, port)
        came = "\n".join(self._inner.run(command))
        for shown, port in self._ports.items():
            came = came.replace(port, shown)
        return came.splitlines()


@pytest.mark.full
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with shell(tmp_path, PATH=path, DESK=str(ROOT / "deploy" / "demo" / "desk.py")) as opened:
        elsewhere = Elsewhere(opened)
        for step in steps(PAGE):
            play(elsewhere, step)


def test_the_page_is_read_whole() -> None:
    found = steps(PAGE)
    assert len(found) == PAGE.count("\n$ ")
    assert {"toolwall import", "toolwall check", "toolwall test", "toolwall run", "toolwall explain"} <= {
        " ".join(step.command.split()[:2]) for step in found
    }


def test_a_step_has_a_command_and_what_it_prints() -> None:
    page = "a\n```console\n$ cat > x <<'END'\n$ no command\nEND\n$ ls \\\n  -l\na\n\n...\n```\n```yaml\n$ x\n```\n"
    assert steps(page) == [
        Step("cat > x <<'END'\n$ no command\nEND", ()),
        Step("ls \\\n  -l", ("a", "", "...")),
    ]


@pytest.mark.parametrize(
    ("came", "shown", "fit"),
    [
        (["a", "b", "c"], ("a", "...", "c"), True),
        (["a", "c"], ("a", "...", "c"), True),
        (["a", "b"], ("a",), False),
        (["a"], ("a", "b"), False),
        (["a"], (), False),
        ([], ("a",), False),
        (["", "a  b "], ("a   b",), True),
        (["a: 1, b"], ("a: 1, ...",), True),
        (["a: 2, b"], ("a: 1, ...",), False),
        (["a", "x", "b"], ("a", "b"), False),
        (["id 01a1fc12bf74ec6e85bfed14f22f in 3 ms"], ("id 01a1fc11339687b288db0b760b3e in 20 ms",), True),
        (["code 422"], ("code 428",), False),
    ],
)
def test_what_fits(came: list[str], shown: tuple[str, ...], fit: bool) -> None:
    assert fits(came, shown) is fit


def test_what_is_new_each_time_does_not_count() -> None:
    assert plain(["at 2026-11-21T03:07:21+00:00", "2026-11-21 03:07:23,555 x", "  ok   0.3"]) == [
        "at TIME",
        "TIME x",
        "  ok  N",
    ]

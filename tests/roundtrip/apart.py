"""Programs of others in an environment of their own under `build/`, made on first use: nothing of them is ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.processes import ROOT

INSTALL_S = 600


def environment(pins: Path) -> Path:
    """The folder of programs of a virtual environment that holds exactly what a file of pins names.

    It is made in a folder of its own and moved into place whole, so that a broken installation is none. Raises
    RuntimeError where pip cannot do it.
    """
    place = ROOT / "build" / f"{pins.stem}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not (done := place / "installed").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "venv", str(place)])
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "--requirement", str(pins)])
        done.touch()
    return place / "bin"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")

"""Makes `constraints.txt` and `deploy/slim.txt` anew from pyproject.toml: `.venv/bin/python -m tests.deploy.pins`.

uv resolves for all Pythons and machines at once, which `pip freeze` cannot; it comes into a throw-away environment.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
SLIM = ROOT / "deploy" / "slim.txt"
LANGUAGE = ("presidio-analyzer", "presidio-anonymizer")  # what slim leaves out, and with it all that only they need

MODELS = ("transformers", "gliner")  # extras of gigabytes, which neither `make` nor an image installs

ABOUT_CONSTRAINTS = """\
# All that `pip install -c constraints.txt -e '.[test,lint]'` brings, pip and hatchling too, for Python 3.11 to 3.13.
# Made by `python -m tests.deploy.pins`; not edited by hand.
"""
ABOUT_SLIM = """\
# Toolwall without Presidio and its language stack (spaCy, thinc, NumPy ...):
#     pip install --no-deps -r deploy/slim.txt && pip install --no-deps .
# A rule that names a kind which only Presidio finds is refused at load. Made by `python -m tests.deploy.pins`.
"""


def project() -> dict[str, list[str]]:
    """The requirements of pyproject.toml that are pinned, by where they stand: `run`, `test`, `lint`, `build`."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras: dict[str, list[str]] = table["project"]["optional-dependencies"]
    extras = {name: lines for name, lines in extras.items() if name not in MODELS}
    return {"run": table["project"]["dependencies"], "build": table["build-system"]["requires"], **extras}


def slim_requirements() -> list[str]:
    """The dependencies of an installation without Presidio."""
    return [each for each in project()["run"] if not each.startswith(LANGUAGE)]


def main() -> None:
    """Write both files; slim's versions are those of the constraints, with the hashes of every file they have."""
    with tempfile.TemporaryDirectory() as folder:
        uv = _uv(Path(folder))
        # hatchling asks for `editables` when it builds an editable installation; `make` installs by the pip of these
        everything = [line for lines in project().values() for line in lines] + ["editables", "pip"]
        CONSTRAINTS.write_text(ABOUT_CONSTRAINTS + _compile(uv, everything))
        SLIM.write_text(ABOUT_SLIM + _compile(uv, slim_requirements(), "--generate-hashes", f"-c{CONSTRAINTS}"))


def _uv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    return folder / "bin" / "uv"


def _compile(uv: Path, requirements: list[str], *options: str) -> str:
    plain = ("--universal", "--python-version=3.11", "--no-annotate", "--no-header", "--quiet")
    command = [uv, "pip", "compile", *plain, *options, "-"]
    run = subprocess.run(command, input="\n".join(requirements), text=True, stdout=subprocess.PIPE, check=True)
    return run.stdout


if __name__ == "__main__":
    main()

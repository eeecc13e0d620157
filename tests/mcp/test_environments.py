"""tests/mcp/environments.py: everything is pinned, and made once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.mcp.environments import HERE, made

EXACT = re.compile(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+")


@pytest.mark.parametrize("name", ["sdk1.txt", "sdk2.txt"])
def test_each_package_of_python_has_one_version(name: str) -> None:
    lines = [each for each in (HERE / name).read_text().splitlines() if not each.startswith("#")]
    assert len(lines) > 30
    assert [each for each in lines if not EXACT.fullmatch(each)] == []


def test_each_package_of_node_has_one_version_and_a_hash() -> None:
    wanted = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]
    locked = json.loads((HERE / "node" / "package-lock.json").read_text())["packages"]
    assert locked[""]["dependencies"] == wanted
    assert {f"node_modules/{name}": version for name, version in wanted.items()}.items() <= {
        name: each.get("version") for name, each in locked.items()
    }.items()
    assert [name for name, each in locked.items() if name and "integrity" not in each] == []
    assert [name for name, each in locked.items() if "resolved" in each] == []  # no host of a registry


def test_a_folder_is_made_once_and_anew_when_its_pins_change(tmp_path: Path) -> None:
    folder, times = tmp_path / "some-venv", []

    def make() -> None:
        folder.mkdir(exist_ok=True)
        times.append(1)

    for wanted in ("a==1", "a==1", "a==2", "a==2"):
        made(folder, wanted, make)
    assert len(times) == 2


def test_a_folder_whose_making_failed_is_not_taken_for_made(tmp_path: Path) -> None:
    folder = tmp_path / "some-venv"

    def make() -> None:
        folder.mkdir(exist_ok=True)
        raise OSError("no space left")

    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            made(folder, "a==1", make)

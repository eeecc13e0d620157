"""Reads the cases of this folder. They were written here; a character of a text is one byte."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file, in order; no two have one name."""
    found: list[dict[str, Any]] = tomllib.loads((FOLDER / f"{name}.toml").read_text())["case"]
    assert len({case["name"] for case in found}) == len(found)
    return found


def named(case: dict[str, Any]) -> str:
    """What pytest shows of a case."""
    return str(case["name"]).replace(" ", "-")

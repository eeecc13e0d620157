"""Reads real-world corpora from the folder that TOOLWALL_CORPORA names. Nothing of them is part of this project."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest


def corpus(name: str) -> list[dict[str, Any]]:
    """All records of a set such as `http/smuggling/te_cl_probes`; skips the test where there are no corpora."""
    folder = os.environ.get("TOOLWALL_CORPORA")
    if not folder:
        pytest.skip("needs the real-world corpora: set TOOLWALL_CORPORA to their folder")
    with gzip.open(Path(folder) / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]

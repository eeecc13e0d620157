"""The real-world corpora: the folder that TOOLWALL_CORPORA names, else `../shared/data` beside the checkout."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CORPORA = Path(os.environ.get("TOOLWALL_CORPORA") or ROOT.parent / "shared" / "data")


def records(name: str) -> Iterator[dict[str, Any]]:
    """The records of a set, `pii/tool_json`, or of several, `pii/*`, in the order of their files."""
    for path in sorted(CORPORA.glob(f"{name}/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def secret_sets() -> list[str]:
    """The names of the sets of secrets."""
    return sorted(path.name for path in (CORPORA / "secrets").iterdir() if path.is_dir())

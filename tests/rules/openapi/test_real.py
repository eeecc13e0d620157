"""Real documents that nobody here wrote: everything in them becomes a tool, and the folders load."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules.examples import failures, run
from rules.load import load
from rules.openapi import Document, contracts, files
from tests.rules.helpers import corpus


def imports_and_loads(record: dict, folder: Path) -> None:
    file = Path(os.environ["TOOLWALL_CORPORA"]) / "openapi" / record["file"]
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    found = contracts(Document(file.name.removesuffix(".gz"), data))
    assert len(found.tools) == record["operations"]
    for path, text in files(found).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())
    rules = load(folder)
    assert len(rules.catalog.tools) == record["operations"]
    outcomes = run(rules, datetime.now(UTC))
    assert failures(outcomes) == ()
    assert bool(outcomes) == bool(found.tools)


def test_small_documents(tmp_path: Path) -> None:
    small = [one for one in corpus("openapi/index.jsonl.gz") if one["operations"] <= 20]
    assert len(small) > 10
    for record in small:
        imports_and_loads(record, tmp_path / record["name"])


@pytest.mark.full
def test_all_documents(tmp_path: Path) -> None:
    for record in corpus("openapi/index.jsonl.gz"):
        imports_and_loads(record, tmp_path / record["name"])

"""Memory does not grow with what strangers send: documents no two of which are alike, names as long as they like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WARM, MANY = 40_000, 200_000


def sizes(*counts: int) -> list[int]:
    """The kilobytes that a process holds after its warm-up, and on its way through the documents."""
    command = [sys.executable, "tests/redaction/growth.py", *map(str, counts)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1]["found"] > 2 * sum(counts[:2])  # the documents are full of findings
    return [each["resident_kb"] for each in told]


@pytest.mark.full
def test_200000_documents_no_two_alike_grow_memory_by_less_than_a_tenth() -> None:
    warm, *later = sizes(WARM, MANY, 10)
    print(f"{warm} KB after {WARM} documents, then {later}")
    assert max(later) < 1.1 * warm


LONG = """
import json
from tests.redaction.growth import resident_kb
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
scanner = Scanner(kinds_of("strict"))
def scan(first, count):
    for number in range(first, first + count):
        body = json.dumps({f"{number}" + " ab cd" * 3_000 + " passport": "912803456"}).encode()
        scanner.clean(body, "application/json", None)
scan(0, 100)
before = resident_kb()
scan(100, 400)
print(resident_kb() - before)
"""


def test_names_without_end_are_not_kept() -> None:
    command = [sys.executable, "-c", LONG]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 3_000  # 400 such names are 7 MB, and each would be kept more than once

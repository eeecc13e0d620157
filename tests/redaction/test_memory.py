"""Memory does not grow with what strangers send: documents no two of which are alike, names as long as they like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.redaction.growth import documents, resident_kb
from tests.wire import answering, perform, reply, wall

ROOT = Path(__file__).parents[2]
WARM, MANY = 60_000, 200_000
"""RE2 fills the automata of its expressions up to a bound; what Python holds stays the same from the first thousand."""


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


TOOLS = "  get: {says: Read., call: GET /x, reply: {redact: strict}}"


@pytest.mark.full
def test_nor_do_they_through_the_door(tmp_path: Path) -> None:
    async def play() -> None:
        bodies = (body for body, media_type in documents(3) if media_type == "application/json")
        async with wall(tmp_path, TOOLS) as w:
            sizes = []
            for count in (12_000, 6_000):
                for _ in range(count):
                    w.backend.answer = answering(reply(next(bodies)))
                    told = await w.tell("GET", "/crm/x")
                    assert told.reply.status == 200
                    w.backend.seen.clear()  # what the test itself keeps
                    w.backend.requests.clear()
                sizes.append(resident_kb())
        print(sizes)
        assert sizes[1] < 1.1 * sizes[0]

    perform(play())


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


@pytest.mark.full
def test_names_without_end_are_not_kept() -> None:
    command = [sys.executable, "-c", LONG]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 3_000  # 400 such names are 7 MB, and each would be kept more than once

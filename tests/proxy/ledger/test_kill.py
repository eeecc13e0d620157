"""kill -9 at any moment: what was acknowledged is there, and the next start needs no hand."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proxy.ledger import Ledger
from proxy.ledger.segments import segments_in
from proxy.ledger.verify import verify
from tests.proxy.ledger.helpers import KEY, lines_of

WRITER = """
import os, sys
from pathlib import Path
from proxy.ledger import Ledger
from tests.proxy.ledger.helpers import KEY, call
ledger = Ledger.open(Path(sys.argv[1]), KEY, segment_bytes=200_000)
number = 0
while True:
    entry = call(number, pid=os.getpid(), note="x" * (number % 2000))
    os.write(1, b"%d %d %d\\n" % (ledger.append(entry), os.getpid(), number))
    number += 1
"""


def killed_writer(folder: Path, seconds: float) -> list[tuple[int, ...]]:
    """What a writer acknowledged (seq, pid, number) until it was killed, `seconds` after its first entry."""
    output = folder.with_name("acknowledged")
    with output.open("wb") as file:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=file)
        try:
            while not output.stat().st_size:
                assert writer.poll() is None
                time.sleep(0.002)
            time.sleep(seconds)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
    lines = output.read_bytes().splitlines(keepends=True)
    return [tuple(map(int, line.split())) for line in lines if line.endswith(b"\n")]


@pytest.mark.parametrize("rounds", [5, pytest.param(200, marks=pytest.mark.full)])
def test_nothing_acknowledged_is_lost(tmp_path: Path, rounds: int) -> None:
    folder, acknowledged = tmp_path / "ledger", []
    for _ in range(rounds):
        acknowledged += killed_writer(folder, random.uniform(0, 0.04))
    Ledger.open(folder, KEY).close()
    report = verify(folder, KEY)
    assert report.ok, report.faults[:3]
    assert len(acknowledged) > rounds
    stored = [json.loads(line) for line in lines_of(folder)]
    assert [entry["seq"] for entry in stored] == list(range(1, report.records + 1))
    for seq, pid, number in acknowledged:
        entry = stored[seq - 1]
        assert (entry["pid"], entry["call"], len(entry["note"])) == (pid, f"call-{number:05d}", number % 2000)
    assert len(segments_in(folder)) > 1

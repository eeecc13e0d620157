"""Load: wrk where it is installed, else a generator of our own. Both keep one call under way on each connection."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import ROOT, STOP_S, BenchError

_SCRIPT = Path(__file__).with_name("load.lua")
_TIMEOUT_S = 30
"""Of one call. Longer than any subject takes for 64 calls at once on a slow machine."""


@dataclass(frozen=True)
class Load:
    """What the load tool saw: answers that came whole before the time was up, and how long they took."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    errors: int


def tool() -> str:
    """The name of the load tool that is used here."""
    return "wrk" if shutil.which("wrk") else "tests.bench.generator"


def load(port: int, path: str, connections: int, seconds: float) -> Load:
    """Call http://127.0.0.1:`port``path`, `{n}` in it being 1 to 100 in turn, for about `seconds`."""
    return _said(
        _wrk(port, path, connections, seconds) if tool() == "wrk" else _own(port, path, connections, seconds), seconds
    )


def writes(port: int, path: str, connections: int, seconds: float, run: str) -> Load:
    """Post to it, never the same twice under one name of a run. Needs wrk."""
    return posts(port, path, connections, seconds, run, '{"text": "%s-%d"}')


def posts(port: int, path: str, connections: int, seconds: float, run: str, *sent: str) -> Load:
    """The same with a body of one's own, in which the run and a number are put, and with headers `NAME: VALUE`."""
    return _said([*_wrk(port, path, connections, seconds), run, *sent], seconds)


def _said(command: list[str], seconds: float) -> Load:
    out = _run(command, seconds)
    try:
        return Load(**json.loads(out.strip().splitlines()[-1]))
    except (IndexError, TypeError, ValueError):
        raise BenchError(f"{command[0]} said nothing that can be understood:\n{out[-2000:]}") from None


def _wrk(port: int, path: str, connections: int, seconds: float) -> list[str]:
    options = ["-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", f"--timeout={_TIMEOUT_S}s", "-s", str(_SCRIPT)]
    return ["wrk", *options, f"http://127.0.0.1:{port}", "--", path]


def _own(port: int, path: str, connections: int, seconds: float) -> list[str]:
    return [sys.executable, "-m", "tests.bench.generator", str(port), path, str(connections), str(seconds)]


def _run(command: list[str], seconds: float) -> str:
    """The output. wrk knows whole seconds only, so that a shorter time is ended by the signal it knows for that."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            if command[0] == "wrk" and seconds != math.ceil(seconds):
                time.sleep(seconds)
                process.send_signal(signal.SIGINT)
            return process.communicate(timeout=seconds + _TIMEOUT_S + STOP_S)[0]
        except subprocess.TimeoutExpired:
            raise BenchError(f"{command[0]} did not end in time.") from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()

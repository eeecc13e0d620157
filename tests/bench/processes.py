"""Processes that are measured: started on a free port, waited for, weighed, and stopped on every way out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S, STOP_S = 30.0, 5.0
"""How long a process may take to answer for the first time (mitmproxy on a busy machine: some 5 s), and to end."""

_TICKS = os.sysconf("SC_CLK_TCK")
_POLL_S = 0.005
_SESSION, _UTIME, _STIME = 3, 11, 12  # fields of /proc/PID/stat, counted from the one after the name (proc(5))


class BenchError(Exception):
    """The bench cannot say what it should. The text says why and what to do."""


@dataclass(frozen=True)
class Running:
    """A process of ours and all its children. Each is the leader of a session, by which its children are found."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_s(self) -> float:
        """Processor time, user and system, of the process and its children so far."""
        return sum(int(stat[_UTIME]) + int(stat[_STIME]) for _, stat in self.family()) / _TICKS

    def rss_mb(self, peak: bool = False) -> float:
        """Resident memory, now or at its highest, in MB (10^6 bytes)."""
        return sum(_status_kb(pid, "VmHWM" if peak else "VmRSS") for pid, _ in self.family()) * 1024 / 1e6

    def family(self) -> list[tuple[int, list[str]]]:
        """Id and /proc/PID/stat of the process and its children, as far as they live."""
        everyone = [(int(path.name), _stat(path)) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [
            (pid, stat) for pid, stat in everyone if stat and stat[0] != "Z" and int(stat[_SESSION]) == self.process.pid
        ]

    def check(self) -> None:
        """Raises BenchError with the end of its log if it has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended with code {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


@contextlib.contextmanager
def running(name: str, command: list[str], folder: Path) -> Iterator[Running]:
    """Start a command in the project's folder with its output in `folder`/NAME.log; stop all of it at the end."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield Running(name, process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_S)


def wait_for(subject: Running, url: str) -> bytes:
    """The first answer with status 200. Raises BenchError where none comes in time or the process ends."""
    give_up, last = time.monotonic() + START_S, ""
    while time.monotonic() < give_up:
        subject.check()
        try:
            return get(url)[1]
        except OSError as error:
            last = str(error)
        time.sleep(_POLL_S)
    raise BenchError(f"{subject.name} did not answer within {START_S:g} s ({last}):\n{subject.tail()}")


def get(url: str) -> tuple[dict[str, str], bytes]:
    """Headers (names in lower case) and body of one GET. Raises OSError for anything but 200."""
    try:
        with _DIRECT.open(url, timeout=START_S) as reply:
            return {name.lower(): value for name, value in reply.headers.items()}, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"status {error.code}: {error.read(500).decode(errors='replace')}") from None


# A proxy in the environment is for the world outside; what is measured here is on this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port on loopback that nobody has just now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def _stat(process: Path) -> list[str]:
    """The fields after the name, or none where the process is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _status_kb(pid: int, field: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    return 0

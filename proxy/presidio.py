"""Presidio apart: its recognizers run in processes that are ended when they do not answer in time.

A recognizer is other people's code over texts of strangers: it can run for minutes, grow without end or die. So it gets
a text, a time and nothing else; what does not answer is killed and started anew, and the text counts as unreadable.
"""

from __future__ import annotations

import logging
import queue
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from proxy import presidio_worker
from proxy.scanning import UNTIL
from redaction import presidio_names
from redaction.detector import Detector
from redaction.engine import ScanError
from redaction.finding import Finding, resolve
from redaction.profiles import PRESIDIO, UnknownKind

_log = logging.getLogger("toolwall.presidio")

START_SECONDS = 60.0
"""How long a process may take to load Presidio. Two seconds on an idle machine."""

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
_SERVE = """
import sys
sys.path[:] = {path!r}
from proxy.presidio_worker import serve
serve({descriptor}, {memory}, {model!r})
"""


@dataclass(frozen=True, slots=True)
class PresidioBounds:
    """Of the processes: how many, for how long each may look at one text, how long that may be, how large they grow;
    and the folder of the model that finds names, where there is one."""

    workers: int = 1
    text_s: float = 2.0
    most_characters: int = 20_000
    memory: int = 2 << 30
    model: str = ""


class Presidio:
    """A number of processes that find what only Presidio finds. Safe to use from many threads."""

    def __init__(self, bounds: PresidioBounds | None = None) -> None:
        self._bounds = bounds or PresidioBounds()
        self._workers = [_Worker(self._bounds) for _ in range(self._bounds.workers)]
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._free.put(worker)

    def detector(self, kinds: frozenset[str]) -> Detector:
        """What finds `kinds`. The processes begin to load Presidio now, where they do not run yet.

        Raises UnknownKind for names of persons and places where there is no model.
        """
        if not self._bounds.model and (named := {kind.removeprefix(PRESIDIO) for kind in kinds} & presidio_names.KINDS):
            raise UnknownKind(f"nothing finds {', '.join(sorted(named))} here: toolwall.yaml names no presidio: model")
        for worker in self._workers:
            worker.begin()
        return _Remote(self, kinds)

    def warm(self) -> None:
        """Wait until the processes that were begun have loaded, before anybody uses them. Raises ScanError."""
        for worker in self._workers:
            worker.warm()

    def find(self, kinds: frozenset[str], text: str, key: str) -> list[Finding]:
        """The findings in `text`. Raises ScanError where that is too long, or none was found in time."""
        bounds = self._bounds
        if len(text) > bounds.most_characters:
            raise ScanError(f"Presidio is not given texts of more than {bounds.most_characters} characters")
        until = UNTIL.get()
        try:
            worker = self._free.get(timeout=_left(until))
        except queue.Empty:
            raise ScanError("Presidio has too much to do") from None
        try:
            return worker.ask({"kinds": sorted(kinds), "text": _utf8(text), "key": _utf8(key)}, bounds.text_s, until)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the processes, whatever they do."""
        for worker in self._workers:
            worker.close()


class _Remote:
    """The kinds of one scanner. A `Detector`."""

    def __init__(self, presidio: Presidio, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self._presidio = presidio

    def find(self, text: str, key: str = "") -> list[Finding]:
        return self._presidio.find(self.kinds, text, key) if text else []


class _Worker:
    """One process, asked one thing at a time. It is started when it is needed, and anew after it ended."""

    def __init__(self, bounds: PresidioBounds) -> None:
        self._bounds = bounds
        self._process: subprocess.Popen[bytes] | None = None
        self._peer: socket.socket | None = None
        self._lock = threading.RLock()  # of the process: rules are read, scans made and the sidecar stopped by threads
        self._ready = self._closed = False
        self._started = 0.0

    def begin(self) -> None:
        """Start the process, where it does not run; it loads Presidio by itself."""
        with self._lock:
            if self._process is None and not self._closed:
                self._start()

    def warm(self) -> None:
        """Wait until the process has loaded, where there is one. Raises ScanError."""
        if self._process is not None:
            try:
                self._loaded(monotonic() + START_SECONDS)
            except (OSError, EOFError, ValueError):
                raise ScanError("Presidio cannot be loaded") from None

    def ask(self, question: dict[str, Any], seconds: float, until: float) -> list[Finding]:
        """What it found. Raises ScanError where it does not answer within `seconds`, or by `until`."""
        try:
            peer = self._loaded(until)
            left = min(seconds, until - monotonic())
            if left <= 0:
                raise ScanError("Presidio was not done in time")
            return _found(_asked(peer, question, left))
        except TimeoutError:
            self._restart()
            raise ScanError("Presidio was not done in time") from None
        except (OSError, EOFError, ValueError, TypeError):  # nothing is raised from them: they may hold the text
            self._restart()
            raise ScanError("the process of Presidio ended") from None

    def _loaded(self, until: float) -> socket.socket:
        self.begin()
        peer = self._peer
        if peer is None:
            raise ScanError("Presidio is closed")
        if not self._ready:
            # That it still loads when the time of one text is over is no reason to begin again.
            peer.settimeout(_left(until))
            try:
                said = presidio_worker.read(peer)
            except TimeoutError:
                if monotonic() - self._started > START_SECONDS:
                    raise
                raise ScanError("Presidio is not loaded yet") from None
            if said is None:
                raise EOFError
            if "error" in said:
                _log.error("Presidio cannot be loaded: %s", said["error"])  # for the operator: it may name paths
                self._restart()
                raise ScanError("Presidio cannot be loaded")
            self._ready = True
        return peer

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        how = {"memory": self._bounds.memory, "model": self._bounds.model}
        code = _SERVE.format(path=sys.path, descriptor=theirs.fileno(), **how)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own code, and no shell
                [sys.executable, "-W", "ignore", "-c", code],
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what it says there may hold texts
                pass_fds=(theirs.fileno(),),
            )
        self._peer, self._ready, self._started = ours, False, monotonic()

    def _restart(self) -> None:
        with self._lock, suppress(OSError):  # tried again when it is asked again
            self._end()
            self.begin()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._peer is not None:
            self._peer.close()
        self._process = self._peer = None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end()


def _asked(peer: socket.socket, question: dict[str, Any], seconds: float) -> dict[str, Any]:
    end = monotonic() + seconds
    peer.settimeout(seconds)
    presidio_worker.write(peer, {**question, "seconds": seconds})
    peer.settimeout(_left(end))
    answer = presidio_worker.read(peer)
    if answer is None:
        # The system ended it at its time, a moment before we would have.
        raise TimeoutError if monotonic() >= end - 0.05 else EOFError
    return answer


def _found(answer: dict[str, Any]) -> list[Finding]:
    if "error" in answer:
        raise ScanError(str(answer["error"]))
    return resolve(
        Finding(str(kind), int(at), int(end), float(score), str(name)) for kind, at, end, score, name in answer["found"]
    )


def _utf8(text: str) -> str:
    """Half a surrogate pair, which JSON cannot carry, as a question mark: one character for one."""
    return text.encode("utf-8", "replace").decode()


def _left(until: float) -> float:
    return min(max(0.001, until - monotonic()), START_SECONDS)

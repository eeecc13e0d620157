"""Presidio apart: its recognizers run in processes that are ended when they do not answer in time.

A recognizer is other people's code over texts of strangers: it can run for minutes, grow without end or die. So it gets
a text, a time and nothing else; what does not answer is killed and started anew, and the text counts as unreadable.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from contextlib import suppress
from time import monotonic
from typing import Any

from proxy.presidio.operators import BUILT_IN
from proxy.presidio.process import START_SECONDS, NotLoaded, Process
from proxy.presidio.settings import PresidioSettings
from proxy.scanning import UNTIL
from redaction import presidio_names
from redaction.detector import Detector
from redaction.engine import ScanError
from redaction.finding import Finding, resolve
from redaction.profiles import PRESIDIO, UnknownKind
from redaction.scanner import Unreadable

_log = logging.getLogger("toolwall.presidio")

MOST_WRITTEN = 64 * 1024
"""Characters that an operator may write for one finding."""

_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')


class Presidio:
    """A number of processes that find what only Presidio finds. Safe to use from many threads."""

    def __init__(self, settings: PresidioSettings | None = None) -> None:
        self._settings = settings or PresidioSettings()
        self._workers = [_Worker(self._settings) for _ in range(self._settings.workers)]
        self._kinds: frozenset[str] | None = None
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._free.put(worker)

    def kinds(self) -> frozenset[str]:
        """The kinds that the operator's recognizers find, as rules may name them. Asked for at the start first.

        Raises ScanError, with a cause where that is for the operator alone.
        """
        if self._kinds is None:
            found = self._workers[0].warm() if self._settings.adds else frozenset[str]()
            self._kinds = found | {f"{PRESIDIO}{kind}" for kind in found}
        return self._kinds

    def detector(self, kinds: frozenset[str]) -> Detector:
        """What finds `kinds`. The processes begin to load Presidio now, where they do not run yet.

        Raises UnknownKind for names of persons and places where there is no model.
        """
        named = {kind.removeprefix(PRESIDIO) for kind in kinds} & presidio_names.KINDS
        if named and not self._settings.model and (named := named - self.kinds()):
            raise UnknownKind(f"nothing finds {', '.join(sorted(named))} here: toolwall.yaml names no presidio: model")
        self.begin()
        return _Remote(self, kinds)

    def warm(self) -> None:
        """Wait until the processes that were begun have loaded, before anybody uses them. Raises ScanError."""
        for worker in self._workers:
            if worker.begun:
                worker.warm()

    def find(self, kinds: frozenset[str], text: str, key: str) -> list[Finding]:
        """The findings in `text`. Raises ScanError where that is too long, or none was found in time."""
        if len(text) > self._settings.most_characters:
            raise ScanError(f"Presidio is not given texts of more than {self._settings.most_characters} characters")
        return _found(self._ask({"kinds": sorted(kinds), "text": _utf8(text), "key": _utf8(key)}))

    @property
    def operators(self) -> frozenset[str]:
        """The operators that rules may name."""
        return frozenset({*BUILT_IN, *self._settings.operators})

    def operate(self, operator: str, kind: str, value: str) -> str:
        """What an operator makes of a finding. Raises Unreadable where it makes nothing that fits, or not in time."""
        if len(value) > self._settings.most_characters:
            raise Unreadable(f"Presidio is not given texts of more than {self._settings.most_characters} characters")
        try:
            answer = self._ask({"operator": operator, "kind": kind, "text": _utf8(value)})
        except ScanError as error:
            raise Unreadable(str(error)) from None
        if "error" in answer:
            raise Unreadable(str(answer["error"]))
        written = str(answer["written"])
        if len(written) > MOST_WRITTEN or _ESCAPED.search(written):
            raise Unreadable(f"the operator {operator} of Presidio wrote what cannot stand in JSON as it is")
        return written

    def begin(self) -> None:
        """Let the processes load, where they do not run yet."""
        for worker in self._workers:
            worker.begin()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        until = UNTIL.get()
        try:
            worker = self._free.get(timeout=_left(until))
        except queue.Empty:
            raise ScanError("Presidio has too much to do") from None
        try:
            return worker.ask(question, self._settings.text_s, until)
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
    """One process, asked one thing at a time. It is started when it is needed, and anew after it ended.

    After `scans` questions the next process begins to load; as soon as it has, it takes this one's place, between two
    questions. So what a recognizer keeps of the texts is let go, and nobody waits.
    """

    def __init__(self, settings: PresidioSettings) -> None:
        self._settings = settings
        self._process: Process | None = None
        self._next: Process | None = None
        self._asked = 0
        self._lock = threading.RLock()  # of both: rules are read, scans made and the sidecar stopped by threads
        self._closed = False

    @property
    def begun(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def begin(self) -> None:
        """Start the process, where it does not run; it loads Presidio by itself."""
        with self._lock:
            if self._process is None and not self._closed:
                self._process = self._started()

    def warm(self) -> frozenset[str]:
        """Wait until the process has loaded; the kinds that the operator's recognizers find. Raises ScanError."""
        try:
            return self._loaded(monotonic() + START_SECONDS).kinds or frozenset()
        except (OSError, EOFError, ValueError):
            raise ScanError("Presidio cannot be loaded") from None

    def ask(self, question: dict[str, Any], seconds: float, until: float) -> dict[str, Any]:
        """What it answers. Raises ScanError where it does not within `seconds`, or by `until`."""
        try:
            self._renew()
            process = self._loaded(until)
            left = min(seconds, until - monotonic())
            if left <= 0:
                raise ScanError("Presidio was not done in time")
            self._asked += 1
            return process.ask(question, left)
        except TimeoutError:
            self._restart()
            raise ScanError("Presidio was not done in time") from None
        except (OSError, EOFError, ValueError, TypeError):  # nothing is raised from them: they may hold the text
            self._restart()
            raise ScanError("the process of Presidio ended") from None

    def _loaded(self, until: float) -> Process:
        self.begin()
        process = self._process
        if process is None:
            raise ScanError("Presidio is closed")
        try:
            process.load(_left(until))
        except TimeoutError:
            # That it still loads when the time of one text is over is no reason to begin again.
            if process.is_late:
                raise
            raise ScanError("Presidio is not loaded yet") from None
        except NotLoaded as why:
            _log.error("Presidio cannot be loaded: %s", why)
            self._restart()
            raise ScanError("Presidio cannot be loaded") from why  # for the operator; the caller is told less
        return process

    def _renew(self) -> None:
        """After so many questions let the next process load, and put it in this one's place once it has."""
        with self._lock:
            if self._next is None and self._asked >= self._settings.scans and not self._closed:
                self._next = self._started()
            if self._next is not None and self._has_loaded(self._next):
                self._swap()

    def _has_loaded(self, process: Process) -> bool:
        try:
            if not process.is_late:
                return process.has_loaded()
            _log.error("the next process of Presidio did not load in time; the one before it goes on")
        except (NotLoaded, OSError, EOFError, ValueError) as error:
            _log.error("the next process of Presidio cannot be loaded, so the one before it goes on: %s", error)
        process.end()
        self._next, self._asked = None, 0
        return False

    def _swap(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process, self._next, self._asked = self._next, None, 0

    def _started(self) -> Process:
        return Process(self._settings.parts(), self._settings.memory)

    def _restart(self) -> None:
        with self._lock, suppress(OSError):  # tried again when it is asked again
            self._end()
            self.begin()

    def _end(self) -> None:
        for process in (self._process, self._next):
            if process is not None:
                process.end()
        self._process = self._next = None
        self._asked = 0

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end()


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

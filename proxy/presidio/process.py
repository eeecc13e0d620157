"""One process of Presidio, as the sidecar sees it: started, asked one thing at a time, ended."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from proxy.presidio.worker import read, write

START_SECONDS: Final = 180.0
"""How long a process may take to load. Two seconds on an idle machine, and what the models of the operator take."""

_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
_SERVE: Final = """
import sys
sys.path[:] = {path!r}
from proxy.presidio.worker import serve
serve({descriptor}, {memory})
"""


class NotLoaded(Exception):
    """The process cannot load what it should; the text says why, for the operator: it may name paths."""


class Process:
    """A process that loads Presidio and these parts from its first moment on."""

    def __init__(self, parts: Mapping[str, Any], memory: int) -> None:
        self.kinds: frozenset[str] | None = None
        self._started = monotonic()
        self._peer, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own code, and no shell
                [sys.executable, "-W", "ignore", "-c", _code(theirs, memory)],
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what it says there may hold texts
                pass_fds=(theirs.fileno(),),
            )
        self._peer.settimeout(START_SECONDS)
        write(self._peer, dict(parts))

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._process.pid

    @property
    def is_late(self) -> bool:
        """Whether it should have loaded by now."""
        return self.kinds is None and monotonic() - self._started > START_SECONDS

    def has_loaded(self) -> bool:
        """Whether it has, or has failed to, without waiting. Raises NotLoaded, OSError, EOFError, ValueError."""
        if self.kinds is None and select.select([self._peer], [], [], 0)[0]:
            self.load(START_SECONDS)
        return self.kinds is not None

    def load(self, seconds: float) -> None:
        """Wait until it has loaded. Raises TimeoutError, NotLoaded, and OSError, EOFError or ValueError if it died."""
        if self.kinds is not None:
            return
        self._peer.settimeout(seconds)
        said = read(self._peer)
        if said is None:
            raise EOFError
        if "error" in said:
            raise NotLoaded(str(said["error"]))
        self.kinds = frozenset(map(str, said["kinds"]))

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer. Raises TimeoutError where none comes in time, and OSError, EOFError or ValueError if it died."""
        end = monotonic() + seconds
        self._peer.settimeout(seconds)
        write(self._peer, {**question, "seconds": seconds})
        self._peer.settimeout(max(0.001, end - monotonic()))
        answer = read(self._peer)
        if answer is None:
            # The system ended it at its time, a moment before we would have.
            raise TimeoutError if monotonic() >= end - 0.05 else EOFError
        return answer

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._peer.close()


def _code(theirs: socket.socket, memory: int) -> str:
    return _SERVE.format(path=sys.path, descriptor=theirs.fileno(), memory=memory)

"""The process in which Presidio's recognizers run: asked over a socket, answers what it found.

It is started with an environment of almost nothing, holds no secret of the sidecar, may not open a connection, and has
a bound for its memory. A question comes with its time; when that is over the system ends the process, whatever it does.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from redaction.engine import ScanError

HEAD = struct.Struct("!I")
"""Before each message: its length in bytes."""

MOST_MESSAGE = 16 << 20
MOST_KEPT = 64
"""Sets of kinds whose recognizers are kept."""

_NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"})


def serve(descriptor: int, memory: int) -> None:
    """Answer until the other end hangs up. The first message is what `parts` and `operators` read.

    `memory`: the most bytes that this process may come to hold.
    """
    peer = socket.socket(fileno=descriptor)
    _confine(memory)
    parts = read(peer)
    if parts is None:
        return
    try:
        inside = Inside(parts)
    except Exception as error:  # no text was seen yet: this is for the operator
        write(peer, {"error": str(error) if type(error).__name__ == "BadPart" else f"{type(error).__name__}: {error}"})
        return
    write(peer, {"kinds": sorted(inside.kinds)})
    while (question := read(peer)) is not None:
        signal.setitimer(signal.ITIMER_REAL, question["seconds"])
        answer = inside.answer(question)
        signal.setitimer(signal.ITIMER_REAL, 0)
        write(peer, answer)


class Inside:
    """What this process has loaded. Making it raises whatever hinders that."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        from proxy.presidio.operators import Operators
        from proxy.presidio.parts import added
        from redaction import presidio, presidio_names

        more, instead = added(parts)
        self._known: Mapping[str, Sequence[Any]] = presidio.with_more(more, instead)
        self._model = parts["model"]
        if self._model:
            presidio_names.names(self._model)
        self._operators = Operators(parts["operators"])
        self._kept: dict[tuple[str, ...], Any] = {}
        self.kinds = {kind for each in more for kind in each.supported_entities}

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What is found or written, or why that cannot be said. Raises nothing."""
        try:
            if "operator" in question:
                return {"written": self._operators.written(question["operator"], question["kind"], question["text"])}
            found = self._recognizers(tuple(question["kinds"])).find(question["text"], question["key"])
        except ScanError as error:
            return {"error": str(error)}
        except Exception as error:  # its message may hold the text
            which = "an operator" if "operator" in question else "a recognizer"
            return {"error": f"{which} of Presidio failed ({type(error).__name__})"}
        return {"found": [(f.kind, f.start, f.end, f.score, f.detector) for f in found]}

    def _recognizers(self, kinds: tuple[str, ...]) -> Any:
        from redaction import presidio

        if kinds not in self._kept and len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        if kinds not in self._kept:  # the sidecar measured the text
            self._kept[kinds] = presidio.Recognizers(frozenset(kinds), self._model, MOST_MESSAGE, self._known)
        return self._kept[kinds]


def _confine(memory: int) -> None:
    with suppress(OSError, ValueError):  # a service manager may deny both, and then sets bounds of its own
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold texts
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = memory if most == resource.RLIM_INFINITY else min(memory, most)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with suppress(OSError):
        os.nice(5)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sidecar ends it
    sys.addaudithook(_stay_home)


def _stay_home(event: str, _: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError("recognizers may not open connections")


def write(peer: socket.socket, message: dict[str, Any]) -> None:
    """Send one message. Raises OSError, TimeoutError."""
    data = orjson.dumps(message)
    peer.sendall(HEAD.pack(len(data)) + data)


def read(peer: socket.socket) -> dict[str, Any] | None:
    """The next message, None at the end. Raises OSError, TimeoutError, ValueError for what is none."""
    head = _exactly(peer, HEAD.size)
    if head is None:
        return None
    (size,) = HEAD.unpack(head)
    if size > MOST_MESSAGE:
        raise ValueError("the message is too long")
    data = _exactly(peer, size)
    if data is None:
        return None
    message = orjson.loads(data)
    if not isinstance(message, dict):
        raise ValueError("the message is no object")
    return message


def _exactly(peer: socket.socket, size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = peer.recv(size - len(pieces))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)

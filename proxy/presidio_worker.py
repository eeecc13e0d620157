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


def serve(descriptor: int, memory: int, model: str = "") -> None:
    """Answer until the other end hangs up.

    `memory`: the most bytes that this process may come to hold; `model`: the folder of what finds names.
    """
    peer = socket.socket(fileno=descriptor)
    _confine(memory)
    if trouble := _loaded(model):
        write(peer, {"error": trouble})
        return
    write(peer, {"ready": True})
    kept: dict[tuple[str, ...], Any] = {}
    while (question := read(peer)) is not None:
        signal.setitimer(signal.ITIMER_REAL, question["seconds"])
        answer = _answer(kept, question, model)
        signal.setitimer(signal.ITIMER_REAL, 0)
        write(peer, answer)


def _loaded(model: str) -> str:
    """Load Presidio; what hinders it is for the operator, and no text was seen yet."""
    try:
        from redaction import presidio, presidio_names

        presidio.recognizers()
        if model:
            presidio_names.names(model)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _answer(kept: dict[tuple[str, ...], Any], question: dict[str, Any], model: str) -> dict[str, Any]:
    from redaction import presidio

    kinds = tuple(question["kinds"])
    try:
        if kinds not in kept and len(kept) >= MOST_KEPT:
            kept.clear()
        if kinds not in kept:
            kept[kinds] = presidio.Recognizers(frozenset(kinds), model, MOST_MESSAGE)  # the sidecar measured the text
        found = kept[kinds].find(question["text"], question["key"])
    except ScanError as error:
        return {"error": str(error)}
    except Exception as error:  # its message may hold the text
        return {"error": f"a recognizer of Presidio failed ({type(error).__name__})"}
    return {"found": [(f.kind, f.start, f.end, f.score, f.detector) for f in found]}


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

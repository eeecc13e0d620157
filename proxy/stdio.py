"""`toolwall mcp`: serve one MCP server to one client by standard input and output, and start that server."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import select
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import IO, Final

from proxy.app import CannotRun, Running
from proxy.commands.common import visible
from proxy.config import Settings
from proxy.identity.identity import static
from proxy.mcp.child import CannotStart
from proxy.mcp.lane import Gone, Lane, Server
from proxy.serve import in_loop, signalled
from proxy.state import StateError, state_folder
from proxy.stdio_settings import INHERITED
from proxy.transports.stdio import StdioDoor, Write
from redaction.known import Known
from redaction.profiles import kinds_of
from redaction.scanner import Scanner

_log = logging.getLogger("toolwall.stdio")

MOST_AT_ONCE: Final = 64
"""Processes for one server that share a state folder, each with a folder of its own in it."""

MOST_ERRORS: Final = 100
"""Lines of a server's standard error that are passed on within a second."""

MOST_SHOWN: Final = 3_000
GRACE_S: Final = 1.5
"""Clients wait about two seconds after they close our input before they use force."""


def serve(settings: Settings, name: str, command: Sequence[str], names: Collection[str]) -> None:
    """Serve until the client closes our input or a signal says stop. Raises CannotRun."""
    in_loop(_serve(settings, name, command, names))


async def _serve(settings: Settings, name: str, command: Sequence[str], names: Collection[str]) -> None:
    stdio = settings.stdio
    if stdio is None or stdio.identity.static is None:
        raise CannotRun("toolwall.yaml lacks the key `stdio`, which says whose calls these are")
    environ = environment(os.environ, {*stdio.env, *names})
    folder, lock = own_folder(settings.state, name)
    with closing(lock):
        async with signalled(replace(settings, listeners=(), state=folder)) as (sidecar, stop):
            errors = Errors(name, sidecar.firewall.entries.known)

            def is_traced() -> bool:
                backend = sidecar.firewall.regime.rules.catalog.backends.get(name)
                return backend is None or backend.trace

            server = Server(name, command, environ, settings.scans.most_scan, errors, is_traced)
            await _between(settings, sidecar, Lane(server), name, stop)


async def _between(settings: Settings, sidecar: Running, lane: Lane, name: str, stop: asyncio.Event) -> None:
    """Stand between the client and its server until one of them ends, or a signal comes."""
    backend = sidecar.firewall.regime.rules.catalog.backends.get(name)
    if backend is None or backend.mcp is None:
        raise CannotRun(f"there is no MCP server {name} in {settings.rules}: `toolwall import mcp` adds one")
    assert settings.stdio is not None
    assert settings.stdio.identity.static is not None
    try:
        await lane.start()
    except CannotStart as error:
        raise CannotRun(str(error)) from None
    sidecar.servers.ways[name] = lane.send
    async with pipes() as (reader, write):
        door = StdioDoor(
            sidecar.firewall,
            sidecar.servers,
            name,
            static(settings.stdio.identity.static),
            write,
            most_line=settings.most_body,
            most_depth=settings.most_depth,
            most_calls=settings.http.most_calls,
            most_event=settings.scans.most_scan,
        )
        staying = asyncio.create_task(lane.run(door.again))
        serving = asyncio.create_task(door.serve(reader))
        stopping = asyncio.create_task(_set(stop))
        try:
            await asyncio.wait({staying, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done() and not staying.done():
                await door.finish(min(GRACE_S, settings.drain_s))
        finally:
            await _end(lane, door, staying, serving, stopping)
    _tell(staying)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _end(lane: Lane, door: StdioDoor, *tasks: asyncio.Task[None]) -> None:
    lane.stop()
    await door.finish(GRACE_S / 3)
    await door.close()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _tell(staying: asyncio.Task[None]) -> None:
    """Raise CannotRun where it was the server that did not stay."""
    error = None if staying.cancelled() else staying.exception()
    if isinstance(error, Gone | CannotStart):
        raise CannotRun(str(error))
    if error is not None:
        raise error


def environment(environ: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """What the server has of our environment: what every program needs, and what is named. Raises CannotRun."""
    if missing := sorted(name for name in names if name not in environ):
        raise CannotRun(f"the environment has no {', '.join(missing)}, which the server is to get")
    return {name: environ[name] for name in sorted(INHERITED.union(names)) if name in environ}


def own_folder(state: Path, name: str) -> tuple[Path, IO[bytes]]:
    """A state folder of this process alone, and what keeps others out as long as it is open. Raises CannotRun."""
    try:
        above = state_folder(state_folder(state) / "stdio")
        for number in range(1, MOST_AT_ONCE + 1):
            folder = state_folder(above / (name if number == 1 else f"{name}-{number}"))
            lock = (folder / "in-use").open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return folder, lock
            except BlockingIOError:
                lock.close()
    except (StateError, OSError) as error:
        raise CannotRun(str(error)) from None
    raise CannotRun(f"{MOST_AT_ONCE} processes serve {name} already")


class Errors:
    """What a server says to operators, cleaned, line by line and not too much of it, on our own standard error."""

    def __init__(self, name: str, known: Known, out: Callable[[str], object] | None = None) -> None:
        self._name, self._known = name, known
        self._scanner = Scanner(kinds_of("secrets"))
        self._out, self._has_room = out or _print, _readable if out is None else lambda: True
        self._since, self._told, self._left_out = float("-inf"), 0, 0

    def __call__(self, line: bytes) -> None:
        now = monotonic()
        if now - self._since >= 1.0:
            if self._left_out:
                self._out(f"[{self._name}] {self._left_out} lines were left out")
            self._since, self._told, self._left_out = now, 0, 0
        if self._told >= MOST_ERRORS or not self._has_room():
            self._left_out += 1
            return
        self._told += 1
        text = self._known.text(line.decode("utf-8", "replace"))
        self._out(f"[{self._name}] {visible(self._scanner.clean_text(text).value)[:MOST_SHOWN]}")


def _print(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _readable() -> bool:
    """Whether somebody reads our standard error: who does not is not waited for. Of a pipe it is true where a page is
    free in it."""
    return bool(select.select([], [2], [], 0)[1])


@asynccontextmanager
async def pipes() -> AsyncIterator[tuple[asyncio.StreamReader, Write]]:
    """Standard input, and what writes a line to standard output: nothing else of this process can. Raises CannotRun."""
    loop = asyncio.get_running_loop()
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints by mistake does not say it to the client
    reader = asyncio.StreamReader()
    try:
        coming, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb", buffering=0)
        )
        going, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(out, "wb", buffering=0)
        )
    except (ValueError, OSError):
        raise CannotRun("standard input and output are no pipes: an MCP client has to start this") from None
    going.set_write_buffer_limits(0)
    writer = asyncio.StreamWriter(going, protocol, None, loop)

    async def write(line: bytes) -> None:
        writer.write(line + b"\n")
        await writer.drain()

    try:
        yield reader, write
    finally:
        coming.close()
        going.close()

"""One process of a server that is started: its lines in both directions, and its end, which is that of all it began."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from proxy.mcp import keeper
from proxy.mcp.lines import Line, Lines

MOST_UNREAD: Final = 1 << 20
"""Bytes that wait for the process to read them; then nothing more is written."""

CALM_S: Final = 1.0
"""For so long it may end by itself once nobody writes to it, and again once it was asked to."""

START_S: Final = 10.0
_PIECE: Final = 64 * 1024
MOST_ERROR_LINE: Final = 2 * 1024


class CannotStart(Exception):
    """The command cannot be run. The text says why."""


class Endless(Exception):
    """The process wrote a line that does not end."""


class Child:
    """A running process. `code` is the status it ended with, None as long as that is not known."""

    def __init__(self, process: Process, line: socket.socket, most_line: int) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process, self._line = process, line
        self._in, self._out, self._errors = process.stdin, process.stdout, process.stderr
        self._most_line = most_line
        self._turn = asyncio.Lock()
        self.code: int | None = None

    @classmethod
    async def start(cls, command: Sequence[str], environ: Mapping[str, str], most_line: int) -> Child:
        """Start it. Raises CannotStart."""
        ours, its = socket.socketpair()
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(its.fileno()), *command),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=dict(environ),
                pass_fds=(its.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise CannotStart(f"{sys.executable} cannot be run: {error.strerror}") from None
        finally:
            its.close()
        child = cls(process, ours, most_line)
        try:
            await child._begun(command[0])
        except BaseException:
            await child.end()
            child.close()
            raise
        return child

    async def _begun(self, name: str) -> None:
        said = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                said = await self._hear()
        if said[:1] == b"!" and said[1:].strip().isdigit():
            raise CannotStart(f"{name} cannot be run: {os.strerror(int(said[1:]))}")
        if said[:1] != b"+":
            raise CannotStart(f"{name} cannot be run: what starts it did not begin in time")
        self._note(said[2:])

    async def _hear(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self._line, 64)
        except OSError:
            return b""

    def _note(self, said: bytes) -> None:
        for word in said.split():
            if word[:1] == b"=":
                self.code = int(word[1:])

    @property
    def name(self) -> str:
        """What operators know it by."""
        return f"process {self._process.pid}"

    async def write(self, line: bytes) -> None:
        """Wait until there is room, then write one line; from then on it may have been read. Raises OSError."""
        await self.room()
        self.put(line)

    async def room(self) -> None:
        """Wait until the process has read what was written before, but for a little."""
        async with self._turn:
            while self._in.transport.get_write_buffer_size() > MOST_UNREAD and not self._in.is_closing():
                await self._in.drain()

    def put(self, line: bytes) -> None:
        """Write one line now. Raises OSError where nobody can read it any more."""
        if b"\n" in line:
            raise ValueError("a message holds the end of a line")
        if self._in.is_closing():
            raise BrokenPipeError
        self._in.write(line + b"\n")

    async def lines(self) -> AsyncIterator[Line]:
        """What it says, until it ends. Raises Endless."""
        lines = Lines(self._most_line)
        while piece := await _read(self._out):
            for line in lines.feed(piece):
                if not line.is_whole:
                    raise Endless
                yield line
            if lines.is_long:
                raise Endless

    async def errors(self) -> AsyncIterator[Line]:
        """What it says to operators, until it ends."""
        lines = Lines(MOST_ERROR_LINE)
        while piece := await _read(self._errors):
            for line in lines.feed(piece):
                yield line
        for line in lines.close():
            yield line

    def kill(self) -> None:
        """Have it and all that it began end at once."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    async def end(self) -> None:
        """End it and all that it began: first by writing nothing more, then by asking, then without."""
        if self._line.fileno() < 0:
            return
        try:
            self._in.close()
            for step in (b"", b"T"):
                if step:
                    with contextlib.suppress(OSError):
                        self._line.send(step)
                if await self._is_over(CALM_S):
                    return
        finally:
            self._line.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM_S):
                    await self._process.wait()

    def close(self) -> None:
        """What it said and nobody has read is not read any more."""
        self._process._transport.close()  # type: ignore[attr-defined]  # there is no other way to close its pipes

    async def _is_over(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while said := await self._hear():
                    self._note(said)
                return True
        except TimeoutError:
            return False


async def _read(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.read(_PIECE)
    except OSError:
        return b""

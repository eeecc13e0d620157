"""`toolwall run`: serve until a signal says stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import select
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TextIO

import uvloop

from proxy.app import CannotRun, Running, running
from proxy.config import Settings

_COLLECTIONS = (10_000, 10, 10)
"""Of what calls leave behind, little is a cycle. A collection looks at all calls under way, so it should be rare."""

_LOG: Final = logging.getLogger("toolwall")

STOPPING = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings, say: Callable[[Running], None]) -> None:
    """Run the sidecar in this thread. `say` is called once it serves. Raises CannotRun."""
    allow_files(settings)
    in_loop(_serve(settings, say))


_FEWEST_FILES, _MOST_FILES = 64, 65_536
"""Open files: what a sidecar needs to serve anybody, and what it asks for where there is no limit."""


def allow_files(settings: Settings) -> None:
    """Take as many open files as there may be: shells and service managers begin with a few, mostly 1,024, and past
    them connections are closed without a word. Raises CannotRun where not even a start has enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    most = _MOST_FILES if hard == unlimited else min(hard, _MOST_FILES)
    if soft != unlimited and soft < most:
        with suppress(OSError, ValueError):  # some systems have a further limit that nobody can ask for
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    wanted = len(settings.listeners) * settings.http.most_connections
    more = "raise the limit (ulimit -Hn, LimitNOFILE of systemd)"
    if soft != unlimited and soft < _FEWEST_FILES:
        raise CannotRun(f"Only {soft} files may be open, at least {_FEWEST_FILES} are needed: {more}.")
    if soft != unlimited and soft < wanted:
        says = "only %d files may be open, and agents may make %d connections: %s, or lower bounds.most_connections"
        _LOG.warning(says, soft, wanted, more)


def in_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run something in this thread, in a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def _serve(settings: Settings, say: Callable[[Running], None]) -> None:
    async with signalled(settings) as (sidecar, stop):
        say(sidecar)
        await stop.wait()
        _LOG.info("told to stop: calls under way may end, within %g s", settings.drain_s)


@asynccontextmanager
async def signalled(settings: Settings) -> AsyncIterator[tuple[Running, asyncio.Event]]:
    """A sidecar that does what signals say, and the event that is set by one that says stop. Raises CannotRun."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in STOPPING:
        loop.add_signal_handler(each, stop.set)
    async with running(settings) as sidecar:
        # What was made at start lives as long as the process: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTIONS)
        gc.enable()
        loop.add_signal_handler(signal.SIGHUP, sidecar.reloader.reload)
        loop.add_signal_handler(signal.SIGUSR1, sidecar.halting.stop, "signal SIGUSR1")
        loop.add_signal_handler(signal.SIGUSR2, sidecar.halting.resume, "signal SIGUSR2")
        yield sidecar, stop


class _OneLine(logging.Formatter):
    """A log line never holds the text of a foreign exception or its values: only the name of its type."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info and record.exc_info[0] is not None:
            record.msg, record.args = f"{record.msg} ({record.exc_info[0].__name__})", record.args
            record.exc_info = record.exc_text = None
        return super().format(record).replace("\n", " ")


class _NeverWaits(logging.StreamHandler[TextIO]):
    """Leaves a line out where it could not be written at once: calls do not wait for who reads the log slowly or not
    at all, such as a full pipe or a stopped terminal. How many were left out stands before the next line.

    Where there is room at all, there is some for 4,096 bytes (PIPE_BUF of POSIX), which lines of calls do not reach.
    """

    left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        if not self._has_room():
            self.left_out += 1
            return
        if self.left_out:
            told = {"name": "toolwall", "msg": f"{self.left_out} log lines were left out: nobody read them in time"}
            self.left_out = 0
            super().emit(logging.makeLogRecord({**told, "levelno": logging.WARNING, "levelname": "WARNING"}))
        super().emit(record)

    def _has_room(self) -> bool:
        try:
            poll = select.poll()
            poll.register(self.stream.fileno(), select.POLLOUT)
            return bool(poll.poll(0))
        except (OSError, ValueError, AttributeError):  # no file at all: writing says the rest
            return True


def log_to_stderr(level: str) -> None:
    """Log lines to standard error, one line each. Libraries speak only from WARNING on: their texts may hold values.

    Of a line that cannot be written nothing is said: Python would show the error that was logged, values and all.
    """
    logging.raiseExceptions = False
    handler = _NeverWaits(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("toolwall").setLevel(level.upper())
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

"""`toolwall run`: serve until a signal says stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from proxy.app import Running, running
from proxy.config import Settings

_COLLECTIONS = (10_000, 10, 10)
"""Of what calls leave behind, little is a cycle. A collection looks at all calls under way, so it should be rare."""

STOPPING = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings, say: Callable[[Running], None]) -> None:
    """Run the sidecar in this thread. `say` is called once it serves. Raises CannotRun."""
    in_loop(_serve(settings, say))


def in_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run something in this thread, in a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def _serve(settings: Settings, say: Callable[[Running], None]) -> None:
    async with signalled(settings) as (sidecar, stop):
        say(sidecar)
        await stop.wait()


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


def log_to_stderr(level: str) -> None:
    """Log lines to standard error, one line each. Libraries speak only from WARNING on: their texts may hold values.

    Of a line that cannot be written nothing is said: Python would show the error that was logged, values and all.
    """
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("toolwall").setLevel(level.upper())
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

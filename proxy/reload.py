"""Hot reload: the rules folder is watched, and rules that load and keep their examples take the place of the others.

Whatever else happens (a broken file, an example that fails, a folder that is gone), the last good rules stay in force,
and the log, a metric and readiness say so until it is mended.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TypeVar

from proxy.firewall import Firewall
from proxy.regimes import Ready, Regimes
from proxy.signature import TooMany, signature
from redaction.profiles import NO_MORE
from redaction.scanner import Foreign
from rules.changes import changes
from rules.decide import Ruleset
from rules.examples import failures, run
from rules.load import LoadProblem, RulesError, load

_log = logging.getLogger("toolwall.rules")

POLL_S = 1.0
"""Between two looks at the folder. A change is taken up once two looks agree on it, so files that are being written or
copied have that time to be completed."""

IDLE_SHARE = 20
"""A look at a large folder on a slow disk is followed by a pause of at least so many times its own length."""

PATIENCE_S = 60.0
"""How long a folder may keep changing before that is an error, and after which rules that could not be used are tried
anew although nothing changed: disks have bad moments."""

SWITCH_S = 0.0005
"""How long the thread that reads rules may run while a call waits for its turn."""

NEVER = 1_000_000
"""Collections of the middle generation, after which the oldest would be looked through."""

MOST_TOLD = 20
"""Problems that are written to the log; `toolwall check` shows all."""

Tell = Callable[[Ruleset | None, tuple[str, ...]], None]
"""Is given the new rules and what changed in words, or None where they could not be used."""

_Got = TypeVar("_Got")


def vetted(folder: Path, more: frozenset[str] = NO_MORE, foreign: Foreign | None = None) -> Ruleset:
    """The rules of a folder, whose examples came out as expected. Raises RulesError with all that is wrong.

    `more` are kinds that only `foreign` finds.
    """
    rules = load(folder, more)
    if failed := failures(run(rules, datetime.now(UTC), foreign)):
        raise RulesError(_failed(one.example.file, one.example.line, one.as_text()) for one in failed)
    return rules


@contextmanager
def _considerate() -> Iterator[None]:
    """Let calls go on while this thread works: it gives way ten times as often as threads do, and the collector, which
    stops everybody, does not look through all that is old. Rules hold no cycles, so it would find nothing.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*thresholds[:2], NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)


def _failed(file: str, line: int, text: str) -> LoadProblem:
    return LoadProblem(file, line, 1, "examples", text.removeprefix(f"{file}:{line}: "))


class Reloader:
    """Watches one rules folder. `prepare` reads it, in a thread, and raises RulesError where it cannot be used.

    `seen` is the folder's signature from before its rules were first read.
    """

    def __init__(
        self,
        folder: Path,
        seen: bytes,
        prepare: Callable[[], Ready],
        regimes: Regimes,
        firewall: Firewall,
        tell: Tell,
    ) -> None:
        self._folder, self._prepare, self._tell = folder, prepare, tell
        self._regimes, self._firewall = regimes, firewall
        self._tried = self._last = seen
        self._tried_at = self._settled_at = monotonic()
        self._rest_s = POLL_S
        self._trouble: Sequence[LoadProblem] = ()
        self._since = ""
        self._told_at = float("-inf")
        self._asked = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, "rules")
        self._working = False

    @property
    def trouble(self) -> str:
        """Since when and why the rules in force are not those of the folder; "" where they are. Holds no value."""
        if not self._trouble:
            return ""
        first, revision = self._trouble[0], self._firewall.regime.rules.revision
        count = f"{len(self._trouble)} problems, the first" if len(self._trouble) > 1 else "one problem,"
        where = f"{first.file}:{first.line}:{first.col}"
        return f"stale since {self._since}: revision {revision} stays in force; {count} in {where}"

    def reload(self) -> None:
        """Reload as soon as possible, without waiting for the files to settle."""
        self._asked.set()

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            asked = self._asked.is_set()
            self._asked.clear()
            try:
                await self._turn(asked)
                await self._regimes.tend()
            except Exception as error:  # whatever a file system does, the watch goes on
                self._fail(self._about(f"cannot be used: internal error ({type(error).__name__})"))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s):
                    await self._asked.wait()

    async def _turn(self, asked: bool) -> None:
        started = monotonic()
        try:
            now = await self._aside(lambda: signature(self._folder))
        except TooMany as many:
            self._fail(self._about(f"is not watched: it {many}"))
            return
        self._rest_s = max(POLL_S, IDLE_SHARE * (monotonic() - started))
        if now == self._last:
            self._settled_at = monotonic()
        elif monotonic() - self._settled_at > PATIENCE_S:
            self._fail(self._about("is not read: its files change all the time"))
        if asked:
            self._told_at = float("-inf")
        if asked or (now == self._last and (now != self._tried or self._due())):
            await self._try(now)
        else:
            self._last = now

    def _due(self) -> bool:
        return bool(self._trouble) and monotonic() - self._tried_at >= PATIENCE_S

    async def _try(self, look: bytes) -> None:
        self._tried, self._tried_at, started = look, monotonic(), monotonic()
        ready, problems = await self._aside(self._read)
        self._last = await self._aside(lambda: signature(self._folder))
        if self._last != look:
            self._tried = b""  # files changed while they were read: what was read may be of two states
        elif ready is None:
            self._fail(problems)
        else:
            await self._replace(ready, started)

    def _read(self) -> tuple[Ready | None, Sequence[LoadProblem]]:
        try:
            with _considerate():
                return self._prepare(), ()
        except RulesError as error:
            return None, error.problems

    def _about(self, message: str) -> list[LoadProblem]:
        return [LoadProblem(str(self._folder), 1, 1, "", message)]

    async def _replace(self, new: Ready, started: float) -> None:
        old = self._firewall.regime.rules
        if new.rules.revision == old.revision:
            if self._trouble:
                _log.info("the rules are in order again, as revision %s", old.revision)
        else:
            words = await self._aside(lambda: changes(old, new.rules))
            self._regimes.enact(new, self._firewall)
            took = (monotonic() - started) * 1000
            said = "; ".join(words) or "no tool and no rule means anything else"
            _log.info("rules reloaded in %.0f ms: %s -> %s: %s", took, old.revision, new.rules.revision, said)
            if not new.rules.rules:
                _log.warning("there are no rules in %s any more, so every call is refused", self._folder)
            self._tell(new.rules, words)
        self._trouble = ()

    def _fail(self, problems: Sequence[LoadProblem]) -> None:
        """Be loud: at once, and again at each further try, but not at each look."""
        known, self._trouble = self._trouble, problems
        if problems == known and monotonic() - self._told_at < PATIENCE_S / 2:
            return
        self._told_at = monotonic()
        self._since = self._since if known else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._tell(None, ())
        _log.error("THE RULES WERE NOT RELOADED: %s", self.trouble)
        if problems != known:
            for problem in problems[:MOST_TOLD]:
                _log.error("rules: %s", problem)
            if len(problems) > MOST_TOLD:
                _log.error("rules: and %d more problems; `toolwall check` shows all", len(problems) - MOST_TOLD)

    async def _aside(self, work: Callable[[], _Got]) -> _Got:
        """Do what takes time in the one thread of the watch."""
        self._working = True
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._working = False

    def close(self) -> None:
        """Let go of the thread; one that still reads ends when it has read."""
        self._pool.shutdown(wait=not self._working, cancel_futures=True)

"""Orders: how a command tells the sidecar that runs on the same state folder what to do.

An order is a small file in the folder `orders` of the state folder, into which nobody else may write. The sidecar looks
there every second, does what it says, and takes the file away: that is the answer. No port is opened for it. What takes
its time is begun, and answered by a file of its own beside it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from proxy.state import state_folder

FOLDER: Final = "orders"
LOOK_S: Final = 1.0
"""Between two looks."""

PATIENCE_S: Final = 5.0
"""How long a command waits for the sidecar."""

MOST_ORDERS: Final = 100
"""Taken at one look; the others wait for the next."""

MOST_BYTES: Final = 64 * 1024
MOST_AT_ONCE: Final = 4
"""Orders under way that take their time; one more is not begun."""

ANSWER: Final = ".answer"
BEGUN: Final = ".begun"
"""Says which process is at it."""

FORGOTTEN_S: Final = 3600.0
"""After so long, an answer that nobody fetched is taken away."""

Order = Mapping[str, Any]
Does = Mapping[str, Callable[[Order], str]]
"""What can be ordered: each is given the order, and says in words what it did. ValueError for what it does not take."""


class Answer(NamedTuple):
    """What came of an order that took its time: JSON for its giver, and words for the ledger."""

    told: Any
    words: str


Works = Mapping[str, Callable[[Order], Awaitable[Answer]]]
"""What can be ordered and takes its time."""

_log = logging.getLogger("toolwall.orders")


class NotTaken(Exception):
    """No sidecar took the order."""


class NoAnswer(Exception):
    """A sidecar took the order, and gave no answer in time."""


def give(state: Path, order: Order, patience_s: float = PATIENCE_S) -> str:
    """Give an order, wait until it was taken, and return its name. Raises NotTaken, StateError, OSError."""
    folder = state_folder(state / FOLDER)
    name = f"{time.time_ns()}-{secrets.token_hex(4)}"
    path = folder / f"{name}.json"
    _write(path, order)
    until = time.monotonic() + patience_s
    while path.exists():
        if time.monotonic() > until:
            path.unlink(missing_ok=True)
            raise NotTaken
        time.sleep(0.02)
    return name


def ask(state: Path, order: Order, most_s: float, patience_s: float = PATIENCE_S) -> Any:
    """Give an order that takes its time, and wait for its answer, which is JSON. Raises NotTaken, StateError, OSError,
    and NoAnswer where the sidecar ended in the middle, or `most_s` are over.
    """
    name = give(state, order, patience_s)
    begun, answer = (state / FOLDER / f"{name}{suffix}" for suffix in (BEGUN, ANSWER))
    until = time.monotonic() + most_s
    try:
        while not answer.exists():
            if time.monotonic() > until or (not _is_alive(begun) and not answer.exists()):
                raise NoAnswer
            time.sleep(0.05)
        return json.loads(answer.read_bytes())
    finally:
        begun.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)


def _is_alive(begun: Path) -> bool:
    """Whether the process is there that has begun."""
    try:
        os.kill(int(begun.read_text()), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    except PermissionError:  # it belongs to somebody else
        pass
    return True


class Orders:
    """Takes the orders that lie in a state folder. `done` is told of each in words, for the ledger. `works` are those
    that take their time.
    """

    def __init__(self, state: Path, does: Does, done: Callable[[str, str], None], works: Works | None = None) -> None:
        self._folder = state / FOLDER
        self._does = does
        self._done = done
        self._works = works or {}
        self._underway: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Watch until cancelled. What was ordered while no sidecar ran is not done later."""
        self._take(do=False)
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self._take()
        finally:
            for task in self._underway:
                task.cancel()
            if self._underway:
                await asyncio.wait(set(self._underway))

    def _take(self, do: bool = True) -> None:
        with suppress(OSError):
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
            for name in names[:MOST_ORDERS]:
                if do:
                    self._try(self._folder / name)
                (self._folder / name).unlink(missing_ok=True)
            for name in os.listdir(self._folder):
                if name.endswith((ANSWER, BEGUN)) and (not do or _age_s(self._folder / name) > FORGOTTEN_S):
                    (self._folder / name).unlink(missing_ok=True)

    def _try(self, path: Path) -> None:
        try:
            order = _read(path)
            if order["do"] in self._works:
                self._begin(order, path.stem)
                return
            said = self._does[order["do"]](order)
        except (OSError, ValueError, KeyError, TypeError) as error:  # its text may repeat what stands there
            _log.error("an order could not be carried out: %s", type(error).__name__)
            return
        _log.info("order %s: %s", order["do"], said)
        self._done(order["do"], said)

    def _begin(self, order: Order, name: str) -> None:
        if len(self._underway) >= MOST_AT_ONCE:
            self._answer(name, {"error": "The sidecar has other orders to carry out. Try again."})
            return
        _write(self._folder / f"{name}{BEGUN}", os.getpid())
        task = asyncio.get_running_loop().create_task(self._work(order, name))
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)

    async def _work(self, order: Order, name: str) -> None:
        try:
            answer = await self._works[order["do"]](order)
        except asyncio.CancelledError:
            answer = Answer({"error": "The sidecar was stopped in the middle."}, "stopped in the middle")
        except Exception as error:  # its text may hold values
            _log.error("an order could not be carried out: %s", type(error).__name__)
            answer = Answer({"error": "The sidecar could not carry it out; its log says more."}, "failed")
        _log.info("order %s: %s", order["do"], answer.words)
        self._done(order["do"], answer.words)
        self._answer(name, answer.told)

    def _answer(self, name: str, told: Any) -> None:
        try:
            _write(self._folder / f"{name}{ANSWER}", told)
            (self._folder / f"{name}{BEGUN}").unlink(missing_ok=True)
        except OSError as error:  # whoever waits for it is told that there is none
            _log.error("the answer to an order could not be written: %s", error.strerror)


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _write(path: Path, value: Any) -> None:
    """Write a file that appears as a whole. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(value, file)
    fresh.rename(path)


def _read(path: Path) -> dict[str, Any]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        order = json.loads(file.read(MOST_BYTES))
    if not isinstance(order, dict) or not isinstance(order.get("do"), str):
        raise ValueError
    return order

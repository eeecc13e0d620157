"""Orders: how a command tells the sidecar that runs on the same state folder what to do.

An order is a small file in the folder `orders` of the state folder, into which nobody else may write. The sidecar looks
there every second, does what it says, and takes the file away: that is the answer. No port is opened for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from proxy.state import state_folder

FOLDER: Final = "orders"
LOOK_S: Final = 1.0
"""Between two looks."""

PATIENCE_S: Final = 5.0
"""How long a command waits for the sidecar."""

MOST_ORDERS: Final = 100
"""Taken at one look; the others wait for the next."""

MOST_BYTES: Final = 64 * 1024

Order = Mapping[str, Any]
Does = Mapping[str, Callable[[Order], str]]
"""What can be ordered: each is given the order, and says in words what it did. ValueError for what it does not take."""

_log = logging.getLogger("toolwall.orders")


class NotTaken(Exception):
    """No sidecar took the order."""


def give(state: Path, order: Order, patience_s: float = PATIENCE_S) -> None:
    """Give an order, and wait until it was taken. Raises NotTaken, StateError, OSError."""
    folder = state_folder(state / FOLDER)
    name = f"{time.time_ns()}-{secrets.token_hex(4)}"
    fresh, path = folder / f".{name}", folder / f"{name}.json"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(order, file)
    fresh.rename(path)  # it appears as a whole
    until = time.monotonic() + patience_s
    while path.exists():
        if time.monotonic() > until:
            path.unlink(missing_ok=True)
            raise NotTaken
        time.sleep(0.02)


class Orders:
    """Takes the orders that lie in a state folder. `done` is told of each in words, for the ledger."""

    def __init__(self, state: Path, does: Does, done: Callable[[str, str], None]) -> None:
        self._folder = state / FOLDER
        self._does = does
        self._done = done

    async def watch(self) -> None:
        """Watch until cancelled. What was ordered while no sidecar ran is not done later."""
        self._take(do=False)
        while True:
            await asyncio.sleep(LOOK_S)
            self._take()

    def _take(self, do: bool = True) -> None:
        with suppress(OSError):
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
            for name in names[:MOST_ORDERS]:
                if do:
                    self._try(self._folder / name)
                (self._folder / name).unlink(missing_ok=True)

    def _try(self, path: Path) -> None:
        try:
            order = _read(path)
            said = self._does[order["do"]](order)
        except (OSError, ValueError, KeyError, TypeError) as error:  # its text may repeat what stands there
            _log.error("an order could not be carried out: %s", type(error).__name__)
            return
        _log.info("order %s: %s", order["do"], said)
        self._done(order["do"], said)


def _read(path: Path) -> dict[str, Any]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        order = json.loads(file.read(MOST_BYTES))
    if not isinstance(order, dict) or not isinstance(order.get("do"), str):
        raise ValueError
    return order

"""Places: so many requests to one backend at once, and a queue in front of them."""

from __future__ import annotations

import asyncio
from collections import deque

from proxy.crowd import Crowd
from rules.terms import Bulkhead


class Full(Exception):
    """All places are taken, and the queue is full or did not move in time."""


class Places:
    """The places of one backend. Whoever took one gives it back. First come, first served: with a queue of twice the
    places, the last waits twice as long as a request takes. While more come than that, a quarter as many wait as there
    are places: enough for few to be empty.
    """

    __slots__ = ("_crowd", "_free", "_terms", "_waiting")

    def __init__(self, terms: Bulkhead) -> None:
        self._terms = terms
        self._free = terms.at_once
        self._crowd = Crowd(terms.at_once + terms.queue, (terms.at_once + 3) // 4)
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def taken(self) -> int:
        """Requests that hold a place."""
        return self._terms.at_once - self._free

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a place if one is free: then nobody waits."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Take a place as soon as one is free. Raises Full."""
        loop = asyncio.get_running_loop()
        if self._crowd.turns_away(self._terms.at_once, len(self._waiting), loop.time()):
            raise Full
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._terms.wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came at the very moment
                self.give()
            elif turn in self._waiting:  # else it was passed over while nobody waited any more
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise Full from None
            raise

    def give(self) -> None:
        """Give a place back: to the first who waits, if any."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

"""Admission: the messages of one listener wait here for their turn, and where more come than can be served, some are
refused at once, so that what is let in is answered in time.

Work that was begun goes before: each turn of the event loop lets in but a few, in the order in which they came. As
long as all fit into the bound on calls, they wait for as long as it takes; else only a few may wait (see `crowd`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from proxy.crowd import Crowd

LET_IN: Final = 3
"""Messages that begin in one turn of the event loop, which then looks after those that have begun."""

REFUSED: Final = 6
"""Messages that are refused in one turn of it: that is work too, a fifth of a call, and must not take all there is."""

SHORT: Final = 4
"""Messages that may wait while more come than can be served: enough for the sidecar not to be idle between two."""


class Admission:
    """Of one listener. `calls` are those under way, counted by who answers them; a message is `counted` where it is one
    of them already.
    """

    __slots__ = ("_begun", "_crowd", "_most", "_refused", "_told", "_turning", "_waiting", "calls")

    def __init__(self, most_calls: int) -> None:
        self._most = most_calls
        self._crowd = Crowd(most_calls, SHORT)
        self._waiting: deque[_Turn] = deque()
        self._refused: deque[_Turn] = deque()
        self._begun = self._told = 0
        self._turning = False
        self.calls = 0

    @property
    def is_full(self) -> bool:
        """Whether as many calls are under way as may be."""
        return self.calls >= self._most

    def take(self, counted: bool = False) -> bool:
        """Whether a message may be served at once."""
        if self._waiting or self._begun >= LET_IN or self.calls - counted >= self._most:
            return False
        self._begun += 1
        self._turn()
        return True

    async def wait(self, counted: bool = False) -> bool:
        """Wait for the turn of a message; whether it may be served then."""
        loop = asyncio.get_running_loop()
        away = self._crowd.turns_away(self.calls - counted, len(self._waiting), loop.time())
        self._turn()
        if away and self._told < REFUSED:
            self._told += 1
            return False
        turn: _Turn = loop.create_future()
        (self._refused if away else self._waiting).append(turn)
        await turn
        return not away and self.calls - counted < self._most

    def _turn(self) -> None:
        """Have the next turn of the event loop begin with the next few."""
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._turning = False
        self._begun, self._told = _wake(self._waiting, LET_IN), _wake(self._refused, REFUSED)
        if self._begun or self._told:
            self._turn()


_Turn = asyncio.Future[None]


def _wake(queue: deque[_Turn], most: int) -> int:
    """Wake up to so many of those that still wait; how many there were."""
    woken = 0
    while queue and woken < most:
        turn = queue.popleft()
        if not turn.done():  # else its agent has left
            turn.set_result(None)
            woken += 1
    return woken

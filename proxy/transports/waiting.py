"""Waiting: the connections that say nothing whole at the moment. Who needs room may have the oldest of them closed."""

from __future__ import annotations

from typing import Protocol


class Closable(Protocol):
    """A connection."""

    def give_way(self) -> None:
        """Close it at once."""


class Waiting:
    """Connections in order of their waiting. Those that never said anything whole go first: a thousand of them that
    send their heads byte by byte take no room from agents that call."""

    __slots__ = ("_known", "_new")

    def __init__(self) -> None:
        self._new: dict[Closable, None] = {}
        self._known: dict[Closable, None] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._known)

    def came(self, connection: Closable) -> None:
        """A connection that has said nothing yet."""
        self._new[connection] = None

    def speaks(self, connection: Closable) -> None:
        """It has said something whole and waits no more."""
        self._new.pop(connection, None)
        self._known.pop(connection, None)

    def rests(self, connection: Closable) -> None:
        """It was answered and waits again."""
        self._known[connection] = None

    def close_oldest(self) -> bool:
        """Close the one that has waited longest; whether there is one."""
        for group in (self._new, self._known):
            if group:
                connection = next(iter(group))
                del group[connection]
                connection.give_way()
                return True
        return False

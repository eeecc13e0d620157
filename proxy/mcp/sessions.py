"""Sessions of MCP servers: whose each is. An id proves nothing: in anybody else's hands there is no such session."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from typing import Any, Final

from proxy.errors import Refusal

MOST_SESSIONS: Final = 10_000
MOST_OF_ONE: Final = 1_000
"""Sessions of one principal; the one that was used longest ago goes first, and nobody else's goes for it."""

MOST_WAITING: Final = 100
"""Requests of a server that wait for a client's answer, in one session."""

_ID: Final = re.compile(r"[\x21-\x7e]{1,1024}")

Key = tuple[str, str]
"""A backend and the id of a session there."""


class BadSession(Exception):
    """A server named a session as no session may be named, or by the name of somebody else's."""


class Session:
    """One session. `waiting` are the server's requests that the client is to answer: their method by their id."""

    __slots__ = ("_going_on", "principal", "waiting")

    def __init__(self, principal: str) -> None:
        self.principal = principal
        self.waiting: dict[str, str] = {}
        self._going_on: dict[str, None] = {}

    def goes_on(self, token: Any) -> None:
        """A request goes on as a task: its progress is told wherever the server talks in this session. That of the task
        which began longest ago may not be any more."""
        if len(self._going_on) >= MOST_WAITING:
            del self._going_on[next(iter(self._going_on))]
        self._going_on[json.dumps(token)] = None

    def has_task(self, token: Any) -> bool:
        """Whether it is the token of a request that went on as a task."""
        return json.dumps(token) in self._going_on

    def is_free(self, id: bytes) -> bool:
        """Whether nothing else that the server asked has this id."""
        return _plain(id) not in self.waiting

    def ask(self, id: bytes, method: str) -> None:
        """The server asked something, and waits; what it asked longest ago is not waited for any more."""
        if len(self.waiting) >= MOST_WAITING:
            del self.waiting[next(iter(self.waiting))]
        self.waiting[_plain(id)] = method

    def cancelled(self, id: Any) -> None:
        """The server does not wait for it any more."""
        self.waiting.pop(json.dumps(id), None)

    def answered(self, id: bytes) -> str | None:
        """The method of what the server asked by this id, once; None where it asked nothing."""
        return self.waiting.pop(_plain(id), None)


class Sessions:
    """All sessions, in the order of their last use."""

    def __init__(self) -> None:
        self._all: OrderedDict[Key, Session] = OrderedDict()
        self._of: dict[str, OrderedDict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def bind(self, backend: str, id: str, principal: str) -> None:
        """A server began a session with this principal. Raises BadSession."""
        key = backend, id
        known = self._all.get(key)
        if not _ID.fullmatch(id) or (known and known.principal != principal):
            raise BadSession
        if known:
            return
        own = self._of.setdefault(principal, OrderedDict())
        if len(own) >= MOST_OF_ONE:
            self.forget(*next(iter(own)))
        elif len(self._all) >= MOST_SESSIONS:
            self.forget(*next(iter(self._all)))
        self._all[key] = Session(principal)
        self._of.setdefault(principal, own)[key] = None

    def of(self, backend: str, id: str, principal: str) -> Session:
        """The session that a caller names. Raises Refusal, in the same words for one that never was."""
        session = self._all.get((backend, id))
        if session is None or session.principal != principal:
            raise gone()
        self._all.move_to_end((backend, id))
        self._of[principal].move_to_end((backend, id))
        return session

    def forget(self, backend: str, id: str) -> None:
        """It is over."""
        session = self._all.pop((backend, id), None)
        if session is None:
            return
        own = self._of[session.principal]
        del own[backend, id]
        if not own:
            del self._of[session.principal]


def _plain(id: bytes) -> str:
    """An id, however it is spelt."""
    return json.dumps(json.loads(id))


def gone() -> Refusal:
    """The answer to who names a session that is over, never was, or is somebody else's."""
    return Refusal(
        "unknown_session",
        "There is no session of this id. It may be over.",
        suggestion="Begin a new session with `initialize`, without a session id.",
    )

"""What the sidecar keeps to speak to MCP servers in the place of clients: the era of each, and sessions of its own."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic
from typing import Final, Literal, NamedTuple
from weakref import WeakValueDictionary

from proxy.errors import Refusal
from proxy.mcp.sessions import BadSession, Sessions
from proxy.model import Call
from proxy.protocols.methods import LEGACY, MODERN
from rules.tools import Backend

MOST_JOINED: Final = 10_000
"""Sessions of the sidecar's own; the one that was used longest ago goes first."""

MOST_OF_ONE: Final = 1_000
"""Of one principal, however many credentials it brings; nobody else's goes for it."""

IDLE_S: Final = 1800.0
"""How long a session is kept without a call. Servers forget theirs as well, and nobody is told which did so first."""

Era = Literal["modern", "legacy", ""]
"""Whether a server does without sessions; empty where nobody knows."""

Key = tuple[str, str]
"""A backend, and whose session it is: nobody can write that down who is not the same to the server in every way."""

_NOT_THEIRS: Final = frozenset({"accept", "content-type", "via", "forwarded"})


class Joined(NamedTuple):
    """One session: its id, empty where the server keeps none, its revision, when it was last used, and the id of the
    principal for which it was begun."""

    id: str
    revision: str
    used: float
    owner: str = ""


class Joins:
    """`sessions` are those of clients: nobody gets into one of these by its id, and no id is there twice."""

    def __init__(self, sessions: Sessions, clock: Callable[[], float] = monotonic) -> None:
        self._sessions = sessions
        self._clock = clock
        self._all: OrderedDict[Key, Joined] = OrderedDict()
        self._of: dict[str, OrderedDict[Key, None]] = {}
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._eras: dict[str, tuple[str, Era]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def era(self, backend: Backend) -> Era:
        """The era of a server, as it was found last; before that, by what was accepted of it."""
        url, era = self._eras.get(backend.name, ("", ""))
        if url == str(backend.url):
            return era
        revision = backend.mcp.revision if backend.mcp else ""
        return "modern" if revision in MODERN else "legacy" if revision in LEGACY else ""

    def learn(self, backend: Backend, era: Era) -> None:
        """The server was found to be of this era, or seems to be of it no more."""
        self._eras[backend.name] = str(backend.url), era

    def turn(self, key: Key) -> asyncio.Lock:
        """Whoever begins a session has it, so that calls that come at once begin one."""
        return self._turns.setdefault(key, asyncio.Lock())

    def of(self, key: Key) -> Joined | None:
        """The session of somebody with a backend, unless it is over."""
        joined = self._all.get(key)
        if joined is None or not self._is_there(key, joined):
            self.forget(key)
            return None
        joined = self._all[key] = joined._replace(used=self._clock())
        self._all.move_to_end(key)
        self._of[joined.owner].move_to_end(key)
        return joined

    def _is_there(self, key: Key, joined: Joined) -> bool:
        if self._clock() - joined.used >= IDLE_S:
            return False
        try:
            return not joined.id or bool(self._sessions.of(key[0], joined.id, key[1]))
        except Refusal:
            return False

    def begin(self, key: Key, id: str, revision: str, owner: str) -> Joined:
        """A server began a session for a principal. Raises BadSession where it gave the id of another."""
        self._tidy(owner)
        if id:
            try:
                self._sessions.of(key[0], id, key[1])
            except Refusal:
                self._sessions.bind(key[0], id, key[1])
            else:
                raise BadSession
        joined = self._all[key] = Joined(id, revision, self._clock(), owner)
        self._of.setdefault(owner, OrderedDict())[key] = None
        return joined

    def _tidy(self, owner: str) -> None:
        """Forget what nobody used for long, and make room for one more of this principal's."""
        own = self._of.get(owner)
        if own is not None and len(own) >= MOST_OF_ONE:
            self.forget(next(iter(own)))
        while self._all:
            key, joined = next(iter(self._all.items()))
            if len(self._all) < MOST_JOINED and self._clock() - joined.used < IDLE_S:
                return
            self.forget(key)

    def forget(self, key: Key, id: str | None = None) -> None:
        """It is over; where an id is given, only if it is still that one."""
        joined = self._all.get(key)
        if joined is None or id not in (None, joined.id):
            return
        del self._all[key]
        own = self._of[joined.owner]
        del own[key]
        if not own:
            del self._of[joined.owner]
        if joined.id:
            self._sessions.forget(key[0], joined.id)


def key_of(call: Call, came: Call, backend: Backend) -> Key:
    """Whose session a call has. Two callers have one together only if they are one principal, and bring the same
    credential; where the sidecar's own is another for each run, each run has one. `came` is the call as it came in,
    before anything was put into it."""
    who = call.principal
    theirs = [pair for pair in came.outgoing.headers if pair[0] not in _NOT_THEIRS]
    run = call.run.id if any(spec.origin.per == "run" for spec in backend.injects) else ""
    whole = json.dumps([who.id, who.agent, who.user, who.method, theirs, str(backend.url), run])
    return backend.name, "\0" + blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()

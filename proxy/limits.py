"""Counts of calls under limits: in a moving window, and at once. All of a call's limits are checked, then all taken.

`take` and `leave` are the whole interface: a store that several sidecars share can stand in for this one. The library
`limits` has the same windows, but takes one limit at a time across awaits (a call that the second one refuses has used
up the first), and twice the time for it: 39 us for two limits.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import product
from math import inf
from typing import Final, NamedTuple

from proxy.model import Call
from rules.obligations import Limit, Per

MOST_KEYS: Final = 100_000
"""Windows of callers and tools at once; beyond, a caller who has none yet is refused. They end by themselves."""

MOST_RUNS: Final = 10_000
"""Windows of runs; beyond, the run that was silent longest is forgotten. Callers choose the names of their runs, so
nobody gains by it what a new name would not give."""

EXACT: Final = 128
"""Calls of one window that are remembered one by one. More are remembered in groups, each as long as a GRAIN of the
window and counted until its last call leaves: never too many calls, and the next one at most 1 % late."""

GRAIN: Final = 100
CROWDED_S: Final = 60.0
SWEEP_AT: Final = 1024
SWEEP_S: Final = 10.0
"""Windows without calls are looked for at most so often: a look at all of them takes some 20 ms."""

Key = tuple[object, ...]


class Place(NamedTuple):
    """One count that a call takes part in."""

    limit: Limit
    key: Key


class Room(NamedTuple):
    """What is left under a limit, and after how many seconds there will be more; `inf` where nobody can know."""

    limit: Limit
    left: int
    more_s: float


class Full(Exception):
    """At least one limit has no room. `rooms` are those of all limits of the call; nothing was taken."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        super().__init__("no room")
        self.rooms = rooms


class Counts:
    """Where calls count under these limits, found once for all calls that they govern."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits = tuple(limits)
        self._plain = all("role" not in limit.per for limit in limits)
        self._known = [
            (limit, (limit.owner, limit.per, limit.within_s), [NAMES[per] for per in limit.per]) for limit in limits
        ]

    def places(self, call: Call) -> list[Place]:
        """Those of one call. Who has several roles counts under each of them, all who have none count together."""
        if self._plain:
            return [Place(limit, (*start, *[of(call) for of in names])) for limit, start, names in self._known]
        return [
            Place(limit, (*start, *names))
            for limit, start, _ in self._known
            for names in product(*[_roles(call) if per == "role" else (NAMES[per](call),) for per in limit.per])
        ]


def _roles(call: Call) -> Sequence[str]:
    return sorted(call.principal.roles) or ("",)


NAMES: Final[dict[Per, Callable[[Call], object]]] = {
    "principal": lambda call: call.principal.id,
    "agent": lambda call: call.principal.agent,
    "user": lambda call: call.principal.user,
    "role": _roles,
    "run": lambda call: (call.principal.id, call.run.id),
    "tool": lambda call: call.tool.name,
    "backend": lambda call: call.tool.backend,
}


class _Group:
    """Some calls of a window: when the first and the last came, and how many."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float) -> None:
        self.first = self.last = now
        self.count = 1


class _Window:
    """The calls of the last `within_s` seconds."""

    __slots__ = ("groups", "used", "within_s")

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self.groups: deque[_Group] = deque()
        self.used = 0

    def pass_(self, now: float) -> int:
        """Forget what is over; how many calls are left."""
        groups, over = self.groups, now - self.within_s
        while groups and groups[0].last <= over:
            self.used -= groups.popleft().count
        return self.used

    def add(self, now: float) -> None:
        groups = self.groups
        self.used += 1
        if len(groups) >= EXACT and now - groups[-1].first < self.within_s / GRAIN:
            groups[-1].last = now
            groups[-1].count += 1
        else:
            groups.append(_Group(now))

    def falls_below(self, calls: int, now: float) -> float:
        """After how many seconds fewer than `calls` are left."""
        left = self.used
        for group in self.groups:
            if left < calls:
                break
            left, end = left - group.count, group.last
        return end + self.within_s - now if left < self.used else 0.0


class Limits:
    """All counts of one sidecar, in its memory. Without an await inside, each `take` is one step for everybody."""

    def __init__(self) -> None:
        self._windows: dict[Key, _Window] = {}
        self._runs: OrderedDict[Key, _Window] = OrderedDict()
        self._at_once: dict[Key, int] = {}
        self._inside: dict[str, list[Key]] = {}
        self._sweep_at = SWEEP_AT
        self._swept = -inf

    def __len__(self) -> int:
        return len(self._windows) + len(self._runs) + len(self._at_once)

    async def take(self, call_id: str, places: Sequence[Place], now: float) -> list[Room]:
        """Count a call at all places. Raises Full where one has no room, and counts it at none. `now` is monotonic."""
        if len(self._windows) >= self._sweep_at and now - self._swept >= SWEEP_S:
            self._sweep(now)
        rooms = [self._room(place, now) for place in places]
        for room in rooms:
            if room.left < 1:
                raise Full(rooms)
        return [self._take(call_id, place, room, now) for place, room in zip(places, rooms, strict=True)]

    def leave(self, call_id: str) -> None:
        """The call is over: it no longer counts among those at once."""
        for key in self._inside.pop(call_id, ()):
            if self._at_once[key] == 1:
                del self._at_once[key]
            else:
                self._at_once[key] -= 1

    def _room(self, place: Place, now: float) -> Room:
        limit, key = place
        if not limit.within_s:
            return Room(limit, limit.calls - self._at_once.get(key, 0), inf)
        window = self._store(limit).get(key)
        if window is None:
            crowded = len(self._windows) >= MOST_KEYS and "run" not in limit.per
            return Room(limit, 0 if crowded else limit.calls, CROWDED_S if crowded else 0.0)
        left = limit.calls - window.pass_(now)
        return Room(limit, max(left, 0), window.falls_below(min(limit.calls, window.used), now))

    def _take(self, call_id: str, place: Place, room: Room, now: float) -> Room:
        limit, key = place
        if not limit.within_s:
            self._at_once[key] = self._at_once.get(key, 0) + 1
            self._inside.setdefault(call_id, []).append(key)
            return Room(limit, room.left - 1, inf)
        window = self._store(limit).get(key) or self._open(limit, key)
        window.add(now)
        if "run" in limit.per:
            self._runs.move_to_end(key)
        return Room(limit, room.left - 1, room.more_s or limit.within_s)

    def _store(self, limit: Limit) -> dict[Key, _Window]:
        return self._runs if "run" in limit.per else self._windows

    def _open(self, limit: Limit, key: Key) -> _Window:
        window = self._store(limit)[key] = _Window(limit.within_s)
        if len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)
        return window

    def _sweep(self, now: float) -> None:
        """Forget windows without calls. The next sweep comes when there are twice as many, so its cost is shared."""
        self._windows = {key: window for key, window in self._windows.items() if window.pass_(now)}
        self._swept = now
        self._sweep_at = min(max(SWEEP_AT, 2 * len(self._windows)), MOST_KEYS)

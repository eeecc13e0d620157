"""Limit: a call that would be one too many is refused, and told when there is room again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from math import ceil, inf
from time import monotonic

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.limits import Counts, Full, Limits, Room
from proxy.model import Call, Headers, Result, Send
from proxy.record import Record
from rules.decide import Decision
from rules.obligations import Limit, Obligation, lasting, only
from rules.tools import Tool

_AGAIN_S = 1
"""When a place among the calls at once is free, nobody can know: ask again soon."""

MOST_TERMS = 10_000
"""Sets of limits that are kept ready; beyond, all are made anew."""


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the decision demands a limit."""
    return bool(only(Limit, decision.obligations))


class Limiting:
    """The guard, with the counts of this sidecar, which outlive the rules."""

    __name__ = "limit"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._terms: dict[tuple[Obligation, ...], Terms] = {}

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Count the call under all its limits or under none, and say in the answer what is left."""
        terms = self._terms.get(entry.obligations) or self._read(entry.obligations)
        try:
            rooms = await self._limits.take(call.id, terms.counts.places(call), monotonic())
        except Full as full:
            raise _refusal(full.rooms, terms) from None
        if terms.at_once:
            entry.at_end(self._over)
        entry.check(self.__name__)
        told = terms.headers(rooms)
        try:
            result = await send(call, entry)
        except Refusal as no:
            no.headers += told
            raise
        # Those of the backend are about its other clients as well, and often in an older form.
        result.headers = [pair for pair in result.headers if not pair[0].startswith("ratelimit")]
        result.headers += told
        return result

    def _read(self, obligations: tuple[Obligation, ...]) -> Terms:
        if len(self._terms) >= MOST_TERMS:
            self._terms.clear()
        terms = self._terms[obligations] = Terms(only(Limit, obligations))
        return terms

    def _over(self, record: Record) -> None:
        self._limits.leave(record.call)


class Terms:
    """Some limits as they are counted and told: `RateLimit-Policy` and `RateLimit` as in
    draft-ietf-httpapi-ratelimit-headers-10, with one policy for each limit.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.counts = Counts(limits)
        self.at_once = any(not limit.within_s for limit in limits)
        self._names: dict[Limit, str] = {}
        for limit in limits:
            self._names[limit] = _unlike(_name(limit), self._names.values())
        policies = [f'"{name}";{_policy(limit)}' for limit, name in self._names.items()]
        self._policy = ("RateLimit-Policy", ", ".join(policies))

    def headers(self, rooms: Sequence[Room]) -> Headers:
        """What is left. Of several counts under one limit, as of roles, the one with the least is told."""
        if len(rooms) > len(self._names):
            tightest = {room.limit: room for room in sorted(rooms, key=lambda room: (-room.left, room.more_s))}
            rooms = [tightest[limit] for limit in self._names]
        left = [
            f'"{name}";r={room.left}{_time(room.more_s)}'
            for name, room in zip(self._names.values(), rooms, strict=True)
        ]
        return self._policy, ("RateLimit", ", ".join(left))


def _refusal(rooms: Sequence[Room], terms: Terms) -> Refusal:
    full = [room for room in rooms if room.left < 1]
    wait = max(_wait(room) for room in full)
    limit = max(full, key=_wait).limit
    when = f"in {lasting(limit.within_s)}" if limit.within_s else "at once"
    return Refusal(
        "limit_reached",
        f"At most {limit.calls} call{'s' * (limit.calls > 1)} {when} may be made. Nothing was sent.",
        suggestion=f"Wait {wait} s, then repeat the call.",
        retry_after=wait,
        headers=terms.headers(rooms),
        note="; ".join(f"{room.limit.owner}: {room.limit.as_text()}" for room in full),
    )


def _wait(room: Room) -> int:
    return _AGAIN_S if room.more_s == inf else max(ceil(room.more_s), 1)


def _name(limit: Limit) -> str:
    """What is counted together, and the time: `principal-tool-1h`, or `crm-1m` for all calls of a backend or tool."""
    kind, _, name = limit.owner.partition(" ")
    whole = "all" if kind == "rule" else name
    return "-".join((*(limit.per or (whole,)), _span(limit)))


def _unlike(name: str, others: Collection[str]) -> str:
    """The name, with a number where others have it already: two rules may limit the same."""
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in others else next(each for each in numbered if each not in others)


def _span(limit: Limit) -> str:
    return lasting(limit.within_s) if limit.within_s else "at-once"


def _policy(limit: Limit) -> str:
    window = f"w={ceil(limit.within_s)}" if limit.within_s else 'qu="concurrent-requests"'
    return f"q={limit.calls};{window}"


def _time(more_s: float) -> str:
    return "" if more_s in (0.0, inf) else f";t={ceil(more_s)}"

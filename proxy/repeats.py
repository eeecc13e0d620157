"""Repeats: an agent that makes the same failing call again and again is told so, and then stopped."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from proxy.errors import Refusal
from proxy.model import Call, Result
from proxy.record import Record
from proxy.runs import IDLE_SECONDS, MOST_RUNS

ADVISED_AT = 3
"""From this failure of one call on, the advice is firmer: once may be chance, twice a retry."""

STOPPED_AT = 10
"""This call of a run that did nothing but fail, and all after it, are not tried."""

MOST_CALLS = 32
"""Failing calls of one run that are remembered; the one that failed longest ago is forgotten."""

_NOT_FAILURES = frozenset({"approval_pending", "limit_reached"})
"""Whoever waits for a human, or for room under a limit, was asked to repeat the call. So was whoever is to come again
before the backend was asked at all: it is left alone, or the disk is full, which says nothing of the call."""

_CREDENTIALS = frozenset({"authorization", "cookie"})

Key = tuple[object, ...]


@dataclass(slots=True)
class _Failed:
    count: int
    last: float


class Repeats:
    """What failed in the runs under way. A failure is a refusal, or an error status of the backend.

    Messages that a protocol needs do not count: it is no agent that sends them, but a client that waits for its server.

    It is forgotten when the same call succeeds, when the rules change, when the run is forgotten, and IDLE_SECONDS
    after it happened: a backend that was down for a while must not be out of reach for ever. Calls under way at the
    same time do not know each other.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[Key, OrderedDict[Key, _Failed]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._runs.values()))

    def check(self, call: Call, record: Record, now: float) -> None:
        """Raise Refusal for a call that failed too often. `now` is in monotonic seconds."""
        calls = self._runs.get(_run(call)) if self._runs and _is_chosen(call) else None
        failed = calls.get(_key(call, record)) if calls else None
        if failed and failed.count >= STOPPED_AT - 1 and now - failed.last <= IDLE_SECONDS:
            raise Refusal(
                "denied",
                f"This exact call failed {failed.count} times in this run. It was not tried again; nothing was sent.",
                suggestion="Do not repeat it. Use other arguments, choose another way, or tell the user.",
                note=f"stopped: the same call failed {failed.count} times in its run",
            )

    def refused(self, call: Call, record: Record, refusal: Refusal, now: float) -> None:
        """Note a refusal; its advice becomes firmer the third time."""
        waits = refusal.code in _NOT_FAILURES or (refusal.retry == "after_delay" and not record.attempts)
        if waits or refusal.ours or not _is_chosen(call):
            return
        count = self._failed(call, record, now)
        if count >= ADVISED_AT:
            kept = "" if refusal.retry == "after_delay" else f" {refusal.suggestion}"
            refusal.suggestion = _firmly(count) + kept

    def answered(self, call: Call, record: Record, result: Result, now: float) -> None:
        """Note an answer; an error of the backend that came three times is marked by a header."""
        if result.status >= 400 and _is_chosen(call):
            count = self._failed(call, record, now)
            if count >= ADVISED_AT:
                result.headers.append(("toolwall-repeated", str(count)))
        elif self._runs and (calls := self._runs.get(_run(call))):
            calls.pop(_key(call, record), None)

    def _failed(self, call: Call, record: Record, now: float) -> int:
        calls = self._runs.setdefault(_run(call), OrderedDict())
        key = _key(call, record)
        failed = calls.setdefault(key, _Failed(0, now))
        failed.count = failed.count + 1 if now - failed.last <= IDLE_SECONDS else 1
        failed.last = now
        self._runs.move_to_end(_run(call))
        calls.move_to_end(key)
        if len(calls) > MOST_CALLS:
            calls.popitem(last=False)
        if len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)
        return failed.count


def _is_chosen(call: Call) -> bool:
    """Whether it is for an agent to make it or not."""
    return call.tool.is_rest or not call.tool.is_plumbing


def _run(call: Call) -> Key:
    return call.principal.id, call.run.id


def _key(call: Call, record: Record) -> Key:
    """What makes two calls the same. What could not be placed is no argument, so then the bytes count as well; and
    other rules, or another credential of the caller's, may be answered otherwise."""
    sent = hash((call.outgoing.target, call.outgoing.body)) if call.problems else 0
    names = _CREDENTIALS | call.tool.slots.headers
    own = hash((tuple(pair for pair in call.outgoing.headers if pair[0] in names), call.query_keys))
    return call.tool.name, record.arguments_hash, sent, own, record.revision


def _firmly(count: int) -> str:
    return (
        f"This exact call has failed {count} times in this run. Stop repeating it unchanged: the same will happen, and "
        f"after {STOPPED_AT - 1} failures it is not tried any more."
    )

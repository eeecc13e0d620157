"""Cache: the answer of a read is given again to the same call for a while, and calls that ask at once share one.

Only what left the guards below is kept, so all of it is cleaned. Nothing that a backend says makes an answer last
longer, or for more callers, than the contract says.
"""

from __future__ import annotations

import asyncio
import hashlib
from time import monotonic, time
from typing import Final

from proxy.body import Body
from proxy.deadlines import is_too_late, left_s
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import not_sent
from proxy.replies.answers import Answer, Answers, Key, replayed
from rules.caching import Caching
from rules.decide import Decision
from rules.tools import Tool

_OWN: Final = frozenset({"via", "forwarded", "traceparent", "tracestate"})
"""Headers of a request that are of one call only, and that no answer depends on."""

_PARTIAL: Final = ("if-", "range")
"""Headers of a call that asks for less than the whole answer begin so."""

_KEPT_STATUS: Final = 200

_LATER: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing of what was asked for, only that it should be asked for later."""

_STANDS_IN: Final = frozenset({"upstream_unreachable", "upstream_unhealthy", "timeout"})
"""The refusals in whose place an older answer may be given."""

MOST_JOINS: Final = 3
"""So often a call waits for another that asks the same, whose caller then leaves, before it asks for itself."""


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool's answers are kept, or make others stale."""
    return tool.caching is not None or bool(tool.invalidates)


class Cache:
    """The guard, with the answers that are kept."""

    __name__ = "cache"

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._asked: dict[Key, asyncio.Future[Answer | None]] = {}

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Give a kept answer again, or let the call go on and keep what comes back."""
        entry.check(self.__name__)
        tool = call.tool
        if tool.invalidates:
            try:
                return await send(call, entry)
            finally:
                if entry.sent:  # also where the answer was lost: it may have happened
                    self._answers.invalidate(tool.invalidates)
        asks = entry.hail.behalf and entry.hail.behalf.hear  # how it is now, not how it was
        if tool.caching is None or asks or _is_partial(call):
            return await send(call, entry)
        key = self._answers.key(tool.name, _named(call, tool.caching, entry))
        for _ in range(MOST_JOINS):
            kept = self._answers.get(key, monotonic())
            if kept and monotonic() - kept.kept_at < tool.caching.for_s:
                return self._again(entry, kept, "hit")
            asked = self._asked.get(key)
            if asked is None:
                return await self._ask(key, call, entry, send)
            await asyncio.wait((asked,), timeout=left_s(entry, tool.timeout_s))
            if asked.done() and not asked.cancelled() and (answer := asked.result()):
                return self._again(entry, answer, "joined")
            if is_too_late(entry, tool.timeout_s):
                return self._too_late(key, call, entry)
            if not asked.cancelled():
                break
        return await self._send(key, call, entry, send)

    def _too_late(self, key: Key, call: Call, entry: Entry) -> Result:
        """The end of a call that waited for another's answer until nearly all of its time was over."""
        if kept := self._stale(key, call):
            return self._again(entry, kept, "stale")
        raise not_sent("timeout", "The call took too long.", note="cache: it waited for another that asked the same")

    async def _ask(self, key: Key, call: Call, entry: Entry, send: Send) -> Result:
        """Send the call; who asks the same meanwhile waits for what comes back."""
        asked = self._asked[key] = asyncio.get_running_loop().create_future()
        try:
            result = await self._send(key, call, entry, send)
            kept = self._answers.get(key, monotonic())
            asked.set_result(kept if kept and kept.call == entry.record.call else None)
            return result
        except asyncio.CancelledError:
            asked.cancel()
            raise
        finally:
            del self._asked[key]
            if not asked.done():
                asked.set_result(None)

    async def _send(self, key: Key, call: Call, entry: Entry, send: Send) -> Result:
        entry.record.cache = "miss"
        self._answers.counts["miss"] += 1
        before = len(entry.record.checks)
        try:
            result = await send(call, entry)
        except Refusal as refusal:
            if refusal.code in _STANDS_IN and (kept := self._stale(key, call)):
                return self._again(entry, kept, "stale")
            raise
        if result.status >= 500 and (kept := self._stale(key, call)):
            await result.body.close()
            return self._again(entry, kept, "stale")
        if answer := _answer(call, entry, result, before):
            self._answers.put(key, answer)
        elif result.status not in _LATER and result.status < 500:
            self._answers.forget(key)  # what there was is gone, or no longer for this caller: it stands in for nothing
        return result

    def _stale(self, key: Key, call: Call) -> Answer | None:
        return self._answers.get(key, monotonic()) if call.tool.caching and call.tool.caching.stale_s else None

    def _again(self, entry: Entry, kept: Answer, how: str) -> Result:
        self._answers.counts[how] += 1
        age = monotonic() - kept.kept_at
        entry.again(kept, how)
        told = (("age", str(int(age))), ("toolwall-replayed", replayed(kept.call, time() - age)))
        return Result(kept.status, [*kept.headers, *told], Body.of(kept.body))


def _is_partial(call: Call) -> bool:
    return any(name.startswith(_PARTIAL) for name, _ in call.outgoing.headers)


def _named(call: Call, caching: Caching, entry: Entry) -> bytes:
    """What an answer depends on: rules, tool, arguments, every header that the backend sees, and who asks.

    A caller's own credential is one of those headers, or stands in the query. Two principals have answers of their own
    unless the contract says otherwise. What may hold pseudonyms means nothing, or something else, to another run.
    """
    record = entry.record
    carried = [*sorted(pair for pair in call.outgoing.headers if pair[0] not in _OWN), *call.query_keys]
    who = "" if caching.shared else call.principal.id
    if call.tool.is_of_a_run:
        who = f"{len(call.principal.id)}:{call.principal.id}{call.run.id}"
    parts = [record.revision, call.tool.name, record.arguments_hash, who, call.base, call.origin]
    parts += [part for pair in carried for part in pair]
    if caching.by_token:
        parts += [entry.hail.bearer or "", entry.hail.delegation or ""]
    return hashlib.blake2b("".join(f"{len(part)}:{part}" for part in parts).encode(), digest_size=32).digest()


def _answer(call: Call, entry: Entry, result: Result, before: int) -> Answer | None:
    """What may be kept of a result: a whole, checked answer that sets nothing for its caller alone."""
    caching = call.tool.caching
    if caching is None or result.status != _KEPT_STATUS:
        return None
    if any(name.lower() == "set-cookie" for name, _ in result.headers):
        return None
    return Answer.of(call.tool.name, entry.record, result, before, monotonic(), caching.for_s + caching.stale_s)

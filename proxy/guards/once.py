"""Once: what has effects is done once, however often it is asked for. What is asked for again gets the first answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import Any, Final

from proxy.body import Body
from proxy.deadlines import is_too_late, left_s
from proxy.effects.deeds import Deeds
from proxy.effects.once import Held, State, acting, answered, broken, canonical, following, named
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.outcomes import RETRY_SECONDS
from proxy.replies.answers import Answer, replayed
from proxy.store import StoreError
from rules.decide import Decision
from rules.once import Once as Terms
from rules.tools import Tool

_log = logging.getLogger("toolwall")
MOST_WAITS: Final = 100
"""So often a call waits for another that then was not sent, before it is told to come again."""


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool has effects, and two equal calls of it are one action."""
    return tool.once is not None


_OF_SENDING: Final = frozenset(
    {"approval", "budget", "price", "keep", "limit", "cache", "timeout", "retry", "bulkhead", "breaker", "intent"}
)
"""The checks of what is sent: an answer that is given again needs none of them, also where the rules ask for more."""


class Once:
    """The guard, with what is known of actions and those that are under way."""

    __name__ = "once"

    asks: Callable[[Call, Entry, Held, Mapping[str, Any]], Awaitable[State | None]] | None = None
    """Asks the backend what became of an action of which that is not known; None where it does not tell."""

    def __init__(self, deeds: Deeds) -> None:
        self._deeds = deeds
        self._underway: dict[bytes, _Turn] = {}

    def whole_to(self, last: int) -> int:
        """The entry of the ledger, `last` being its last, of which all before are of calls that ended."""
        return min((turn.entry.intended - 1 for turn in self._underway.values() if turn.entry.intended), default=last)

    def is_underway(self, name: bytes) -> bool:
        """Whether a call of this action is under way."""
        return name in self._underway

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Send what is new, wait for what is under way, and answer what was done as it was answered then."""
        turn = _Turn(call, entry, call.tool.once or Terms())
        entry.check(self.__name__)
        for _ in range(MOST_WAITS):
            first = self._underway.get(turn.name)
            if first is None:
                if is_too_late(entry, call.tool.timeout_s):
                    break
                return await self._take(turn, send)
            if first.asked != turn.asked:
                raise _clash(first.entry.record.call)
            await asyncio.wait((first.ended,), timeout=left_s(entry, call.tool.timeout_s))
            if not first.ended.done():
                break
            if first.held is not None and following(first.held, turn.asked) != "send":
                return turn.given(first.held)
        raise _busy()

    async def _take(self, turn: _Turn, send: Send) -> Result:
        """The one call of its action that is under way."""
        self._underway[turn.name] = turn
        try:
            turn.held = await self._known(turn.name)
            if turn.held and turn.call.tool.settle_by and following(turn.held, turn.asked) == "doubt":
                await self._ask(turn, turn.held)
            if turn.held is not None and following(turn.held, turn.asked) != "send":
                return turn.given(turn.held)
            if self._deeds.is_full:
                raise _full()
            return await self._send(turn, send)
        finally:
            del self._underway[turn.name]
            turn.ended.set_result(None)

    async def _ask(self, turn: _Turn, held: Held) -> None:
        """Find out what became of it, while all others wait."""
        once = {**turn.reservation(), "asked": held.asked, "first": held.first}
        state = await self.asks(turn.call, turn.entry, held, once) if self.asks else None
        if state:
            turn.held = held._replace(state=state)

    async def _known(self, name: bytes) -> Held | None:
        try:
            return await self._deeds.get(name)
        except StoreError as error:
            _log.error("what was done before cannot be read: %s", error)
            raise _unreadable() from None

    async def _send(self, turn: _Turn, send: Send) -> Result:
        entry, before = turn.entry, len(turn.entry.record.checks)
        entry.record.once = turn.reservation()
        try:
            result = await send(turn.keyed(), entry)
        except BaseException as error:
            await self._keep(turn, broken(entry.record, entry.sent, error, turn.terms.not_done))
            raise
        answer = None
        if result.body.whole is not None and self._deeds.keeps(len(result.body.whole)):
            answer = Answer.of(turn.call.tool.name, entry.record, result, before, time())
        await self._keep(turn, answered(result.status, turn.terms.not_done), result.status, answer)
        return result

    async def _keep(self, turn: _Turn, state: Any, status: int = 0, answer: Answer | None = None) -> None:
        """Remember what became of it, also when the caller leaves meanwhile."""
        record = turn.entry.record
        record.once = {**record.once, "state": state or ""}
        if state is None:
            return
        status = status or record.upstream_status
        turn.held = Held(
            record.call, turn.first, turn.asked, time(), record.run, record.revision, state, status, answer
        )
        await self._deeds.put(turn.name, turn.held, turn.lasts_s)


class _Turn:
    """One call with the name of its action. `held` is what is known of it, `ended` is done when nobody is at it."""

    def __init__(self, call: Call, entry: Entry, terms: Terms) -> None:
        self.call, self.entry, self.terms = call, entry, terms
        self.held: Held | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        hail, record, who = entry.hail, entry.record, acting(call.outgoing.headers, call.query_keys)
        undoes = hail.behalf.undoes if hail.behalf else ""
        arguments = canonical(call.arguments)
        same = canonical(call.same) if call.aside else arguments
        own = terms.named(arguments) or ([undoes or hail.once] if undoes or hail.once else [])
        kind = "undo" if undoes and not terms.key else "own"
        self._own = bool(own)
        self.lasts_s = terms.lasts_s(self._own)
        # A run without a name has another one after a restart; within the time that counts here it is the principal's.
        hashed = record.arguments_hash if same is call.arguments else entry.keyed_hash(same)
        run = hail.behalf.named if hail.behalf and hail.behalf.resends else hail.run
        same = [run, hashed, who]
        parts = [call.principal.id, call.tool.name, kind if own else "same", *(own or same)]
        self.name = named(entry.keyed_hash, parts)
        self.asked = entry.keyed_hash([hashed, who])

    @property
    def first(self) -> str:
        """The call that asked for this first."""
        again = self.held is not None and self.held.state == "again"
        return self.held.first if again and self.held else self.entry.record.call

    def reservation(self) -> dict[str, Any]:
        """What the ledger says of it."""
        return {"name": self.name.hex(), "asked": self.asked, "first": self.first, "lasts_s": self.lasts_s}

    def keyed(self) -> Call:
        """The call with the key that its backend honours. A key of its own names one action for ever; else the same
        call, when it is meant anew, is another action, which the backend must not take for the first.
        """
        if not self.terms.header:
            return self.call
        self.entry.keyed = True
        key = self.entry.keyed_hash(["key", self.name.hex(), "" if self._own else self.first])
        outgoing = self.call.outgoing
        return self.call._replace(outgoing=outgoing._replace(headers=(*outgoing.headers, (self.terms.header, key))))

    def given(self, held: Held) -> Result:
        """What a call gets that asks for what was asked for. Raises Refusal where that is no answer."""
        self.entry.record.replayed = held.call
        if held.asked != self.asked:
            raise _clash(held.call)
        if held.state == "unknown":
            raise _doubt(held)
        if held.state == "undone":
            raise _undone(held)
        told = ("toolwall-replayed", replayed(held.call, held.at))
        answer = held.answer
        if answer is None or held.revision != self.entry.record.revision or self._is_foreign(held):
            raise _not_kept(held, told)
        self.entry.sends_nothing(_OF_SENDING)
        self.entry.again(answer, "")
        return Result(answer.status, [*answer.headers, told], Body.of(answer.body))

    def _is_foreign(self, held: Held) -> bool:
        """Whether its answer may speak of another run in words that mean nothing, or something else, in this one."""
        return self.call.tool.is_of_a_run and held.run != self.call.run.id


def _clash(call: str) -> Refusal:
    return Refusal(
        "duplicate_call",
        "Another call had the same key and asked for something else. This one was not sent.",
        suggestion="Use a new key for another action; do not change the arguments of one that was asked for.",
        extra={"first_call": call},
    )


def _busy() -> Refusal:
    return Refusal(
        "duplicate_call",
        "The same call is still under way. This one was not sent.",
        suggestion="Wait, then repeat the call to get its answer.",
        retry_after=RETRY_SECONDS,
    )


def _doubt(held: Held) -> Refusal:
    return Refusal(
        "outcome_unknown",
        "The same call was sent before, and it is not known what became of it. This one was not sent.",
        executed="unknown",
        suggestion="Do not repeat the call. Find out by reading, or ask a human to settle the first call.",
        extra={"first_call": held.call},
    )


def _undone(held: Held) -> Refusal:
    return Refusal(
        "duplicate_call",
        "The same call was carried out, and has been undone since. This one was not sent.",
        suggestion="Do not repeat the call. If the user wants it done after all, make it under a new key.",
        extra={"first_call": held.call},
    )


def _not_kept(held: Held, told: tuple[str, str]) -> Refusal:
    done = held.state == "done"
    first = "The action was carried out; its answer is not kept." if done else "The backend declined it before."
    return Refusal(
        "reply_refused",
        f"{first} This call was not sent.",
        executed="yes" if done else "no",
        suggestion="Do not repeat the call; tell the user what happened, or find out by reading.",
        extra={"first_call": held.call},
        headers=(told,),
    )


def _full() -> Refusal:
    return Refusal(
        "limit_reached",
        "No more actions can be remembered, so none is begun. Nothing was sent.",
        suggestion="Wait, then repeat the call; tell the operator.",
        retry_after=60,
        note="once: the table is full",
    )


def _unreadable() -> Refusal:
    return Refusal(
        "internal",
        "It cannot be found out whether this was done before, so nothing was sent.",
        suggestion="Tell the operator that the table of the sidecar cannot be read.",
        retry_after=RETRY_SECONDS,
    )

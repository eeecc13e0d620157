"""Halts: what the operator has stopped. A run that is revoked, a principal, or everything: the next call is refused,
and so is one that waits. What was sent is not cut off, and nothing is sent for it again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import NamedTuple

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.protocols.ordered import DOOR
from proxy.record import Record
from rules.facts import caller_of


class Mark(NamedTuple):
    """What is revoked: a run of a principal, a run of that id whoever calls it so (no principal), or all that a
    principal does (no run). It is about what the principal does for others as well."""

    principal: str
    run: str

    def covers(self, principal: str, run: str) -> bool:
        """Whether it is about this run of this principal."""
        return self.principal in ("", principal, caller_of(principal)) and self.run in ("", run)


class Halts:
    """What is stopped, and the calls that could still be. `stopped` says why all calls are refused, if they are."""

    def __init__(self) -> None:
        self.stopped = ""
        self.marks: frozenset[Mark] = frozenset()
        self._calls: set[Watched] = set()

    def why(self, record: Record) -> Refusal | None:
        """Why a call is refused, if it is. What the operator orders is not held up by a run that the operator revoked:
        that run is to be undone."""
        if self.stopped:
            return _stopped(self.stopped)
        if self.marks and record.door != DOOR and self.revoked(record.principal, record.run):
            return _revoked()
        return None

    def revoked(self, principal: str, run: str) -> bool:
        """Whether a run of a principal is revoked."""
        whose = {"", principal, caller_of(principal)}
        return any(mark in self.marks for who in whose for mark in (Mark(who, run), Mark(who, "")))

    def check(self, entry: Entry) -> None:
        """Raise Refusal where the caller, its run or everything is stopped."""
        if (self.stopped or self.marks) and (no := self.why(entry.record)):
            raise no

    def watch(self, entry: Entry) -> Watched:
        """The same, and again for as long as the call is under way: `with`, around all of it."""
        self.check(entry)
        return Watched(entry, self._calls)

    def apply(self) -> None:
        """Let calls under way know what is stopped now."""
        for call in list(self._calls):
            if no := self.why(call.entry.record):
                call.end(no)

    def busy(self) -> Collection[tuple[str, str]]:
        """The runs that have calls under way, each with its principal before it."""
        return {(call.entry.record.principal, call.entry.record.run) for call in self._calls}


class Watched:
    """A call under way. Until something of it is sent it can be ended, wherever it waits."""

    __slots__ = ("_all", "_no", "_task", "entry")

    def __init__(self, entry: Entry, all: set[Watched]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.entry = entry
        self._all = all
        self._task = task
        self._no: Refusal | None = None

    def __enter__(self) -> None:
        self._all.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._all.discard(self)
        if self._no is None:
            return
        others = self._task.uncancel() > 0
        if not others and (isinstance(error, asyncio.CancelledError) or (error and not self.entry.sent)):
            raise self._no from None

    def end(self, no: Refusal) -> None:
        """Have it refused, where nothing was sent; else nothing more is sent for it."""
        if self.entry.halted:
            return
        self.entry.halted = True
        if not self.entry.sent and not self._task.cancelling():  # whoever left first has left
            self._no = no
            self._task.cancel()


def _stopped(why: str) -> Refusal:
    return Refusal(
        "denied",
        "The operator has stopped all calls. Nothing was sent.",
        suggestion="Stop, and tell the user. No other tool will answer either.",
        note=f"all calls are stopped: {why}",
    )


def _revoked() -> Refusal:
    return Refusal(
        "denied",
        "This run was revoked by the operator. Nothing was sent.",
        suggestion="Stop, and tell the user. Do not try another way.",
        note="the run or its principal is revoked",
    )

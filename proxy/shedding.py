"""Shedding: messages that are refused unread since too many came. Each has its Record, made at little cost; the log
tells of many by one line."""

from __future__ import annotations

import logging
from time import time_ns

from proxy.entry import Entries
from proxy.errors import Refusal
from proxy.ledger import LedgerError
from proxy.outcomes import unrecorded
from proxy.record import Record, new_id
from proxy.seldom import Seldom

_log = logging.getLogger("toolwall.calls")


class Shedding:
    """Of one listener."""

    def __init__(self, entries: Entries, door: str) -> None:
        self._entries, self._door = entries, door
        self._many = Seldom(_log, logging.WARNING, "too much to do: %d more messages were refused unread at %s")

    def refusal(self) -> Refusal:
        """What is said to one more message, now that its Record is written."""
        record = Record(call=new_id(), started_ns=time_ns(), door=self._door)
        refusal = busy()
        _said(record, refusal)
        try:
            self._entries.ledger.append({"kind": "call", **record.as_dict()})
        except LedgerError:
            refusal = unrecorded(record, False)
            _said(record, refusal)
        self._entries.telemetry.count(record)
        self._many.tell(self._door)
        return refusal


def _said(record: Record, refusal: Refusal) -> None:
    record.code, record.status, record.outcome = refusal.code, refusal.status, "refused"
    refusal.call_id = record.call


def busy() -> Refusal:
    """What is said to a message that is one too many."""
    return Refusal(
        "limit_reached",
        "The sidecar has too many calls to deal with. Nothing was sent.",
        suggestion="Wait, then repeat the call; make fewer calls at once.",
        retry_after=1,
    )

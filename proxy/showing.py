"""What a Record shows of arguments: cleaned, in a thread where there is much of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy.model import Outgoing
from proxy.record import Record
from proxy.scanning import CLOSELY_INLINE_BYTES, Scans
from redaction.scanner import Unreadable


async def show(record: Record, said: Any, outgoing: Outgoing, clean: Callable[[Any], Any], scans: Scans) -> None:
    """Put arguments, and what goes along, into a Record. It says so where they cannot be cleaned and are not shown."""
    try:
        if len(outgoing.body) + len(outgoing.target) <= CLOSELY_INLINE_BYTES:
            record.arguments, record.aside = clean(said)
        else:
            record.arguments, record.aside = await scans.apart(clean, said)
    except Unreadable as why:
        record.arguments = record.aside = None
        record.notes.append(f"the arguments are not shown: {why}")

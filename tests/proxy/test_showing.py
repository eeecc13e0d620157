"""What Records show of arguments, where there is much of it and where it cannot be cleaned."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from proxy.model import Outgoing
from proxy.record import Record
from proxy.scanning import CLOSELY_INLINE_BYTES, ScanBounds, Scans
from proxy.showing import show
from redaction.scanner import Unreadable


async def shown(size: int, clean: Any, bounds: ScanBounds | None = None) -> Record:
    scans, record = Scans(bounds), Record("c1", 0)
    await show(record, [{"a": 1}, None], Outgoing("POST", "/", (), b"x" * size), clean, scans)
    scans.close()
    return record


@pytest.mark.parametrize(("size", "apart"), [(CLOSELY_INLINE_BYTES - 1, False), (CLOSELY_INLINE_BYTES, True)])
def test_much_is_cleaned_in_a_thread(size: int, apart: bool) -> None:
    seen: list[bool] = []

    def clean(said: Any) -> Any:
        seen.append(threading.current_thread() is not threading.main_thread())
        return json.loads(json.dumps(said).replace("1", "2"))

    record = asyncio.run(shown(size, clean))
    assert (record.arguments, record.aside, record.notes) == ({"a": 2}, None, [])
    assert seen == [apart]


def test_what_cannot_be_cleaned_is_not_shown_and_that_is_said() -> None:
    def clean(_: Any) -> Any:
        raise Unreadable("it is odd")

    for size in (0, CLOSELY_INLINE_BYTES):
        record = asyncio.run(shown(size, clean))
        assert (record.arguments, record.notes) == (None, ["the arguments are not shown: it is odd"])
    record = asyncio.run(shown(CLOSELY_INLINE_BYTES, lambda said: said, ScanBounds(most_scans=0)))
    assert (record.arguments, len(record.notes)) == (None, 1)

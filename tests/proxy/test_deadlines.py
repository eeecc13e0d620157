"""The time of a call begins once. What is done with it is in the tests of the guards."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.deadlines import is_too_late, left_s


def test_time_begins_when_it_is_first_asked_for() -> None:
    async def play() -> None:
        entry: Any = SimpleNamespace(deadline=float("inf"))
        assert left_s(entry, 0.2) == pytest.approx(0.2)
        await asyncio.sleep(0.05)
        assert 0 < left_s(entry, 0.2) <= 0.16
        assert not is_too_late(entry, 0.2)
        await asyncio.sleep(0.16)
        assert left_s(entry, 0.2) < 0
        assert is_too_late(entry, 0.2)

    asyncio.run(play())

"""What may be needed again lies in the encrypted table, for its time, and only there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.effects import keepsakes
from proxy.effects.keepsakes import BOUNDS, LETTER, UNDO, Keepsakes, Letter, Undoing
from proxy.model import Carried, Outgoing
from proxy.store import Bounds, Store, StoreError

UNDOING = Undoing("crm.cancel", {"id": "value-4711", "n": 2**70}, Carried((("authorization", "b"),), ("k=v",), ()), "p")
LETTERED = Letter(
    "crm.pay", "h", "r1", "r", "o", "/crm", "p", "http://x", Outgoing("POST", "/p?q=1", (("a", "b"),), b"\x00\n1")
)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Keepsakes]:
    store = Store(tmp_path / "store.db", b"k" * 32, BOUNDS)
    made = Keepsakes(lambda: store)
    made.open()
    yield made
    store.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_both_come_back_as_they_were(kept: Keepsakes) -> None:
    async def play() -> None:
        await kept.keep_undo("c1", UNDOING, 60.0)
        kept.keep_soon("c1", LETTERED)
        assert await kept.undo_of("c1") == UNDOING
        assert await kept.letter_of("c1") == LETTERED
        assert await kept.undo_of("c2") is None
        assert await kept.letter_of("c2") is None

    run(play())


def test_they_go_when_they_are_taken_once_and_when_their_time_is_over(kept: Keepsakes) -> None:
    async def play() -> None:
        await kept.keep_undo("c1", UNDOING, 60.0)
        await kept.keep_undo("c2", UNDOING, 0.02)
        assert [await kept.forget(UNDO, "c1"), await kept.forget(UNDO, "c1")] == [True, False]
        await asyncio.sleep(0.03)
        assert [await kept.undo_of("c1"), await kept.undo_of("c2")] == [None, None]
        assert not await kept.forget(LETTER, "c1")

    run(play())


def test_no_value_is_readable_on_disk_or_in_words(kept: Keepsakes, tmp_path: Path) -> None:
    run(kept.keep_undo("c1", UNDOING, 60.0))
    assert b"4711" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert "4711" not in repr(UNDOING)
    assert "POST" not in repr(LETTERED)


def test_what_is_too_large_is_not_kept(kept: Keepsakes, caplog: pytest.LogCaptureFixture) -> None:
    large = UNDOING._replace(arguments={"a": "x" * keepsakes.MOST_KEPT})

    async def play() -> None:
        with pytest.raises(StoreError):
            await kept.keep_undo("c1", large, 60.0)
        kept.keep_soon("c1", large)
        assert await kept.letter_of("c1") is None  # waits for what is on its way

    with caplog.at_level(logging.ERROR, "toolwall"):
        run(play())
    assert "call c1 is not kept" in caplog.text
    assert "xxx" not in caplog.text


def test_it_is_full_before_nothing_fits(tmp_path: Path) -> None:
    bounds = {**BOUNDS, UNDO: Bounds(rows=50, bytes=1 << 20)}
    store = Store(tmp_path / "store.db", b"k" * 32, bounds)
    kept = Keepsakes(lambda: store)
    kept.open()

    async def play() -> None:
        for number in range(50):
            assert kept.is_full is (number > 49)
            await kept.keep_undo(f"c{number}", UNDOING, 60.0)
        assert kept.is_full
        with pytest.raises(StoreError):
            await kept.keep_undo("more", UNDOING, 60.0)

    run(play())
    store.close()


def test_rules_without_effects_have_none() -> None:
    kept = Keepsakes(lambda: pytest.fail("nobody opens it"))
    asyncio.run(kept.settled())
    assert asyncio.run(kept.undo_of("c1")) is None

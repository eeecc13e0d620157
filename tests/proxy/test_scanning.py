"""Scans off the event loop: bounded in number and in time."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from math import inf
from time import monotonic, sleep
from typing import Any

import pytest

from proxy.scanning import CLOSELY_INLINE_BYTES, INLINE_BYTES, SWITCH_S, THREADS, UNTIL, ScanBounds, Scans
from redaction.profiles import kinds_of
from redaction.scanner import Cleaned, Scanner, Unreadable

SCANNER = Scanner(kinds_of("standard"))


class Held:
    """A scanner that waits for a word."""

    needs_presidio = True

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def clean(self, body: bytes, *_: Any) -> Cleaned[bytes]:
        self.go_on.wait(10)
        return Cleaned(body, Counter())


def scanned(body: bytes, media_type: str = "text/plain", scanner: Any = SCANNER) -> tuple[bytes, Counter[str]]:
    async def play() -> tuple[bytes, Counter[str]]:
        scans = Scans()
        try:
            return await scans.clean(scanner, body, media_type, "utf-8")
        finally:
            scans.close()

    return asyncio.run(play())


def test_small_and_large_bodies_are_cleaned_alike() -> None:
    for filling in (0, CLOSELY_INLINE_BYTES):
        body, counts = scanned(b"to ann@example.com " + b"word " * filling)
        assert body.startswith(b"to <EMAIL_ADDRESS> ")
        assert counts == {"EMAIL_ADDRESS": 1}


class Watched:
    """A scanner that says where it works."""

    needs_presidio = False

    def __init__(self) -> None:
        self.apart: list[bool] = []

    def clean_briefly(self, *arguments: Any) -> Cleaned[bytes] | None:
        self.apart.append(threading.current_thread().name.startswith("scan"))
        return SCANNER.clean_briefly(*arguments)

    def clean(self, *arguments: Any) -> Cleaned[bytes]:
        self.apart.append(threading.current_thread().name.startswith("scan"))
        return SCANNER.clean(*arguments)


@pytest.mark.parametrize(
    ("findings", "filling", "apart"),
    [
        (3, 10, [False]),
        (3, INLINE_BYTES - 500, [False]),
        (200, INLINE_BYTES - 10_000, [False, True]),  # too much to look at
        (3, INLINE_BYTES, [True]),
    ],
)
def test_json_in_which_little_is_looked_at_closely_needs_no_thread(
    findings: int, filling: int, apart: list[bool]
) -> None:
    watched, people = Watched(), [{"to": f"ann{number}@example.com"} for number in range(findings)]
    body = json.dumps([*people, "word " * (filling // 5)]).encode()
    cleaned, counts = scanned(body, "application/json", watched)
    assert watched.apart == apart
    assert json.loads(cleaned)[:-1] == [{"to": "<EMAIL_ADDRESS>"}] * findings
    assert counts == {"EMAIL_ADDRESS": findings}


def test_any_work_can_be_done_apart() -> None:
    async def play() -> tuple[int, bool]:
        scans = Scans()
        try:
            return await scans.apart(lambda value: (value + 1, threading.current_thread().name.startswith("scan")), 1)
        finally:
            scans.close()

    assert asyncio.run(play()) == (2, True)


def test_what_cannot_be_read_is_said_so_from_a_thread_too() -> None:
    for filling in (1, CLOSELY_INLINE_BYTES):
        with pytest.raises(Unreadable):
            scanned(b"\xff" * filling)


def test_a_body_of_more_bytes_than_are_looked_at_is_refused() -> None:
    async def play() -> None:
        scans = Scans(ScanBounds(most_scan=10))
        assert (await scans.clean(SCANNER, b"0123456789", "text/plain", None)).value == b"0123456789"
        with pytest.raises(Unreadable, match="larger than 10 bytes"):
            await scans.clean(SCANNER, b"0123456789a", "text/plain", None)
        scans.close()

    asyncio.run(play())


def test_a_scan_knows_until_when_it_is_waited_for() -> None:
    async def play() -> None:
        scans = Scans(ScanBounds(scan_s=20))
        left = await scans.apart(lambda: UNTIL.get() - monotonic())
        assert 0 < left <= 20
        assert UNTIL.get() == inf
        scans.close()

    asyncio.run(play())


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    begun: list[int] = []

    async def play() -> None:
        scans, held = Scans(ScanBounds(scan_s=0.05)), Held()
        works = [scans.clean(held, b"a", "text/plain", None) for _ in range(THREADS)]  # type: ignore[arg-type]
        ended = await asyncio.gather(*works, scans.apart(begun.append, 1), return_exceptions=True)
        assert [type(each) for each in ended] == [Unreadable] * (THREADS + 1)
        held.go_on.set()
        scans.close()

    asyncio.run(play())
    assert begun == []


def test_one_more_than_may_wait_is_refused() -> None:
    async def play() -> None:
        scans, held = Scans(ScanBounds(most_scans=4)), Held()
        waiting = [asyncio.create_task(scans.clean(held, b"a", "text/plain", None)) for _ in range(4)]  # type: ignore[arg-type]
        await asyncio.sleep(0.02)
        with pytest.raises(Unreadable):
            await scans.clean(held, b"a", "text/plain", None)  # type: ignore[arg-type]
        held.go_on.set()
        assert [body for body, _ in await asyncio.gather(*waiting)] == [b"a"] * 4
        assert (await scans.clean(held, b"b", "text/plain", None))[0] == b"b"  # type: ignore[arg-type]
        scans.close()

    asyncio.run(play())


def test_a_scan_that_does_not_end_is_not_waited_for() -> None:
    async def play() -> None:
        scans, held = Scans(ScanBounds(scan_s=0.05)), Held()
        with pytest.raises(Unreadable):
            await scans.clean(held, b"a", "text/plain", None)  # type: ignore[arg-type]
        held.go_on.set()
        scans.close()

    asyncio.run(play())


def test_while_there_are_scans_the_loop_gets_its_turn_soon() -> None:
    before = sys.getswitchinterval()
    scans = Scans()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    scans.close()
    assert sys.getswitchinterval() == pytest.approx(before)


@pytest.mark.parametrize("turns", range(5))
def test_who_leaves_just_when_a_scan_ends_has_left(turns: int) -> None:
    """However near the two come: a cancel that was lost would have a call go on for nobody, or beyond its time."""

    async def play() -> None:
        scans, done = Scans(), threading.Event()
        try:
            task = asyncio.create_task(scans.apart(done.set))
            await asyncio.sleep(0)
            while not done.is_set():
                sleep(0.001)  # the loop stands still, so that nobody has heard of it yet
            sleep(0.01)
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await task
        finally:
            scans.close()

    asyncio.run(play())

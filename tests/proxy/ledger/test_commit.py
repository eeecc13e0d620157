"""Group commit: who waits, who is served together, and what a failed flush means."""

import asyncio
import signal
import threading
import time

import pytest

from proxy.ledger import commit as committing
from proxy.ledger.commit import MOST_WAITING, Flushed, GroupCommit
from proxy.ledger.errors import LedgerError
from proxy.ledger.head import HEAD_SECONDS, Head


class Disk:
    """What a ledger is to its group commit: `written` records, flushes that take time, wait for `go_on`, or fail."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.written, self.failing, self.seconds = 0, "", seconds
        self.flushes, self.published = 0, [Head()]
        self.go_on = threading.Event()
        self.go_on.set()

    def flush(self) -> Flushed:
        head = Head(self.written)
        self.flushes += 1
        time.sleep(self.seconds)
        self.go_on.wait(30)
        return Flushed(head, self.failing)

    def publish(self, head: Head) -> None:
        if self.failing:
            raise OSError(28, "No space left on device")
        self.published.append(head)


def started(disk: Disk) -> GroupCommit:
    """A group commit that has done its first round, which is not counted."""
    commit = GroupCommit(disk.written, disk.flush, disk.publish)
    commit.start()
    disk.flushes, disk.published = 0, [Head()]
    return commit


def test_a_start_brings_the_head_up_to_date_before_it_returns() -> None:
    disk = Disk()
    disk.written = 3
    commit = GroupCommit(0, disk.flush, disk.publish)
    commit.start()
    assert [head.seq for head in disk.published] == [0, 3]
    commit.stop()


def test_a_start_on_a_failing_disk_is_an_error() -> None:
    disk = Disk()
    disk.failing = "cannot flush: EIO"
    commit = GroupCommit(0, disk.flush, disk.publish)
    with pytest.raises(LedgerError, match="EIO"):
        commit.start()
    commit.stop()


def test_many_waiters_share_few_flushes() -> None:
    disk = Disk(0.05)
    commit = started(disk)

    async def one(seq: int) -> None:
        disk.written = max(disk.written, seq)
        await commit.wait(seq)

    async def many() -> None:
        await asyncio.gather(*(one(seq) for seq in range(1, 501)))

    asyncio.run(many())
    assert disk.flushes <= 3
    commit.stop()


def test_a_waiter_is_not_served_by_a_flush_that_began_before_its_record() -> None:
    disk = Disk(0.1)
    commit = started(disk)

    async def late() -> None:
        disk.written = 1
        first = asyncio.ensure_future(commit.wait(1))
        await asyncio.sleep(0.05)
        disk.written = 2
        await commit.wait(2)
        await first

    asyncio.run(late())
    assert disk.flushes == 2
    commit.stop()


def test_nothing_is_flushed_while_nothing_happens() -> None:
    disk = Disk()
    commit = started(disk)
    time.sleep(0.2)
    assert disk.flushes == 0
    asyncio.run(commit.wait(0))
    assert disk.flushes == 0
    commit.stop()


def test_the_head_follows_once_and_then_there_is_rest() -> None:
    disk = Disk()
    commit = started(disk)
    disk.written = 3
    commit.nudge()
    assert commit.pending
    time.sleep(HEAD_SECONDS + 0.5)
    assert [head.seq for head in disk.published] == [0, 3]
    assert (disk.flushes, commit.pending) == (1, False)
    commit.stop()


def test_a_stop_publishes_the_last_head_at_once() -> None:
    disk = Disk()
    commit = started(disk)
    disk.written = 3
    commit.stop()
    assert disk.published[-1].seq == 3


def test_a_failed_flush_fails_its_waiters_and_those_who_come_later_but_no_others() -> None:
    disk = Disk()
    disk.written = 2
    commit = started(disk)
    disk.written, disk.failing = 5, "cannot flush: EIO"
    for _ in range(2):
        with pytest.raises(LedgerError):
            asyncio.run(commit.wait(4))
    assert commit.trouble == "cannot flush: EIO"
    disk.written, disk.failing = 7, ""
    asyncio.run(commit.wait(7))
    asyncio.run(commit.wait(2))
    for seq in (3, 4, 5):
        with pytest.raises(LedgerError, match=f"record {seq} may not outlive"):
            asyncio.run(commit.wait(seq))
    assert commit.trouble == ""
    commit.stop()


def test_a_head_is_not_published_after_a_failed_flush_and_is_tried_again() -> None:
    disk = Disk()
    commit = started(disk)
    disk.written, disk.failing = 1, "cannot flush"
    commit.nudge()
    time.sleep(HEAD_SECONDS + 0.3)
    assert [head.seq for head in disk.published] == [0]
    disk.failing = ""
    time.sleep(HEAD_SECONDS + 0.3)
    assert [head.seq for head in disk.published] == [0, 1]
    commit.stop()


def test_waiting_after_the_stop_is_an_error() -> None:
    disk = Disk()
    commit = started(disk)
    commit.stop()
    with pytest.raises(LedgerError, match="closed"):
        asyncio.run(commit.wait(1))


def test_waiters_in_two_loops_are_served() -> None:
    disk = Disk(0.02)
    commit = started(disk)
    disk.written = 2
    threads = [threading.Thread(target=lambda seq=seq: asyncio.run(commit.wait(seq))) for seq in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    commit.stop()


def test_a_disk_that_hangs_holds_nobody_for_longer_than_patience_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "PATIENCE_SECONDS", 0.5)
    disk = Disk(1.4)
    commit = started(disk)

    async def play() -> None:
        disk.written = 1
        began = time.monotonic()
        with pytest.raises(LedgerError, match="did not answer"):
            await commit.wait(1)
        assert 0.45 < time.monotonic() - began < 1.5
        await asyncio.sleep(0.1)
        assert "did not answer" in commit.trouble
        began = time.monotonic()
        with pytest.raises(LedgerError, match="did not answer"):  # at once: nobody waits behind a flush that hangs
            await commit.wait(1)
        assert time.monotonic() - began < 0.4
        await asyncio.sleep(1.4)
        disk.seconds = 0
        await commit.wait(1)
        disk.written = 2
        await commit.wait(2)

    asyncio.run(play())
    assert commit.trouble == ""
    commit.stop()


def test_no_more_than_so_many_wait_at_once() -> None:
    disk = Disk()
    commit = started(disk)
    disk.go_on.clear()
    disk.written = 2 * MOST_WAITING

    async def play() -> None:
        waits = [asyncio.ensure_future(commit.wait(seq)) for seq in range(1, 2 * MOST_WAITING + 1)]
        async with asyncio.timeout(20):
            while sum(each.done() for each in waits) < MOST_WAITING:
                await asyncio.sleep(0.01)
        disk.go_on.set()
        ends = await asyncio.gather(*waits, return_exceptions=True)
        refused = [str(end) for end in ends if isinstance(end, LedgerError)]
        assert refused == [f"{MOST_WAITING} entries wait for the disk of the ledger already"] * MOST_WAITING
        assert ends[:MOST_WAITING] == [None] * MOST_WAITING
        await commit.wait(2 * MOST_WAITING)

    asyncio.run(play())
    commit.stop()


def test_a_handler_of_signals_that_raises_leaves_nothing_locked() -> None:
    """It may raise in every step of a nudge: often enough, and the lock is free each time."""

    class Stop(Exception):
        pass

    def raise_it(*_: object) -> None:
        raise Stop

    disk = Disk()
    commit = GroupCommit(0, disk.flush, disk.publish)
    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        for number in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 7 / 100_000)
                while True:
                    commit.nudge()
            except Stop:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    free = threading.Event()

    def nudge() -> None:
        commit.nudge()
        free.set()

    threading.Thread(target=nudge, daemon=True).start()
    assert free.wait(5)

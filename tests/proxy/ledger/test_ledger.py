"""The writing side: what is acknowledged stays, what is refused leaves nothing behind."""

import asyncio
import json
import os
import resource
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.ledger import Ledger, LedgerError
from proxy.ledger.chain import LINE_MOST
from proxy.ledger.head import Head, head_path, read_head
from proxy.ledger.ledger import RETRY_SECONDS
from proxy.ledger.segments import segments_in
from proxy.ledger.verify import verify
from tests.proxy.ledger.helpers import KEY, call, file_of, lines_of, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(folder, KEY)
    yield ledger
    ledger.close()


def entries(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines_of(folder)]


def test_entries_are_on_disk_in_order_when_append_returns(ledger: Ledger, folder: Path) -> None:
    seqs = [ledger.append(call(number)) for number in range(5)]
    assert seqs == [2, 3, 4, 5, 6]  # the first is the entry of kind open
    assert [entry["seq"] for entry in entries(folder)] == [1, *seqs]
    assert entries(folder)[3]["call"] == "call-00002"


def test_files_are_for_their_owner_alone(ledger: Ledger, folder: Path) -> None:
    ledger.append(call(1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(segments_in(folder)[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(head_path(folder).stat().st_mode) == 0o600


def test_a_folder_left_open_is_closed_to_others(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    Ledger.open(folder, KEY).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_sidecar_on_the_same_folder_is_refused(ledger: Ledger, folder: Path) -> None:
    with pytest.raises(LedgerError, match="another sidecar runs on the same state folder"):
        Ledger.open(folder, KEY)
    ledger.append(call(1))
    assert verify(folder, KEY).ok


def test_a_closed_ledger_lets_go_and_takes_nothing(folder: Path) -> None:
    before = {*threading.enumerate()}
    ledger = Ledger.open(folder, KEY)
    ledger.append(call(1))
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="the ledger is closed"):
        ledger.append(call(2))
    Ledger.open(folder, KEY).close()
    assert [entry["kind"] for entry in entries(folder)] == ["open", "call", "close", "open", "close"]
    assert not [thread for thread in {*threading.enumerate()} - before if thread.name == "ledger-commit"]


def test_the_chain_goes_on_over_segments_and_openings(folder: Path) -> None:
    for _ in range(4):
        write(folder, 10, segment_bytes=1000)
    assert len(segments_in(folder)) > 8
    assert all(path.stat().st_size <= 1000 for path in segments_in(folder))
    assert verify(folder, KEY).records == 48
    assert verify(folder, KEY).ok


def test_an_entry_longer_than_a_segment_has_one_to_itself(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY, segment_bytes=1000)
    for number in range(3):
        ledger.append(call(number, note="x" * 2000))
    ledger.close()
    assert len(segments_in(folder)) == 5
    assert verify(folder, KEY).ok


@pytest.mark.parametrize("entry", [{}, {"seq": 1}, {"kind": {1}}])
def test_a_refused_entry_leaves_nothing(ledger: Ledger, folder: Path, entry: dict[str, object]) -> None:
    with pytest.raises(LedgerError):
        ledger.append(entry)
    assert len(lines_of(folder)) == 1
    assert ledger.append(call(1)) == 2
    assert verify(folder, KEY).ok


@pytest.mark.parametrize("text", ["x" * LINE_MOST, "\U0001f600" * LINE_MOST, "\x00" * (LINE_MOST // 6)])
def test_an_entry_too_long_for_a_line_is_clipped_and_says_so(ledger: Ledger, folder: Path, text: str) -> None:
    ledger.append(call(1, arguments={"a": text, "b": [text]}, outcome="ok"))
    ledger.append(call(2))
    entry = entries(folder)[1]
    assert (entry["call"], entry["outcome"], entry["clipped"]) == ("call-00001", "ok", True)
    assert "clipped" not in entries(folder)[2]
    assert verify(folder, KEY).ok


@pytest.mark.parametrize("spare", range(-3, 4))
def test_an_entry_as_long_as_a_line_is_stored_either_way(ledger: Ledger, folder: Path, spare: int) -> None:
    for overhead in (160 + 76, 0):
        empty = len(json.dumps(call(1, note=""), separators=(",", ":"))) - 2
        ledger.append(call(1, note="x" * (LINE_MOST - overhead - empty + spare)))
    assert verify(folder, KEY).records == 3
    assert verify(folder, KEY).ok


def test_many_threads_make_one_chain(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY, segment_bytes=20_000)

    def work(first: int) -> None:
        for number in range(first, first + 200):
            ledger.append(call(number))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 800, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    assert verify(folder, KEY).records == 802
    assert verify(folder, KEY).ok


def test_durable_returns_for_one_and_for_many(ledger: Ledger) -> None:
    async def work(number: int) -> int:
        seq = ledger.append(call(number))
        await ledger.durable(seq)
        await ledger.durable(seq)
        return seq

    async def many() -> list[int]:
        return await asyncio.gather(*(work(number) for number in range(100)))

    assert asyncio.run(work(0)) == 2
    assert sorted(asyncio.run(many())) == list(range(3, 103))


def test_many_waiters_share_a_flush(ledger: Ledger) -> None:
    """10,000 waits in far less time than 10,000 flushes of any disk take."""

    async def many() -> None:
        for first in range(0, 10_000, 500):  # more than 1,000 at once are refused
            await asyncio.gather(*(ledger.durable(ledger.append(call(first + number))) for number in range(500)))

    asyncio.run(asyncio.wait_for(many(), 30))


def test_a_cancelled_waiter_and_a_closed_loop_disturb_nobody(ledger: Ledger) -> None:
    async def impatient() -> None:
        waiting = asyncio.ensure_future(ledger.durable(ledger.append(call(1))))
        await asyncio.sleep(0)
        waiting.cancel()

    async def patient() -> None:
        await ledger.durable(ledger.append(call(2)))

    asyncio.run(impatient())
    asyncio.run(patient())


def test_durable_after_close_knows_what_is_safe(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY)
    seq = ledger.append(call(1))
    ledger.close()
    asyncio.run(ledger.durable(seq))
    with pytest.raises(LedgerError, match="closed"):
        asyncio.run(ledger.durable(seq + 100))


def test_the_head_follows_by_itself_and_is_up_to_date_after_close(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY)
    seq = ledger.append(call(1))
    assert head_seq(folder) < seq
    wait_for(lambda: head_seq(folder) == seq)
    seq = ledger.append(call(2))
    ledger.close()
    assert head_seq(folder) == seq + 1


def test_no_thread_keeps_the_process_alive(folder: Path) -> None:
    run(folder, "ledger.append(call(1))")
    assert verify(folder, KEY).records == 2


def test_a_file_in_the_place_of_the_folder_is_told(folder: Path) -> None:
    folder.touch()
    with pytest.raises(LedgerError, match="cannot open the ledger"):
        Ledger.open(folder, KEY)


def test_a_full_disk_refuses_and_recovers_by_itself(ledger: Ledger, folder: Path) -> None:
    """The open file is exchanged for /dev/full, a device that answers every write with ENOSPC."""
    seq = ledger.append(call(1))
    wait_for(lambda: head_seq(folder) == seq)  # so that no flush comes in between
    number = file_of(folder)
    kept = os.dup(number)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, number)
    for _ in range(3):
        with pytest.raises(LedgerError, match=r"(No space left on device; make room|cannot remove half an entry)"):
            ledger.append(call(2))
    assert "No space left" in ledger.trouble
    os.dup2(kept, number)
    assert ledger.append(call(3)) == 3
    assert ledger.trouble == ""
    os.close(kept)
    os.close(full)
    assert [entry.get("call") for entry in entries(folder)] == [None, "call-00001", "call-00003"]
    assert verify(folder, KEY).ok


def test_a_short_write_leaves_no_half_line_and_recovers_by_itself(folder: Path) -> None:
    """A limit on the size of files makes the kernel take a part of a line, as a full disk does."""
    printed = run(
        folder,
        """
        import resource
        ledger.append(call(1))
        size = os.path.getsize(segment())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
        for _ in range(3):
            try:
                ledger.append(call(2))
            except LedgerError as error:
                print(error)
            assert os.path.getsize(segment()) == size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        print(ledger.append(call(3)))
        ledger.close()
        """,
    )
    assert printed[0].startswith("cannot write to segment-000000000000000001.jsonl of the ledger: only 50 of ")
    assert printed[3] == "3"
    assert [entry.get("call") for entry in entries(folder)] == [None, "call-00001", "call-00003", None]
    assert verify(folder, KEY).ok


def test_a_segment_that_cannot_be_begun_is_tried_again(folder: Path) -> None:
    """No file can be opened for a while: the limit on open files is reached."""
    ledger = Ledger.open(folder, KEY, segment_bytes=400)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(LedgerError, match="Too many open files; raise the limit"):
            fill_up(ledger)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    ledger.append(call(9))
    ledger.close()
    assert verify(folder, KEY).ok


def test_a_file_in_the_place_of_the_next_segment_is_told(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY, segment_bytes=1)
    strange = folder / "segment-000000000000000002.jsonl"
    strange.write_bytes(b"mine\n")
    with pytest.raises(LedgerError, match="it is there already; move it away"):
        ledger.append(call(1))
    strange.unlink()
    assert ledger.append(call(1)) == 2
    ledger.close()
    assert verify(folder, KEY).ok


def test_after_a_failed_flush_nothing_is_called_safe_that_may_not_be(folder: Path) -> None:
    """The open file is exchanged for a pipe: it takes writes, and cannot be flushed (EINVAL)."""
    ledger = Ledger.open(folder, KEY)
    safe = ledger.append(call(1))
    wait_for(lambda: head_seq(folder) == safe)  # so that no flush comes in between
    doubtful = ledger.append(call(2))
    outlet, inlet = os.pipe()
    os.dup2(inlet, file_of(folder))
    for _ in range(2):
        with pytest.raises(LedgerError, match="flush"):
            asyncio.run(ledger.durable(doubtful))
    assert "Invalid argument" in ledger.trouble
    with pytest.raises(LedgerError, match="Invalid argument"):
        ledger.append(call(3))  # for a second: a failing disk is not littered with segments
    assert head_seq(folder) <= safe
    wait_for(lambda: appended(ledger, call(4)))
    asyncio.run(ledger.durable(doubtful + 2))
    with pytest.raises(LedgerError, match="may not outlive"):
        asyncio.run(ledger.durable(doubtful))
    assert ledger.trouble == ""
    ledger.close()
    os.close(outlet)
    os.close(inlet)
    note = next(entry for entry in entries(folder) if entry["kind"] == "unsynced")
    assert (note["first"], note["last"]) == (doubtful, doubtful)
    report = verify(folder, KEY)
    assert report.ok
    assert "failed to flush records 3 to 3" in report.notes[0]


def test_a_flush_that_fails_at_close_is_told(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY)
    ledger.append(call(1))
    outlet, inlet = os.pipe()
    os.dup2(inlet, file_of(folder))
    with pytest.raises(LedgerError, match="Invalid argument"):
        ledger.close()
    os.close(outlet)
    os.close(inlet)
    Ledger.open(folder, KEY).close()


def test_a_head_that_cannot_be_written_is_told_and_tried_again(folder: Path) -> None:
    ledger = Ledger.open(folder, KEY)
    blocked = folder.parent / "ledger.head.new"
    blocked.mkdir()
    seq = ledger.append(call(1))
    wait_for(lambda: "write the head" in ledger.trouble)
    assert head_seq(folder) < seq
    blocked.rmdir()
    wait_for(lambda: head_seq(folder) == seq)
    assert ledger.trouble == ""
    ledger.close()


def test_an_interrupted_append_leaves_no_half_line(folder: Path) -> None:
    """Signals arrive in the middle of appends all the time; their handler raises."""
    printed = run(
        folder,
        """
        import signal
        class Stop(Exception): pass
        def raise_it(*_): raise Stop
        signal.signal(signal.SIGALRM, raise_it)
        done = interrupted = 0
        while interrupted < 300:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + interrupted % 7 / 100_000)
                while True:
                    ledger.append(call(done))
                    done += 1
            except Stop:
                interrupted += 1
        print(done)
        ledger.close()
        """,
    )
    report = verify(folder, KEY)
    assert report.ok
    assert int(printed[0]) + 2 <= report.records <= int(printed[0]) + 302


def head_seq(folder: Path) -> int:
    head = read_head(head_path(folder), KEY)
    assert isinstance(head, Head)
    return head.seq


def fill_up(ledger: Ledger) -> None:
    for number in range(5):
        ledger.append(call(number))


def appended(ledger: Ledger, entry: dict[str, object]) -> bool:
    try:
        return ledger.append(entry) > 0
    except LedgerError:
        return False


def wait_for(true: Callable[[], bool], seconds: float = 10 * RETRY_SECONDS) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        pause.wait(0.02)
    raise AssertionError("did not come about in time")


def run(folder: Path, body: str) -> list[str]:
    """Run `body` with an open `ledger` in a process of its own; the lines that it printed."""
    head = f"""
import os
from pathlib import Path
from proxy.ledger import Ledger, LedgerError
from proxy.ledger.segments import segments_in
from tests.proxy.ledger.helpers import KEY, call
folder = Path({str(folder)!r})
ledger = Ledger.open(folder, KEY)
def segment(): return segments_in(folder)[-1]
"""
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(body)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()

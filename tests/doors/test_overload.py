"""More calls than one sidecar can serve: it says so, at once, and goes on serving; its memory stays what it is."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import uvloop

from tests.doors.overload import Load, Slow, open_loop
from tests.proxy.test_serve import sidecar, write_files

RAW = b"GET /crm/things/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"
BACKEND_S = 0.02


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def saturation(address: tuple[str, int]) -> float:
    """Calls a second that are answered when more come than can be."""
    load = await open_loop(address, RAW, 4_000, 3, most=32)
    return load.statuses[200] / 3


async def overloaded(folder: Path, seconds: float) -> tuple[Load, Load, int]:
    """What came of calls without load and at twice saturation, and the bytes that memory grew by."""
    server = await asyncio.get_running_loop().create_server(lambda: Slow(BACKEND_S), "127.0.0.1", 0)
    write_files(folder, server.sockets[0].getsockname()[1])
    with sidecar(folder) as (process, port):
        address = ("127.0.0.1", port)
        most = await saturation(address)
        calm = await open_loop(address, RAW, most / 20, 3)
        before = memory(process.pid)
        load = await open_loop(address, RAW, most * 2, seconds)
        grown = memory(process.pid) - before
        again = await open_loop(address, RAW, most / 20, 2)
        assert again.statuses[200] >= sum(again.statuses.values()) * 0.95
    server.close()
    return calm, load, grown


def check(folder: Path, seconds: float) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        calm, load, grown = runner.run(overloaded(folder, seconds))
    figures = f"p99 {calm.within(0.99) * 1e3:.0f} ms calm, {load.within(0.99) * 1e3:.0f} ms at twice saturation; "
    print(figures, dict(load.statuses), f"unsent {load.unsent}, memory +{grown / 1e6:.1f} MB")
    assert set(load.statuses) <= {200, 429, 503}
    assert load.broken == 0
    assert load.statuses[200] > 0
    assert load.statuses[429] + load.statuses[503] + load.unsent > 0
    assert grown < 80_000_000
    # No call that was let in waits longer than its queues allow: 2 s for a place, and the work before it.
    assert load.within(0.9) < 3.0


@pytest.mark.full
def test_twice_what_can_be_served_for_a_moment(tmp_path: Path) -> None:
    check(tmp_path, 4)


@pytest.mark.full
def test_twice_what_can_be_served_for_two_minutes(tmp_path: Path) -> None:
    check(tmp_path, 120)


def test_a_thousand_heads_that_drip_stop_nobody(tmp_path: Path) -> None:
    async def drip(address: tuple[str, int], done: asyncio.Event) -> None:
        """One slow loris: a byte now and then, and a new connection when the old one was closed."""
        while not done.is_set():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*address)
                for byte in RAW[:-2]:
                    writer.write(bytes([byte]))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(done.wait(), 0.5)
                    if done.is_set() or writer.is_closing():
                        break
                writer.close()

    async def play() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Slow(BACKEND_S), "127.0.0.1", 0)
        write_files(tmp_path, server.sockets[0].getsockname()[1])
        with sidecar(tmp_path) as (_, port):
            address, done = ("127.0.0.1", port), asyncio.Event()
            lorises = [asyncio.create_task(drip(address, done)) for _ in range(1_000)]
            await asyncio.sleep(2)
            load = await open_loop(address, RAW, 20, 3, most=8)
            done.set()
            await asyncio.wait(lorises, timeout=20)
            assert set(load.statuses) == {200}
            assert load.statuses[200] + load.unsent >= 55
            assert (load.broken, load.within(0.9) < 2.0) == (0, True)
        server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())

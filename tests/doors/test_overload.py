"""More calls than one sidecar can serve: it says so, at once, and goes on serving; its memory stays what it is."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import uvloop

from tests.doors.overload import RAW, Load, backend, open_loop
from tests.proxy.test_serve import sidecar, write_files

BACKEND_S = 0.02
WAITERS = 128


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def saturation(port: int, seconds: float) -> float:
    """Calls a second that are answered to agents who wait for their answers: none of them is refused."""
    load = open_loop(port, 5_000, seconds, most=WAITERS)
    assert set(load.statuses) == {200}
    return load.statuses[200] / seconds


def check(folder: Path, seconds: float, most_times: float, share: float) -> None:
    """At twice saturation this share of the accepted calls is answered within so many times what 99 % of the calls take
    without load."""
    with backend(BACKEND_S) as backend_port:
        write_files(folder, backend_port)
        with sidecar(folder) as (process, port):
            open_loop(port, 200, 0.5, most=8)
            most = saturation(port, min(2, seconds))
            calm = open_loop(port, most / 20, min(4, seconds / 1.5))
            before = memory(process.pid)
            load = open_loop(port, most * 2, seconds, skipped_s=0.5)
            grown = memory(process.pid) - before
            again = open_loop(port, most / 20, 0.7, skipped_s=0.2)
    print(
        f"p99 {calm.within(0.99) * 1e3:.0f} ms calm; at twice {most:.0f}/s {load.accepted:.0%} accepted, half within "
        f"{load.within(0.5) * 1e3:.0f} ms, 99 % within {load.within(0.99) * 1e3:.0f} ms; {dict(load.statuses)}, "
        f"unsent {load.unsent}, late {load.late_s * 1e3:.0f} ms, memory +{grown / 1e6:.1f} MB"
    )
    assert set(calm.statuses) == set(again.statuses) == {200}
    assert set(load.statuses) <= {200, 429, 503}
    assert load.broken == 0
    assert load.accepted > 0.1
    assert load.statuses[429] + load.statuses[503] + load.unsent > 0
    assert grown < 30_000_000
    assert load.within(share) < most_times * calm.within(0.99)


@pytest.mark.alone
def test_twice_what_can_be_served_for_a_moment(tmp_path: Path) -> None:
    """With room for what else the machine does meanwhile: half of the calls, not 99 %."""
    check(tmp_path, 1.5, most_times=4, share=0.5)


@pytest.mark.alone
@pytest.mark.full
def test_twice_what_can_be_served_for_two_minutes(tmp_path: Path) -> None:
    check(tmp_path, 120, most_times=3, share=0.99)


@pytest.mark.alone
@pytest.mark.full
@pytest.mark.parametrize("agents", [16, 64, 250])
def test_agents_that_wait_for_their_answers_are_never_refused(tmp_path: Path, agents: int) -> None:
    """Also where they are more than one backend gets and lets wait by default: that bound is its own."""
    with backend(BACKEND_S) as backend_port:
        write_files(tmp_path, backend_port)
        with (tmp_path / "rules" / "crm.yaml").open("a") as rules:
            rules.write("bulkhead: {queue: 200}\n")
        with sidecar(tmp_path) as (_, port):
            load = open_loop(port, 5_000, 10, most=agents)
    assert (set(load.statuses), load.broken) == ({200}, 0)
    assert load.statuses[200] > 1_000


@pytest.mark.alone
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

    async def play(port: int) -> Load:
        done = asyncio.Event()
        lorises = [asyncio.create_task(drip(("127.0.0.1", port), done)) for _ in range(1_000)]
        await asyncio.sleep(2)
        load = await asyncio.to_thread(open_loop, port, 20, 3, 0, 8)
        done.set()
        await asyncio.wait(lorises, timeout=20)
        return load

    with backend(BACKEND_S) as backend_port:
        write_files(tmp_path, backend_port)
        with sidecar(tmp_path) as (_, port), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            load = runner.run(play(port))
    assert set(load.statuses) == {200}
    assert load.statuses[200] + load.unsent >= 55
    assert (load.broken, load.within(0.9) < 2.0) == (0, True)

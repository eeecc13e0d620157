"""A disk that fails under a running sidecar: strace puts faults into its system calls, limits are set from outside."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy.ledger.export import export_lines
from proxy.ledger.segments import segments_in
from proxy.ledger.verify import verify
from proxy.state import ARGUMENTS_HASH, LEDGER_HEAD, load_key
from tests.proxy.test_serve import Fire, check_intents, sidecar, write_files
from tests.wire import Backend, Reply, always_ok

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

RECOVERS_S = 20.0
"""Within this time after a fault all must be well again by itself; a busy machine included."""

REFUSED = (500, "internal", "no")
WELL = (200, "", "")


@dataclass
class Scene:
    """A sidecar as a process with its backend, and the means to break its disk."""

    folder: Path
    port: int
    pid: int
    backend: Backend
    names: itertools.count[int] = field(default_factory=itertools.count)

    async def send(self, write: bool) -> tuple[int, str, str]:
        """One call: its status, and the code and `executed` of a refusal."""
        body = b'{"name": "n%d"}' % next(self.names) if write else b""
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if write else ""
        line = "POST /crm/things" if write else "GET /crm/things/7"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}\r\n".encode() + body)
            said = Reply.parse(await asyncio.wait_for(reader.read(), 30))
        finally:
            writer.close()
        return said.status, said.headers.get("toolwall-refused", ""), said.json.get("executed", "")

    @property
    def segment(self) -> Path:
        return segments_in(self.folder / "state" / "ledger")[-1].resolve()

    @property
    def effects(self) -> int:
        """Writes that reached the backend."""
        return sum(request.startswith(b"POST") for request in self.backend.requests)

    async def is_well_again(self) -> None:
        give_up = time.monotonic() + RECOVERS_S
        while time.monotonic() < give_up:
            if (await self.send(write=True), await self.send(write=False)) == (WELL, WELL):
                return
            await asyncio.sleep(0.2)
        raise AssertionError("it did not recover")


Fault = Callable[[Scene], AbstractAsyncContextManager[None]]


def injected(*how: str, ledger_only: bool = False) -> Fault:
    """The fault that strace puts into system calls; into those alone that concern the last segment, if so wished."""

    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncIterator[None]:
        only = ["-P", str(scene.segment)] if ledger_only else []
        faults = [part for each in how for part in ("-e", f"inject={each}")]
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(scene.pid), *only, *faults]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            while not _traced(scene.pid):
                assert tracer.poll() is None, tracer.communicate()[1]
                await asyncio.sleep(0.02)
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            await asyncio.to_thread(tracer.communicate, None, 30)

    return fault


def _traced(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all(not re.search(r"TracerPid:\s+0\n", each.read_text()) for each in threads)


@asynccontextmanager
async def full(scene: Scene) -> AsyncIterator[None]:
    """The next entry fits in half: the kernel takes a part of it, and refuses the rest."""
    before = resource.prlimit(scene.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.pid, resource.RLIMIT_FSIZE, (scene.segment.stat().st_size + 100, before[1]))
    try:
        yield
    finally:
        resource.prlimit(scene.pid, resource.RLIMIT_FSIZE, before)


UNWRITABLE: dict[str, Fault] = {
    "write, no space": injected("write:error=ENOSPC", ledger_only=True),
    "write, input/output error": injected("write:error=EIO", ledger_only=True),
    "write, a piece of it": injected("write:retval=10", ledger_only=True),
    "write, a piece of it, by the kernel": full,
}
UNFLUSHABLE: dict[str, Fault] = {
    "fdatasync, input/output error": injected("fdatasync:error=EIO"),
    "fdatasync, no space": injected("fdatasync:error=ENOSPC"),
    "fdatasync and open": injected("fdatasync:error=EIO", "openat:error=ENOSPC"),
    "fsync and fdatasync": injected("fdatasync,fsync:error=EIO"),
}
HEADLESS: dict[str, Fault] = {
    "rename": injected("rename,renameat,renameat2:error=EIO"),
    "fsync": injected("fsync:error=EIO"),
}


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    backend = Backend(always_ok)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    write_files(folder, server.sockets[0].getsockname()[1])
    with sidecar(folder) as (process, port):
        made = Scene(folder, port, process.pid, backend)
        await made.is_well_again()
        yield made
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    server.close()


def check_ledger(folder: Path, backend: Backend) -> None:
    """After another start and stop: nothing is corrupt, and no effect is without its intent."""
    with sidecar(folder) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    key = load_key("", folder / "state", {})
    assert verify(folder / "state" / "ledger", key.derive(LEDGER_HEAD)).faults == []
    entries = [json.loads(line) for line in export_lines(folder / "state" / "ledger")]
    sent = re.findall(rb'"n\d+"', b"".join(map(bytes, backend.seen)))
    check_intents(entries, Fire(sent=sent), key.derive(ARGUMENTS_HASH))


Under = Callable[[Scene, str], Awaitable[None]]


def sweep(folder: Path, *sets: tuple[dict[str, Fault], Under]) -> None:
    """One sidecar under one fault after the other, each with what must hold meanwhile."""

    async def play() -> Backend:
        async with scene(folder) as on:
            for faults, under in sets:
                for name, fault in faults.items():
                    async with fault(on):
                        await under(on, name)
                    await on.is_well_again()
            return on.backend

    backend = asyncio.run(play())
    check_ledger(folder, backend)


def test_nothing_is_sent_whose_record_cannot_be_written_or_whose_intent_cannot_be_flushed(tmp_path: Path) -> None:
    async def unwritable(on: Scene, name: str) -> None:
        before = on.effects
        for _ in range(3):
            assert await on.send(write=True) == REFUSED, name
            status, code, _ = await on.send(write=False)
            assert (status, code) == (500, "internal"), name
        assert on.effects == before, name

    async def unflushable(on: Scene, name: str) -> None:
        before = on.effects
        for _ in range(3):
            assert await on.send(write=True) == REFUSED, name
            assert (await on.send(write=False))[:2] in {(200, ""), (500, "internal")}, name
        assert on.effects == before, name

    sweep(tmp_path, (UNWRITABLE, unwritable), (UNFLUSHABLE, unflushable))


@pytest.mark.full
def test_calls_go_on_while_only_the_head_cannot_be_written(tmp_path: Path) -> None:
    async def under(on: Scene, name: str) -> None:
        for _ in range(3):
            assert await on.send(write=True) == WELL, name
            assert await on.send(write=False) == WELL, name
            await asyncio.sleep(0.6)

    sweep(tmp_path, (HEADLESS, under))


@pytest.mark.full
def test_a_disk_that_hangs_holds_up_no_read_and_lets_no_effect_through(tmp_path: Path) -> None:
    async def under(on: Scene, name: str) -> None:
        before = on.effects
        first = [asyncio.create_task(on.send(write=True)) for _ in range(20)]
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert await on.send(write=False) == WELL
        assert time.monotonic() - began < 4
        assert await asyncio.gather(*first) == [REFUSED] * 20
        began = time.monotonic()
        assert await on.send(write=True) == REFUSED  # at once: nobody waits behind a flush that hangs
        assert time.monotonic() - began < 4
        assert on.effects == before

    sweep(tmp_path, ({"hangs": injected("fdatasync:delay_enter=10s")}, under))

"""The threads that talk to Vault."""

from __future__ import annotations

import asyncio
import threading

import pytest

from proxy.vault import workers
from proxy.vault.fault import Fault
from proxy.vault.workers import Workers


def test_work_is_done_in_a_thread_and_its_fault_comes_back_without_that_threads_trace() -> None:
    def fails() -> None:
        raise Fault("secret/crm", 404)

    def breaks() -> None:
        raise RuntimeError("holds a value")

    async def play() -> None:
        some = Workers()
        assert await some.do(threading.get_ident) != threading.get_ident()
        with pytest.raises(Fault, match="404") as caught:
            await some.do(fails)
        assert "fails" not in [entry.name for entry in caught.traceback]
        with pytest.raises(Fault, match=r"could not be asked \(RuntimeError\)") as caught:
            await some.do(breaks)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        some.close()

    asyncio.run(play())


def test_no_more_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_WAITING", 2)

    async def play() -> None:
        some, go = Workers(), threading.Event()
        under_way = [asyncio.create_task(some.do(go.wait)) for _ in range(workers.THREADS + 2)]
        await asyncio.sleep(0)
        with pytest.raises(Fault, match="more is asked"):
            await some.do(go.wait)
        go.set()
        await asyncio.gather(*under_way)
        assert await some.do(go.is_set)
        some.close()

    asyncio.run(play())

"""Probes: a backend that wants it is asked at intervals whether it is well, so that no call has to find out.

A probe is a request of our own. It has no call, no caller and no credential, takes none of the backend's places, and
its connection is closed behind it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Final

from proxy.health import Health
from proxy.upstream.pool import Pool, Shape, UpstreamBounds
from proxy.upstream.reasons import reason
from proxy.upstream.upstream import final_head
from rules.terms import Probe
from rules.tools import Backend

_log = logging.getLogger("toolwall")

FAILURES: Final = 3
"""So many in a row are no chance: then the backend is left alone. The same for how long what they found holds."""


class Probes:
    """The probes of the rules in force. Lives in one event loop."""

    def __init__(self, bounds: UpstreamBounds) -> None:
        self._bounds = replace(bounds, most_connections=1)
        self._tasks: dict[str, tuple[Health, asyncio.Task[None]]] = {}
        self._over: set[asyncio.Task[None]] = set()

    def follow(self, backends: Mapping[str, Backend], healths: Mapping[str, Health]) -> None:
        """Probe these from now on, and no others. Where a backend stayed what it was, so does its rhythm."""
        for name, (health, _) in list(self._tasks.items()):
            if healths.get(name) is not health:
                self._end(name)
        for name, backend in backends.items():
            if backend.probe and name not in self._tasks:
                probing = _probing(backend, backend.probe, healths[name], self._bounds)
                self._tasks[name] = healths[name], asyncio.create_task(probing)

    def _end(self, name: str) -> None:
        _, task = self._tasks.pop(name)
        task.cancel()
        self._over.add(task)
        task.add_done_callback(self._over.discard)

    def stop(self) -> None:
        """Probe nothing any more."""
        for name in list(self._tasks):
            self._end(name)

    async def close(self) -> None:
        """The same, and wait until all connections are closed."""
        self.stop()
        if self._over:
            await asyncio.wait(self._over)


async def _probing(backend: Backend, terms: Probe, health: Health, bounds: UpstreamBounds) -> None:
    pool, request = Pool(backend, bounds), _request(backend, terms)
    try:
        await asyncio.sleep(random.random() * terms.every_s)  # noqa: S311 - so that not all sidecars ask at once
        while True:
            _tell(backend.name, terms, health, await _fault(pool, request, terms, bounds))
            await asyncio.sleep(terms.every_s)
    finally:
        await pool.close()


def _request(backend: Backend, terms: Probe) -> bytes:
    url = backend.url
    fixed = "accept: */*\r\naccept-encoding: identity\r\nuser-agent: toolwall\r\nconnection: close\r\n"
    return f"GET {url.path}{terms.path} HTTP/1.1\r\nhost: {url.authority}\r\n{fixed}\r\n".encode()


async def _fault(pool: Pool, request: bytes, terms: Probe, bounds: UpstreamBounds) -> str:
    """What is wrong with the backend, in words without a value; empty where nothing is. Of its answer only the head is
    read."""
    try:
        async with asyncio.timeout(terms.timeout_s):
            line = await pool.take(terms.timeout_s)
            try:
                line.expect(Shape(False, None, None), bounds.most_header_bytes)
                line.transport.write(request)
                message, _ = await final_head(line.protocol)
            finally:
                pool.drop(line)
    except TimeoutError:
        return f"no answer within {terms.timeout_s:g} s"
    except Exception as error:  # whatever it is, nobody knows that the backend is well
        return reason(error)
    return "" if message.code in terms.statuses else f"status {message.code}"


def _tell(name: str, terms: Probe, health: Health, fault: str) -> None:
    probed, breaker = health.probed, health.breaker
    before, probed.known, probed.why = probed.failed, True, fault
    probed.failed = before + 1 if fault else 0
    if breaker is not None and not fault:
        breaker.well()
    if breaker is not None and probed.failed >= FAILURES:
        # Said anew by each that fails. Should they end for whatever reason, so does this.
        breaker.unwell(monotonic(), FAILURES * (terms.every_s + terms.timeout_s))
    if probed.failed == FAILURES:
        _log.warning("backend %s is left alone: its probe failed %d times in a row, %s", name, FAILURES, fault)
    if before >= FAILURES and not fault:
        _log.warning("backend %s is well again, says its probe", name)

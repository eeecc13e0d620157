"""Probes through the door: a backend that says it is unwell gets no call, one that is well again does, and no probe is
anybody's call."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Answer, Wall, answering, perform, reply, wall

TOOLS = """
  get: {says: Read., call: "GET /get/{n}", args: {n: {type: integer}}}
"""
PROBE = "probe: {path: '/up?deep=1', every: 100ms, timeout: 150ms}"
KEYS = f"{PROBE}\nretry: {{attempts: 1}}\nbreaker: {{probes: 2}}"
SICK = reply(b"{}", status="503 Busy")


def played(folder: Path, play: Callable[[Wall], Any], answer: Answer, keys: str = KEYS, **how: Any) -> None:
    async def whole() -> None:
        async with wall(folder, TOOLS, answer=answer, backend_keys=keys, **how) as w:
            await play(w)

    perform(whole())


def when_probed(raw: bytes | None) -> Answer:
    """A backend that answers calls well, and probes so."""

    async def answer(request: bytes) -> bytes | None:
        return raw if b" /api/up" in request else reply()

    return answer


def probes(w: Wall) -> list[bytes]:
    return [request for request in w.backend.requests if b" /api/up" in request]


async def until(so: Callable[[], Any], within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not so():
            await asyncio.sleep(0.01)


async def admin(w: Wall, path: str) -> str:
    host, _, port = w.sidecar.admin.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    body = (await reader.read()).partition(b"\r\n\r\n")[2].decode()
    writer.close()
    return body


def state(w: Wall) -> str:
    breaker = w.sidecar.regimes.healths["crm"].breaker
    assert breaker is not None
    return breaker.state


@pytest.mark.parametrize(
    "sick",
    [
        SICK,
        *(pytest.param(raw, marks=pytest.mark.full) for raw in (reply(b"", status="404 No"), b"garbage\r\n\r\n", None)),
    ],
)
def test_a_backend_that_is_unwell_gets_no_call_until_it_is_well(tmp_path: Path, sick: bytes | None) -> None:
    async def play(w: Wall) -> None:
        assert (await w.call("GET", "/crm/get/1")).status == 200
        await until(lambda: state(w) == "open")
        assert 3 <= len(probes(w)) <= 4
        told = await w.tell("GET", "/crm/get/2")
        assert (told.reply.status, told.reply.json["code"], told.reply.json["executed"]) == (
            503,
            "upstream_unhealthy",
            "no",
        )
        assert not any(b"/get/2" in request for request in told.reached)
        notes = json.loads(await admin(w, "/readyz"))["notes"]
        assert notes["backend crm"].startswith("left alone, it was failing; its probe failed: ")
        metrics = await admin(w, "/metrics")
        assert 'toolwall_backend_probed{toolwall_backend="crm"} 0.0' in metrics
        assert 'toolwall_backend_open{toolwall_backend="crm"} 1.0' in metrics
        w.backend.answer = answering(reply(b"", status="302 Found"))
        await until(lambda: state(w) == "closed")
        assert (await w.call("GET", "/crm/get/3")).status == 302
        assert "notes" not in json.loads(await admin(w, "/readyz"))
        assert 'toolwall_backend_probed{toolwall_backend="crm"} 1.0' in await admin(w, "/metrics")

    played(tmp_path, play, when_probed(sick))


def test_a_backend_that_says_nothing_is_unwell(tmp_path: Path) -> None:
    async def silent(request: bytes) -> bytes:
        await asyncio.sleep(1 if b" /api/up" in request else 0)
        return reply()

    async def play(w: Wall) -> None:
        await until(lambda: state(w) == "open")
        notes = json.loads(await admin(w, "/readyz"))["notes"]
        assert notes["backend crm"].endswith("its probe failed: no answer within 0.15 s")

    played(tmp_path, play, silent)


def test_a_backend_that_cannot_be_reached_is_unwell(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen

        async def play(w: Wall) -> None:
            await until(lambda: state(w) == "open")
            assert (await w.call("GET", "/crm/get/1")).json["code"] == "upstream_unhealthy"

        played(tmp_path, play, answering(None), port=nobody.getsockname()[1])


def test_two_failures_in_a_row_are_only_noted(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        count = 0

        async def sometimes(_: bytes) -> bytes:
            nonlocal count
            count += 1
            return reply() if count % 3 == 0 else SICK

        w.backend.answer = sometimes
        await until(lambda: count >= 6)
        assert state(w) == "closed"

    played(tmp_path, play, answering(reply()))


def test_only_the_status_that_is_named_is_well(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        await until(lambda: len(probes(w)) > 4)
        assert state(w) == "closed"
        w.backend.answer = answering(reply())
        await until(lambda: state(w) == "open")

    keys = KEYS.replace("timeout: 150ms", "status: [204, 503]")
    played(tmp_path, play, when_probed(SICK), keys)


def test_a_probe_is_nobodys_call_and_carries_nothing_of_anybody(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        secret = [("Authorization", "Bearer canary-1"), ("Cookie", "s=canary-2"), ("X-Key", "canary-3")]
        for number in range(3):
            assert (await w.call("GET", f"/crm/get/{number}", headers=secret)).status == 200
        await until(lambda: len(probes(w)) > 3)
        [request] = set(probes(w))
        assert request == (
            b"GET /api/up?deep=1 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: */*\r\naccept-encoding: identity\r\n"
            b"user-agent: toolwall\r\nconnection: close\r\n\r\n" % w.backend.port
        )
        assert len(w.records()) == 3
        assert b"/up" not in w.ledger()
        assert not any(b"canary" in bytes(log) for log in w.backend.seen if b"/api/up" in log)

    keys = f"{KEYS}\ncredential:\n  - {{send: bearer, from: caller}}\n  - {{send: {{header: X-Key}}, from: caller}}"
    played(tmp_path, play, answering(reply()), keys)


def test_a_large_answer_is_not_read(tmp_path: Path) -> None:
    async def endless(request: bytes) -> Any:
        async def pieces() -> Any:
            yield b"HTTP/1.1 200 OK\r\n\r\n"
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0.001)

        return pieces() if b" /api/up" in request else reply()

    async def play(w: Wall) -> None:
        await until(lambda: len(probes(w)) > 3)
        await w.backend.hung_up_on()
        assert state(w) == "closed"

    played(tmp_path, play, endless)


def test_nothing_is_sent_where_nothing_is_said(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        await asyncio.sleep(0.3)
        assert w.backend.seen == []
        assert "toolwall_backend_probed{" not in await admin(w, "/metrics")

    played(tmp_path, play, answering(reply()), "retry: {attempts: 1}")


async def changed(w: Wall, before: str, after: str) -> None:
    """Have other rules in force."""
    file = w.folder / "rules" / "crm.yaml"
    file.write_text(file.read_text().replace(before, after))
    revision = w.sidecar.firewall.regime.rules.revision
    w.sidecar.reloader.reload()
    await until(lambda: w.sidecar.firewall.regime.rules.revision != revision, 10)


def test_a_reload_ends_and_begins_probes_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        await until(lambda: len(probes(w)) > 1)
        health = w.sidecar.regimes.healths["crm"]
        await changed(w, "says: Read.", "says: Read one.")
        assert w.sidecar.regimes.healths["crm"] is health
        await changed(w, PROBE, "")
        await asyncio.sleep(0.05)
        before = len(probes(w))
        await asyncio.sleep(0.3)
        assert len(probes(w)) == before
        await changed(w, "retry:", "probe: {path: /up2, every: 100ms}\nretry:")
        await until(lambda: any(b" /api/up2 " in request for request in w.backend.requests))
        assert sum("coro=<_probing()" in repr(task) for task in asyncio.all_tasks()) == 1

    played(tmp_path, play, answering(reply()))


def test_probes_end_with_the_sidecar(tmp_path: Path) -> None:
    async def whole() -> None:
        before = asyncio.all_tasks()
        async with wall(tmp_path, TOOLS, answer=answering(reply()), backend_keys=KEYS) as w:
            await until(lambda: len(probes(w)) > 1)
            backend = w.backend
        seen = len(backend.requests)
        assert not any("coro=<_probing()" in repr(task) for task in asyncio.all_tasks() - before)
        await asyncio.sleep(0.2)
        assert len(backend.requests) == seen

    perform(whole())

"""Breaker through the door: a failing backend is left alone, probed, and used again; and what does not count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Answer, Wall, answering, perform, reply, wall

TOOLS = """
  get: {says: "Read.", call: "GET /get/{n}", args: {n: {type: integer}}, timeout: 300ms}
  put: {says: "Write.", call: POST /put, args: {n: {type: integer}}, effect: write}
  raw: {says: "Raw.", call: "GET /raw/{n}", args: {n: {type: integer}}, reply: {redact: "off"}, timeout: 300ms}
"""
KEYS = "retry: {attempts: 1}\nbreaker: {window: 4, open: 400ms, probes: 2, slower_than: 150ms}"
BAD = reply(b"{}", status="500 Broken")


def played(folder: Path, play: Callable[[Wall], Any], answer: Answer, keys: str = KEYS) -> None:
    async def whole() -> None:
        async with wall(folder, TOOLS, answer=answer, backend_keys=keys) as w:
            await play(w)

    perform(whole())


async def called(w: Wall, times: int, path: str = "get") -> list[str]:
    """What became of so many different calls: a status, or the code of a refusal."""
    came = []
    for _ in range(times):
        w.number = getattr(w, "number", 0) + 1  # type: ignore[attr-defined]
        got = await w.call("GET", f"/crm/{path}/{w.number}")  # type: ignore[attr-defined]
        came.append(got.headers.get("toolwall-refused") or str(got.status))
    return came


def test_it_opens_refuses_probes_and_closes(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        assert await called(w, 6) == ["500"] * 4 + ["upstream_unhealthy"] * 2
        told = await w.tell("POST", "/crm/put", b'{"n": 1}')
        said = told.reply.json
        assert (told.reply.status, said["code"], said["executed"], told.reached) == (
            503,
            "upstream_unhealthy",
            "no",
            [],
        )
        assert said["retry"] == "after_delay"
        assert 1 <= int(told.reply.headers["retry-after"]) <= 2
        assert w.records("intent") == []
        await asyncio.sleep(0.45)
        assert await called(w, 2) == ["500", "upstream_unhealthy"]
        w.backend.answer = answering(reply())
        await asyncio.sleep(0.45)
        assert await called(w, 10) == ["200"] * 10

    played(tmp_path, play, answering(BAD))


async def silent(_: bytes) -> bytes:
    await asyncio.sleep(0.6)
    return reply()


async def slow(_: bytes) -> bytes:
    await asyncio.sleep(0.2)
    return reply()


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (answering(None), "upstream_unreachable"),
        (answering(b"garbage\r\n\r\n"), "upstream_unreachable"),
        (silent, "timeout"),
        (slow, "200"),
        (answering(reply(b"{}", status="503 Busy")), "503"),
    ],
)
def test_what_counts_as_a_failure(tmp_path: Path, answer: Answer, came: str) -> None:
    async def play(w: Wall) -> None:
        assert await called(w, 5) == [came] * 4 + ["upstream_unhealthy"]

    played(tmp_path, play, answer)


async def breaking(_: bytes) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        await asyncio.sleep(0.02)
        yield b'{"half": '

    return pieces()


@pytest.mark.parametrize("path", ["get", "raw"])
def test_a_reply_that_breaks_off_is_a_failure(tmp_path: Path, path: str) -> None:
    async def play(w: Wall) -> None:
        await called(w, 4, path)
        assert await called(w, 1, path) == ["upstream_unhealthy"]

    played(tmp_path, play, breaking)


async def stalling(_: bytes) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    return pieces()


@pytest.mark.parametrize("path", ["get", "raw"])
def test_a_reply_that_does_not_end_in_time_is_a_failure(tmp_path: Path, path: str) -> None:
    async def play(w: Wall) -> None:
        await asyncio.gather(*(called(w, 1, path) for _ in range(4)))
        assert await called(w, 1, path) == ["upstream_unhealthy"]

    played(tmp_path, play, stalling)


@pytest.mark.parametrize("code", ["400 No", "404 None", "429 Many"])
def test_what_the_backend_refuses_is_no_failure(tmp_path: Path, code: str) -> None:
    async def play(w: Wall) -> None:
        assert await called(w, 8) == [code[:3]] * 8

    played(tmp_path, play, answering(reply(b"{}", status=code)))


def test_what_we_refuse_and_agents_that_hang_up_are_no_failures(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        for _ in range(6):
            _, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("GET", "/crm/get/7"))
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.02)
        assert [record["outcome"] for record in w.news()] == ["client_gone"] * 6
        assert await called(w, 6, "get/x") == ["unknown_tool"] * 6
        w.backend.answer = answering(reply(b"\xff", "Content-Encoding: gzip"))  # cannot be checked: our own no
        assert set(await called(w, 6)) == {"reply_refused"}
        w.backend.answer = answering(reply())
        assert await called(w, 1) == ["200"]

    played(tmp_path, play, silent)


def test_probes_that_hang_up_give_their_place_back(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        await called(w, 4)
        await asyncio.sleep(0.45)
        w.backend.answer = silent
        for _ in range(4):
            _, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("GET", "/crm/get/7"))
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.02)
        w.backend.answer = answering(reply())
        assert await called(w, 4) == ["200"] * 4

    played(tmp_path, play, answering(BAD))


def test_it_survives_a_reload_of_the_rules(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        await called(w, 4)
        before = w.sidecar.firewall.regime
        (w.folder / "rules" / "policy.yaml").write_text('rules: [{id: others, allow: "crm.*"}]\n')
        w.sidecar.reloader.reload()
        async with asyncio.timeout(10):
            while w.sidecar.firewall.regime is before:
                await asyncio.sleep(0.02)
        assert await called(w, 1) == ["upstream_unhealthy"]

    played(tmp_path, play, answering(BAD), KEYS.replace("400ms", "60s"))


def test_no_breaker_where_the_rules_turn_it_off(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        assert await called(w, 30) == ["500"] * 30

    played(tmp_path, play, answering(BAD), "breaker: off\nretry: {attempts: 1}")


def test_a_retry_finds_the_breaker_open_and_tells_of_the_failure_before(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        assert await called(w, 2) == ["503"] * 2
        assert len(w.backend.requests) == 4
        assert await called(w, 1) == ["upstream_unhealthy"]

    keys = "retry: {attempts: 3, wait: 1ms}\nbreaker: {window: 4, open: 60s}"
    played(tmp_path, play, answering(reply(b"{}", status="503 Busy")), keys)


def test_metrics_and_readiness_say_so(tmp_path: Path) -> None:
    async def asked(w: Wall, path: str) -> bytes:
        host, _, port = w.sidecar.admin.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        came = await reader.read()
        writer.close()
        return came

    async def play(w: Wall) -> None:
        assert b'toolwall_backend_open{toolwall_backend="crm"} 0.0' in await asked(w, "/metrics")
        assert b"notes" not in await asked(w, "/readyz")
        await called(w, 4)
        metrics = await asked(w, "/metrics")
        assert b'toolwall_backend_open{toolwall_backend="crm"} 1.0' in metrics
        assert b'toolwall_backend_requests{toolwall_backend="crm"} 0.0' in metrics
        assert b'toolwall_backend_waiting{toolwall_backend="crm"} 0.0' in metrics
        ready = await asked(w, "/readyz")
        assert b" 200 OK" in ready
        assert b'"backend crm": "left alone, it was failing"' in ready

    played(tmp_path, play, answering(BAD))

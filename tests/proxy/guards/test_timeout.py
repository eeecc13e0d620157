"""Timeout: the tool's own limit, to the last byte of a reply that is read whole."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.doors import house
from tests.wire import Answer, perform, reply, wall


def test_a_reply_that_drips_ends_with_the_limit(tmp_path: Path) -> None:
    async def drip(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            for byte in reply(b'"' + b"x" * 200 + b'"'):
                yield bytes([byte])
                await asyncio.sleep(0.02)

        return pieces()

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, drip) as w:
            told = await w.tell("GET", "/crm/slow")
            assert told.record["code"] == "timeout"
            assert 250 < told.record["total_ms"] < 1_500
            await w.backend.hung_up_on()
            told = await w.tell("POST", "/crm/slow")
            assert told.record["code"] == told.record["outcome"] == "outcome_unknown"
            assert len(told.reached) == 1

    perform(play())


def test_the_limit_counts_for_each_call_anew(tmp_path: Path) -> None:
    async def soon(_: bytes) -> bytes:
        await asyncio.sleep(0.12)
        return reply()

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, soon) as w:
            for _ in range(4):
                told = await w.tell("GET", "/crm/slow")
                assert told.reply.status == 200
                assert "timeout" in told.record["checks"]

    perform(play())


PHASES = """
  fresh: {says: "Connect.", call: GET /fresh, timeout: {connect: 150ms, total: 5s}, retry: {attempts: 1}}
  first: {says: "First byte.", call: GET /first, timeout: {first_byte: 200ms, total: 5s}, retry: {attempts: 1}}
  first_put:
    {says: "First.", call: POST /first, timeout: {first_byte: 200ms, total: 5s}, effect: write, retry: {attempts: 1}}
  idle: {says: "Idle.", call: GET /idle, timeout: {idle: 200ms, total: 5s}}
  patient: {says: "Wait.", call: GET /patient, timeout: {total: 3s}}
  text: {says: "Text.", call: GET /text, timeout: 500ms}
  raw: {says: "Bytes.", call: GET /raw, timeout: 500ms, reply: {redact: "off"}}
  events: {says: "Events.", call: GET /events, timeout: {total: 400ms, idle: 1s}}
"""


def dripping(kind: str, pieces: int, every_s: float, piece: bytes) -> Answer:
    """A backend that sends its head at once and then a piece now and then."""

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def play() -> AsyncIterator[bytes]:
            yield f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            for _ in range(pieces):
                await asyncio.sleep(every_s)
                yield b"%x\r\n%b\r\n" % (len(piece), piece)
            yield b"0\r\n\r\n"

        return play()

    return answer


def after(seconds: float) -> Answer:
    async def answer(_: bytes) -> bytes:
        await asyncio.sleep(seconds)
        return reply()

    return answer


def test_the_first_byte_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, PHASES, answer=after(1.0)) as w:
            told = await w.tell("GET", "/crm/first")
            assert told.record["code"] == "timeout"
            assert 150 < told.record["total_ms"] < 800
            await w.backend.hung_up_on()
            told = await w.tell("POST", "/crm/first")
            assert (told.record["code"], len(told.reached)) == ("outcome_unknown", 1)

    perform(play())


def test_no_other_limit_cuts_a_slow_first_byte(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, PHASES, answer=after(0.8), config="bounds: {upstream_idle: 300ms}\n") as w:
            told = await w.tell("GET", "/crm/patient")
            assert told.reply.status == 200

    perform(play())


def test_a_silence_within_a_reply_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, PHASES, answer=dripping("application/json", 2, 0.6, b"1")) as w:
            told = await w.tell("GET", "/crm/idle")
            assert told.record["code"] == "reply_refused"
            assert 150 < told.record["total_ms"] < 580
            w.backend.answer = dripping("application/json", 4, 0.1, b"1")
            told = await w.tell("GET", "/crm/idle")
            assert (told.reply.status, told.reply.body) == (200, b"1111")

    perform(play())


def test_a_connection_has_a_limit_of_its_own_and_nothing_was_sent(tmp_path: Path) -> None:
    async def play() -> None:
        # A socket that listens and never accepts: once its queue is full, connecting hangs.
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            filling = [socket.socket() for _ in range(4)]
            for one in filling:
                one.setblocking(False)
                one.connect_ex(deaf.getsockname())
            async with wall(tmp_path, PHASES, port=deaf.getsockname()[1]) as w:
                told = await w.tell("GET", "/crm/fresh")
                assert (told.record["code"], told.record["executed"]) == ("timeout", "no")
                assert 100 < told.record["total_ms"] < 1_500
            for one in filling:
                one.close()

    perform(play())


@pytest.mark.parametrize(("path", "kind"), [("text", "text/plain"), ("raw", "application/octet-stream")])
def test_the_limit_covers_a_body_that_goes_out_while_it_comes(tmp_path: Path, path: str, kind: str) -> None:
    async def play() -> None:
        async with wall(tmp_path, PHASES, answer=dripping(kind, 100, 0.05, b"word ")) as w:
            told = await w.tell("GET", f"/crm/{path}")
            assert told.record["code"] == "reply_refused"
            assert 400 < told.record["total_ms"] < 1_500
            assert told.reply.status == 200
            assert not told.reply.raw.endswith(b"0\r\n\r\n")
            await w.backend.hung_up_on()

    perform(play())


def test_events_may_last_and_each_silence_is_bounded(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, PHASES, answer=dripping("text/event-stream", 5, 0.3, b"data: 1\n\n")) as w:
            told = await w.tell("GET", "/crm/events")
            assert (told.record["outcome"], told.reply.body.count(b"data: 1\n\n")) == ("ok", 5)
            w.backend.answer = dripping("text/event-stream", 1, 3.0, b"data: 1\n\n")
            told = await w.tell("GET", "/crm/events")
            assert (told.record["code"], b"event: error" in told.reply.body) == ("reply_refused", True)
            assert 900 < told.record["total_ms"] < 2_500

    perform(play())


@pytest.mark.parametrize("tool", ["events", "raw"])
def test_a_silent_stream_is_kept_alive_between_events_only(tmp_path: Path, tool: str) -> None:
    """Cleaned or not: a comment in each silence, and the events are whole."""

    async def halves(_: bytes) -> AsyncIterator[bytes]:
        async def play() -> AsyncIterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            for piece in (b"data: a", b"b\n\n", b"data: cd\n\n"):
                await asyncio.sleep(0.35)
                yield b"%x\r\n%b\r\n" % (len(piece), piece)
            yield b"0\r\n\r\n"

        return play()

    async def play() -> None:
        config = "bounds: {heartbeat: 100ms}\n"
        async with wall(tmp_path, PHASES, answer=halves, config=config) as w:
            told = await w.tell("GET", f"/crm/{tool}")
            body = told.reply.body
            assert told.record["outcome"] == "ok"
            assert body.startswith(b": keep-alive\n\n")
            assert body.replace(b": keep-alive\n\n", b"") == b"data: ab\n\ndata: cd\n\n"
            between = body[body.index(b"data: ab") : body.index(b"data: cd")]
            assert between.count(b": keep-alive") in (2, 3)
            assert len(told.record["result_hash"]) == 64

    perform(play())

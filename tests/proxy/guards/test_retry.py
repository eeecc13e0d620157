"""Retry: once more where that is safe, in its time and within its budget; never a second time what may have effects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.retrying import MOST_SAVED
from tests.wire import Answer, Wall, perform, reply, wall

TOOLS = """
  get: {says: "Read.", call: GET /get, timeout: 2s}
  seek: {says: "Read by POST.", call: POST /seek, effect: read}
  put: {says: "Write.", call: POST /put, effect: write, timeout: 2s}
  once: {says: "Read once.", call: GET /once, retry: {attempts: 1}}
  often: {says: "Read often.", call: GET /often, retry: {attempts: 4, wait: 20ms, most_wait: 30ms}}
  first: {says: "Wait.", call: GET /first, timeout: {first_byte: 150ms, total: 3s}}
"""
KEYS = "breaker: off\nretry: {wait: 20ms}"


def status(code: str, *headers: str) -> bytes:
    return reply(b'{"no":1}', *headers, status=code)


def in_turn(*answers: bytes | None) -> Answer:
    """A backend that answers with one after the other, and then with the last for ever."""
    left = list(answers)

    async def answer(_: bytes) -> bytes | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def played(folder: Path, play: Callable[[Wall], Any], answer: Answer, keys: str = KEYS, **how: Any) -> None:
    async def whole() -> None:
        async with wall(folder, TOOLS, answer=answer, backend_keys=keys, **how) as w:
            await play(w)

    perform(whole())


def asks(path: str) -> tuple[str, str, bytes]:
    return ("POST", f"/crm/{path}", b"{}") if path in ("put", "seek") else ("GET", f"/crm/{path}", b"")


@pytest.mark.parametrize("first", [b"", *map(status, ("502 Bad", "503 Busy", "504 Late"))])
@pytest.mark.parametrize("path", ["get", "seek"])
def test_a_read_that_failed_is_sent_again(tmp_path: Path, path: str, first: bytes) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(*asks(path))
        assert (told.reply.status, told.reply.json) == (200, {"ok": True})
        assert (len(told.reached), told.record["attempts"], told.record["outcome"]) == (2, 2, "ok")
        assert told.record["upstream_status"] == 200
        assert any(note.startswith("retry: sent again after ") for note in told.record["notes"])
        checks = told.record["checks"]
        assert len(set(checks)) == len(checks)

    played(tmp_path, play, in_turn(first or None, reply()))


@pytest.mark.parametrize("first", [b"", status("502 Bad"), status("503 Busy", "Retry-After: 0"), b"garbage\r\n\r\n"])
def test_a_write_is_never_sent_again_once_bytes_of_it_left(tmp_path: Path, first: bytes) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(*asks("put"))
        assert (len(told.reached), told.record["attempts"]) == (1, 1)
        if first.startswith(b"HTTP"):
            assert told.reply.status == int(first.split()[1])
        else:
            assert (told.record["code"], told.record["outcome"]) == ("outcome_unknown", "outcome_unknown")

    played(tmp_path, play, in_turn(first or None, reply()))


@pytest.mark.parametrize("code", ["500 Broken", "501 No", "505 No", "408 Late", "404 None", "429 Many", "418 Tea"])
def test_other_answers_are_final(tmp_path: Path, code: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(*asks("often"))
        assert (told.reply.status, len(told.reached)) == (int(code[:3]), 1)

    played(tmp_path, play, in_turn(status(code)))


def test_where_nothing_was_sent_a_write_is_tried_again(tmp_path: Path) -> None:
    """The backend is not there at first, and comes back while the call waits."""

    async def play() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        keys = "retry: {attempts: 10, wait: 1s, most_wait: 1s}"
        async with wall(tmp_path, TOOLS, port=port, backend_keys=keys) as w:
            call = asyncio.create_task(w.call("POST", "/crm/put", b"{}"))
            await asyncio.sleep(0.1)
            late = await asyncio.start_server(w.backend.serve, "127.0.0.1", port)
            assert (await call).status == 200
            [record] = w.news()
            assert record["attempts"] > 1
            assert len(w.backend.requests) == 1
            assert len(w.records("intent")) == 1
            late.close()
            await late.wait_closed()

    perform(play())


def test_only_so_many_times(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(*asks("often"))
        assert (told.reply.status, told.reply.body, len(told.reached)) == (503, b'{"no":1}', 4)
        assert told.record["attempts"] == 4
        told = await w.tell(*asks("once"))
        assert (told.reply.status, len(told.reached)) == (503, 1)

    played(tmp_path, play, in_turn(status("503 Busy")))


def test_a_first_byte_that_does_not_come_is_asked_for_again(tmp_path: Path) -> None:
    waits = [0.6, 0.0]

    async def slow_once(_: bytes) -> bytes:
        await asyncio.sleep(waits.pop(0))
        return reply()

    async def play(w: Wall) -> None:
        told = await w.tell(*asks("first"))
        assert (told.reply.status, told.record["attempts"]) == (200, 2)

    played(tmp_path, play, slow_once)


def date_in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("code", ["429 Many", "503 Busy"])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_what_the_backend_asks_for_is_waited_for(tmp_path: Path, code: str, form: str) -> None:
    async def play(w: Wall) -> None:
        asked = "1" if form == "seconds" else date_in(2)  # whole seconds: a date in 2 s lies 1 to 2 s ahead
        w.backend.answer = in_turn(status(code, f"Retry-After: {asked}"), reply())
        told = await w.tell("GET", "/crm/often")
        assert (told.reply.status, len(told.reached)) == (200, 2)
        assert 900 < told.record["total_ms"] < 3_000

    played(tmp_path, play, in_turn(None))


@pytest.mark.parametrize("asked", ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_what_it_asks_for_beyond_the_deadline_passes_as_it_is(tmp_path: Path, asked: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(*asks("get"))
        assert (told.reply.status, told.reply.headers["retry-after"], len(told.reached)) == (503, asked, 1)
        assert told.record["total_ms"] < 1_000

    played(tmp_path, play, in_turn(status("503 Busy", f"Retry-After: {asked}")))


def test_what_no_date_holds_is_no_time_to_wait_for(tmp_path: Path) -> None:
    beyond = "Mon, 01 Jan 2024 00:00:00 +999999999999999999999999"

    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/often")
        assert (told.reply.status, len(told.reached)) == (200, 2)

    played(tmp_path, play, in_turn(status("503 Busy", f"Retry-After: {beyond}"), reply()))


def test_retries_stop_at_the_budget(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        for number in range(40):
            # Each call is one of its own: the same one would be stopped after some failures.
            await w.call("GET", "/crm/get", headers=[("Toolwall-Run", f"run-{number}")])
        sent = len(w.backend.requests)
        assert 40 + MOST_SAVED <= sent <= 40 + MOST_SAVED + 40 * 0.2 + 1
        spent = [record for record in w.records() if "budget" in str(record.get("notes"))]
        assert len(spent) == 80 - sent

    played(tmp_path, play, in_turn(status("503 Busy")))


def test_each_attempt_is_a_request_in_the_metrics(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        await w.tell(*asks("get"))
        text = w.sidecar.telemetry.prometheus().decode()
        counts = [line for line in text.splitlines() if line.startswith("http_client_request_duration_seconds_count")]
        assert len(counts) == 2
        assert sum('http_response_status_code="503"' in line for line in counts) == 1
        [retries] = [line for line in text.splitlines() if line.startswith("toolwall_retries_total")]
        assert retries.endswith(" 1.0")

    played(tmp_path, play, in_turn(status("503 Busy"), reply()))


async def reused(w: Wall, paths: Iterable[str]) -> None:
    for path in paths:
        assert (await w.call(*asks(path))).status == 200
    assert len(w.backend.seen) == 1


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("path", ["put", "get"])
def test_a_backend_that_reads_the_request_and_drops_the_socket(tmp_path: Path, path: str, fresh: bool) -> None:
    """On a fresh connection and on one that was kept: a write ran once, and that is all that anybody can say (F49)."""
    ran: list[bytes] = []

    async def answer(request: bytes) -> bytes | None:
        ran.append(request)
        return reply() if len(ran) == 1 and not fresh else None

    async def play(w: Wall) -> None:
        if not fresh:
            await reused(w, ["get"])
        before = len(ran)
        told = await w.tell(*asks(path))
        if path == "put":
            assert len(ran) - before == 1
            assert (told.record["code"], told.reply.json["executed"]) == ("outcome_unknown", "unknown")
        else:
            assert (told.record["code"], len(ran) - before) == ("upstream_unreachable", 2)

    played(tmp_path, play, answer)


class Unread:
    """A backend that answers the first request of its first connection and, as soon as bytes of another arrive there,
    closes without reading them. Later connections are answered, each request."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.closed_unread = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        first, _ = await loop.sock_accept(self._listening)
        await self._answer(first)
        arrived = asyncio.Event()
        loop.add_reader(first, arrived.set)
        await arrived.wait()
        loop.remove_reader(first)
        assert first.recv(1, socket.MSG_PEEK)  # a request, not the end of the connection
        first.close()
        self.closed_unread += 1
        later, _ = await loop.sock_accept(self._listening)
        await self._answer(later)
        later.close()

    async def _answer(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.requests.append(await loop.sock_recv(connection, 65536))
        await loop.sock_sendall(connection, reply())

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize("path", ["put", "get"])
def test_a_kept_connection_that_closes_just_as_the_request_is_written(tmp_path: Path, path: str) -> None:
    """Nobody on this side can tell whether it was read: a write is lost, and no layer below sends it again (F49)."""

    async def play() -> None:
        backend = Unread()
        serving = asyncio.create_task(backend.serve())
        async with wall(tmp_path, TOOLS, port=backend.port, backend_keys=KEYS) as w:
            assert (await w.call("GET", "/crm/get")).status == 200
            told = await w.tell(*asks(path))
            assert backend.closed_unread == 1
            if path == "put":
                assert (told.record["code"], told.record["attempts"]) == ("outcome_unknown", 1)
                await asyncio.sleep(0.2)
                assert len(backend.requests) == 1
            else:
                assert (told.reply.status, told.record["attempts"], len(backend.requests)) == (200, 2, 2)
        serving.cancel()
        backend.close()

    perform(play())


HELD = """
  get: {says: Read., call: GET /get}
  keyed: {says: Write., call: POST /keyed, effect: write, idempotency: {header: Idempotency-Key}}
"""


def test_a_stop_ends_what_waits_to_be_sent_again_and_nothing_is_sent_again(tmp_path: Path) -> None:
    async def patient(request: bytes) -> bytes:
        if request.startswith(b"POST"):
            await asyncio.sleep(5)
        return status("429 Many", "Retry-After: 20") if b"/get" in request else reply()

    async def play() -> None:
        calls = []
        async with wall(tmp_path, HELD, answer=patient, config="bounds: {drain: 600ms}", once=True) as w:
            for path in ("get", "get", "keyed"):
                calls.append(asyncio.create_task(w.call(*asks(path) if path == "get" else ("POST", "/crm/keyed"))))
                await asyncio.sleep(0.05)
        answers = await asyncio.gather(*calls)
        assert [each.status for each in answers] == [429, 429, 504]
        assert answers[2].json["code"] == "outcome_unknown"
        assert len(w.backend.requests) == 3
        assert sorted(each["outcome"] for each in w.records()) == ["ok", "ok", "outcome_unknown"]

    perform(play())

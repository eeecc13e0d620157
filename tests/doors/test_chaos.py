"""Backends on their worst day: one well-formed answer for each call, its own; a write at most once; nothing leaks."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.doors.chaos import MODES, Chaos, chaos
from tests.wire import Wall, perform, wall

TOOLS = """
  read: {says: "Read.", call: "GET /read/{token}", args: {token: {type: string}}}
  write:
    says: Write.
    call: POST /write/{token}
    args: {token: {type: string}, text: {type: string}}
    effect: write
"""
KEYS = "retry: {wait: 5ms}\nbulkhead: {at_once: 40}\n"
SHORT, LONG = "timeout: 1s\n", "timeout: 10s\n"  # a busy machine may take its time where time is not what is tested
AGENTS = 24
LOST = {"read": {"upstream_unreachable"}, "write": {"outcome_unknown"}}
FINE = {"read": {"200"}, "write": {"200"}}
WITHHELD = {"read": {"reply_refused"}, "write": {"reply_refused"}}
ENDS = {
    "in_order": FINE,
    "latency": FINE,
    "drip": FINE,
    "slow_head": FINE,
    "two_replies": FINE,
    "early_reply": FINE,
    "reset_before_reading": LOST,
    "reset_after_reading": LOST,
    "drop_after_reading": LOST,
    "garbage": LOST,
    "half_close": WITHHELD,
    "length_too_short": {kind: LOST[kind] | WITHHELD[kind] for kind in LOST},  # as the rest comes with it or behind
    "length_too_long": WITHHELD,
    "chunked_cut": WITHHELD,
    "gzip_cut": WITHHELD,
    "server_errors": {"read": {"500", "502", "503", "504"}, "write": {"500", "502", "503", "504"}},
    "too_many": {"read": {"429"}, "write": {"429"}},
    "silence": {"read": {"timeout"}, "write": {"outcome_unknown"}},
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Answer:
    """What one call came to: a status, or the code of a refusal."""

    token: str
    kind: str
    end: str
    executed: str
    call: str


@dataclass
class Crowd:
    """Agents that call at once, each on a connection of its own, one call after the other."""

    wall: Wall
    answers: list[Answer] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(3))

    async def calls(self, count: int) -> None:
        numbers = iter(range(count))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AGENTS, count)):
                group.create_task(self._agent(numbers))

    async def _agent(self, numbers: itertools.count[int]) -> None:
        reader = writer = None
        for number in numbers:
            if writer is None:
                reader, writer = await asyncio.open_connection(*self.wall.address)
            token = "".join(self.dice.choices(LETTERS, k=14))
            kind = "write" if number % 2 else "read"
            writer.write(self._request(kind, token))
            answer, close = await one_answer(reader, kind, token)
            self.answers.append(answer)
            if close:
                writer.close()
                reader = writer = None
        if writer is not None:
            writer.close()

    def _request(self, kind: str, token: str) -> bytes:
        if kind == "read":
            return f"GET /crm/read/{token} HTTP/1.1\r\nHost: {self.wall.host}\r\n\r\n".encode()
        body = json.dumps({"text": "word " * self.dice.choice([1, 20_000])}).encode()
        head = f"POST /crm/write/{token} HTTP/1.1\r\nHost: {self.wall.host}\r\nContent-Type: application/json\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def one_answer(reader: asyncio.StreamReader | None, kind: str, token: str) -> tuple[Answer, bool]:
    """Exactly one reply, framed as it says; whether the connection ends with it."""
    assert reader is not None
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(re.findall(r"(?m)^([\w-]+): (.*?)\r$", head))
        assert re.match(r"HTTP/1\.1 \d{3} ", head), head
        assert "Transfer-Encoding" not in fields
        body = await reader.readexactly(int(fields["Content-Length"]))
    said = json.loads(body)
    code, status = fields.get("Toolwall-Refused"), head.split()[1]
    if code is None:
        assert said["token"] == token
        executed = "unknown" if kind == "write" and status >= "500" else "yes"
    else:
        assert said["code"] == code
        assert token not in body.decode()
        executed = said["executed"]
    assert b"stranger" not in body
    return Answer(token, kind, code or status, executed, fields["Toolwall-Call"]), fields.get("Connection") == "close"


@asynccontextmanager
async def scene(folder: Path, mode: str, keys: str = "breaker: off\n") -> AsyncIterator[tuple[Crowd, Chaos]]:
    """Agents in front of a sidecar in front of such a backend. In the end nothing may be left of it."""
    async with wall(folder, TOOLS) as w:  # what is opened once, by the loop or by us, is there before it is counted
        assert (await w.call("GET", "/crm/read/a")).status == 200
    limit = SHORT if mode in ("silence", "mixed") else LONG
    await asyncio.sleep(0.05)
    gc.collect()
    tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    async with chaos() as backend:
        async with wall(folder, TOOLS, port=backend.port, backend_keys=limit + KEYS + keys) as w:
            backend.mode = mode
            w.news()
            yield Crowd(w), backend
            await asyncio.sleep(0.05)
            [health] = w.sidecar.regimes.healths.values()
            assert (health.places.taken, health.places.waiting) == (0, 0)
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        while len(os.listdir("/proc/self/fd")) > files:
            await asyncio.sleep(0.02)


def check(crowd: Crowd, backend: Chaos, count: int) -> None:
    """What holds in every mode."""
    assert len(crowd.answers) == count
    calls = [answer.call for answer in crowd.answers]
    records = {record["call"]: record for record in crowd.wall.news()}
    assert len(set(calls)) == count
    assert set(calls) == set(records)
    for answer in crowd.answers:
        done, record = backend.done[answer.token], records[answer.call]
        assert record["executed"] == answer.executed
        if answer.kind == "write":
            assert done <= 1, answer
            # Never pretend: what is said of a write is so.
            assert {"no": done == 0, "yes": done == 1, "unknown": True}[answer.executed], answer
            assert record["attempts"] <= 1 or done == 1


async def played(folder: Path, mode: str, count: int) -> None:
    async with scene(folder, mode) as (crowd, backend):
        await crowd.calls(count)
        check(crowd, backend, count)
        for kind in ("read", "write"):
            assert {answer.end for answer in crowd.answers if answer.kind == kind} <= ENDS[mode][kind]


def test_every_mode_has_its_ends() -> None:
    assert set(MODES) == set(ENDS)
    assert len(MODES) >= 15 + 1


@pytest.mark.parametrize("mode", MODES)
def test_some_calls(tmp_path: Path, mode: str) -> None:
    perform(played(tmp_path, mode, 24))


@pytest.mark.full
@pytest.mark.parametrize("mode", MODES)
def test_a_thousand_calls(tmp_path: Path, mode: str) -> None:
    perform(played(tmp_path, mode, 1_000))


async def mixed(folder: Path, count: int, keys: str) -> None:
    async with scene(folder, "mixed", keys) as (crowd, backend):
        await crowd.calls(count)
        check(crowd, backend, count)
        allowed = {end for ends in ENDS.values() for kind in ends for end in ends[kind]}
        assert {answer.end for answer in crowd.answers} <= allowed | {"upstream_unhealthy", "limit_reached"}
        backend.mode = "in_order"
        async with asyncio.timeout(20):
            while crowd.answers[-1].end != "200":
                await asyncio.sleep(0.2)
                await crowd.calls(1)


@pytest.mark.parametrize("keys", ["breaker: off\n", "breaker: {open: 300ms}\n"])
def test_all_modes_in_disorder(tmp_path: Path, keys: str) -> None:
    perform(mixed(tmp_path, 200, keys))


@pytest.mark.full
@pytest.mark.parametrize("keys", ["breaker: off\n", "breaker: {open: 300ms}\n"])
def test_ten_thousand_calls_in_disorder(tmp_path: Path, keys: str) -> None:
    perform(mixed(tmp_path, 10_000, keys))

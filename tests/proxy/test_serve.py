"""`toolwall run` as a process: it starts, stops in order, and survives being killed."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import logging
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from proxy.ledger.export import export_lines
from proxy.ledger.verify import verify
from proxy.serve import _OneLine
from proxy.state import ARGUMENTS_HASH, LEDGER_HEAD, load_key
from tests.wire import Backend, always_ok

ROOT = Path(__file__).parents[2]
TOOLS = """
  get: {says: "Read one.", call: "GET /things/{id}", args: {id: {type: integer}}}
  put: {says: "Write one.", call: "POST /things", args: {name: {type: string}}, effect: write, repeatable: true}
"""


def write_files(folder: Path, backend_port: int) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "crm.yaml").write_text(f"backend: crm\nurl: http://127.0.0.1:{backend_port}\ntools:{TOOLS}")
    (folder / "rules" / "policy.yaml").write_text('rules: [{id: everything, allow: "crm.*"}]\n')
    (folder / "toolwall.yaml").write_text(
        "state: state\nadmin: {bind: '127.0.0.1:0'}\n"
        "listeners: [{bind: '127.0.0.1:0', identity: {static: {id: bot}}}]\n"
    )


@contextmanager
def sidecar(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running sidecar and its door's port."""
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(folder / "toolwall.yaml"), "--log", "warning"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = next((each for each in process.stderr if "serves on" in each), "")
            found = re.search(r"serves on [\d.]+:(\d+)", line)
            assert found, line
            yield process, int(found.group(1))
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=20)


@dataclass
class Fire:
    """What agents saw of a sidecar that was killed again and again, and what reached its backend."""

    answered: list[str] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)


async def agent(port: int, write: bool, names: Iterator[int], answered: list[str]) -> None:
    """Call until the sidecar is gone; note the ids of whole answers. No two writes are the same."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for name in names:
            body = b'{"name": "n%d"}' % name if write else b""
            line = "POST /crm/things" if write else "GET /crm/things/7"
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if write else ""
            writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n".encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith("http/1.1 200")
            length, call = re.search(r"content-length: (\d+)", head), re.search(r"toolwall-call: (\w+)", head)
            assert length is not None
            assert call is not None
            await reader.readexactly(int(length.group(1)))
            answered.append(call.group(1))
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def under_fire(folder: Path, kills: int, lives_s: tuple[float, float]) -> Fire:
    fire, backend, names = Fire(), Backend(always_ok), itertools.count()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    write_files(folder, server.sockets[0].getsockname()[1])
    dice = random.Random(7)
    for left in reversed(range(kills)):
        began = time.monotonic()
        with sidecar(folder) as (process, port):
            fire.starts_s.append(time.monotonic() - began)
            calls = [agent(port, write, names, fire.answered) for write in (False, True) * 4]
            agents = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(dice.uniform(*lives_s))
            async with asyncio.timeout(60):  # the last one lives until enough was answered: a machine may be busy
                while not left and len(fire.answered) <= 20 * kills:
                    await asyncio.sleep(0.01)
            process.kill()
            await asyncio.wait_for(asyncio.gather(*agents), 10)
    server.close()
    await asyncio.sleep(0.2)
    # Also a request of which a kill let only a part out counts as an effect.
    fire.sent = re.findall(rb'"n\d+"', b"".join(map(bytes, backend.seen)))
    return fire


def crash(folder: Path, kills: int) -> None:
    fire = asyncio.run(under_fire(folder, kills, (0.0, 0.6)))
    assert len(fire.answered) > 20 * kills
    with sidecar(folder) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    entries = [json.loads(line) for line in export_lines(folder / "state" / "ledger")]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    check_records(entries, fire)
    key = load_key("", folder / "state", {})
    check_intents(entries, fire, key.derive(ARGUMENTS_HASH))
    assert verify(folder / "state" / "ledger", key.derive(LEDGER_HEAD)).faults == []
    first, *later = fire.starts_s  # what a kill left behind takes no time to speak of; a busy machine takes its own
    assert median(later) < max(2.0, 1.5 * first), fire.starts_s
    told = f"{len(fire.answered)} answers, {len(fire.sent)} writes"
    print(f"{told}, starts of {median(later):.2f} s, {max(later):.2f} at most")


def check_records(entries: list[dict[str, Any]], fire: Fire) -> None:
    """Each answer has its one Record."""
    ended = [entry["call"] for entry in entries if entry["kind"] == "call" and entry["outcome"] == "ok"]
    assert len(set(fire.answered)) == len(fire.answered)
    assert set(fire.answered) <= set(ended)
    assert len(set(ended)) == len(ended)


def check_intents(entries: list[dict[str, Any]], fire: Fire, hash_key: bytes) -> None:
    """Whatever reached the backend stands in the ledger as an intent, and no write ended without one."""
    intents = {entry["call"]: entry["arguments_hash"] for entry in entries if entry["kind"] == "intent"}
    writes = {entry["call"] for entry in entries if entry["kind"] == "call" and entry["effect"] == "write"}
    assert writes <= set(intents)
    assert len(set(fire.sent)) == len(fire.sent) > 0
    arguments = [b'{"name":%b}' % name for name in fire.sent]
    sent = [hashlib.blake2b(each, digest_size=32, key=hash_key).hexdigest() for each in arguments]
    assert set(sent) <= set(intents.values())


def test_a_killed_sidecar_has_a_record_of_every_answer(tmp_path: Path) -> None:
    crash(tmp_path, 4)


@pytest.mark.full
def test_two_hundred_kills_lose_no_record(tmp_path: Path) -> None:
    crash(tmp_path, 200)


def test_a_word_to_reload_does_not_end_a_start(tmp_path: Path) -> None:
    write_files(tmp_path, 9)
    text = (tmp_path / "toolwall.yaml").read_text()
    os.mkfifo(tmp_path / "slow.yaml")  # it is read only when somebody writes, so the start takes as long as wanted
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(tmp_path / "slow.yaml")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        with (tmp_path / "slow.yaml").open("w") as file:
            process.send_signal(signal.SIGHUP)
            file.write(text)
        assert process.stderr is not None
        assert any("serves on" in line for line in process.stderr)
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("name", [pytest.param("SIGTERM", marks=pytest.mark.full), "SIGINT"])
def test_a_signal_ends_it_in_order(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, 9)
    with sidecar(tmp_path) as (process, _):
        started = time.monotonic()
        process.send_signal(getattr(signal, name))
        assert process.wait(10) == 0
        assert time.monotonic() - started < 5
    kinds = [json.loads(line)["kind"] for line in export_lines(tmp_path / "state" / "ledger")]
    assert kinds == ["open", "close"]


def test_a_call_under_way_may_end_while_it_stops(tmp_path: Path) -> None:
    async def play() -> None:
        asked = asyncio.Event()

        async def slow(request: bytes) -> bytes | None:
            asked.set()
            await asyncio.sleep(0.5)
            return await always_ok(request)

        server = await asyncio.start_server(Backend(slow).serve, "127.0.0.1", 0)
        write_files(tmp_path, server.sockets[0].getsockname()[1])
        with sidecar(tmp_path) as (process, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /crm/things/7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            await asyncio.wait_for(asked.wait(), 10)
            process.send_signal(signal.SIGTERM)
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200")
            assert await asyncio.to_thread(process.wait, 10) == 0
            writer.close()
        server.close()

    asyncio.run(play())


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def one_of_each(request: bytes) -> bytes | AsyncIterator[bytes]:
    """Thing 1 is a stream without end, 2 is never answered, others are answered at once; nothing is written at once."""
    if request.startswith(b"POST") or b"/things/2" in request:
        await asyncio.sleep(60)
    if b"/things/1" not in request:
        return await always_ok(request)

    async def pieces() -> AsyncIterator[bytes]:
        yield STREAM
        while True:
            yield b"9\r\ndata: 1\n\n\r\n"
            await asyncio.sleep(0.05)

    return pieces()


async def stopped_amid(folder: Path) -> tuple[dict[str, bytes], float]:
    """What agents get that call while the sidecar stops, and the seconds that it takes."""
    server = await asyncio.start_server(Backend(one_of_each).serve, "127.0.0.1", 0)
    write_files(folder, server.sockets[0].getsockname()[1])
    with (folder / "toolwall.yaml").open("a") as config:
        config.write("bounds: {drain: 2s}\n")
    with sidecar(folder) as (process, port):
        agents = {}
        for name, head in (
            ("stream", "GET /crm/things/1"),
            ("read", "GET /crm/things/2"),
            ("idle", "GET /crm/things/3"),
        ):
            agents[name] = await asyncio.open_connection("127.0.0.1", port)
            agents[name][1].write(f"{head} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        agents["write"] = await asyncio.open_connection("127.0.0.1", port)
        agents["write"][1].write(
            b"POST /crm/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b'Content-Length: 13\r\n\r\n{"name": "a"}'
        )
        await agents["idle"][0].readuntil(b'{"ok":true}')
        await agents["stream"][0].readuntil(b"data: 1")
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        await asyncio.sleep(0.3)
        with pytest.raises(OSError):  # nobody new is let in from the first moment
            await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(agents["idle"][0].read(), 1) == b""
        came = {name: await asyncio.wait_for(reader.read(), 10) for name, (reader, _) in agents.items()}
        assert await asyncio.to_thread(process.wait, 10) == 0
        took = time.monotonic() - began
        for _, writer in agents.values():
            writer.close()
    server.close()
    return came, took


def test_what_does_not_end_in_time_ends_by_words_and_each_call_has_its_record(tmp_path: Path) -> None:
    came, took = asyncio.run(stopped_amid(tmp_path))
    assert 0.8 < took < 4
    head, _, body = came["read"].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500")
    assert b"Connection: close" in head
    assert json.loads(body)["code"] == "internal"
    assert came["write"].startswith(b"HTTP/1.1 504")
    assert json.loads(came["write"].partition(b"\r\n\r\n")[2])["code"] == "outcome_unknown"
    assert b"event: error" in came["stream"]
    assert b"is being stopped" in came["stream"]
    assert came["stream"].endswith(b"0\r\n\r\n")
    records = [json.loads(line) for line in export_lines(tmp_path / "state" / "ledger")]
    ends = sorted(entry["outcome"] for entry in records if entry["kind"] == "call")
    assert ends == ["ok", "outcome_unknown", "refused", "refused"]
    assert records[-1]["kind"] == "close"


LOW = 'rules: [{id: low, allow: "crm.*", when: args.id < 100}]\n'
HIGH = 'rules: [{id: high, allow: "crm.*", when: args.id >= 100}]\n'


def replace_policy(folder: Path, text: str) -> None:
    (folder / "fresh").write_text(text)
    os.replace(folder / "fresh", folder / "rules" / "policy.yaml")


async def told(folder: Path, reloads: int) -> None:
    """Wait until the ledger holds so many reloads."""
    async with asyncio.timeout(20):
        while sum(b'"kind":"rules"' in line for line in export_lines(folder / "state" / "ledger")) < reloads:
            await asyncio.sleep(0.02)


async def asker(port: int, numbers: tuple[int, ...], done: asyncio.Event, statuses: list[int]) -> None:
    """Ask for one thing after the other on one connection until it is enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in itertools.count():
        if done.is_set():
            break
        writer.write(f"GET /crm/things/{numbers[turn % len(numbers)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        assert length is not None
        await reader.readexactly(int(length.group(1)))
        statuses.append(int(head.split()[1]))
    writer.close()


async def reloaded_under_load(folder: Path, reloads: int) -> list[int]:
    statuses: list[int] = []
    server = await asyncio.start_server(Backend(always_ok).serve, "127.0.0.1", 0)
    write_files(folder, server.sockets[0].getsockname()[1])
    with (folder / "toolwall.yaml").open("a") as config:
        config.write("ledger: {arguments: redacted}\n")
    replace_policy(folder, LOW)
    with sidecar(folder) as (process, port):
        done = asyncio.Event()
        agents = [asyncio.create_task(asker(port, (7, 700), done, statuses)) for _ in range(4)]
        for turn in range(reloads):
            replace_policy(folder, LOW if turn % 2 else HIGH)
            if turn % 4:  # now and then it has to notice by itself
                process.send_signal(signal.SIGHUP)
            await told(folder, turn + 1)
        done.set()
        await asyncio.wait_for(asyncio.gather(*agents), 10)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    server.close()
    return statuses


def check_reloads(folder: Path, reloads: int) -> None:
    statuses = asyncio.run(reloaded_under_load(folder, reloads))
    assert set(statuses) == {200, 403}
    entries = [json.loads(line) for line in export_lines(folder / "state" / "ledger")]
    fresh = [entry for entry in entries if entry["kind"] == "rules"]
    assert len(fresh) == reloads
    high, low = (
        next(entry["revision"] for entry in fresh if f"added: {name}" in entry["changes"][0])
        for name in ("high", "low")
    )
    calls = [entry for entry in entries if entry["kind"] == "call"]
    assert len(calls) == len(statuses)
    assert {entry["revision"] for entry in calls} == {high, low}
    for entry in calls:
        allowed = (entry["arguments"]["id"] >= 100) == (entry["revision"] == high)
        assert (entry["decision"], entry["status"]) == (("allow", 200) if allowed else ("deny", 403)), entry
        assert entry.get("rules", []) == (["high" if entry["revision"] == high else "low"] if allowed else []), entry


def test_rules_are_reloaded_under_load_and_no_call_fails(tmp_path: Path) -> None:
    check_reloads(tmp_path, 4)


@pytest.mark.full
def test_sixty_reloads_under_load(tmp_path: Path) -> None:
    check_reloads(tmp_path, 60)


@pytest.mark.full
def test_memory_does_not_grow_over_200_reloads(tmp_path: Path) -> None:
    async def play() -> None:
        write_files(tmp_path, 9)
        more = "".join(
            f'  t{n}: {{says: "Read.", call: "GET /t{n}/{{id}}", args: {{id: {{type: integer}}}}}}\n'
            for n in range(200)
        )
        with (tmp_path / "rules" / "crm.yaml").open("a") as file:
            file.write(more)
        with sidecar(tmp_path) as (process, _):
            sizes = []
            for turn in range(200):
                replace_policy(tmp_path, f'rules: [{{id: turn{turn}, allow: "crm.*"}}]\n')
                process.send_signal(signal.SIGHUP)
                await told(tmp_path, turn + 1)
                sizes.append(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096)
        # The first reloads fill pools of the allocator; what would leak shows after them.
        assert max(sizes[150:]) - max(sizes[20:50]) < 4_000_000, sizes

    asyncio.run(play())


def test_a_signal_stops_all_calls_and_another_lets_them_through(tmp_path: Path) -> None:
    async def status(port: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /crm/things/7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head = await asyncio.wait_for(reader.read(65536), 5)
        writer.close()
        return int(head.split()[1])

    async def until(port: int, wanted: int) -> None:
        async with asyncio.timeout(1):
            while await status(port) != wanted:
                await asyncio.sleep(0.02)

    async def play() -> None:
        server = await asyncio.start_server(Backend(always_ok).serve, "127.0.0.1", 0)
        write_files(tmp_path, server.sockets[0].getsockname()[1])
        with sidecar(tmp_path) as (process, port):
            await until(port, 200)
            process.send_signal(signal.SIGUSR1)
            await until(port, 403)
            assert (tmp_path / "state" / "stop").exists()
        with sidecar(tmp_path) as (process, port):
            assert await status(port) == 403
            process.send_signal(signal.SIGUSR2)
            await until(port, 200)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        server.close()

    asyncio.run(play())


def test_a_second_sidecar_on_the_same_state_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, 9)
    with sidecar(tmp_path):
        command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(tmp_path / "toolwall.yaml")]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 3
    assert "another sidecar runs on the same state folder" in second.stderr


def test_log_lines_hold_no_text_of_exceptions() -> None:
    try:
        raise ValueError("the secret value\nof a customer")
    except ValueError:
        record = logging.LogRecord("toolwall", logging.ERROR, "", 1, "it\nfailed", (), sys.exc_info())
    line = _OneLine("%(levelname)s %(message)s").format(record)
    assert line == "ERROR it failed (ValueError)"


def test_calls_do_not_wait_for_who_reads_the_log(tmp_path: Path) -> None:
    write_files(tmp_path, 9)
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(tmp_path / "toolwall.yaml")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stderr is not None
        port = int(re.findall(rb"serves on [\d.]+:(\d+)", process.stderr.readline())[0])
        request = f"GET /crm/nothing HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=60) as agent:
            stream = agent.makefile("rb")
            for _ in range(1000):  # some 200 bytes of log each; a pipe takes 64 KiB
                agent.sendall(request)
                assert stream.readline() == b"HTTP/1.1 403 Forbidden\r\n"
                length = next(int(line[15:]) for line in stream if line.startswith(b"Content-Length:"))
                stream.readline()
                stream.read(length)
            lines = [process.stderr.read(65536)]
            agent.sendall(request)
            stream.readline()
        process.terminate()
        lines.append(process.stderr.read())
        assert process.wait(10) == 0
        assert lines[-1].endswith(b" INFO toolwall told to stop: calls under way may end, within 10 s\n")
    told = re.findall(rb"WARNING toolwall (\d+) log lines were left out", b"".join(lines))
    assert len(told) == 1
    assert b"".join(lines).count(b"code=unknown_tool") == 1001 - int(told[0])


@pytest.mark.parametrize(("most", "says"), [(20, "Only 20 files may be open, at least 64 are needed"), (200, "")])
def test_open_files(tmp_path: Path, most: int, says: str) -> None:
    write_files(tmp_path, 9)
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(tmp_path / "toolwall.yaml")]
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, most))  # noqa: E731
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=limit) as process:
        assert process.stderr is not None
        if says:
            assert process.stderr.read().startswith(says)
            assert process.wait(10) == 3
            return
        assert "only 200 files may be open, and agents may make 1000 connections" in process.stderr.readline()
        assert "serves on" in process.stderr.readline()
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (200, 200)
        process.terminate()


def test_a_log_on_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, 9)
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(tmp_path / "toolwall.yaml")]
    with Path("/dev/full").open("w") as full, subprocess.Popen(command, cwd=ROOT, stderr=full) as process:
        ledger = tmp_path / "state" / "ledger"
        until = time.monotonic() + 30
        while not list(ledger.glob("segment-*")) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)  # it says that it serves after that
        process.terminate()
        assert process.wait(10) == 0


def test_of_a_log_line_that_cannot_be_written_nothing_is_shown() -> None:
    body = """
import logging, sys
from proxy.serve import log_to_stderr
log_to_stderr("info")
logging.getLogger().handlers[0].stream = open("/dev/full", "w", buffering=1)
try:
    raise ValueError("hunter2")
except ValueError:
    logging.getLogger("toolwall").error("it failed")
logging.getLogger().handlers[0].stream = sys.stderr
logging.getLogger("toolwall").error("goes on")
"""
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=True)
    assert "goes on" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr

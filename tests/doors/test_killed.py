"""kill -9 between any two steps of a call with effects: it is never done twice, and no key is stuck for ever."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from tests.wire import Backend, Reply, perform, reply, until_quiet

ROOT = Path(__file__).parents[2]
DYING = [sys.executable, "-m", "tests.doors.dying"]
TOOLS = "  pay: {says: Pay., call: POST /pay, args: {n: {type: integer}}, effect: write}\n"


async def served(backend: Backend, play: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """A play beside a backend, which ends with it; it is told the backend's port."""
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    try:
        await play(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def write_files(folder: Path, port: int) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "crm.yaml").write_text(f"backend: crm\nurl: http://127.0.0.1:{port}\ntools:\n{TOOLS}")
    (folder / "rules" / "policy.yaml").write_text('rules: [{id: everything, allow: "crm.*"}]\n')
    listener = "{bind: '127.0.0.1:0', identity: {static: {id: bot}}}"
    (folder / "toolwall.yaml").write_text(f"state: state\nadmin: {{bind: '127.0.0.1:0'}}\nlisteners: [{listener}]\n")


@contextmanager
def sidecar(folder: Path, moment: str) -> Iterator[int]:
    """A sidecar that dies at this moment; its door's port."""
    command = [*DYING, moment, "run", "-c", str(folder / "toolwall.yaml"), "--log", "warning"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"serves on [\d.]+:(\d+)", line)
            assert found, line
            yield int(found.group(1))
        finally:
            process.kill()
            process.communicate(timeout=20)


async def pay(port: int, n: int = 1) -> Reply | None:
    """One call; None where the sidecar died of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"n": n}).encode()
    lines = ["POST /crm/pay HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: application/json"]
    writer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
    try:
        raw = await until_quiet(reader, 10.0)
    finally:
        writer.close()
    return Reply.parse(raw) if raw else None


async def command(folder: Path, *args: str) -> str:
    done = await asyncio.to_thread(CliRunner().invoke, app, [*args, "-c", str(folder / "toolwall.yaml")])
    assert done.exit_code == 0, done.output
    return str(done.output)


@pytest.mark.parametrize(
    ("moment", "executed", "code"),
    [
        pytest.param("reserved", 0, "", marks=pytest.mark.full),
        ("intended", 0, "outcome_unknown"),
        pytest.param("sent", 1, "outcome_unknown", marks=pytest.mark.full),
        ("answered", 1, "outcome_unknown"),
        ("stored", 1, ""),
        pytest.param("recorded", 1, "", marks=pytest.mark.full),
    ],
)
def test_killed_in_the_middle(tmp_path: Path, moment: str, executed: int, code: str) -> None:
    async def answer(_: bytes) -> bytes:
        await asyncio.sleep(1.0 if moment == "sent" and len(backend.requests) == 1 else 0)
        return reply(b'{"paid":true}')

    backend = Backend(answer)

    async def play(port: int) -> None:
        write_files(tmp_path, port)
        with sidecar(tmp_path, moment) as port:
            assert await pay(port) is None
        assert len(backend.requests) == executed
        with sidecar(tmp_path, "never") as port:
            first, again = await pay(port), await pay(port)
            assert first is not None
            assert again is not None
            if not code:
                assert [first.status, again.status] == [200, 200]
                assert ("toolwall-replayed" in first.headers) == bool(executed)
                assert len(backend.requests) == 1
                assert (await pay(port, 2)) is not None
                return
            assert [first.json["code"], again.json["code"]] == [code, code]
            assert len(backend.requests) == executed
            call = first.json["first_call"]
            assert call in await command(tmp_path, "ledger", "pending")
            await command(tmp_path, "ledger", "settle", call, "--as", "not-done")
            assert "Nothing is pending." in await command(tmp_path, "ledger", "pending")
            once_more, replayed = await pay(port), await pay(port)
            assert once_more is not None
            assert replayed is not None
            assert [once_more.status, replayed.status] == [200, 200]
            assert len(backend.requests) == executed + 1

    perform(served(backend, play))


def test_what_was_settled_while_nobody_ran_is_known_at_the_next_start(tmp_path: Path) -> None:
    async def drop(_: bytes) -> None:
        return None

    backend = Backend(drop)

    async def play(port: int) -> None:
        write_files(tmp_path, port)
        with sidecar(tmp_path, "never") as port:
            lost = [await pay(port, n) for n in (1, 2)]
        calls = [each.json["call_id"] for each in lost if each]
        await command(tmp_path, "ledger", "settle", calls[0], "--as", "done")
        await command(tmp_path, "ledger", "settle", calls[1], "--as", "not-done")
        with sidecar(tmp_path, "never") as port:
            done, again = await pay(port, 1), await pay(port, 2)
            assert done is not None
            assert again is not None
            assert (done.json["code"], done.json["executed"]) == ("reply_refused", "yes")
            assert len(backend.requests) == 3
            assert again.json["code"] == "outcome_unknown"

    perform(served(backend, play))

"""kill -9 between any two steps of undoing a run: nothing is undone twice, and it goes on where it was."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from tests.doors.test_killed import served, sidecar
from tests.wire import Backend, Reply, perform, reply, until_quiet

RULES = """
tools:
  pay:
    says: Pay.
    call: POST /pay
    args: {n: {type: integer}}
    effect: write
    undo: {tool: cancel, with: {id: reply.id}}
  cancel: {says: Cancel., call: 'DELETE /pay/{id}', args: {id: {type: integer}}, effect: write}
"""
EFFECTS = 3
LONG = [
    ("unmarked:2", 0),
    ("undoing:2", 0),
    ("reserved:5", 0),
    ("answered:6", 1),
    ("stored:6", 1),
    ("recorded:5", 0),
    ("undone:2", 0),
]


def write_files(folder: Path, port: int) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "crm.yaml").write_text(f"backend: crm\nurl: http://127.0.0.1:{port}\n{RULES}")
    (folder / "rules" / "policy.yaml").write_text('rules: [{id: everything, allow: "crm.*"}]\n')
    listener = "{bind: '127.0.0.1:0', identity: {static: {id: bot}}}"
    (folder / "toolwall.yaml").write_text(f"state: state\nadmin: {{bind: '127.0.0.1:0'}}\nlisteners: [{listener}]\n")


async def pay(port: int, n: int) -> Reply:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"n": n}).encode()
    head = ["POST /crm/pay HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: application/json"]
    writer.write("\r\n".join([*head, "Toolwall-Run: r1", f"Content-Length: {len(body)}", "", ""]).encode() + body)
    try:
        return Reply.parse(await until_quiet(reader, 10.0))
    finally:
        writer.close()


def command(folder: Path, *args: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, [*args, "-c", str(folder / "toolwall.yaml")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


async def undone(folder: Path) -> dict[str, Any]:
    _, out = await asyncio.to_thread(command, folder, "undo", "r1", "--json")
    report: dict[str, Any] = json.loads(out)
    return report


@pytest.mark.parametrize(
    ("moment", "unknown"),
    [
        ("intended:5", 1),
        *(pytest.param(*each, marks=pytest.mark.full) for each in LONG),
    ],
)
def test_killed_in_the_middle_of_the_second_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, unknown: int
) -> None:
    monkeypatch.setattr("proxy.commands.undo.MOST_S", 2.0)  # what is dead and not buried seems to live

    async def answer(request: bytes) -> bytes:
        body = request.partition(b"\r\n\r\n")[2]
        return reply(b'{"id":%d}' % json.loads(body)["n"] if body else b"{}")

    backend = Backend(answer)

    async def play(port: int) -> None:
        write_files(tmp_path, port)
        with sidecar(tmp_path, moment) as port:
            for n in range(EFFECTS):
                assert (await pay(port, n)).status == 200
            code, out = await asyncio.to_thread(command, tmp_path, "undo", "r1", "--json")
            assert (code, "safe" in out) == (3, True)
        with sidecar(tmp_path, "never"):
            report = await undone(tmp_path)
            if unknown:
                assert [step["state"] for step in report["steps"]] == ["was_undone", "stopped", "not_reached"]
                sent = f"DELETE /pay/{EFFECTS - 2}".encode() in b"".join(backend.requests)
                found = ["--as", "done" if sent else "not-done"]
                code, out = await asyncio.to_thread(
                    command, tmp_path, "ledger", "settle", report["steps"][1]["by"], *found
                )
                assert code == 0, out
                report = await undone(tmp_path)
            assert report["complete"]
            assert (await undone(tmp_path))["complete"]
        lines = [request.split(b" HTTP")[0].decode() for request in backend.requests[EFFECTS:]]
        assert lines == [f"DELETE /pay/{n}" for n in reversed(range(EFFECTS))]

    perform(served(backend, play))

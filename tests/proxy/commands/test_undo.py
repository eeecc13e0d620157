"""`toolwall undo`, beside a sidecar that runs and without one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proxy import orders
from proxy.cli import app
from proxy.identity.identity import digest
from tests.wire import Wall, perform, reply, wall

TOOLS = """
  pay:
    says: Pay.
    call: POST /pay
    args: {to: {type: string}}
    effect: write
    undo: {tool: cancel, with: {id: reply.id, to: args.to}}
  cancel: {says: Cancel., call: POST /cancel, args: {id: {type: string}, to: {type: string}}, effect: write}
  mail: {says: Mail., call: POST /mail, args: {n: {type: integer}}, effect: write, repeatable: true}
"""
RUN = [("Toolwall-Run", "r1")]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


def undo(folder: Path, *args: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["undo", *args, "-c", str(folder / "toolwall.yaml")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


async def beside(w: Wall, *args: str) -> tuple[int, str]:
    return await asyncio.to_thread(undo, w.folder, *args)


async def paid(_: bytes) -> bytes:
    return reply(b'{"id":"r-7"}')


def test_a_run_is_looked_at_undone_and_told(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=paid, once=True) as w:
            call = (await w.call("POST", "/crm/pay", b'{"to":"ann.quill@example.com"}', RUN)).headers["toolwall-call"]
            code, out = await beside(w, "r1", "--dry-run")
            assert code == 0
            assert f"{call} crm.pay: would be undone by crm.cancel" in out
            assert '"id": "r-7"' in out
            assert "<EMAIL_ADDRESS>" in out
            assert "quill" not in out
            assert len(w.backend.requests) == 1
            code, out = await beside(w, "r1")
            assert code == 0
            assert f"{call} crm.pay: undone by crm.cancel (call " in out
            assert out.endswith("Nothing is left to undo.\n")
            code, out = await beside(w, "r1", "--json")
            assert (code, json.loads(out)["steps"][0]["state"]) == (0, "was_undone")
            assert len(w.backend.requests) == 2

    perform(play())


def test_what_stands_is_told_and_ends_with_1(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=paid, once=True) as w:
            await w.call("POST", "/crm/pay", b'{"to":"a"}', RUN)
            mail = (await w.call("POST", "/crm/mail", b'{"n":1}', RUN)).headers["toolwall-call"]
            code, out = await beside(w, "r1")
            assert code == 1
            assert f"{mail} crm.mail: NOT UNDONE" in out
            assert f"--leave {mail}" in out
            assert "2 of 2 effects stand. It stopped where a human is needed." in out
            code, out = await beside(w, "r1", "--leave", mail[:20])
            assert (code, "left as it is" in out) == (0, True)

    perform(play())


def test_what_is_no_run_and_whose_it_is(tmp_path: Path) -> None:
    async def play() -> None:
        keys = {name: f"twk_{name}-{'z' * 30}" for name in ("ann", "bob")}
        rows = ", ".join(f"{{id: {name}, sha256: {digest(key)}}}" for name, key in keys.items())
        async with wall(tmp_path, TOOLS, answer=paid, identity=f"{{api_keys: [{rows}]}}", once=True) as w:
            for key in keys.values():
                await w.call("POST", "/crm/pay", b'{"to":"a"}', [*RUN, ("Toolwall-Key", key)])
            assert await beside(w, "r2") == (1, "No call in the ledger belongs to run r2.\n")
            code, out = await beside(w, "r1")
            assert (code, "ann, bob" in out, "--principal" in out) == (1, True, True)
            assert (await beside(w, "r1", "--principal", "eve"))[0] == 1
            assert (await beside(w, "r1", "--principal", "bob"))[0] == 0
            assert {entry["principal"] for entry in w.records("undone")} == {"bob"}

    perform(play())


def test_without_a_sidecar_nothing_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=paid, once=True) as w:
            await w.call("POST", "/crm/pay", b'{"to":"a"}', RUN)

    perform(play())
    give: Any = orders.give
    monkeypatch.setattr(orders, "give", lambda state, order, patience_s: give(state, order, 0.05))
    code, out = undo(tmp_path, "r1")
    assert (code, "No sidecar" in out) == (3, True)

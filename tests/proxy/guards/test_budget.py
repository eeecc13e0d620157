"""Budgets through the socket: set aside before sending, paid by what came, never one call too many, nothing leaked."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.budgetfile import PATIENCE_S
from tests.proxy.test_serve import sidecar
from tests.wire import Backend, Wall, perform, repeatable, reply, until_quiet, wall

CONFIG = """
state: state
admin: {bind: '127.0.0.1:0'}
listeners: [{bind: '127.0.0.1:0', identity: {static: {id: bot}}}]
"""

TOOLS = """
  find: {says: Find., call: "GET /find", price: 0.02 EUR}
  ask:
    says: Ask a model.
    call: POST /ask
    effect: write
    args: {q: {type: string}}
    price: {from: /usage/cost, most: 0.50 EUR}
    tokens: {from: /usage/tokens, most: 1000}
  free: {says: Free., call: "GET /free", timeout: 300ms}
"""


def policy(*budgets: str, more: str = "") -> str:
    names = [each.partition(":")[0] for each in budgets]
    text = "".join(f"\n  {each}" for each in budgets)
    return f"budgets:{text}\nrules: [{{id: r, allow: crm.*, require: {{budget: [{', '.join(names)}]{more}}}}}]"


def accounts(folder: Path) -> dict[str, dict[str, int]]:
    """What the file says was spent, by budget."""
    with sqlite3.connect(folder / "state" / "budgets.sqlite") as db:
        assert db.execute("SELECT count(*) FROM holds").fetchone() == (0,)
        rows = db.execute("SELECT id, spent FROM accounts").fetchall()
    return {json.loads(id)[0]: json.loads(spent) for id, spent in rows}


def usage(cost: str, tokens: str = "7") -> bytes:
    return reply(f'{{"usage": {{"cost": {cost}, "tokens": {tokens}}}}}'.encode())


def test_of_six_calls_at_the_same_time_exactly_one_is_refused(tmp_path: Path) -> None:
    gate = asyncio.Event()
    came = 0

    async def answer(_: bytes) -> bytes:
        nonlocal came
        came += 1
        if came == 5:
            gate.set()
        await gate.wait()
        return reply()

    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy("purse: {per: run, calls: 5}"), answer=answer) as w:
            run = [("Toolwall-Run", "one")]
            told = await asyncio.gather(*(w.call("GET", "/crm/free", headers=run) for _ in range(6)))
            assert sorted(each.status for each in told) == [200] * 5 + [429]
            (no,) = [each.json for each in told if each.status == 429]
            assert (no["code"], no["executed"], no["retry"], no["budget"]) == ("budget_spent", "no", "never", "purse")
            assert len(w.backend.requests) == 5
            other = await w.call("GET", "/crm/free", headers=[("Toolwall-Run", "two")])
            assert other.status == 200
        assert accounts(tmp_path)["purse"]["calls"] in (1, 5)

    perform(play())


def test_what_is_set_aside_is_given_back_and_said_so_meanwhile(tmp_path: Path) -> None:
    gate, came = asyncio.Event(), asyncio.Event()

    async def answer(_: bytes) -> bytes:
        came.set()
        await gate.wait()
        return usage("0.10")

    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy("purse: {per: principal, each: day, money: 0.75 EUR}")) as w:
            w.backend.answer = answer
            first = asyncio.create_task(w.call("POST", "/crm/ask", b'{"q": "a"}'))
            await came.wait()
            no = await w.call("POST", "/crm/ask", b'{"q": "b"}')
            assert (no.status, no.json["code"], no.headers["retry-after"]) == (429, "limit_reached", "1")
            gate.set()
            await first
            assert (await w.call("POST", "/crm/ask", b'{"q": "b"}')).status == 200
            assert (await w.call("POST", "/crm/ask", b'{"q": "c"}')).status == 200
            no = await w.call("POST", "/crm/ask", b'{"q": "d"}')
            assert (no.status, no.json["code"]) == (429, "budget_spent")
            assert no.json["renews"].endswith("T00:00:00Z")
            assert "retry-after" not in no.headers
            assert "EUR" not in no.raw.decode()
            assert len(w.backend.requests) == 3
        assert accounts(tmp_path) == {"purse": {"EUR": 300_000_000}}

    perform(play())


@pytest.mark.parametrize(
    ("answer", "eur", "tokens"),
    [
        (usage("0.123456789"), 123_456_789, 7),
        (usage("1e-9", '"12"'), 1, 12),
        (usage("1e-12"), 1, 7),
        (usage("0"), 0, 7),
        (usage("0.9"), 900_000_000, 7),
        (usage("-1"), 500_000_000, 7),
        (usage("true", "1.5"), 500_000_000, 2),
        (usage('"x"', "null"), 500_000_000, 1000),
        (usage("NaN"), 500_000_000, 7),
        (usage("1e400"), 500_000_000, 7),
        (reply(b"{}"), 500_000_000, 1000),
        (reply(b"{"), 500_000_000, 1000),
        (reply(b"[" * 5000), 500_000_000, 1000),
        (reply(b'{"usage": {"cost": 0.1}}', kind="text/plain"), 500_000_000, 1000),
        (reply(b"{}", status="400 Bad Request"), 0, 0),
        (reply(b"{}", status="503 Service Unavailable"), 500_000_000, 1000),
        (None, 500_000_000, 1000),
    ],
)
def test_a_price_in_the_reply(tmp_path: Path, answer: bytes | None, eur: int, tokens: int) -> None:
    """What the reply says is paid; what it does not say is paid in full, and an answer of 4xx costs nothing."""

    async def answered(_: bytes) -> bytes | None:
        return answer

    async def play() -> None:
        budget = "purse: {per: principal, each: month, money: 9 EUR, tokens: 9000, calls: 9}"
        async with wall(tmp_path, TOOLS, policy(budget), answer=answered) as w:
            told = await w.tell("POST", "/crm/ask", b'{"q": "a"}')
            assert "budget" in told.record["checks"]
        spent = accounts(tmp_path)["purse"]
        assert (spent.get("EUR", 0), spent.get("tokens", 0), spent["calls"]) == (eur, tokens, 1)

    perform(play())


def test_the_price_is_read_before_anything_is_taken_out_and_stands_in_the_record(tmp_path: Path) -> None:
    tools = TOOLS.replace("    price: {from", "    reply: {keep: [/usage/tokens]}\n    price: {from")

    async def answered(_: bytes) -> bytes:
        return usage("0.0305", "41")

    async def play() -> None:
        budget = "purse: {per: all, each: hour, money: 1 EUR, tokens: 2000}"
        async with wall(tmp_path, tools, policy(budget), answer=answered) as w:
            told = await w.tell("POST", "/crm/ask", b'{"q": "a"}')
            assert told.reply.json == {"usage": {"tokens": 41}}
            assert told.record["cost"] == {"EUR": "0.0305", "tokens": 41}
            assert told.record["budgets"] == {"purse": 50}

    perform(play())


def test_a_warning_from_80_per_cent_on(tmp_path: Path) -> None:
    async def play() -> None:
        budgets = ("purse: {per: run, calls: 5}", "wide: {per: all, each: day, calls: 100}")
        async with wall(tmp_path, TOOLS, policy(*budgets)) as w:
            told = [(await w.call("GET", "/crm/free")).headers.get("toolwall-budget") for _ in range(6)]
            assert told == [None, None, None, "purse=80%", "purse=100%", None]

    perform(play())


def test_what_another_guard_refuses_costs_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        budgets = ("purse: {per: run, calls: 5, money: 5 EUR}", "wide: {per: all, each: day, calls: 100}")
        async with wall(tmp_path, TOOLS, policy(*budgets, more=", limit: {calls: 2/hour, per: all}")) as w:
            answers = [await w.call("GET", "/crm/find") for _ in range(8)]
            assert [each.status for each in answers] == [200, 200] + [429] * 6
            assert {each.json["code"] for each in answers[2:]} == {"limit_reached"}
        assert accounts(tmp_path) == {"purse": {"EUR": 40_000_000, "calls": 2}, "wide": {"EUR": 40_000_000, "calls": 2}}

    perform(play())


def test_one_budget_that_is_spent_uses_up_no_other(tmp_path: Path) -> None:
    async def play() -> None:
        budgets = ("small: {per: run, calls: 1}", "wide: {per: all, each: day, calls: 3}")
        async with wall(tmp_path, TOOLS, policy(*budgets)) as w:
            for run in ("a", "a", "a", "b", "c"):
                await w.call("GET", "/crm/free", headers=[("Toolwall-Run", run)])
            assert len(w.backend.requests) == 3
            no = await w.call("GET", "/crm/free", headers=[("Toolwall-Run", "d")])
            assert no.json["budget"] == "wide"

    perform(play())


def test_spending_survives_a_restart_and_a_change_of_the_rules(tmp_path: Path) -> None:
    async def play() -> None:
        for _ in range(2):
            async with wall(tmp_path, TOOLS, policy("purse: {per: principal, each: month, calls: 5}")) as w:
                assert [(await w.call("GET", "/crm/free")).status for _ in range(2)] == [200] * 2
        async with wall(tmp_path, TOOLS, policy("purse: {per: principal, each: month, calls: 4}")) as w:
            assert (await w.call("GET", "/crm/free")).status == 429

    perform(play())


def test_where_nothing_can_be_written_nothing_is_sent(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy("purse: {per: run, calls: 5}")) as w:
            with sqlite3.connect(tmp_path / "state" / "budgets.sqlite") as db:
                db.execute("ALTER TABLE holds RENAME TO elsewhere")
                db.commit()
                no = await w.call("GET", "/crm/free")
                assert (no.status, no.json["code"], no.json["executed"]) == (500, "internal", "no")
                assert w.backend.requests == []
                db.execute("ALTER TABLE elsewhere RENAME TO holds")
                db.commit()
            assert (await w.call("GET", "/crm/free")).status == 200

    perform(play())


async def hung_up(w: Wall, raw: bytes) -> None:
    _, writer = await asyncio.open_connection(*w.address)
    writer.write(raw)
    await asyncio.sleep(0.03)
    writer.close()


async def mixed(w: Wall, number: int, chance: random.Random) -> None:
    """Calls of every kind of end, all in one budget."""
    body = json.dumps({"q": chance.choice(["ok", "cut", "drop", "400", "503", "slow"]) + str(number)}).encode()
    match chance.randrange(6):
        case 0:
            await hung_up(w, w.raw("POST", "/crm/ask", body))
        case 1:
            await w.call("POST", "/crm/ask", b'{"q": 5}')
        case 2:
            await w.call("GET", "/crm/find")
        case _:
            await w.call("POST", "/crm/ask", body)


async def answers(request: bytes) -> bytes | AsyncIterator[bytes] | None:
    if b'"drop' in request:
        return None
    if b'"slow' in request:
        await asyncio.sleep(0.1)
    if b'"400' in request:
        return reply(b"{}", status="400 Bad Request")
    if b'"503' in request:
        return reply(b"{}", status="503 Service Unavailable")
    return usage("0.01") if b'"cut' not in request else b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"


def due(records: list[dict[str, Any]]) -> dict[str, int]:
    """What the Records say was spent, counted by other rules than the program's: in thousandths."""
    spent = {"calls": 0, "thousandths": 0}
    for record in records:
        if record["executed"] == "no" or not record["attempts"]:
            continue
        spent["calls"] += 1
        worst = "0.02" if record["tool"] == "crm.find" else "0.5"
        spent["thousandths"] += round(float(record.get("cost", {}).get("EUR", worst)) * 1000)
    return spent


@pytest.mark.parametrize("calls", [300, pytest.param(10_000, marks=pytest.mark.full)])
def test_no_drift_over_successes_errors_refusals_and_hang_ups(tmp_path: Path, calls: int) -> None:
    async def play() -> None:
        budget = "purse: {per: all, each: month, calls: 1000000, money: 1000000 EUR}"
        async with wall(tmp_path, TOOLS, policy(budget, more=", limit: {at_once: 7, per: all}"), answer=answers) as w:
            chance, turns = random.Random(7), asyncio.Semaphore(10)

            async def one(number: int) -> None:
                async with turns:
                    await mixed(w, number, chance)

            await asyncio.gather(*(one(number) for number in range(calls)))
            await asyncio.sleep(0.4)
            records = w.records()
        ends = {(record["outcome"], record.get("code", "")) for record in records}
        assert {"ok", "refused", "client_gone", "outcome_unknown"} == {outcome for outcome, _ in ends}
        spent, expected = accounts(tmp_path)["purse"], due(records)
        assert spent["calls"] == expected["calls"]
        assert spent["EUR"] == expected["thousandths"] * 10**6

    perform(play())


def test_a_crash_between_setting_aside_and_paying_recovers(tmp_path: Path) -> None:
    """Three calls ended, two were under way: kill -9. After the start each is paid once, those two in full."""
    silent = asyncio.Event()

    async def answer(request: bytes) -> bytes:
        if b'"slow' in request:
            await silent.wait()
        return usage("0.01")

    async def play() -> None:
        backend = Backend(answer)
        server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
        (tmp_path / "rules").mkdir()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        (tmp_path / "rules" / "crm.yaml").write_text(f"backend: crm\nurl: {url}\ntools:{repeatable(TOOLS)}")
        budget = "purse: {per: principal, each: month, calls: 6, money: 9 EUR}"
        (tmp_path / "rules" / "policy.yaml").write_text(policy(budget))
        (tmp_path / "toolwall.yaml").write_text(CONFIG)
        with sidecar(tmp_path) as (process, port):
            for _ in range(3):
                assert b"200 OK" in await ask(port, "quick")
            slow = [asyncio.create_task(ask(port, "slow")) for _ in range(2)]
            while len(backend.requests) < 5:
                await asyncio.sleep(0.02)
            process.kill()
            await asyncio.gather(*slow, return_exceptions=True)
        with sidecar(tmp_path) as (process, port):
            await asyncio.sleep(3 * PATIENCE_S)
            assert accounts(tmp_path) == {"purse": {"calls": 5, "EUR": 3 * 10_000_000 + 2 * 500_000_000}}
            assert b"200 OK" in await ask(port, "quick")
            assert b"budget_spent" in await ask(port, "quick")
        silent.set()
        server.close()

    perform(play())


async def ask(port: int, word: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"q": word}).encode()
    head = (
        f"POST /crm/ask HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    )
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    try:
        return await until_quiet(reader)
    finally:
        writer.close()


@pytest.mark.parametrize("written", [False, True])
def test_a_call_that_was_recorded_but_not_paid_is_paid_by_its_record(tmp_path: Path, written: bool) -> None:
    """What is on disk between the Record and the payment, as a crash there would leave it."""

    async def play() -> None:
        kept = policy("purse: {per: principal, each: month, calls: 6, money: 9 EUR}")
        async with wall(tmp_path, TOOLS, kept) as w:
            w.backend.answer = lambda _: asyncio.sleep(0, usage("0.01"))
            told = await w.tell("POST", "/crm/ask", b'{"q": "a"}')
            at = told.record["started_ns"] / 1e9
        with sqlite3.connect(tmp_path / "state" / "budgets.sqlite") as db:
            ((id, ends),) = db.execute("SELECT id, ends FROM accounts").fetchall()
            db.execute("DELETE FROM accounts")
            call = told.record["call"] if written else "another"
            row = (call, at, json.dumps({id: ends}), json.dumps({"calls": 1, "EUR": 500_000_000}))
            db.execute("INSERT INTO holds VALUES (?, ?, ?, ?)", row)
        async with wall(tmp_path, TOOLS, kept):
            pass
        assert accounts(tmp_path)["purse"] == {"calls": 1, "EUR": 10_000_000 if written else 500_000_000}

    perform(play())

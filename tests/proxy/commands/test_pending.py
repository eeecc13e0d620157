"""`toolwall ledger pending` and `settle`, beside a sidecar that runs and without one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.proxy.ledgercli import ledger
from tests.wire import Wall, perform, reply, wall

TOOLS = """
  pay: {says: Pay., call: POST /pay, args: {n: {type: integer}}, effect: write}
  chat: {says: Say., call: POST /chat, args: {n: {type: integer}}, effect: write, repeatable: true}
  get: {says: Read., call: GET /get}
"""


async def beside(w: Wall, *args: str) -> tuple[int, str]:
    return await asyncio.to_thread(ledger, w.folder, *args)


async def drop(_: bytes) -> None:
    return None


def test_a_lost_call_waits_in_the_list_until_it_is_settled(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=drop, once=True) as w:
            assert await beside(w, "pending") == (0, "Nothing is pending.\n")
            await w.tell("GET", "/crm/get")
            lost = [await w.tell("POST", f"/crm/{name}", b'{"n":1}') for name in ("pay", "chat", "pay")]
            calls = [told.record["call"] for told in lost]
            code, out = await beside(w, "pending", "--json")
            assert code == 0
            assert [json.loads(line)["call"] for line in out.splitlines()] == [calls[1], calls[0]]
            shown = (await beside(w, "pending"))[1]
            assert all(part in shown for part in (*calls[:2], "crm.pay", "it was sent, and no answer came"))
            assert (await beside(w, "settle", calls[2], "--as", "done"))[0] == 1
            w.backend.answer = answered
            assert await beside(w, "settle", calls[0][:20], "--as", "not-done") == (
                0,
                f"Settled: call {calls[0]} as not-done.\n",
            )
            assert (await beside(w, "settle", calls[0], "--as", "done"))[0] == 1
            again = await w.tell("POST", "/crm/pay", b'{"n":1}')
            assert (again.reply.status, len(again.reached)) == (200, 1)
            assert (await beside(w, "settle", calls[1], "--as", "done"))[0] == 0
            assert (await beside(w, "pending"))[1] == "Nothing is pending.\n"
            [first, second] = w.records("settled")
            assert (first["as"], second["as"]) == ("not-done", "done")
            assert "once" not in second

    perform(play())


async def answered(_: bytes) -> bytes:
    return reply()


def test_what_is_settled_as_done_is_never_sent(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=drop, once=True) as w:
            lost = await w.tell("POST", "/crm/pay", b'{"n":1}')
            assert (await beside(w, "settle", lost.record["call"], "--as", "done"))[0] == 0
            again = await w.tell("POST", "/crm/pay", b'{"n":1}')
            assert (again.reply.json["code"], again.reply.json["executed"], again.reached) == (
                "reply_refused",
                "yes",
                [],
            )

    perform(play())


def test_a_call_that_is_under_way_is_not_settled(tmp_path: Path) -> None:
    async def play() -> None:
        async def slowly(_: bytes) -> bytes:
            await asyncio.sleep(6)
            return reply()

        async with wall(tmp_path, TOOLS, answer=slowly, once=True) as w:
            first = asyncio.create_task(w.call("POST", "/crm/pay", b'{"n":1}'))
            while not w.backend.requests:
                await asyncio.sleep(0.02)
            [intent] = w.records("intent")
            code, out = await beside(w, "settle", intent["call"], "--as", "not-done")
            assert (code, "still under way" in out) == (1, True)
            first.cancel()

    perform(play())


def test_what_nobody_knows_is_no_call(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, once=True) as w:
            await w.tell("POST", "/crm/pay", b'{"n":1}')
            assert (await beside(w, "settle", "ffff", "--as", "done"))[0] == 1
            assert (await beside(w, "settle", "0", "--as", "maybe"))[0] == 2

    perform(play())


BUDGET = """
budgets: {purse: {per: principal, each: month, calls: 2}}
rules: [{id: all, allow: "crm.*", require: {budget: purse}}]
"""


def test_what_was_not_done_is_given_back_to_its_budget(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, BUDGET, answer=drop, once=True) as w:
            lost = [(await w.tell("POST", "/crm/pay", b'{"n":%d}' % n)).record["call"] for n in (1, 2)]
            w.backend.answer = answered
            assert (await w.tell("POST", "/crm/pay", b'{"n":3}')).reply.json["code"] == "budget_spent"
            await beside(w, "settle", lost[0], "--as", "not-done")
            assert (await w.tell("POST", "/crm/pay", b'{"n":3}')).reply.status == 200
            assert (await w.tell("POST", "/crm/pay", b'{"n":4}')).reply.json["code"] == "budget_spent"
        assert ledger(tmp_path, "settle", lost[1], "--as", "not-done")[0] == 0
        async with wall(tmp_path, TOOLS, BUDGET, answer=answered, once=True) as w:
            assert (await w.tell("POST", "/crm/pay", b'{"n":4}')).reply.status == 200
            assert (await w.tell("POST", "/crm/pay", b'{"n":5}')).reply.json["code"] == "budget_spent"

    perform(play())


def test_what_was_done_stays_paid(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, BUDGET, answer=drop, once=True) as w:
            lost = [(await w.tell("POST", "/crm/pay", b'{"n":%d}' % n)).record["call"] for n in (1, 2)]
            await beside(w, "settle", lost[0], "--as", "done")
            assert (await w.tell("POST", "/crm/pay", b'{"n":3}')).reply.json["code"] == "budget_spent"

    perform(play())


def test_a_retry_pays_anew_what_was_given_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, BUDGET, answer=drop, once=True) as w:
            lost = [(await w.tell("POST", "/crm/pay", b'{"n":%d}' % n)).record["call"] for n in (1, 2)]
            w.backend.answer = answered
            assert (await beside(w, "retry", lost[0]))[0] == 0
            assert (await w.tell("POST", "/crm/pay", b'{"n":3}')).reply.json["code"] == "budget_spent"

    perform(play())

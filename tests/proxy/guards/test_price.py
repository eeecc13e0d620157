"""Where a reply says what it cost. What guards do with it is in test_budget.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire import perform, reply, wall


@pytest.mark.parametrize(
    "said",
    [
        b'{"cost": 1e999999}',
        b'{"cost": "1e999999"}',
        b'{"cost": 1e99999999999999999999}',
        b'{"cost": 0.1, "beside": -1e99999999999999999999}',
        b'{"cost": -1}',
        b'{"cost": "nan"}',
        b'{"cost": true}',
        b'{"cost": [0.1]}',
        b'{"cost": null}',
        b"{}",
    ],
)
def test_a_reply_that_says_nothing_usable_passes_and_all_is_paid(tmp_path: Path, said: bytes) -> None:
    tools = '  pay: {says: Pay., call: "POST /pay", effect: write, price: {from: /cost, most: 2 EUR}}'
    policy = "budgets: {purse: {per: run, money: 3 EUR}}\nrules: [{id: all, allow: 'crm.*', require: {budget: purse}}]"

    async def said_so(_: bytes) -> bytes:
        return reply(said)

    async def play() -> None:
        async with wall(tmp_path, tools, policy, answer=said_so) as w:
            told = await w.tell("POST", "/crm/pay")
            assert (told.reply.status, told.reply.body) == (200, said)
            assert (await w.tell("POST", "/crm/pay")).reply.json["code"] == "budget_spent"

    perform(play())


def test_a_large_reply_is_read_in_a_thread_and_comes_whole(tmp_path: Path) -> None:
    body = b'{"rows": [' + b", ".join([b'"%d"' % number for number in range(60_000)]) + b'], "cost": 0.75}'
    tools = '  get: {says: Read., call: "GET /get", price: {from: /cost, most: 2 EUR}}'

    async def large(_: bytes) -> bytes:
        return reply(body)

    async def play() -> None:
        async with wall(tmp_path, tools, answer=large) as w:
            told = await w.tell("GET", "/crm/get")
            assert told.record["cost"] == {"EUR": "0.75"}
            assert told.reply.body == body

    perform(play())

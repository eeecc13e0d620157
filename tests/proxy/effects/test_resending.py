"""A call of which nobody knew is sent once more when a person says so, as it came, and never twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from proxy import orders
from proxy.effects.settling import again
from proxy.identity.identity import digest
from tests.proxy.ledgercli import ledger
from tests.wire import Answer, Stage, Told, Wall, answering, perform, reply, staged, wall

TOOLS = """
  pay:
    says: Pay.
    call: POST /pay
    args: {n: {type: integer}, to: {type: string, optional: true}}
    effect: write
    undo: {tool: cancel, with: {n: args.n}}
  cancel: {says: Cancel., call: POST /cancel, args: {n: {type: integer}}, effect: write}
  keyed:
    says: Keyed.
    call: POST /keyed
    args: {n: {type: integer}}
    effect: write
    idempotency: {key: "k-{args.n}", header: Idempotency-Key}
  chat: {says: Chat., call: POST /chat, args: {n: {type: integer}}, effect: write, repeatable: true}
  few: {says: Few., call: POST /few, args: {n: {type: integer}}, effect: write, limit: 1/hour}
  get: {says: Read., call: GET /get}
"""
KEYS = {name: f"twk_{name}-{'r' * 30}" for name in ("ann", "bob")}
MAIL = "ann.quill@example.com"
numbers = count(1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    rows = ", ".join(f"{{id: {name}, roles: [support], sha256: {digest(key)}}}" for name, key in KEYS.items())
    folder = tmp_path_factory.mktemp("resend")
    with staged(folder, TOOLS, identity=f"{{api_keys: [{rows}]}}", once=True) as stage:
        yield stage


async def call(w: Wall, tool: str, answer: Answer | None, *headers: tuple[str, str], **args: Any) -> Told:
    if answer:
        w.backend.answer = answer
    return await w.tell("POST", f"/crm/{tool}", json.dumps(args).encode(), [("Toolwall-Key", KEYS["ann"]), *headers])


async def retry(w: Wall, call: str) -> tuple[int, str]:
    return await asyncio.to_thread(ledger, w.folder, "retry", call)


def test_it_is_sent_as_it_came_and_its_caller_gets_the_answer(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n = next(numbers)
        named = [("Authorization", "Bearer the-caller"), ("Toolwall-Run", f"r{n}"), ("If-Match", '"1"')]
        lost = await call(w, "pay", answering(None), *named, n=n, to=MAIL)
        w.backend.answer = answering(reply(b'{"paid":true}'))
        code, out = await retry(w, lost.record["call"])
        assert (code, "the backend answered 200" in out) == (0, True)
        first, second = (request.lower().partition(b"traceparent") for request in w.backend.requests[-2:])
        assert first[0] == second[0]
        assert first[2].partition(b"\r\n")[2] == second[2].partition(b"\r\n")[2]
        record = w.records()[-1]
        assert (record["resends"], record["ordered"][:9]) == (lost.record["call"], "operator ")
        assert (record["principal"], record["run"], record["door"]) == ("ann", f"r{n}", "orders")
        assert {"identity", "contract", "rules", "once", "intent"} <= set(record["checks"])
        [settled] = [entry for entry in w.records("settled") if entry["call"] == lost.record["call"]]
        assert settled["as"] == "not-done"
        again = await call(w, "pay", None, *named, n=n, to=MAIL)
        assert (again.reached, again.reply.json) == ([], {"paid": True})
        assert again.record["replayed"] == record["call"]
        assert MAIL.encode() not in w.ledger()

    desk.run(play)


@pytest.mark.parametrize("tool", ["pay", "chat", "keyed"])
def test_it_is_sent_once_however_often_it_is_ordered(desk: Stage, tool: str) -> None:
    async def play(w: Wall) -> None:
        lost = await call(w, tool, answering(reply(b"{}", status="500 No")), n=next(numbers))
        before = len(w.backend.requests)
        w.backend.answer = answering(reply())
        entries = [entry for entry in (*w.records("intent"), *w.records()) if entry["call"] == lost.record["call"]]
        order = {"do": "ledger retry", "call": lost.record["call"], "principal": "ann", "door": "", "by": "ops"}
        order["entry"] = again(entries, "ops")
        ask = [asyncio.to_thread(orders.ask, w.folder / "state", order, 5.0) for _ in range(3)]
        assert sorted("error" in told for told in await asyncio.gather(*ask)) == [False, True, True]
        assert (await retry(w, lost.record["call"]))[0] == 1
        assert len(w.backend.requests) == before + 1

    desk.run(play)


def test_a_backend_that_takes_keys_gets_the_same_one(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        lost = await call(w, "keyed", answering(None), n=next(numbers))
        w.backend.answer = answering(reply())
        assert (await retry(w, lost.record["call"]))[0] == 0
        keys = [request.lower().partition(b"idempotency-key: ")[2][:64] for request in w.backend.requests[-2:]]
        assert keys[0] == keys[1] != b""

    desk.run(play)


def test_what_is_known_is_not_sent_again(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply())
        done = await call(w, "pay", None, n=next(numbers))
        read = await w.tell("GET", "/crm/get", b"", [("Toolwall-Key", KEYS["ann"])])
        lost = await call(w, "pay", answering(None), n=next(numbers))
        assert (await asyncio.to_thread(ledger, w.folder, "settle", lost.record["call"], "--as", "done"))[0] == 0
        before = len(w.backend.requests)
        for told in (done, read, lost):
            assert (await retry(w, told.record["call"]))[0] == 1
        assert (await retry(w, "ffff"))[0] == 1
        assert len(w.backend.requests) == before

    desk.run(play)


def test_what_was_settled_as_not_done_may_still_be_sent(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        lost = await call(w, "pay", answering(None), n=next(numbers))
        await asyncio.to_thread(ledger, w.folder, "settle", lost.record["call"], "--as", "not-done")
        w.backend.answer = answering(reply())
        assert (await retry(w, lost.record["call"]))[0] == 0

    desk.run(play)


def test_who_made_it_anew_meanwhile_is_not_joined_by_a_second(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n = next(numbers)
        lost = await call(w, "pay", answering(None), n=n)
        await asyncio.to_thread(ledger, w.folder, "settle", lost.record["call"], "--as", "not-done")
        assert len((await call(w, "pay", answering(reply()), n=n)).reached) == 1
        before = len(w.backend.requests)
        code, out = await retry(w, lost.record["call"])
        assert (code, "Nothing was sent" in out) == (0, True)
        assert len(w.backend.requests) == before

    desk.run(play)


def test_what_is_refused_is_not_sent_and_may_be_ordered_again(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        lost = await call(w, "few", answering(None), n=next(numbers))
        before = len(w.backend.requests)
        for _ in range(2):
            code, out = await retry(w, lost.record["call"])
            assert (code, "limit_reached" in out) == (1, True)
        assert len(w.backend.requests) == before

    desk.run(play)


def test_what_is_lost_again_waits_again(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n = next(numbers)
        lost = await call(w, "pay", answering(None), n=n)
        code, out = await retry(w, lost.record["call"])
        assert (code, "outcome_unknown" in out) == (1, True)
        second = w.records()[-1]["call"]
        lines = (await asyncio.to_thread(ledger, w.folder, "pending", "--json"))[1].splitlines()
        pending = [json.loads(line)["call"] for line in lines]
        assert (second in pending, lost.record["call"] in pending) == (True, False)
        again = await call(w, "pay", None, n=n)
        assert (again.reached, again.reply.json["first_call"]) == ([], second)
        w.backend.answer = answering(reply())
        assert (await retry(w, second))[0] == 0
        assert len((await call(w, "pay", None, n=n)).reached) == 0

    desk.run(play)


def test_an_undo_is_not_sent_so(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n = next(numbers)
        run = [("Toolwall-Run", f"u{n}"), ("Toolwall-Key", KEYS["ann"])]
        await call(w, "pay", answering(reply()), run[0], n=n)
        w.backend.answer = answering(None)
        told = await w.call("POST", "/.toolwall/undo", b"", run)
        code, out = await retry(w, told.json["steps"][0]["by"])
        assert (code, "undo its run again" in out) == (1, True)

    desk.run(play)


def test_a_call_that_was_killed_was_not_kept(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=slowly, once=True) as w:
            task = asyncio.create_task(w.call("POST", "/crm/pay", b'{"n":1}'))
            while not w.backend.requests:
                await asyncio.sleep(0.01)
            [intent] = w.records("intent")
            code, out = await retry(w, intent["call"])
            assert (code, "was not kept" in out) == (1, True)
            assert w.records("settled") == []
            task.cancel()

    perform(play())


async def slowly(_: bytes) -> bytes:
    await asyncio.sleep(1)
    return reply()


PRIVATE = """
  who:
    says: Look up.
    call: GET /who
    reply: {redact: [EMAIL_ADDRESS], operators: {EMAIL_ADDRESS: pseudonym}}
  pay:
    says: Pay.
    call: POST /pay
    args: {to: {type: string}}
    effect: write
    reply: {redact: [EMAIL_ADDRESS], operators: {EMAIL_ADDRESS: pseudonym}}
    undo: {tool: cancel, with: {to: args.to}}
  cancel: {says: Cancel., call: POST /cancel, args: {to: {type: string}}, effect: write}
"""


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_stands_for_a_value_means_that_value_again_or_nothing(tmp_path: Path, forgotten: bool) -> None:
    async def play() -> None:
        w: Wall
        keep = "pseudonyms: {keep: 100ms}" if forgotten else ""
        how: dict[str, Any] = {"backend_keys": "restore: true", "config": keep, "once": True}
        async with wall(tmp_path, PRIVATE, answer=answering(reply(b'{"mail":"%s"}' % MAIL.encode())), **how) as w:
            run = [("Toolwall-Run", "r1")]
            token = (await w.call("GET", "/crm/who", b"", run)).json["mail"]
            assert MAIL not in token
            w.backend.answer = answering(None)
            lost = await w.call("POST", "/crm/pay", json.dumps({"to": token}).encode(), run)
            assert MAIL.encode() in w.backend.requests[-1]
            w.backend.answer = answering(reply())
            before = len(w.backend.requests)
        if forgotten:
            await asyncio.sleep(0.15)
        async with wall(tmp_path, PRIVATE, answer=answering(reply()), **how) as w:
            code, _ = await retry(w, lost.json["call_id"])
            assert code == (1 if forgotten else 0)
            assert [MAIL.encode() in request for request in w.backend.requests] == ([] if forgotten else [True])
            assert MAIL.encode() not in w.ledger()
            if not forgotten:
                told = await w.call("POST", "/.toolwall/undo", b"", run)
                assert [step["state"] for step in told.json["steps"]] == ["undone"]
                assert MAIL.encode() in w.backend.requests[-1]
                assert MAIL not in told.raw.decode()
            assert before == 2

    perform(play())

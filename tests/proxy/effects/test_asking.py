"""The backend is asked what became of a call, through the real door: never a guess, and never a second effect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from proxy import orders
from tests.proxy.ledgercli import ledger
from tests.wire import Answer, Stage, Told, Wall, answering, reply, staged

TOOLS = """
  pay:
    says: Pay.
    call: POST /pay
    args: {n: {type: integer}, to: {type: string, optional: true}}
    effect: write
    settle_by:
      tool: find
      with: {n: args.n}
      done: status == 200 && reply.state == "paid" && reply.owner == "ann.quill@example.com"
      after: 1ms
  early:
    says: Early.
    call: POST /early
    args: {n: {type: integer}}
    effect: write
    settle_by: {tool: find, with: {n: args.n}, done: status == 200, after: 1h}
  chat:
    says: Chat.
    call: POST /chat
    args: {n: {type: integer}}
    effect: write
    repeatable: true
    settle_by: {tool: find, with: {n: args.n}, done: reply.there, after: 1ms}
  hidden:
    says: Hidden.
    call: POST /hidden
    args: {n: {type: integer}}
    effect: write
    settle_by: {tool: peek, with: {n: args.n}, done: status == 200, after: 1ms}
  plain: {says: Plain., call: POST /plain, args: {n: {type: integer}}, effect: write}
  find: {says: Find., call: 'GET /find/{n}', args: {n: {type: integer}}, cache: 1h}
  peek: {says: Peek., call: 'GET /peek/{n}', args: {n: {type: integer}}}
"""
POLICY = """
rules:
  - {id: all, allow: "crm.*"}
  - {id: nobody-peeks, deny: crm.peek, when: args.n > 0}
"""
OWNED = b'{"state":"paid","owner":"ann.quill@example.com"}'
numbers = count(1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("ask"), TOOLS, policy=POLICY, once=True) as stage:
        yield stage


def serving(find: bytes | None, other: bytes | None = None) -> Answer:
    """A backend that answers the question with `find`, and everything else with `other`."""

    async def answer(request: bytes) -> bytes | None:
        return find if request.startswith(b"GET") else other

    return answer


async def call(w: Wall, tool: str, n: int, *headers: tuple[str, str]) -> Told:
    """The call, without a word of how many Records it has."""
    before = len(w.backend.requests)
    answer = await w.call("POST", f"/crm/{tool}", json.dumps({"n": n}).encode(), headers)
    await w.backend_is_idle()
    record = next(each for each in reversed(w.records()) if each["call"] == answer.headers["toolwall-call"])
    return Told(answer, record, w.backend.requests[before:], True)


def lines(told: Told) -> list[str]:
    return [request.split(b" HTTP")[0].decode().replace("/api", "") for request in told.reached]


async def lost(w: Wall, tool: str, *headers: tuple[str, str]) -> tuple[int, str]:
    w.backend.answer = answering(None)
    n = next(numbers)
    told = await call(w, tool, n, *headers)
    assert told.record["executed"] == "unknown"
    await asyncio.sleep(0.005)
    return n, told.record["call"]


def settled(w: Wall, call: str) -> list[dict[str, Any]]:
    return [entry for entry in w.records("settled") if entry["call"] == call]


def test_a_yes_by_what_the_agent_never_sees_settles_it_as_done(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        headers = [("Toolwall-Run", "r-yes"), ("Authorization", "Bearer mine")]
        n, first = await lost(w, "pay", *headers)
        w.backend.answer = serving(reply(OWNED))
        again = await call(w, "pay", n, *headers)
        assert lines(again) == [f"GET /find/{n}"]
        assert b"Bearer mine" in again.reached[0]
        assert (again.reply.json["code"], again.reply.json["executed"]) == ("reply_refused", "yes")
        assert again.reply.json["first_call"] == first
        [entry] = settled(w, first)
        asked = next(each for each in w.records() if each.get("settles") == first)
        assert (entry["as"], entry["by"]) == ("done", f"call {asked['call']}")
        assert (asked["tool"], asked["run"], asked["principal"], asked["ordered"]) == (
            *("crm.find", "r-yes"),
            *("bot", "bot"),
        )
        assert {"identity", "contract", "rules", "witness", "clean"} <= set(asked["checks"])
        assert b"quill" not in w.ledger()
        assert lines(await call(w, "pay", n, *headers)) == []  # nobody has to ask any more

    desk.run(play)


@pytest.mark.parametrize("raw", [reply(b"{}", status="404 No"), reply(b'{"state":"open","owner":"x"}')])
def test_a_no_lets_it_be_sent_once(desk: Stage, raw: bytes) -> None:
    async def play(w: Wall) -> None:
        n, first = await lost(w, "pay")
        w.backend.answer = serving(raw, reply(b'{"paid":1}'))
        told = await asyncio.gather(*(w.call("POST", "/crm/pay", b'{"n":%d}' % n) for _ in range(3)))
        assert [each.status for each in told] == [200, 200, 200]
        bodies = [request.partition(b"\r\n\r\n")[2] for request in w.backend.requests]
        assert bodies.count(b'{"n":%d}' % n) == 1  # of the three
        assert [entry["as"] for entry in settled(w, first)] == ["not-done"]

    desk.run(play)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        reply(b"{}", status="500 No"),
        reply(b"{}", status="403 No"),
        reply(b"{}", status="401 No"),
        reply(b"{}", status="429 No"),
        reply(b"{}"),
        reply(b"[]"),
        reply(b"paid", kind="text/plain"),
        reply(b'{"state":"paid"}'),
        reply(b'{"state":"paid","state":"open"}'),
        reply(b'{"state":null,"owner":"ann.quill@example.com"}', status="206 Partial"),
        reply(b'{"state":"pending"}', status="202 Accepted"),
        reply(b"", status="204 No Content"),
    ],
)
def test_what_is_no_answer_leaves_it_unknown(desk: Stage, raw: bytes | None) -> None:
    async def play(w: Wall) -> None:
        n, first = await lost(w, "pay")
        w.backend.answer = serving(raw, reply())
        again = await call(w, "pay", n)
        assert again.reply.json["code"] == "outcome_unknown"
        assert not any(line.startswith("POST") for line in lines(again))
        assert settled(w, first) == []
        assert any(note.startswith("settle_by: it is still not known") for note in again.record["notes"])

    desk.run(play)


def test_a_no_that_comes_too_early_is_no_answer_and_a_yes_is(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n, first = await lost(w, "early")
        w.backend.answer = serving(reply(b"{}", status="404 No"), reply())
        assert (await call(w, "early", n)).reply.json["code"] == "outcome_unknown"
        assert settled(w, first) == []
        w.backend.answer = serving(reply(b"{}"), reply())
        assert (await call(w, "early", n)).reply.json["executed"] == "yes"
        assert [entry["as"] for entry in settled(w, first)] == ["done"]

    desk.run(play)


def test_a_kept_answer_is_not_asked(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n, _ = await lost(w, "pay")
        w.backend.answer = serving(reply(b"{}", status="404 No"), reply())
        w.backend.answer = serving(reply(b'{"state":"open","owner":"x"}'))
        await w.call("GET", f"/crm/find/{n}")  # is kept for an hour
        w.backend.answer = serving(reply(OWNED), reply())
        again = await call(w, "pay", n)
        assert (lines(again), again.reply.json["executed"]) == ([f"GET /find/{n}"], "yes")

    desk.run(play)


def test_who_may_not_ask_is_not_told(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n, first = await lost(w, "hidden")
        w.backend.answer = serving(reply(b"{}"), reply())
        again = await call(w, "hidden", n)
        assert (again.reached, again.reply.json["code"]) == ([], "outcome_unknown")
        assert settled(w, first) == []

    desk.run(play)


def test_a_tool_that_says_nothing_is_not_asked_for(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        n, _ = await lost(w, "plain")
        w.backend.answer = serving(reply(), reply())
        assert (await call(w, "plain", n)).reached == []

    desk.run(play)


async def ask(w: Wall, call: str) -> tuple[int, str]:
    return await asyncio.to_thread(ledger, w.folder, "settle", call, "--ask")


@pytest.mark.parametrize(
    ("tool", "raw", "found"),
    [
        ("pay", reply(OWNED), "done"),
        ("pay", reply(b"{}", status="404 No"), "not-done"),
        ("chat", reply(b'{"there":true}'), "done"),
        ("chat", reply(b'{"there":false}'), "not-done"),
    ],
)
def test_the_operator_has_it_asked(desk: Stage, tool: str, raw: bytes, found: str) -> None:
    async def play(w: Wall) -> None:
        _, first = await lost(w, tool)
        w.backend.answer = serving(raw, reply())
        before = len(w.backend.requests)
        code, out = await ask(w, first)
        assert (code, f"as {found}; so says call " in out) == (0, True)
        assert len(w.backend.requests) == before + 1
        [entry] = settled(w, first)
        assert (entry["as"], ", by call " in entry["by"]) == (found, True)
        assert w.records()[-1]["ordered"].startswith("operator ")
        assert (await ask(w, first))[0] == 1
        assert len(w.backend.requests) == before + 1

    desk.run(play)


@pytest.mark.parametrize(
    ("tool", "raw", "why"),
    [
        ("pay", reply(b"{}", status="500 No"), "was answered with 500"),
        ("pay", reply(b"{}"), "does not tell it"),
        ("chat", reply(b"no", kind="text/plain"), "cannot be read"),
        ("early", reply(b"{}", status="404 No"), "nothing is there yet"),
        ("hidden", reply(b"{}"), "was refused as denied"),
        ("plain", reply(b"{}"), "names no tool that tells it"),
    ],
)
def test_the_operator_is_told_why_it_is_still_not_known(desk: Stage, tool: str, raw: bytes, why: str) -> None:
    async def play(w: Wall) -> None:
        _, first = await lost(w, tool)
        w.backend.answer = serving(raw, reply())
        code, out = await ask(w, first)
        assert (code, why in out) == (1, True)
        assert settled(w, first) == []

    desk.run(play)


def test_either_what_was_found_out_or_to_ask(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        _, first = await lost(w, "pay")
        assert (await asyncio.to_thread(ledger, w.folder, "settle", first))[0] == 2
        assert (await asyncio.to_thread(ledger, w.folder, "settle", first, "--ask", "--as", "done"))[0] == 2

    desk.run(play)

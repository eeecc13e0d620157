"""The same failing call again and again: firmer words the third time, and an end the tenth."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy import repeats
from proxy.body import Body
from proxy.errors import Refusal
from proxy.model import Result
from proxy.record import Record
from proxy.repeats import ADVISED_AT, MOST_CALLS, STOPPED_AT, Repeats
from proxy.runs import IDLE_SECONDS
from rules.problems import Problem
from rules.wire import Slots
from tests.wire import ALONE, Stage, Wall, answering, carrying, perform, reply, staged, wall

TOOLS = """
  get:
    call: GET /things/{id}
    args: {id: {type: integer}, limit: {type: integer, optional: true}}
  buy:
    call: POST /buy
    args: {cents: {type: integer}}
    effect: irreversible
  set:
    call: PUT /things/{id}
    args: {id: {type: integer}}
    effect: write
"""
POLICY = """
rules:
  - {id: all, allow: "crm.*"}
  - {id: no-nine, deny: crm.get, when: args.id == 9}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with staged(tmp_path_factory.mktemp("repeats"), TOOLS, policy=POLICY) as stage:
        yield stage


def play_in(house: Stage, run: str, play: Any) -> None:
    house.run(lambda w: play(w, (("Toolwall-Run", run),)))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("path", ["/crm/things/x", "/crm/things/9", "/crm/things/1?limi=1"])
def test_a_refused_call(house: Stage, path: str) -> None:
    async def play(w: Wall, run: Any) -> None:
        first = (await w.tell("GET", path, headers=run)).reply.json
        told = {}
        for number in range(2, 13):
            end = await w.tell("GET", path, headers=run)
            told[number] = end.reply.json
            assert end.reached == []
        assert told[2]["suggestion"] == first["suggestion"]
        for number in range(ADVISED_AT, STOPPED_AT):
            assert told[number]["code"] == first["code"]
            assert f"This exact call has failed {number} times in this run" in told[number]["suggestion"]
            assert first["suggestion"] in told[number]["suggestion"]
        for number in range(STOPPED_AT, 13):
            assert (told[number]["status"], told[number]["code"], told[number]["retry"]) == (403, "denied", "never")
            assert "failed 9 times" in told[number]["detail"]
            assert told[number]["executed"] == "no"
        assert "stopped: the same call failed 9 times in its run" in end.record["notes"]
        assert (await w.tell("GET", path, headers=(("Toolwall-Run", "another"),))).reply.json["code"] == first["code"]
        assert (await w.tell("GET", "/crm/things/1", headers=run)).reply.status == 200

    play_in(house, f"refused-{path[-1]}", play)


@pytest.mark.parametrize("status", [404, 429, 500])
def test_an_error_of_the_backend(house: Stage, status: int) -> None:
    async def play(w: Wall, run: Any) -> None:
        w.backend.answer = answering(reply(status=f"{status} No"))
        for number in range(1, STOPPED_AT):
            end = await w.tell("GET", "/crm/things/1", headers=run)
            assert (end.reply.status, len(end.reached)) == (status, 1)
            assert end.reply.headers.get("toolwall-repeated") == (str(number) if number >= ADVISED_AT else None)
        end = await w.tell("GET", "/crm/things/1", headers=run)
        assert (end.reply.json["code"], end.reached, end.record["executed"]) == ("denied", [], "no")
        end = await w.tell("GET", "/crm/things/2", headers=run)
        assert len(end.reached) == 1

    play_in(house, f"status-{status}", play)


@pytest.mark.parametrize("slot", ["bearer", "{header: X-Api-Key}", "{query: api_key}", "{cookie: sid}"])
def test_another_credential_of_the_callers_makes_another_call(slot: str, tmp_path: Path) -> None:
    async def play() -> None:
        tools = "\n  me: {says: Read., call: GET /me}"
        async with wall(tmp_path, tools, backend_keys=f"{ALONE}\ncredential: {{send: {slot}, from: caller}}") as w:
            w.backend.answer = answering(reply(status="401 No"))
            for _ in range(STOPPED_AT):
                headers, query = carrying(slot, "worn-out")
                end = await w.tell("GET", f"/crm/me{query}", headers=headers)
            assert (end.reply.json["code"], end.reached) == ("denied", [])
            headers, query = carrying(slot, "fresh")
            assert len((await w.tell("GET", f"/crm/me{query}", headers=headers)).reached) == 1

    perform(play())


def test_a_write_is_stopped_before_its_intent(house: Stage) -> None:
    async def play(w: Wall, run: Any) -> None:
        w.backend.answer = answering(None)
        for _ in range(STOPPED_AT - 1):
            end = await w.tell("PUT", "/crm/things/1", headers=run)
            assert end.record["code"] == "outcome_unknown"
        assert "Find out by reading" in end.reply.json["suggestion"]
        w.news("intent")
        end = await w.tell("PUT", "/crm/things/1", headers=run)
        assert (end.record["code"], end.reached, w.records("intent")[-1]["call"] == end.record["call"]) == (
            "denied", [], False,
        )  # fmt: skip

    play_in(house, "write", play)


def test_success_is_a_new_beginning(house: Stage) -> None:
    async def play(w: Wall, run: Any) -> None:
        for status in (["500 No"] * 8 + ["200 OK"]) * 2 + ["500 No"] * 2:
            w.backend.answer = answering(reply(status=status))
            end = await w.tell("GET", "/crm/things/1", headers=run)
            assert len(end.reached) == 1
        assert "toolwall-repeated" not in end.reply.headers

    play_in(house, "success", play)


def test_who_waits_for_an_approval_may_ask_as_often_as_it_takes(house: Stage) -> None:
    async def play(w: Wall, run: Any) -> None:
        for _ in range(STOPPED_AT + 2):
            end = await w.tell("POST", "/crm/buy", b'{"cents": 1}', headers=run)
            assert end.reply.json["code"] == "approval_pending"
            assert "times" not in end.reply.json["suggestion"]

    play_in(house, "approval", play)


def test_who_is_told_to_come_again_to_a_backend_that_is_left_alone_may_do_so(tmp_path: Path) -> None:
    keys = "breaker: {window: 2, open: 300ms, probes: 1}\nretry: {attempts: 1}"

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, answering(reply(status="500 No")), backend_keys=keys) as w:
            for number in range(2):
                await w.call("GET", f"/crm/things/{number}")
            for _ in range(STOPPED_AT + 2):
                end = await w.tell("GET", "/crm/things/7")
                assert (end.reply.json["code"], end.reached) == ("upstream_unhealthy", [])
                assert "Stop repeating" not in end.reply.json["suggestion"]
            w.backend.answer = answering(reply())
            await asyncio.sleep(0.4)
            assert (await w.tell("GET", "/crm/things/7")).reply.status == 200

    perform(play())


def test_other_bytes_with_the_same_fault_are_another_call(house: Stage) -> None:
    async def play(w: Wall, run: Any) -> None:
        for number in range(STOPPED_AT + 2):
            end = await w.tell("GET", f"/crm/things/1?wrong{number}=1", headers=run)
            assert end.reply.json["code"] == "schema_violation"
            assert "times" not in end.reply.json["suggestion"]

    play_in(house, "other", play)


def call(run: str = "r", who: str = "ann", tool: str = "crm.get", problems: tuple[Problem, ...] = ()) -> Any:
    return SimpleNamespace(
        principal=SimpleNamespace(id=who),
        run=SimpleNamespace(id=run),
        tool=SimpleNamespace(name=tool, is_rest=False, is_plumbing=False, slots=Slots()),
        problems=problems,
        outgoing=SimpleNamespace(target="/", body=b"", headers=()),
        query_keys=(),
    )


def record(arguments: str = "h", revision: str = "1") -> Record:
    return Record("c", 0, arguments_hash=arguments, revision=revision, attempts=1)


def stopped(seen: Repeats, which: Any, arguments: str = "h", now: float = 0.0) -> bool:
    try:
        seen.check(which, record(arguments), now)
    except Refusal:
        return True
    return False


def failed(seen: Repeats, which: Any, times: int, arguments: str = "h", now: float = 0.0) -> None:
    for _ in range(times):
        seen.refused(which, record(arguments), Refusal("denied"), now)


def test_what_differs_in_anything_is_another_call() -> None:
    seen = Repeats()
    failed(seen, call(), STOPPED_AT - 1)
    assert stopped(seen, call())
    for other in (call(run="s"), call(who="bob"), call(tool="crm.put"), call(problems=(Problem("", "x"),))):
        assert not stopped(seen, other)
    assert not stopped(seen, call(), "other")
    seen.check(call(), record(revision="2"), 0.0)  # other rules may answer otherwise


def test_eight_failures_stop_nothing() -> None:
    seen = Repeats()
    failed(seen, call(), STOPPED_AT - 2)
    assert not stopped(seen, call())


def test_a_failure_is_forgotten_after_a_while_even_in_a_run_that_never_ends() -> None:
    seen = Repeats()
    failed(seen, call(), STOPPED_AT - 1)
    assert stopped(seen, call(), now=IDLE_SECONDS)
    assert not stopped(seen, call(), now=IDLE_SECONDS + 1)  # to be stopped in between does not put it off
    failed(seen, call(), 1, now=IDLE_SECONDS + 1)
    assert not stopped(seen, call(), now=IDLE_SECONDS + 1)


def test_memory_is_bounded_by_calls_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST_RUNS", 3)
    seen = Repeats()
    failed(seen, call(), STOPPED_AT - 1)
    for number in range(MOST_CALLS * 3):
        failed(seen, call(run="flood"), 1, arguments=str(number))
    assert len(seen) == MOST_CALLS + 1
    assert stopped(seen, call())  # another run's flood pushes nothing out
    for run in "abc":
        failed(seen, call(run=run), 1)
    assert len(seen) == 3
    assert not stopped(seen, call())


def test_a_wait_is_not_advised_any_more_and_other_advice_stays() -> None:
    seen = Repeats()
    for code, kept in (("timeout", False), ("outcome_unknown", True), ("schema_violation", True)):
        for _ in range(ADVISED_AT):
            no = Refusal(code, suggestion="Advice.")
            seen.refused(call(tool=code), record(), no, 0.0)
        assert no.suggestion.startswith("This exact call has failed 3 times in this run.")
        assert no.suggestion.endswith(" Advice.") == kept


def test_an_answer_below_400_is_a_success() -> None:
    seen = Repeats()
    failed(seen, call(), STOPPED_AT - 1)
    seen.answered(call(), record("other"), Result(200, [], Body.of(b"")), 0.0)
    assert stopped(seen, call())
    seen.answered(call(), record(), Result(304, [], Body.of(b"")), 0.0)
    assert not stopped(seen, call())
    assert len(seen) == 0

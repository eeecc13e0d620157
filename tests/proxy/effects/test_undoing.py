"""Runs are undone through the real door: what reached the backend, what the ledger holds, and where it stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from proxy import orders
from proxy.effects.undoing import Report, Step
from proxy.identity.identity import digest
from tests.wire import Answer, Reply, Stage, Wall, reply, staged

TOOLS = """
  refund:
    says: Refund.
    call: POST /refunds
    args: {order: {type: string}, to: {type: string, optional: true}}
    effect: write
    undo: {tool: cancel, with: {refund: reply.id}}
  cancel: {says: Cancel., call: 'DELETE /refunds/{refund}', args: {refund: {type: string}}, effect: write}
  open:
    says: Open.
    call: POST /open
    args: {door: {type: string}}
    effect: write
    undo: {tool: shut, with: {door: args.door, why: "'undone'"}, within: 1h}
  shut:
    says: Shut.
    call: PUT /shut
    args: {door: {type: string}, why: {type: string}}
    effect: write
    undo: {tool: open, with: {door: args.door}}
  brief:
    says: Brief.
    call: POST /brief
    args: {n: {type: integer}}
    effect: write
    undo: {tool: cancel, with: {refund: reply.id}, within: 100ms}
  mail: {says: Mail., call: POST /mail, args: {n: {type: integer}}, effect: write, repeatable: true}
  guarded:
    says: Guarded.
    call: POST /guarded
    args: {n: {type: integer}}
    effect: write
    undo: {tool: unguard, with: {n: args.n}}
  unguard: {says: Un., call: POST /unguard, args: {n: {type: integer}}, effect: irreversible}
  owned:
    says: Owned.
    call: POST /owned
    args: {n: {type: integer}}
    effect: write
    undo: {tool: disown, with: {n: args.n}}
  disown: {says: Dis., call: POST /disown, args: {n: {type: integer}}, effect: write}
  keyed:
    says: Keyed.
    call: POST /keyed
    args: {n: {type: integer}, m: {type: integer}}
    effect: write
    idempotency: {key: "k-{args.n}"}
    undo: {tool: cancel, with: {refund: reply.id}}
  get: {says: Read., call: GET /get}
"""
POLICY = """
rules:
  - {id: all, allow: "crm.*"}
  - {id: nobody-disowns, deny: crm.disown, when: args.n > 0}
"""
KEYS = {name: f"twk_{name}-{'u' * 30}" for name in ("ann", "bob")}
MAIL = "ann.quill@example.com"


def identity() -> str:
    rows = ", ".join(f"{{id: {name}, roles: [support], sha256: {digest(key)}}}" for name, key in KEYS.items())
    return f"{{api_keys: [{rows}]}}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("undo")
    slots = "breaker: off\nretry: {attempts: 1}\n"
    with staged(folder, TOOLS, policy=POLICY, identity=identity(), once=True, backend_keys=slots) as stage:
        yield stage


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


def numbered(prefix: str = MAIL) -> Answer:
    numbers = count(1)

    async def answer(request: bytes) -> bytes:
        return reply(json.dumps({"id": f"{prefix}-{next(numbers)}"}).encode())

    return answer


class Run:
    """What one principal does in one run."""

    names = count(1)

    def __init__(self, w: Wall, who: str = "ann", name: str = "") -> None:
        self.w, self.who, self.name = w, who, name or f"r{next(self.names)}"
        self.begun = len(w.backend.requests)

    def headers(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        return [("Toolwall-Key", KEYS[self.who]), ("Toolwall-Run", self.name), *more]

    async def do(self, tool: str, *headers: tuple[str, str], **args: Any) -> Reply:
        path = {"refund": "refunds"}.get(tool, tool)
        return await self.w.call("POST", f"/crm/{path}", json.dumps(args).encode(), self.headers(*headers))

    async def undo(self, query: str = "", **how: Any) -> Reply:
        return await self.w.call(how.pop("method", "POST"), f"/.toolwall/undo{query}", b"", self.headers())

    async def order(self, dry_run: bool = False, leave: tuple[str, ...] = ()) -> dict[str, Any]:
        said = {"run": self.name, "principal": self.who, "door": "", "dry_run": dry_run, "leave": [*leave]}
        order = {"do": "undo", **said, "by": "ops"}
        answer: dict[str, Any] = await asyncio.to_thread(orders.ask, self.w.folder / "state", order, 10.0)
        return answer

    @property
    def reached(self) -> list[str]:
        """The requests since the run began, without those before."""
        seen = self.w.backend.requests[self.begun :]
        return [request.split(b" HTTP")[0].decode().replace("/api", "") for request in seen]

    @property
    def undoing(self) -> list[dict[str, Any]]:
        return [entry for entry in self.w.records() if entry.get("undoes") and entry["run"] == self.name]


def states(report: dict[str, Any]) -> list[str]:
    return [step["state"] for step in report["steps"]]


def test_effects_are_undone_from_the_last_to_the_first_with_what_only_the_backend_said(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered()
        run = Run(w)
        first, second = await run.do("refund", order="a"), await run.do("open", door="b")
        await w.call("GET", "/crm/get", b"", run.headers())
        assert first.json == {"id": "<EMAIL_ADDRESS>-1"}
        told = await run.undo()
        assert (told.status, told.json["complete"]) == (200, True)
        assert states(told.json) == ["undone", "undone"]
        assert run.reached[3:] == ["PUT /shut", f"DELETE /refunds/{MAIL.replace('@', '%40')}-1"]
        assert json.loads(w.backend.requests[-2].partition(b"\r\n\r\n")[2]) == {"door": "b", "why": "undone"}
        assert MAIL not in told.raw.decode()
        assert "arguments" not in told.raw.decode()
        calls = [first.headers["toolwall-call"], second.headers["toolwall-call"]]
        assert [entry["undoes"] for entry in run.undoing] == calls[::-1]
        assert all(entry["ordered"] == entry["principal"] == "ann" for entry in run.undoing)
        assert {"identity", "contract", "rules", "once", "intent", "clean"} <= set(run.undoing[0]["checks"])
        assert [entry["call"] for entry in w.records("undone")[-2:]] == calls[::-1]
        assert MAIL.encode() not in w.ledger()

    desk.run(play)


def test_to_undo_again_sends_nothing(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("refund", order="a")
        await run.undo()
        for report in ((await run.undo()).json, await run.order()):
            assert (states(report), report["complete"]) == (["was_undone"], True)
        assert len(run.reached) == 2

    desk.run(play)


def test_who_makes_an_undone_call_again_is_told_so_and_may_make_another(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        first = await run.do("keyed", n=1, m=1)
        await run.undo()
        again = await run.do("keyed", n=1, m=1)
        assert (again.status, again.json["code"], again.json["retry"]) == (409, "duplicate_call", "never")
        assert again.json["first_call"] == first.headers["toolwall-call"]
        assert "undone" in again.json["detail"]
        assert len(run.reached) == 2
        assert (await run.do("keyed", n=1, m=2)).status == 200
        assert states((await run.undo()).json) == ["undone", "was_undone"]

    desk.run(play)


def test_a_dry_run_sends_nothing_and_shows_the_operator_what_it_would(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered()
        run = Run(w)
        await run.do("refund", order="a")
        report = await run.order(dry_run=True)
        assert (states(report), report["complete"], report["dry_run"]) == (["would_undo"], True, True)
        assert report["steps"][0]["arguments"] == {"refund": "<EMAIL_ADDRESS>-1"}
        own = (await run.undo("?dry_run=true")).json
        assert (states(own), "arguments" in own["steps"][0]) == (["would_undo"], False)
        assert len(run.reached) == 1
        assert run.undoing == []

    desk.run(play)


def test_an_order_of_the_operator_acts_for_the_principal_and_says_who_gave_it(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("refund", ("Authorization", "Bearer the-caller"), order="a")
        report = await run.order()
        assert (states(report), report["complete"]) == (["undone"], True)
        [entry] = run.undoing
        assert (entry["principal"], entry["ordered"], entry["door"]) == ("ann", "operator ops", "orders")
        assert b"Bearer the-caller" in w.backend.requests[-1]
        assert b"the-caller" not in w.ledger()
        assert w.records("order")[-1]["said"] == f"undoing run {run.name}: 1 undone"

    desk.run(play)


@pytest.mark.parametrize(
    ("tool", "args", "said"),
    [
        ("mail", {"n": 1}, "names no tool that undoes it"),
        ("guarded", {"n": 1}, "approval of a human"),
        ("owned", {"n": 1}, "refused as denied"),
    ],
)
def test_it_stops_where_a_human_is_needed(desk: Stage, tool: str, args: dict[str, Any], said: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("refund", order="a")
        stops = await run.do(tool, **args)
        await run.do("open", door="b")
        told = await run.undo()
        assert (told.status, told.json["complete"]) == (409, False)
        assert states(told.json) == ["undone", "stopped", "not_reached"]
        step = told.json["steps"][1]
        assert step["call"] == stops.headers["toolwall-call"]
        assert said in step["detail"]
        assert step["suggestion"]
        assert run.reached == ["POST /refunds", f"POST /{tool}", "POST /open", "PUT /shut"]
        rest = await run.order(leave=(step["call"],))
        assert (states(rest), rest["complete"]) == (["was_undone", "left", "undone"], True)

    desk.run(play)


def test_what_nobody_knows_is_settled_first(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = numbered("x")
        await run.do("refund", order="a")
        w.backend.answer = dropping
        lost = await run.do("open", door="b")
        assert lost.json["code"] == "outcome_unknown"
        w.backend.answer = numbered("x")
        report = await run.order()
        assert states(report) == ["stopped", "not_reached"]
        assert lost.json["call_id"] in report["steps"][0]["suggestion"]
        await settle(w, lost.json["call_id"], "done")
        assert states(await run.order()) == ["undone", "undone"]  # its arguments alone tell how

    desk.run(play)


async def dropping(_: bytes) -> None:
    return None


async def settle(w: Wall, call: str, found: str) -> None:
    from proxy.effects.settling import ORDER, settled
    from proxy.ledger import index

    entries = [each.entry for each in index.show(w.folder / "state" / "ledger", call)]
    await asyncio.to_thread(orders.give, w.folder / "state", {"do": ORDER, "entry": settled(entries, found, "ops")})


def test_an_undo_whose_answer_was_lost_is_not_sent_again_until_somebody_knows(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = numbered("x")
        await run.do("refund", order="a")
        w.backend.answer = dropping
        report = await run.order()
        assert states(report) == ["stopped"]
        lost = report["steps"][0]["by"]
        w.backend.answer = numbered("x")
        again = await run.order()
        assert (states(again), again["steps"][0]["by"]) == (["stopped"], lost)
        assert len(run.reached) == 2
        await settle(w, lost, "not-done")
        assert states(await run.order()) == ["undone"]
        assert len(run.reached) == 3

    desk.run(play)


def test_an_undo_that_was_settled_as_done_is_done(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = numbered("x")
        await run.do("refund", order="a")
        w.backend.answer = dropping
        lost = (await run.order())["steps"][0]["by"]
        await settle(w, lost, "done")
        assert states(await run.order()) == ["was_undone"]
        assert len(run.reached) == 2

    desk.run(play)


@pytest.mark.parametrize(
    ("status", "said", "pending"),
    [("404 Not Found", "declined the undo with 404", 0), ("503 No", "failed with 503", 1)],
)
def test_a_backend_that_says_no_is_no_success(desk: Stage, status: str, said: str, pending: int) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = numbered("x")
        await run.do("refund", order="a")
        w.backend.answer = refusing(status)
        told = await run.undo()
        assert (told.status, states(told.json)) == (409, ["stopped"])
        assert said in told.json["steps"][0]["detail"]
        assert ("ledger settle" in told.json["steps"][0]["suggestion"]) == bool(pending)

    desk.run(play)


def refusing(status: str) -> Answer:
    async def answer(_: bytes) -> bytes:
        return reply(b"{}", status=status)

    return answer


@pytest.mark.parametrize(
    "raw",
    [
        reply(b'{"id":"a","id":"b"}'),
        reply(b"id: a", kind="text/plain"),
        reply(b'{"no":1}'),
        reply(b'{"id":null}'),
        reply(b'{"id":"a\\u0000b"}'),
        reply(b'{"id":[1,2]}'),
        reply(b'{"id":"a/../b"}'),
        reply(b'{"id":""}'),
    ],
)
def test_an_answer_that_does_not_tell_leads_to_no_undo_and_to_no_other(desk: Stage, raw: bytes) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = lambda _: given(raw)
        done = await run.do("refund", order="a")
        assert done.status == 200
        told = await run.undo()
        assert (told.status, states(told.json)) == (409, ["stopped"])
        assert run.reached == ["POST /refunds"]

    desk.run(play)


async def given(raw: bytes) -> bytes:
    return raw


def test_what_is_over_is_not_undone(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("brief", n=1)
        await asyncio.sleep(0.15)
        assert states((await run.undo()).json) == ["stopped"]
        assert len(run.reached) == 1

    desk.run(play)


def test_what_was_declined_or_replayed_is_no_effect(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = refusing("409 Conflict")
        await run.do("refund", order="a")
        w.backend.answer = numbered("x")
        await run.do("refund", order="b")
        await run.do("refund", order="b")
        assert states((await run.undo()).json) == ["undone"]
        assert run.reached == ["POST /refunds", "POST /refunds", "DELETE /refunds/x-1"]

    desk.run(play)


def test_nobody_undoes_the_run_of_another(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("refund", order="a")
        told = await Run(w, "bob", run.name).undo()
        assert (told.status, told.json["steps"]) == (200, [])
        assert len(run.reached) == 1

    desk.run(play)


@pytest.mark.parametrize(
    ("method", "query", "status"), [("GET", "", 400), ("POST", "?dry=true", 400), ("POST", "?dry_run=false", 400)]
)
def test_what_is_no_request_to_undo(desk: Stage, method: str, query: str, status: int) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("refund", order="a")
        assert (await run.undo(query, method=method)).status == status
        assert len(run.reached) == 1

    desk.run(play)


def test_a_run_whose_name_looks_like_a_credential_is_none(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        name = "AKIA" + "QYLPMN5HHHFPZAM2"
        told = await w.call("POST", "/.toolwall/undo", b"", [("Toolwall-Key", KEYS["ann"]), ("Toolwall-Run", name)])
        assert (told.status, told.json["code"]) == (400, "bad_request")
        assert name.encode() not in w.ledger()

    desk.run(play)


def test_without_a_key_or_a_run_nothing_is_undone(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        assert (await w.call("POST", "/.toolwall/undo")).status == 401
        none = await w.call("POST", "/.toolwall/undo", b"", [("Toolwall-Key", KEYS["bob"])])
        assert (none.status, none.json["code"]) == (400, "bad_request")

    desk.run(play)


def test_a_run_that_was_never_named_is_undone_while_it_lasts(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        key = [("Toolwall-Key", KEYS["ann"])]
        await w.call("POST", "/crm/open", b'{"door":"unnamed"}', key)
        told = await w.call("POST", "/.toolwall/undo", b"", key)
        assert states(told.json) == ["undone"]
        assert told.json["run"].startswith("run-")

    desk.run(play)


async def slowly(_: bytes) -> bytes:
    await asyncio.sleep(0.1)
    return reply(b'{"id":"x"}')


def test_two_orders_at_once_undo_once(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = slowly
        await run.do("refund", order="a")
        told = await asyncio.gather(run.undo(), run.undo(), run.undo())
        assert sorted(each.status for each in told) == [200, 409, 409]
        assert {each.json["code"] for each in told if each.status == 409} == {"duplicate_call"}
        assert len(run.reached) == 2

    desk.run(play)


def test_an_agent_that_leaves_does_not_cut_an_undo_in_two(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        run = Run(w)
        w.backend.answer = slowly
        await run.do("refund", order="a")
        await run.do("open", door="z")
        _, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("POST", "/.toolwall/undo", b"", run.headers()))
        await asyncio.sleep(0.05)
        writer.close()
        for _ in range(100):  # on a busy machine it takes a while, and is answered 409 as long as it does
            await asyncio.sleep(0.1)
            if "steps" in (said := (await run.undo()).json):
                break
        assert [entry["outcome"] for entry in run.undoing] == ["ok", "ok"]
        assert states(said) == ["was_undone", "was_undone"]

    desk.run(play)


def test_what_undid_is_not_undone(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("open", door="q")
        await run.undo()
        assert states((await run.undo()).json) == ["was_undone"]
        assert run.reached == ["POST /open", "PUT /shut"]

    desk.run(play)


def test_a_principal_that_is_gone_undoes_nothing(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = numbered("x")
        run = Run(w)
        await run.do("refund", order="a")
        run.who = "eve"
        assert "eve" in (await run.order())["error"]
        assert len(run.reached) == 1

    desk.run(play)


def test_a_report_in_words() -> None:
    report = Report("r", "ann", steps=[Step("c", "t", "undone"), Step("d", "t", "stopped"), Step("e", "t", "undone")])
    assert report.words() == "undoing run r: 2 undone, 1 stopped"
    assert not report.complete
    assert Report("r", "ann", dry_run=True).words() == "dry run of undoing run r: it has no effects"
    assert not Report("r", "ann", is_cut=True).complete

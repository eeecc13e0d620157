"""What has effects is done once, through the real door: repeats, crossings, lost answers, and what they get."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from proxy.effects import deeds
from proxy.guards import once as guard
from proxy.identity.identity import digest
from tests.wire import POLICY, Answer, Stage, Told, Wall, answering, perform, reply, staged, wall

TOOLS = """
  pay:
    says: Pay.
    call: POST /pay
    args: {order: {type: string}, cents: {type: integer}, note: {type: string, optional: true}}
    effect: write
    timeout: 600ms
  keyed:
    says: Pay an order.
    call: POST /keyed
    args: {order: {type: string}, cents: {type: integer}}
    effect: write
    idempotency: {key: "pay-{args.order}", header: Idempotency-Key}
  numbered:
    says: Pay.
    call: POST /numbered
    args: {n: {type: number}, in: {type: array, items: {type: number}}}
    effect: write
    idempotency: {key: "pay-{args.n}"}
  sent: {says: Pay., call: POST /sent, args: {n: {type: integer}}, effect: write, idempotency: {header: X-Once}}
  brief: {says: Pay., call: POST /brief, args: {n: {type: integer}}, effect: write, idempotency: {window: 300ms}}
  busy: {says: Pay., call: POST /busy, args: {n: {type: integer}}, effect: write, idempotency: {not_done: [503]}}
  chat: {says: Send., call: POST /chat, args: {n: {type: integer}}, effect: write, repeatable: true}
  cut:
    says: Pay.
    call: POST /cut
    args: {n: {type: integer}}
    effect: write
    reply: {most: 2}
  nod: {says: Needs a yes., call: POST /nod, args: {n: {type: integer}}, effect: write}
  get: {says: Read., call: GET /get}
"""
KEYS = {name: f"twk_{name}-{'k' * 30}" for name in ("ann", "bob")}
BROKEN: list[bytes | None] = [None, b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf", b"no http at all\r\n\r\n"]


def identity() -> str:
    rows = ", ".join(f"{{id: {name}, roles: [support], sha256: {digest(key)}}}" for name, key in KEYS.items())
    return f"{{api_keys: [{rows}]}}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("once"), TOOLS, identity=identity(), once=True) as stage:
        yield stage


def counting(status: str = "200 OK", *headers: str) -> Answer:
    numbers = count(1)

    async def answer(_: bytes) -> bytes:
        return reply(json.dumps({"n": next(numbers), "to": "ann.quill@example.com"}).encode(), *headers, status=status)

    return answer


def by(name: str, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Toolwall-Key", KEYS[name]), *headers]


async def pay(w: Wall, path: str, *headers: tuple[str, str], who: str = "ann", **args: object) -> Told:
    return await w.tell("POST", f"/crm/{path}", json.dumps(args).encode(), by(who, *headers))


def refused(told: Told, code: str, executed: str = "no") -> bool:
    """Whether nothing was sent, and the caller knows why."""
    said = (told.reply.json["code"], told.reply.json["executed"], told.record["executed"])
    return told.reached == [] and said == (code, executed, executed) and told.record["attempts"] == 0


def test_a_repeat_gets_the_first_answer_and_nothing_is_sent(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting("201 Created", "ETag: 1")
        first = await pay(w, "pay", order="a1", cents=5)
        again = await pay(w, "pay", cents=5, order="a1")  # the order of names is no difference
        assert (len(first.reached), len(again.reached)) == (1, 0)
        assert first.reply.json == again.reply.json == {"n": 1, "to": "<EMAIL_ADDRESS>"}
        assert (first.reply.status, again.reply.status) == (201, 201)
        assert first.reply.headers["etag"] == again.reply.headers["etag"]
        assert again.reply.headers["toolwall-redacted"] == "EMAIL_ADDRESS=1"
        assert again.reply.headers["toolwall-replayed"].startswith(first.record["call"] + ';at="20')
        assert "toolwall-replayed" not in first.reply.headers
        assert (first.record["executed"], first.record["once"]["state"]) == ("yes", "done")
        assert (again.record["executed"], again.record["replayed"]) == ("no", first.record["call"])
        assert again.record["redactions"] == {"EMAIL_ADDRESS": 1}
        assert {"once", "clean"} <= set(again.record["checks"])

    desk.run(play)


@pytest.mark.parametrize(
    ("headers", "who", "args"),
    [
        ([], "bob", {"order": "b1", "cents": 5}),
        ([], "ann", {"order": "b1", "cents": 6}),
        ([], "ann", {"order": "b1", "cents": 5, "note": "again"}),
        ([("Toolwall-Run", "other")], "ann", {"order": "b1", "cents": 5}),
        ([("Toolwall-Idempotency-Key", "mine")], "ann", {"order": "b1", "cents": 5}),
        ([("Authorization", "Bearer of-somebody-else")], "ann", {"order": "b1", "cents": 5}),
        ([("If-Match", '"2"')], "ann", {"order": "b1", "cents": 5}),
    ],
)
def test_another_call_is_another_action(
    desk: Stage, headers: list[tuple[str, str]], who: str, args: dict[str, object]
) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await pay(w, "pay", order="b1", cents=5)
        assert len((await pay(w, "pay", *headers, who=who, **args)).reached) == 1

    desk.run(play)


def test_another_credential_of_the_callers_in_the_query_is_another_action(tmp_path: Path) -> None:
    async def play() -> None:
        slot = "credential: {send: {query: api_key}, from: caller}"
        async with wall(tmp_path, TOOLS, identity=identity(), backend_keys=slot, once=True) as w:
            w.backend.answer = counting()
            told = [await pay(w, f"pay?api_key={key}", order="b1", cents=5) for key in ("one", "two", "o%6Ee")]
            assert [(len(each.reached), each.reply.json["n"]) for each in told] == [(1, 1), (1, 2), (0, 1)]

    perform(play())


@pytest.mark.parametrize("again", [b"7.0", b"70e-1", b"7"])
@pytest.mark.parametrize("path", ["pay", "keyed"])
def test_a_number_written_otherwise_is_the_same_number(desk: Stage, path: str, again: bytes) -> None:
    order = f"same-{path}-{again.decode()}".encode()

    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        bodies = [b'{"order": "%b", "cents": %b}' % (order, cents) for cents in (b"7", again, b"8")]
        first, same, other = [await w.tell("POST", f"/crm/{path}", body, by("ann")) for body in bodies]
        assert (len(first.reached), len(same.reached), len(other.reached)) == (1, 0, path == "pay")
        assert same.reply.json == first.reply.json
        assert same.record["replayed"] == first.record["call"]

    desk.run(play)


def test_a_number_in_a_key_is_the_same_however_it_is_written(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        bodies = (b'{"n": 3, "in": [1]}', b'{"n": 3.0, "in": [1.0]}', b'{"n": 3.0, "in": [1.5]}')
        told = [await w.tell("POST", "/crm/numbered", body, by("ann")) for body in bodies]
        assert [each.reply.status for each in told] == [200, 200, 409]
        assert [len(each.reached) for each in told] == [1, 0, 0]

    desk.run(play)


def test_a_trace_or_a_language_of_its_own_makes_no_other_action(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await pay(w, "pay", ("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"), order="c1", cents=5)
        again = await pay(
            w, "pay", ("traceparent", f"00-{'3' * 32}-{'4' * 16}-01"), ("Accept", "*/*"), order="c1", cents=5
        )
        assert again.reached == []

    desk.run(play)


def test_what_is_repeatable_is_sent_each_time_and_a_read_is_no_action(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        assert [len((await pay(w, "chat", n=1)).reached) for _ in range(3)] == [1, 1, 1]
        reads = [
            await w.tell("GET", "/crm/get", headers=by("ann", ("Toolwall-Idempotency-Key", "k"))) for _ in range(2)
        ]
        assert [len(told.reached) for told in reads] == [1, 1]
        assert not any("once" in told.record["checks"] for told in reads)

    desk.run(play)


def test_after_its_window_the_same_call_is_a_new_action(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        assert [len((await pay(w, "brief", n=1)).reached) for _ in range(2)] == [1, 0]
        await asyncio.sleep(0.35)
        assert len((await pay(w, "brief", n=1)).reached) == 1

    desk.run(play)


def test_a_given_key_names_one_action_of_its_principal_and_tool(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        key = ("Toolwall-Idempotency-Key", "order-66")
        first = await pay(w, "pay", key, order="d1", cents=5)
        assert b"order-66" not in first.reached[0]
        assert b"order-66" not in w.ledger()
        assert (await pay(w, "pay", key, ("Toolwall-Run", "later"), order="d1", cents=5)).reached == []
        clash = await pay(w, "pay", key, order="d1", cents=6)
        assert refused(clash, "duplicate_call")
        assert (clash.reply.status, clash.reply.json["retry"]) == (409, "never")
        assert clash.reply.json["first_call"] == first.record["call"]
        assert "retry-after" not in clash.reply.headers
        assert len((await pay(w, "pay", key, who="bob", order="d1", cents=6)).reached) == 1
        assert len((await pay(w, "chat", key, n=1)).reached) == 1

    desk.run(play)


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "schlüssel"])
def test_a_key_that_is_none_is_refused(desk: Stage, key: str) -> None:
    async def play(w: Wall) -> None:
        told = await pay(w, "pay", ("Toolwall-Idempotency-Key", key), order="e1", cents=5)
        assert told.reply.json["code"] == "bad_request"
        assert told.reached == []

    desk.run(play)


def test_the_contract_says_what_one_action_is_whatever_the_caller_gives(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        first = await pay(w, "keyed", ("Toolwall-Idempotency-Key", "fresh-1"), order="f1", cents=5)
        again = await pay(
            w, "keyed", ("Toolwall-Idempotency-Key", "fresh-2"), ("Toolwall-Run", "x"), order="f1", cents=5
        )
        assert (len(first.reached), len(again.reached)) == (1, 0)
        assert refused(await pay(w, "keyed", order="f1", cents=6), "duplicate_call")
        assert len((await pay(w, "keyed", order="f2", cents=5)).reached) == 1
        assert len((await pay(w, "keyed", who="bob", order="f1", cents=5)).reached) == 1

    desk.run(play)


def key_sent(told: Told, name: bytes) -> bytes:
    lines = [line for line in told.reached[0].split(b"\r\n") if line.lower().startswith(name + b":")]
    assert len(lines) == 1
    return lines[0].split(b": ")[1]


def test_the_backend_gets_a_key_where_the_contract_names_its_header(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        one, other = await pay(w, "sent", n=1), await pay(w, "sent", n=2)
        assert len(key_sent(one, b"x-once")) == 64
        assert key_sent(one, b"x-once") != key_sent(other, b"x-once")
        plain = await pay(w, "pay", ("X-Once", "of the model"), order="g1", cents=5)
        assert b"x-once" not in plain.reached[0].lower()
        w.backend.answer = answering(reply(status="429 Too Many Requests"))
        keys = [key_sent(await pay(w, "keyed", order="g1", cents=5), b"idempotency-key") for _ in range(2)]
        assert keys[0] == keys[1]

    desk.run(play)


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "422 Unprocessable"])
def test_what_the_backend_declined_it_would_decline_again(desk: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting(status)
        told = [await pay(w, "keyed", order=f"h-{status[:3]}", cents=5) for _ in range(2)]
        assert [len(each.reached) for each in told] == [1, 0]
        assert told[1].reply.body == told[0].reply.body
        assert told[0].record["once"]["state"] == "declined"
        w.backend.answer = counting()
        mended = await pay(w, "keyed", order=f"h-{status[:3]}", cents=6)
        assert (mended.reply.status, len(mended.reached)) == (200, 1)

    desk.run(play)


@pytest.mark.parametrize("status", ["408 Timeout", "409 Conflict", "425 Too Early", "429 Too Many"])
def test_what_was_not_done_yet_may_be_asked_for_again(desk: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting(status)
        told = await pay(w, "pay", order=f"i-{status[:3]}", cents=5)
        assert told.record["once"]["state"] == ""
        w.backend.answer = counting()
        again = await pay(w, "pay", order=f"i-{status[:3]}", cents=5)
        assert (again.reply.status, len(again.reached)) == (200, 1)

    desk.run(play)


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Unavailable", "504 Late"])
def test_after_a_failure_of_the_backend_it_is_not_known(desk: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting(status)
        first = await pay(w, "pay", order=f"j-{status[:3]}", cents=5)
        assert (first.reply.status, first.record["executed"]) == (int(status[:3]), "unknown")
        again = await pay(w, "pay", order=f"j-{status[:3]}", cents=5)
        assert refused(again, "outcome_unknown", "unknown")
        assert again.reply.json["first_call"] == first.record["call"]

    desk.run(play)


def test_a_contract_knows_better_which_failures_mean_that_nothing_was_done(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting("503 Unavailable")
        assert [len((await pay(w, "busy", n=1)).reached) for _ in range(2)] == [1, 1]

    desk.run(play)


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("raw", BROKEN)
def test_a_lost_answer_stays_unknown_and_the_action_is_not_done_again(
    desk: Stage, raw: bytes | None, reused: bool
) -> None:
    async def broken(_: bytes) -> bytes | AsyncIterator[bytes] | None:
        async def pieces() -> AsyncIterator[bytes]:
            yield raw or b""

        return pieces() if raw else None

    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        if reused:
            await pay(w, "pay", order="warm", cents=BROKEN.index(raw))
        w.backend.answer = broken
        order = f"k-{reused}-{BROKEN.index(raw)}"
        first = await pay(w, "pay", order=order, cents=5)
        assert first.reply.json["executed"] in ("unknown", "yes")
        assert len(first.reached) == 1
        w.backend.answer = counting()
        for _ in range(2):
            again = await pay(w, "pay", order=order, cents=5)
            assert again.reached == []
            assert again.reply.json["executed"] == first.reply.json["executed"]
            assert again.reply.json["first_call"] == first.record["call"]
        if first.reply.json["executed"] == "yes":
            assert again.reply.json["detail"].startswith("The action was carried out; its answer is not kept.")
        else:
            assert refused(again, "outcome_unknown", "unknown")

    desk.run(play)


def test_what_was_refused_before_it_was_sent_is_free(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, identity=identity(), once=True, port=1) as w:
            first = await pay(w, "pay", order="l1", cents=5)
            assert first.reply.json["code"] == "upstream_unreachable"
            again = await pay(w, "pay", order="l1", cents=5)
            assert again.reply.json["code"] == "upstream_unreachable"
            assert again.record["attempts"] == first.record["attempts"] > 0

    perform(play())


def test_an_approval_that_is_pending_reserves_nothing(tmp_path: Path) -> None:
    policy = POLICY + "  - {id: ask, allow: crm.nod, require: {approval: {by: boss, within: 5m}}}\n"

    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy, identity=identity(), once=True) as w:
            told = [await pay(w, "nod", n=1) for _ in range(2)]
            assert [each.reply.json["code"] for each in told] == ["approval_pending"] * 2

    perform(play())


def test_twenty_at_once_are_one_action(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        inner = counting()

        async def slowly(request: bytes) -> bytes:
            await asyncio.sleep(0.1)
            answer = await inner(request)
            assert isinstance(answer, bytes)
            return answer

        w.backend.answer = slowly
        w.news()
        before = len(w.backend.requests)
        body = b'{"order":"m1","cents":5}'
        tool = w.sidecar.firewall.regime.rules.catalog.tools["crm.pay"]
        usual = tool.timeout_s
        object.__setattr__(tool, "timeout_s", 30.0)  # what is asked here is not how long a busy machine takes
        try:
            replies = await asyncio.gather(*(w.call("POST", "/crm/pay", body, by("ann")) for _ in range(20)))
        finally:
            object.__setattr__(tool, "timeout_s", usual)
        assert len(w.backend.requests) == before + 1
        assert {(each.status, each.body) for each in replies} == {(200, replies[0].body)}
        assert sum("toolwall-replayed" in each.headers for each in replies) == 19
        records = w.news()
        assert sorted(record["executed"] for record in records) == ["no"] * 19 + ["yes"]
        [first] = {record["replayed"] for record in records if "replayed" in record}
        assert [record["call"] for record in records if record["executed"] == "yes"] == [first]

    desk.run(play)


def test_who_waits_for_a_lost_answer_hears_that_it_is_not_known(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        async def dropping(_: bytes) -> None:
            await asyncio.sleep(0.1)

        w.backend.answer = dropping
        before = len(w.backend.requests)
        body = b'{"order":"n1","cents":5}'
        replies = await asyncio.gather(*(w.call("POST", "/crm/pay", body, by("ann")) for _ in range(5)))
        assert len(w.backend.requests) == before + 1
        assert {each.json["code"] for each in replies} == {"outcome_unknown"}

    desk.run(play)


def test_who_waits_for_what_was_not_done_does_it_one_after_the_other(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        statuses = iter(["429 Too Many", "409 Conflict", "200 OK"])

        async def answer(_: bytes) -> bytes:
            await asyncio.sleep(0.05)
            return reply(status=next(statuses))

        w.backend.answer = answer
        before = len(w.backend.requests)
        body = b'{"order":"o1","cents":5}'
        replies = await asyncio.gather(*(w.call("POST", "/crm/pay", body, by("ann")) for _ in range(5)))
        assert len(w.backend.requests) == before + 3
        assert sorted(each.status for each in replies) == [200, 200, 200, 409, 429]

    desk.run(play)


def test_who_cannot_wait_is_told_to_come_again(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        async def slowly(_: bytes) -> bytes:
            await asyncio.sleep(0.4)
            return reply()

        w.backend.answer = slowly
        first = asyncio.create_task(w.call("POST", "/crm/brief", b'{"n":9}', by("ann")))
        await asyncio.sleep(0.1)
        tool = w.sidecar.firewall.regime.rules.catalog.tools["crm.brief"]
        object.__setattr__(tool, "timeout_s", 0.1)
        try:
            other = await w.call("POST", "/crm/brief", b'{"n":9}', by("ann"))
        finally:
            object.__setattr__(tool, "timeout_s", 30.0)
        assert (other.status, other.json["code"], other.json["retry"]) == (409, "duplicate_call", "after_delay")
        assert other.headers["retry-after"] == "5"
        assert (await first).status == 200

    desk.run(play)


def test_who_waited_nearly_all_its_time_is_not_sent_any_more(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        async def late(_: bytes) -> bytes:
            await asyncio.sleep(3.7)
            return reply(status="429 Too Many Requests")

        w.backend.answer = late
        before = len(w.backend.requests)
        tool = w.sidecar.firewall.regime.rules.catalog.tools["crm.pay"]
        usual = tool.timeout_s
        object.__setattr__(tool, "timeout_s", 4.0)  # of which less than a tenth is left then
        try:
            calls = [w.call("POST", "/crm/pay", b'{"order":"late","cents":5}', by("ann")) for _ in range(3)]
            answers = sorted(await asyncio.gather(*calls), key=lambda each: each.status)
        finally:
            object.__setattr__(tool, "timeout_s", usual)
        assert [each.status for each in answers] == [409, 409, 429]
        assert answers[0].json["retry"] == "after_delay"
        assert len(w.backend.requests) == before + 1

    desk.run(play)


def test_another_call_under_the_key_of_one_under_way_does_not_wait(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        async def slowly(_: bytes) -> bytes:
            await asyncio.sleep(0.2)
            return reply()

        w.backend.answer = slowly
        first = asyncio.create_task(w.call("POST", "/crm/keyed", b'{"order":"p1","cents":5}', by("ann")))
        await asyncio.sleep(0.1)
        other = await w.call("POST", "/crm/keyed", b'{"order":"p1","cents":6}', by("ann"))
        assert (other.json["code"], other.json["retry"]) == ("duplicate_call", "never")
        assert (await first).status == 200

    desk.run(play)


def test_a_caller_who_leaves_leaves_it_unknown(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        async def silence(_: bytes) -> bytes:
            await asyncio.sleep(0.5)
            return reply()

        w.backend.answer = silence
        before = len(w.backend.requests)
        w.news()
        _, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("POST", "/crm/pay", b'{"order":"q1","cents":5}', by("ann")))
        while len(w.backend.requests) == before:
            await asyncio.sleep(0.01)
        writer.close()
        async with asyncio.timeout(10):
            while not w.news():
                await asyncio.sleep(0.01)
        w.backend.answer = counting()
        assert refused(await pay(w, "pay", order="q1", cents=5), "outcome_unknown", "unknown")

    desk.run(play)


def test_a_caller_who_leaves_while_it_is_written_down_and_asks_again_is_answered(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        async def reached(number: int) -> None:
            while len(w.backend.requests) < number:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)

        w.backend.answer = counting()
        before = len(w.backend.requests)
        with closing(sqlite3.connect(w.folder / "state" / "store.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # what is written down now has to wait
            first = asyncio.create_task(w.call("POST", "/crm/pay", b'{"order":"leave1","cents":5}', by("ann")))
            await reached(before + 1)
            _, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("POST", "/crm/pay", b'{"order":"leave2","cents":5}', by("ann")))
            await reached(before + 2)
            writer.close()
            await asyncio.sleep(0.05)
            again = asyncio.create_task(w.call("POST", "/crm/pay", b'{"order":"leave2","cents":5}', by("ann")))
            await asyncio.sleep(0.05)
            other.execute("ROLLBACK")
        assert (await first).status == 200
        assert "toolwall-replayed" in (await again).headers
        assert len(w.backend.requests) == before + 2

    desk.run(play)


def test_an_answer_that_is_too_large_is_not_kept_and_that_is_said(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "MOST_ANSWER", 10)

    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        first = await pay(w, "pay", order="r1", cents=5)
        again = await pay(w, "pay", order="r1", cents=5)
        assert refused(again, "reply_refused", "yes")
        assert again.reply.json["detail"] == (
            "The action was carried out; its answer is not kept. This call was not sent."
        )
        assert again.reply.headers["toolwall-replayed"].startswith(first.record["call"])

    desk.run(play)


def test_each_caller_gets_a_part_of_its_own_of_an_answer_that_is_cut(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"[1,2,3,4,5]"))
        first, again = await pay(w, "cut", n=1), await pay(w, "cut", n=1)
        assert again.reached == []
        assert again.reply.headers["toolwall-shaped"] == first.reply.headers["toolwall-shaped"]

    desk.run(play)


def test_nothing_is_begun_that_could_not_be_remembered(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "LEAST_ROOM", 2.0)

    async def play(w: Wall) -> None:
        told = await pay(w, "pay", order="s1", cents=5)
        assert refused(told, "limit_reached")
        assert w.news("intent") == []

    desk.run(play)


def test_who_may_not_call_any_more_gets_nothing_of_what_was_done(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, identity=identity(), once=True) as w:
            w.backend.answer = counting()
            await pay(w, "pay", order="t1", cents=5)
            (tmp_path / "rules" / "policy.yaml").write_text(POLICY + "  - {id: never, deny: crm.pay}\n")
            await reloaded(w)
            told = await pay(w, "pay", order="t1", cents=5)
            assert told.reply.status == 403
            assert b'"n"' not in told.reply.body

    perform(play())


def test_after_a_change_of_the_rules_an_old_answer_is_not_given_and_nothing_is_sent(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, identity=identity(), once=True) as w:
            w.backend.answer = counting()
            await pay(w, "pay", order="u1", cents=5)
            (tmp_path / "rules" / "policy.yaml").write_text(POLICY + "  - {id: more, allow: crm.nod}\n")
            await reloaded(w)
            assert refused(await pay(w, "pay", order="u1", cents=5), "reply_refused", "yes")

    perform(play())


async def reloaded(w: Wall) -> None:
    before = w.sidecar.firewall.regime
    w.sidecar.reloader.reload()
    async with asyncio.timeout(5):
        while w.sidecar.firewall.regime is before:
            await asyncio.sleep(0.02)


def test_so_often_a_call_waits_and_no_more(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_WAITS", 1)

    async def play(w: Wall) -> None:
        async def busy(_: bytes) -> bytes:
            await asyncio.sleep(0.1)
            return reply(status="429 Too Many")

        w.backend.answer = busy
        body = b'{"order":"v1","cents":5}'
        replies = await asyncio.gather(*(w.call("POST", "/crm/pay", body, by("ann")) for _ in range(2)))
        assert sorted(each.status for each in replies) == [409, 429]

    desk.run(play)


def test_nothing_of_an_action_lies_readable_on_disk(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b'{"receipt":"canary-4711"}'))
        await pay(w, "pay", ("Toolwall-Idempotency-Key", "canary-key"), order="canary-order", cents=5)
        files = [path for path in (w.folder / "state").rglob("*") if path.is_file()]
        assert any(path.name.startswith("store.db") for path in files)
        assert not any(b"canary" in path.read_bytes() for path in files)

    desk.run(play)

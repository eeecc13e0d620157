"""Answers that are given again, through the real door: to whom, for how long, and what makes them go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from proxy.orders import give
from tests.wire import Answer, Stage, Told, Wall, answering, carrying, perform, reply, staged, wall

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: string}}, cache: 60s, reply: {redact: standard}}
  list: {says: List., call: GET /things, args: {q: {type: string, optional: true}}, cache: {for: 60s, shared: true}}
  brief: {says: Read., call: GET /brief, cache: 150ms}
  lasting: {says: Read., call: GET /lasting, cache: {for: 50ms, stale: 60s}, timeout: 200ms}
  hasty: {says: Read., call: GET /hasty, cache: 60s, timeout: 300ms, retry: {attempts: 1}}
  raw: {says: Read., call: GET /raw, cache: 60s, reply: {on_error: pass}}
  plain: {says: Read., call: GET /plain}
  change:
    {says: Change., call: "PUT /things/{id}", args: {id: {type: string}}, effect: write, invalidates: [get, "li*"]}
"""
KEYS = {name: f"twk_{name}-{'k' * 30}" for name in ("ann", "bob")}


def identity() -> str:
    from proxy.identity.identity import digest

    rows = ", ".join(f"{{id: {name}, roles: [support], sha256: {digest(key)}}}" for name, key in KEYS.items())
    return f"{{api_keys: [{rows}]}}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("kept"), TOOLS, identity=identity()) as stage:
        yield stage


def counting(**more: Any) -> Answer:
    """Each answer is another."""
    numbers = count(1)

    async def answer(_: bytes) -> bytes:
        return reply(json.dumps({"n": next(numbers), **more}).encode())

    return answer


def by(name: str, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Toolwall-Key", KEYS[name]), *headers]


async def ask(w: Wall, path: str, *headers: tuple[str, str], who: str = "ann") -> Told:
    return await w.tell("GET", f"/crm{path}", headers=by(who, *headers))


def test_the_same_call_gets_the_same_answer_and_the_backend_is_asked_once(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting(mail="ann.quill@example.com")
        first, again = await ask(w, "/things/a"), await ask(w, "/things/a")
        assert first.reply.json == again.reply.json == {"n": 1, "mail": "<EMAIL_ADDRESS>"}
        assert (len(first.reached), len(again.reached)) == (1, 0)
        assert "toolwall-replayed" not in first.reply.headers
        assert again.reply.headers["toolwall-replayed"].startswith(first.reply.headers["toolwall-call"] + ';at="20')
        assert again.reply.headers["age"] == "0"
        assert again.reply.headers["toolwall-redacted"] == "EMAIL_ADDRESS=1"
        assert (first.record["cache"], first.record["executed"]) == ("miss", "yes")
        assert (again.record["cache"], again.record["executed"]) == ("hit", "no")
        assert again.record["replayed"] == first.record["call"]
        assert again.record["attempts"] == 0
        assert again.record["redactions"] == {"EMAIL_ADDRESS": 1}
        assert {"identity", "contract", "rules", "cache", "clean", "timeout"} <= set(again.record["checks"])

    kept.run(play)


@pytest.mark.parametrize(
    ("other", "headers", "who"),
    [
        ("/things/b2", [], "ann"),
        ("/things/b1", [], "bob"),
        ("/things/b1", [("Accept-Language", "de")], "ann"),
        ("/things/b1", [("Accept", "text/plain")], "ann"),
    ],
)
def test_another_call_gets_an_answer_of_its_own(
    kept: Stage, other: str, headers: list[tuple[str, str]], who: str
) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await ask(w, "/things/b1")
        told = await ask(w, other, *headers, who=who)
        assert len(told.reached) == 1
        assert told.record["cache"] == "miss"

    kept.run(play)


def test_what_is_shared_is_given_to_others(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        first = await ask(w, "/things?q=shared")
        told = await ask(w, "/things?q=shared", who="bob")
        assert told.reached == []
        assert told.reply.json == first.reply.json

    kept.run(play)


@pytest.mark.parametrize("who", ["ann", "bob"])
@pytest.mark.parametrize("path", ["/things/a", "/things"])
@pytest.mark.parametrize("slot", ["bearer", "{header: X-Api-Key}", "{query: api_key}", "{cookie: sid}"])
def test_no_answer_is_given_beyond_the_callers_own_credential(slot: str, path: str, who: str, tmp_path: Path) -> None:
    async def play() -> None:
        credential = f"credential: {{send: {slot}, from: caller}}"
        async with wall(tmp_path, TOOLS, identity=identity(), backend_keys=credential) as w:
            w.backend.answer = counting()
            asked = []
            for caller, key in (("ann", "one"), (who, "two"), ("ann", "one")):
                headers, query = carrying(slot, key)
                asked.append(await ask(w, path + query, *headers, who=caller))
            assert [len(told.reached) for told in asked] == [1, 1, 0]

    perform(play())


def test_a_trace_or_a_run_of_its_own_makes_no_other_call(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await ask(w, "/things/c", ("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"), ("Toolwall-Run", "one"))
        told = await ask(w, "/things/c", ("traceparent", f"00-{'3' * 32}-{'4' * 16}-01"), ("Toolwall-Run", "two"))
        assert told.reached == []

    kept.run(play)


def test_who_may_not_call_gets_nothing_that_is_kept(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await ask(w, "/things/d")
        told = await w.tell("GET", "/crm/things/d", headers=[("Toolwall-Key", "twk_wrong")])
        assert told.reply.status == 401
        assert b'"n"' not in told.reply.body

    kept.run(play)


def test_an_answer_does_not_outlive_its_time(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        assert len((await ask(w, "/brief")).reached) == 1
        await asyncio.sleep(0.2)
        assert len((await ask(w, "/brief")).reached) == 1

    kept.run(play)


@pytest.mark.parametrize("header", [("If-None-Match", '"x"'), ("If-Modified-Since", "Mon, 05 Jan 2026 08:00:00 GMT")])
def test_who_asks_on_a_condition_asks_the_backend(kept: Stage, header: tuple[str, str]) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await ask(w, "/things/e")
        told = await ask(w, "/things/e", header)
        assert len(told.reached) == 1
        assert "cache" not in told.record

    kept.run(play)


@pytest.mark.parametrize(
    "raw",
    [
        reply(b"{}", status="404 Not Found"),
        reply(b"{}", status="500 Internal Server Error"),
        reply(b"{}", "Set-Cookie: a=b"),
        reply(b"", status="204 No Content", kind=""),
        reply(b'{"open": ', "X: y"),
    ],
    ids=["404", "500", "cookie", "204", "broken"],
)
def test_what_is_no_whole_good_answer_for_everybody_is_not_kept(kept: Stage, raw: bytes) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(raw)
        await ask(w, "/things/f")
        told = await ask(w, "/things/f")
        assert len(told.reached) == 1

    kept.run(play)


def test_what_passed_unchecked_is_not_kept(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"x", kind="text/plain; charset=utf-16"))
        assert (await ask(w, "/raw")).reply.headers["toolwall-unchecked"] == "clean"
        assert len((await ask(w, "/raw")).reached) == 1

    kept.run(play)


@pytest.mark.parametrize("raw", [reply(b"{}"), reply(b"{}", status="500 Internal Server Error"), None])
def test_a_write_makes_stale_what_its_contract_names_whatever_became_of_it(kept: Stage, raw: bytes | None) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        for path in ("/things/g", "/things?q=g"):
            await ask(w, path)
        w.backend.answer = answering(raw)
        await w.tell("PUT", "/crm/things/g", headers=by("bob"))
        w.backend.answer = counting()
        for path in ("/things/g", "/things?q=g"):
            assert len((await ask(w, path)).reached) == 1

    kept.run(play)


def test_a_write_that_was_refused_makes_nothing_stale(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        await ask(w, "/things/h")
        told = await w.tell("PUT", "/crm/things/h?wrong=1", headers=by("ann"))
        assert told.reply.status == 422
        assert (await ask(w, "/things/h")).reached == []

    kept.run(play)


def test_an_answer_that_was_on_its_way_during_a_write_is_not_kept(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        go = asyncio.Event()

        async def answer(request: bytes) -> bytes:
            if request.startswith(b"GET"):
                await go.wait()
            return reply(b'{"old": true}')

        w.backend.answer = answer
        slow = asyncio.create_task(w.call("GET", "/crm/things/i", headers=by("ann")))
        await asyncio.sleep(0.05)
        await w.call("PUT", "/crm/things/i", headers=by("ann"))
        go.set()
        assert (await slow).status == 200
        assert len((await ask(w, "/things/i")).reached) == 1

    kept.run(play)


def test_calls_that_ask_the_same_at_once_share_one_answer(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = slowly(counting())
        before = len(w.backend.requests)
        told = await asyncio.gather(*(w.call("GET", "/crm/things/j", headers=by("ann")) for _ in range(20)))
        assert len(w.backend.requests) - before == 1
        assert {each.status for each in told} == {200}
        assert {each.body for each in told} == {b'{"n": 1}'}
        assert len({each.headers["toolwall-call"] for each in told}) == 20
        how = [record.get("cache") for record in w.news()]
        assert sorted(how) == ["joined"] * 19 + ["miss"]

    kept.run(play)


def test_where_the_first_of_them_leaves_another_asks_for_all(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = slowly(counting(), 0.15)
        before = len(w.backend.requests)
        first = asyncio.create_task(w.call("GET", "/crm/things/k", headers=by("ann")))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(w.call("GET", "/crm/things/k", headers=by("ann"))) for _ in range(5)]
        await asyncio.sleep(0.05)
        first.cancel()
        told = await asyncio.gather(*others)
        assert {each.status for each in told} == {200}
        assert len(w.backend.requests) - before == 2

    kept.run(play)


def test_where_the_first_of_them_fails_the_others_ask_for_themselves(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        numbers = count()

        async def answer(_: bytes) -> bytes | None:
            number = next(numbers)
            await asyncio.sleep(0.1)
            return None if number == 0 else reply(b"{}")

        w.backend.answer = answer
        first = asyncio.create_task(w.call("GET", "/crm/things/l", headers=by("ann")))
        await asyncio.sleep(0.03)
        others = [w.call("GET", "/crm/things/l", headers=by("ann")) for _ in range(3)]
        assert [each.status for each in await asyncio.gather(*others)] == [200] * 3
        assert (await first).status == 502

    kept.run(play)


async def silence(_: bytes) -> None:
    await asyncio.sleep(2)


def test_who_waits_for_another_that_asks_the_same_waits_no_longer_than_its_own_time(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        loop = asyncio.get_running_loop()
        w.backend.answer = silence
        before, began = len(w.backend.requests), loop.time()
        answers = await asyncio.gather(*[w.call("GET", "/crm/hasty", headers=by("ann")) for _ in range(4)])
        assert loop.time() - began < 1.5
        assert [(each.status, each.json["code"]) for each in answers] == [(504, "timeout")] * 4
        assert sorted(each.json["executed"] for each in answers) == ["no"] * 3 + ["unknown"]
        assert len(w.backend.requests) == before + 1

    kept.run(play)


def test_who_waits_for_another_that_asks_the_same_gets_an_older_answer_in_its_time(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        first = await ask(w, "/lasting")
        await asyncio.sleep(0.1)
        w.backend.answer = silence
        before = len(w.backend.requests)
        answers = await asyncio.gather(*[w.call("GET", "/crm/lasting", headers=by("ann")) for _ in range(4)])
        assert [each.json for each in answers] == [first.reply.json] * 4
        assert len(w.backend.requests) == before + 1

    kept.run(play)


@pytest.mark.parametrize("raw", [None, reply(b"{}", status="503 Service Unavailable")])
def test_an_older_answer_stands_in_for_one_that_fails_where_the_contract_says_so(
    kept: Stage, raw: bytes | None
) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        first = await ask(w, "/lasting")
        await asyncio.sleep(0.1)
        w.backend.answer = answering(raw)
        told = await ask(w, "/lasting")
        assert told.reply.status == 200
        assert told.reply.json == first.reply.json
        assert told.record["cache"] == "stale"
        assert told.record["attempts"] == 1
        await asyncio.sleep(0.1)
        w.backend.answer = counting()
        assert (await ask(w, "/lasting")).record["cache"] == "miss"

    kept.run(play)


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden"])
def test_what_is_gone_or_was_taken_away_does_not_come_back_when_the_backend_fails(kept: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        for raw, seen in ((reply(b"{}"), 200), (reply(b"{}", status=status), int(status[:3]))):
            w.backend.answer = answering(raw)
            assert (await ask(w, "/lasting")).reply.status == seen
            await asyncio.sleep(0.1)
        w.backend.answer = answering(reply(b"{}", status="503 Service Unavailable"))
        assert (await ask(w, "/lasting")).reply.status == 503

    kept.run(play)


def test_who_is_to_ask_later_may_still_get_an_older_answer_then(kept: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = counting()
        first = await ask(w, "/lasting")
        await asyncio.sleep(0.1)
        for status, seen in (("429 Too Many Requests", 429), ("503 Service Unavailable", 200)):
            w.backend.answer = answering(reply(b"{}", status=status))
            told = await ask(w, "/lasting")
            assert told.reply.status == seen
        assert told.reply.json == first.reply.json

    kept.run(play)


def test_the_command_lets_a_running_sidecar_forget(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, identity=identity()) as w:
            w.backend.answer = counting()
            for path in ("/things/m", "/brief"):
                await ask(w, path)
            await asyncio.to_thread(give, tmp_path / "state", {"do": "cache clear", "tools": ["crm.get"]})
            assert len((await ask(w, "/things/m")).reached) == 1
            await asyncio.to_thread(give, tmp_path / "state", {"do": "cache clear", "tools": []})
            assert len((await ask(w, "/things/m")).reached) == 1
            assert [each["said"] for each in w.records("order")] == ["the answers of crm.get", "all answers"]

    perform(play())


def test_memory_is_bounded_whatever_is_asked(tmp_path: Path) -> None:
    async def play() -> None:
        bounds = "bounds: {cache: 64KiB, most_cached: 40}\n"
        async with wall(tmp_path, TOOLS, identity=identity(), config=bounds) as w:
            w.backend.answer = counting(text="x" * 500)
            for number in range(60):
                await w.call("GET", f"/crm/things/{number}", headers=by("ann"))
            assert len((await ask(w, "/things/59")).reached) == 0
            assert len((await ask(w, "/things/0")).reached) == 1
            w.backend.answer = answering(reply(json.dumps({"text": "y" * 10_000}).encode()))
            await ask(w, "/things/large")
            assert len((await ask(w, "/things/large")).reached) == 1

    perform(play())


def test_what_is_kept_under_former_rules_is_not_given_under_new_ones(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, identity=identity()) as w:
            w.backend.answer = counting()
            await ask(w, "/things/n")
            policy = tmp_path / "rules" / "policy.yaml"
            policy.write_text(policy.read_text() + "  - {id: more, allow: crm.plain}\n")
            before = w.sidecar.firewall.regime
            w.sidecar.reloader.reload()
            async with asyncio.timeout(5):
                while w.sidecar.firewall.regime is before:
                    await asyncio.sleep(0.02)
            assert len((await ask(w, "/things/n")).reached) == 1

    perform(play())


def slowly(answer: Answer, seconds: float = 0.1) -> Answer:
    async def late(request: bytes) -> Any:
        await asyncio.sleep(seconds)
        return await answer(request)

    return late

"""Limits through the socket: exactly one of N is refused, nothing is used up by what was refused, headers tell."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from proxy.guards.limit import Terms
from proxy.identity.identity import digest
from proxy.limits import Room
from rules.obligations import Limit
from tests.wire import Wall, perform, reply, wall

TOOLS = """
  get: {says: Read., call: "GET /things/{id}", args: {id: {type: integer}}}
  find: {says: Find., call: "GET /things"}
  pay: {says: Pay., call: POST /pay, args: {cents: {type: integer}}, effect: irreversible}
"""


def rules(*limits: str, more: str = "") -> str:
    return f"rules: [{{id: r, allow: crm.*, require: {{limit: [{', '.join(limits)}]}}{more}}}]"


def status_of(w: Wall) -> list[str]:
    return [record["code"] if "code" in record else record["outcome"] for record in w.records()]


@pytest.mark.parametrize("limit", ["5/hour", "{at_once: 5, per: run}"])
def test_of_six_calls_at_the_same_time_exactly_one_is_refused(tmp_path: Path, limit: str) -> None:
    waiting, gate = 0, asyncio.Event()

    async def answer(_: bytes) -> bytes:
        nonlocal waiting
        waiting += 1
        if waiting == 5:
            gate.set()
        await gate.wait()
        return reply()

    async def play() -> None:
        async with wall(tmp_path, TOOLS, rules(limit), answer=answer) as w:
            run = [("Toolwall-Run", "one")]
            told = await asyncio.gather(*(w.call("GET", f"/crm/things/{n}", headers=run) for n in range(6)))
            assert sorted(each.status for each in told) == [200] * 5 + [429]
            (no,) = [each for each in told if each.status == 429]
            assert no.json["code"] == "limit_reached"
            assert no.json["executed"] == "no"
            assert int(no.headers["retry-after"]) == (3600 if limit == "5/hour" else 1)
            assert len(w.backend.requests) == 5
            after = await w.call("GET", "/crm/things/7", headers=run)
            assert after.status == (429 if limit == "5/hour" else 200)

    perform(play())


def test_the_window_moves_and_says_how_long_to_wait(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, rules("2/1s")) as w:
            first = await w.call("GET", "/crm/things")
            assert first.headers["ratelimit-policy"] == '"principal-tool-1s";q=2;w=1'
            assert first.headers["ratelimit"] == '"principal-tool-1s";r=1;t=1'
            assert (await w.call("GET", "/crm/things")).headers["ratelimit"] == '"principal-tool-1s";r=0;t=1'
            told = await w.tell("GET", "/crm/things")
            assert told.reply.status == 429
            assert told.reply.headers["ratelimit"] == '"principal-tool-1s";r=0;t=1'
            assert told.reached == []
            assert told.record["notes"] == ["rule r: at most 2 calls in 1s for each principal and tool"]
            assert (await w.call("GET", "/crm/things/7")).status == 200  # another tool
            await asyncio.sleep(float(told.reply.headers["retry-after"]))
            told = await w.tell("GET", "/crm/things")
            assert told.reply.status == 200
            assert "limit" in told.record["checks"]

    perform(play())


def test_what_was_refused_for_another_reason_uses_up_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        deny = "rules: [{id: r, allow: crm.*, require: {limit: {calls: 1/hour, per: all}}}, {id: d, deny: crm.get, "
        async with wall(tmp_path, TOOLS, deny + "when: args.id == 13}]") as w:
            for _ in range(3):
                assert (await w.call("GET", "/crm/things/13")).status == 403
                assert (await w.call("GET", "/crm/things/x")).status == 422
                assert (await w.call("POST", "/crm/pay", b'{"cents": 5}')).status == 428
            answers = [await w.call("GET", "/crm/things") for _ in range(2)]
            assert [each.status for each in answers] == [200, 429]
            assert (await w.call("POST", "/crm/pay", b'{"cents": 5}')).status == 428

    perform(play())


def test_each_caller_has_counts_of_its_own_and_a_backend_one_for_all(tmp_path: Path) -> None:
    keys = ", ".join(f"{{id: {name}, sha256: {digest(name)}}}" for name in ("ann", "bob"))

    async def play() -> None:
        async with wall(
            tmp_path, TOOLS, rules("2/hour"), identity=f"{{api_keys: [{keys}]}}", backend_keys="limit: 3/minute"
        ) as w:

            async def get(who: str) -> int:
                return (await w.call("GET", "/crm/things", headers=[("Toolwall-Key", who)])).status

            assert [await get(who) for who in ("ann", "ann", "ann", "bob", "bob")] == [200, 200, 429, 200, 429]
            last = await w.call("GET", "/crm/things", headers=[("Toolwall-Key", "bob")])
            assert last.headers["ratelimit"].startswith('"crm-1m";r=0;t=')
            assert '"principal-tool-1h";r=1;t=' in last.headers["ratelimit"]
            assert int(last.headers["retry-after"]) <= 60

    perform(play())


def test_a_place_is_free_again_however_the_call_ended(tmp_path: Path) -> None:
    async def dropped(_: bytes) -> None:
        return None

    async def silent(_: bytes) -> bytes:
        await asyncio.sleep(3)
        return reply()

    async def play() -> None:
        tools = TOOLS + '  slow: {says: Slow., call: "GET /slow", timeout: 50ms}\n'
        async with wall(tmp_path, tools, rules("{at_once: 1, per: principal}")) as w:
            w.backend.answer = dropped
            assert (await w.call("GET", "/crm/things")).status == 502
            w.backend.answer = silent
            assert (await w.call("GET", "/crm/slow")).status == 504
            _, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("GET", "/crm/things"))
            await asyncio.sleep(0.1)
            assert (await w.call("GET", "/crm/things")).status == 429
            writer.close()
            await w.backend.hung_up_on()
            await asyncio.sleep(0.05)
            w.backend.answer = lambda _: asyncio.sleep(0, reply())
            assert (await w.call("GET", "/crm/things")).status == 200

    perform(play())


def test_the_backends_own_headers_give_way(tmp_path: Path) -> None:
    async def limited(_: bytes) -> bytes:
        return reply(b"{}", "RateLimit: limit=9, remaining=8, reset=7", "RateLimit-Limit: 9")

    async def play() -> None:
        async with wall(tmp_path, TOOLS, rules("9/hour", more=", to: {roles: [support]}"), answer=limited) as w:
            told = await w.call("GET", "/crm/things")
            assert told.raw.lower().count(b"\r\nratelimit") == 2
            assert told.headers["ratelimit"] == '"principal-tool-1h";r=8;t=3600'

    perform(play())


def test_changed_rules_keep_their_counts(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, rules("5/hour")) as w:
            assert [(await w.call("GET", "/crm/things")).status for _ in range(3)] == [200] * 3
            (tmp_path / "rules" / "policy.yaml").write_text(rules("3/hour"))
            w.sidecar.reloader.reload()
            async with asyncio.timeout(20):
                while not w.records("rules"):
                    await asyncio.sleep(0.02)
            assert (await w.call("GET", "/crm/things")).status == 429
            assert status_of(w) == ["ok"] * 3 + ["limit_reached"]

    perform(play())


def test_headers_are_structured_fields() -> None:
    """Items as in RFC 9651 (strings, integers), named and with the parameters of the draft."""
    at_once, half, same = Limit("rule a", ("run",), 3), Limit("rule a", (), 5, 0.5), Limit("rule b", (), 7, 0.5)
    tool, role = Limit("tool crm.get", (), 9, 60.0), Limit("rule a", ("role",), 4, 60.0)
    rooms = [Room(at_once, 2, float("inf")), Room(half, 4, 0.2), Room(same, 1, 0.4), Room(tool, 9, 0.0)]
    (_, policy), (_, left) = Terms([at_once, half, same, tool]).headers(rooms)
    assert policy == (
        '"run-at-once";q=3;qu="concurrent-requests", "all-500ms";q=5;w=1, "all-500ms-2";q=7;w=1, "crm.get-1m";q=9;w=60'
    )
    assert left == '"run-at-once";r=2, "all-500ms";r=4;t=1, "all-500ms-2";r=1;t=1, "crm.get-1m";r=9'
    item = r'"[a-z0-9.-]+"(;[a-z]+=(\d{1,15}|"[a-z-]+"))+'
    assert all(re.fullmatch(rf"{item}(, {item})*", value) for value in (policy, left))
    roles = [Room(role, 3, 9.0), Room(role, 1, 5.0), Room(role, 2, 7.0)]
    assert Terms([role]).headers(roles)[1][1] == '"role-1m";r=1;t=5'

"""Each row of the table of refusals through the socket: what the agent reads, the backend saw, and is recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import CODES
from proxy.guards.clean import Clean
from tests.doors import house
from tests.wire import Backend, Reply, Stage, Told, Wall, answering, perform, reply, wall

TABLE = {
    "bad_request": (400, "after_fix"),
    "unauthenticated": (401, "never"),
    "unknown_tool": (403, "never"),
    "denied": (403, "never"),
    "unknown_rest": (404, "never"),
    "unknown_session": (404, "never"),
    "duplicate_call": (409, "never"),
    "too_large": (413, "after_fix"),
    "schema_violation": (422, "after_fix"),
    "approval_pending": (428, "after_approval"),
    "limit_reached": (429, "after_delay"),
    "budget_spent": (429, "never"),
    "unsafe_argument": (422, "after_fix"),
    "upstream_unreachable": (502, "after_delay"),
    "reply_refused": (502, "never"),
    "upstream_unhealthy": (503, "after_delay"),
    "timeout": (504, "after_delay"),
    "outcome_unknown": (504, "ask_human"),
    "internal": (500, "after_delay"),
}
WAITING = ("after_delay", "after_approval")
VALUE = "Zyx-9182-Wvu"  # stands in every request where a value can stand, and in no answer
POLICY_WORDS = re.compile(r"the-open-rule-of-the-house|small-payments-only|support|args\.cents|127\.0\.0\.1")


def told_no(told: Told, code: str, *, tool: str, executed: str = "no", reached: int = 0) -> dict[str, Any]:
    """All that every refusal has in common; gives its body."""
    status, retry = TABLE[code]
    said, head, record = told.reply.json, told.reply.headers, told.record
    assert told.reply.status == said["status"] == record["status"] == status
    assert said["code"] == head["toolwall-refused"] == record["code"] == code
    assert said["executed"] == record["executed"] == executed
    assert said["call_id"] == head["toolwall-call"] == record["call"]
    assert said["retry"] == retry
    assert said["title"]
    assert said["detail"]
    assert said["suggestion"]
    assert said.get("tool", "") == tool
    assert head["content-type"] == "application/problem+json"
    assert head["cache-control"] == "private, no-store"
    assert ("retry-after" in head) == (retry in WAITING)
    assert record["outcome"] == ("outcome_unknown" if code == "outcome_unknown" else "refused")
    assert len(told.reached) == reached == record["attempts"]
    assert VALUE.encode() not in told.reply.raw
    assert not POLICY_WORDS.search(told.reply.body.decode())
    return said


def test_the_table_is_the_whole_table() -> None:
    assert {code: (row.status, row.retry) for code, row in CODES.items()} == TABLE


def test_a_bad_request(door: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/words/..;{VALUE}")
        told_no(told, "bad_request", tool="crm.word" if "tool" in told.record else "")

    door.run(play)


def test_the_rest_of_a_reply_that_nobody_has(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for path in (f"/.toolwall/rest/{VALUE}-7", "/.toolwall/rest/"):
            told_no(await w.tell("GET", path), "unknown_rest", tool="")

    door.run(play)


@pytest.mark.parametrize("key", ["", VALUE, "Bearer " + VALUE, "x" * 600, "\t", "é"])
def test_nobody_without_a_valid_key(tmp_path: Path, key: str) -> None:
    async def play() -> None:
        keys = "{api_keys: [{id: bot, roles: [support], sha256: '" + "ab" * 32 + "'}]}"
        async with wall(tmp_path, house.TOOLS, house.POLICY, identity=keys) as w:
            for path in ("/crm/things/7", "/crm/nothing", "/"):
                headers = [("Toolwall-Key", key), ("Authorization", VALUE), ("X-User-Id", "admin")]
                told = await w.tell("GET", path, headers=headers)
                told_no(told, "unauthenticated", tool="")
                assert "www-authenticate" in told.reply.headers
                assert "principal" not in told.record
            told_no(await w.tell("GET", "/crm/things/7"), "unauthenticated", tool="")

    perform(play())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/crm/secret"),  # exists, and no rule could ever allow it
        ("GET", f"/crm/{VALUE}"),
        ("GET", f"/{VALUE}/things/7"),
        ("GET", "/"),
        ("GET", "/crm"),
        ("GET", "/crm/"),
        ("GET", "/CRM/things/7"),
        ("GET", "/crm/Things/7"),
        ("GET", "/crm/%74hings/7"),
        ("GET", "/crm/things/7/"),
        ("GET", "/crm;x/things/7"),
        ("PUT", "/crm/things/7"),
        ("OPTIONS", "/crm/things/7"),
        ("POST", "/crm/secret"),
        ("GET", "/.toolwall/health"),
    ],
)
def test_an_unknown_tool(door: Stage, method: str, path: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(method, path, headers=[("X-Forwarded-User", VALUE)])
        said = told_no(told, "unknown_tool", tool="")
        other = await w.tell("GET", "/crm/no-such-thing")
        assert said | {"call_id": ""} == other.reply.json | {"call_id": ""}  # a hidden tool looks like none
        assert told.record["decision"] == "deny"
        assert ("tool" in told.record) == (path == "/crm/secret" and method == "GET")

    door.run(play)


def test_a_denied_call(door: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/payments", b'{"cents": 101}')
        told_no(told, "denied", tool="crm.pay")
        assert "rules" not in told.reply.json

    door.run(play)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(door: Stage, chunked: bool) -> None:
    async def play(w: Wall) -> None:
        body = b'{"name":"' + b"x" * 70_000 + b'"}'
        raw = w.raw("POST", "/crm/things", body)
        if chunked:
            head = w.raw("POST", "/crm/things", headers=[("Transfer-Encoding", "chunked")])
            raw = head + b"".join(b"400\r\n" + body[:1024] + b"\r\n" for _ in range(80)) + b"0\r\n\r\n"
        told = await w.tell_raw(raw)
        told_no(told, "too_large", tool="crm.put")

    door.run(play)


def test_a_body_that_only_says_that_it_is_too_large(door: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell_raw(w.raw("POST", "/crm/things", headers=[("Content-Length", "9999999999999")]))
        told_no(told, "too_large", tool="crm.put")

    door.run(play)


@pytest.mark.parametrize(
    ("method", "path", "body", "wrong"),
    [
        ("GET", f"/crm/things/{VALUE}", "", "/id"),
        ("GET", "/crm/things/0", "", "/id"),
        ("GET", "/crm/things/1.0", "", "/id"),
        ("GET", "/crm/things/%31e0", "", "/id"),
        ("GET", "/crm/things/+7", "", "/id"),
        ("GET", "/crm/things/%D9%A7", "", "/id"),  # an Arabic digit
        ("GET", "/crm/things/7?id=8", "", ""),
        ("GET", "/crm/things?limit=101", "", "/limit"),
        ("GET", "/crm/things?exact=True", "", "/exact"),
        ("GET", f"/crm/things?{VALUE}=1", "", ""),
        ("GET", f"/crm/things?Q={VALUE}", "", ""),
        ("POST", "/crm/things", "", "/name"),
        ("POST", "/crm/things", f'{{"name": ["{VALUE}"]}}', "/name"),
        ("POST", "/crm/things", f'{{"name": "a", "{VALUE}": 1}}', ""),
        ("POST", "/crm/things", f'{{"Name": "{VALUE}"}}', "/name"),
        ("POST", "/crm/things", f'["{VALUE}"]', ""),
        ("POST", "/crm/things", f'"{VALUE}"', ""),
        ("POST", "/crm/things", "null", ""),
        ("POST", "/crm/things?name=a", '{"name": "a"}', ""),
        ("GET", "/crm/things/7", '{"id": 8}', ""),
        ("POST", "/crm/slow", "[1]", ""),
    ],
)
def test_arguments_that_do_not_fit(door: Stage, method: str, path: str, body: str, wrong: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(method, path, body.encode())
        said = told_no(told, "schema_violation", tool=told.record["tool"])
        assert wrong in [error["path"] for error in said["errors"]]
        assert all(error["problem"] for error in said["errors"])

    door.run(play)


def test_a_call_that_needs_a_human(door: Stage) -> None:
    async def play(w: Wall) -> None:
        first = await w.tell("POST", "/crm/payments", b'{"cents": 7}')
        said = told_no(first, "approval_pending", tool="crm.pay")
        assert first.reply.headers["location"] == f"/.toolwall/approvals/{said['approval_id']}"
        assert first.record["approval"] == said["approval_id"]
        again = await w.tell("POST", "/crm/payments", b'{ "cents":7 }')
        other = await w.tell("POST", "/crm/payments", b'{"cents": 8}')
        assert again.reply.json["approval_id"] == said["approval_id"]
        assert other.reply.json["approval_id"] != said["approval_id"]
        told_no(await w.tell("POST", "/crm/wipe"), "approval_pending", tool="crm.wipe")
        assert w.records("intent") == []

    door.run(play)


def test_too_many_calls_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        go_on = asyncio.Event()

        async def slowly(_: bytes) -> bytes:
            await go_on.wait()
            return reply()

        async with wall(tmp_path, house.TOOLS, house.POLICY, slowly, "bounds: {most_calls: 1}") as w:
            first = asyncio.create_task(w.call("GET", "/crm/things/1"))
            while not w.backend.requests:
                await asyncio.sleep(0.01)
            told = await w.tell("GET", f"/crm/words/{VALUE}")
            told_no(told, "limit_reached", tool="")
            upgrade = w.raw("GET", "/crm/things/2", headers=[("Upgrade", "websocket")]).replace(b"close", b"upgrade")
            told_no(await w.tell_raw(upgrade + w.raw("GET", "/crm/things/3")), "limit_reached", tool="")
            go_on.set()
            assert (await first).status == 200
            assert (await w.call("GET", "/crm/things/4")).status == 200
            assert len(w.backend.requests) == 2

    perform(play())


def test_a_backend_that_is_not_there(tmp_path: Path) -> None:
    async def play() -> None:
        nobody = await asyncio.start_server(Backend(answering(None)).serve, "127.0.0.1", 0)
        port = nobody.sockets[0].getsockname()[1]
        nobody.close()
        await nobody.wait_closed()
        async with wall(tmp_path, house.TOOLS, house.POLICY, port=port) as w:
            for method, path, body in (("GET", f"/crm/words/{VALUE}", b""), ("POST", "/crm/any", b"{}")):
                told = await w.tell(method, path, body)
                assert told.record["attempts"] == 2  # nothing was sent, so it was tried once more
                told.record["attempts"] = 0
                said = told_no(told, "upstream_unreachable", tool=told.record["tool"])
                assert str(port) not in str(said)

    perform(play())


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, host="no-such-host.invalid") as w:
            told = await w.tell("POST", "/crm/any", b"{}")
            told.record["attempts"] = 0
            said = told_no(told, "upstream_unreachable", tool="crm.any")
            assert "no-such-host" not in str(said)

    perform(play())


@pytest.mark.parametrize(("status", "executed"), [("200 OK", "yes"), ("500 No", "unknown"), ("404 No", "unknown")])
def test_a_reply_that_cannot_be_shown(door: Stage, status: str, executed: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(f"not JSON {VALUE}".encode(), status=status))
        told = await w.tell("POST", "/crm/any", b"{}")
        said = told_no(told, "reply_refused", tool="crm.any", executed=executed, reached=1)
        assert said["detail"].startswith("The action was carried out; its answer was withheld.") == (executed == "yes")

    door.run(play)


def test_a_read_that_takes_too_long(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = never
        told = await w.tell("GET", "/crm/slow")
        told_no(told, "timeout", tool="crm.slow", executed="unknown", reached=1)
        assert told.record["total_ms"] < 1_000

    door.run(play)


def test_a_write_whose_outcome_nobody_knows(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for answer in (never, answering(None), dribble):
            w.backend.answer = answer
            told = await w.tell("POST", "/crm/slow")
            told_no(told, "outcome_unknown", tool="crm.slow_put", executed="unknown", reached=1)

    door.run(play)


async def never(_: bytes) -> bytes | None:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(3)
    return None


async def dribble(_: bytes) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in reply(b'{"slowly": 1}'):
            yield bytes([byte])
            await asyncio.sleep(0.02)

    return pieces()


def test_an_error_that_nobody_foresaw(door: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(VALUE)

    monkeypatch.setattr(Clean, "__call__", broken)

    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/any", f'"{VALUE}"'.encode())
        told_no(told, "internal", tool="crm.any")
        assert told.record["notes"] == ["ZeroDivisionError"]

    door.run(play)


def test_an_error_that_nobody_foresaw_after_the_call_was_sent(door: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(VALUE)

    monkeypatch.setattr(Clean, "_cleaned", broken)

    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/words/{VALUE}")
        told_no(told, "internal", tool="crm.word", executed="unknown", reached=1)

    door.run(play)


def test_a_backends_own_no_passes(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for status in ("400 Bad", "401 No", "403 No", "404 No", "429 Wait", "500 Oh", "503 Gone"):
            w.backend.answer = answering(reply(b'{"why": "no"}', "Retry-After: 7", status=status))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.status == int(status[:3])
            assert told.reply.json == {"why": "no"}
            assert told.reply.headers["retry-after"] == "7"
            assert "toolwall-refused" not in told.reply.headers
            assert told.record["outcome"] == "ok"

    door.run(play)


def test_a_connection_lives_on_after_a_refusal_that_is_not_about_it(door: Stage) -> None:
    async def play(w: Wall) -> None:
        def kept(path: str) -> bytes:
            return w.raw("GET", path).replace(b"Connection: close\r\n", b"")

        came = await w.send(kept("/crm/nothing") + kept("/crm/things/0") + w.raw("GET", "/crm/things/7"))
        assert re.findall(rb"^HTTP/1.1 (\d+)", came, re.MULTILINE) == [b"403", b"422", b"200"]
        assert Reply.parse(came).headers["toolwall-refused"] == "unknown_tool"

    door.run(play)

"""Services that tell who is what to whom, seen from the port: what they say counts, what they do not say is no yes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from proxy import relating
from tests.wire import Backend, Wall, perform, reply, wall

TOOLS = """
  get: {call: 'GET /get/{id}', args: {id: {type: integer}}}
  put: {call: POST /put, args: {id: {type: integer}}, effect: write}
  free: {call: GET /free}
"""
POLICY = """
relations: {{owner: {{url: 'http://127.0.0.1:{port}/q', addresses: [127.0.0.1], {more}}}}}
rules:
  - {{id: own, allow: crm.get, when: 'related(principal.user, "owner", args.id)'}}
  - {{id: puts, allow: crm.put}}
  - {{id: foreign, deny: crm.put, when: '!related(principal.user, "owner", args.id)'}}
  - {{id: free, allow: crm.free}}
"""
IDENTITY = "{static: {id: bot, user: zoe}}"


@asynccontextmanager
async def house(
    folder: Path,
    answer: Callable[[bytes], Awaitable[bytes | AsyncIterator[bytes] | None]],
    more: str = "cache: 1ms",
    identity: str = IDENTITY,
) -> AsyncIterator[tuple[Wall, Backend]]:
    directory = Backend(answer)
    server = await asyncio.start_server(directory.serve, "127.0.0.1", 0)
    policy = POLICY.format(port=server.sockets[0].getsockname()[1], more=more)
    try:
        async with wall(folder, TOOLS, policy, identity=identity) as w:
            yield w, directory
    finally:
        server.close()
        await server.wait_closed()


def owners(*pairs: tuple[str, str]) -> Callable[[bytes], Awaitable[bytes]]:
    async def answer(request: bytes) -> bytes:
        said = parse_qs(request.split(b" ")[1].partition(b"?")[2].decode())
        so = (said["subject"][0], said["object"][0]) in pairs and said["relation"] == ["owner"]
        return reply(json.dumps({"related": so}).encode())

    return answer


def test_what_a_service_says_decides_the_call(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, owners(("zoe", "7"))) as (w, directory):
            assert (await w.call("GET", "/crm/get/7")).status == 200
            told = await w.tell("GET", "/crm/get/8")
            assert (told.reply.status, told.reply.json["code"], told.reached) == (403, "denied", [])
            assert "notes" not in told.record or "relation" not in " ".join(told.record["notes"])
            assert (await w.call("POST", "/crm/put", b'{"id":7}')).status == 200
            assert (await w.call("POST", "/crm/put", b'{"id":8}')).status == 403
            assert directory.requests[0].startswith(b"GET /q?subject=zoe&relation=owner&object=7 HTTP/1.1\r\n")
            before = len(directory.requests)
            assert (await w.call("GET", "/crm/free")).status == 200
            assert (await w.call("GET", "/crm/get/x")).status == 422  # a call off its contract asks nobody
            assert len(directory.requests) == before
            assert len(directory.seen) < len(directory.requests)  # connections are kept

    perform(play())


async def hangs(_: bytes) -> bytes:
    await asyncio.sleep(60)
    return b""


def answers(raw: bytes | None) -> Callable[[bytes], Awaitable[bytes | None]]:
    async def answer(_: bytes) -> bytes | None:
        return raw

    return answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (hangs, "no answer within 0.2 s"), (answers(None), "Disconnected"),
        (answers(b"nonsense\r\n\r\n"), "HttpProcessingError"),
        (answers(reply(b'{"related":true}', status="500 Oops")), "status 500"),
        (answers(reply(b'{"related":true}', "Location: /elsewhere", status="302 Found")), "status 302"),
        (answers(reply(b'{"related":true}', status="204 None")), "HttpProcessingError"),
        (answers(reply(b"")), "no JSON"), (answers(reply(b"{")), "no JSON"), (answers(reply(b"true")), "neither"),
        (answers(reply(b'{"related":"true"}')), "neither"), (answers(reply(b'{"related":1}')), "neither"),
        (answers(reply(b'{"related":null}')), "neither"), (answers(reply(b"[true]")), "neither"),
        (answers(reply(b'{"related":false,"related":true}')), "ambiguous"),
        (answers(reply(b'{"related":true}' + b" " * relating.MOST_BYTES)), "too long"),
        (answers(reply(b'{"related":true}')[:-2]), "no answer"),
    ],
)  # fmt: skip
def test_whatever_else_comes_is_no_answer(
    tmp_path: Path, answer: Callable[[bytes], Awaitable[bytes | None]], why: str
) -> None:
    async def play() -> None:
        async with house(tmp_path, answer, "timeout: 200ms") as (w, _):
            for told in (await w.tell("GET", "/crm/get/7"), await w.tell("POST", "/crm/put", b'{"id":7}')):
                assert (told.reply.status, told.reply.json["code"], told.reached) == (403, "denied", [])
                (note,) = [each for each in told.record["notes"] if "relation" in each]
                assert note.startswith("relation owner cannot be told: ")
                assert why in note
                assert "zoe" not in note

    perform(play())


def test_a_user_that_is_not_known_is_asked_about_nowhere(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, answers(reply(b'{"related":true}')), identity="{static: {id: bot}}") as (
            w,
            directory,
        ):
            assert (await w.call("GET", "/crm/get/7")).status == 403
            assert (await w.call("POST", "/crm/put", b'{"id":7}')).status == 403
            assert directory.requests == []

    perform(play())


def test_an_answer_holds_for_its_time_and_a_failure_does_not(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, owners(("zoe", "7")), "cache: 300ms, timeout: 200ms") as (w, directory):
            for _ in range(3):
                assert (await w.call("GET", "/crm/get/7")).status == 200
                assert (await w.call("GET", "/crm/get/8")).status == 403
            assert len(directory.requests) == 2
            directory.answer = answers(reply(b"", status="500 Oops"))
            await asyncio.sleep(0.35)
            assert (await w.call("GET", "/crm/get/7")).status == 403
            directory.answer = owners(("zoe", "7"))
            assert (await w.call("GET", "/crm/get/7")).status == 200

    perform(play())


def test_a_service_is_asked_by_post_as_it_wants(tmp_path: Path) -> None:
    async def play() -> None:
        more = "method: POST, answer: /result/a~1b, cache: 1ms"
        async with house(tmp_path, answers(reply(b'{"result":{"a/b":true}}')), more) as (w, directory):
            assert (await w.call("GET", "/crm/get/7")).status == 200
            head, _, body = directory.requests[0].partition(b"\r\n\r\n")
            assert head.startswith(b"POST /q HTTP/1.1\r\n")
            assert json.loads(body) == {"subject": "zoe", "relation": "owner", "object": "7"}

    perform(play())


def test_a_service_may_be_named_as_a_machine_of_ones_own(tmp_path: Path) -> None:
    async def play() -> None:
        directory = Backend(answers(reply(b'{"related":true}')))
        server = await asyncio.start_server(directory.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        policy = POLICY.replace("addresses: [127.0.0.1], ", "").format(port=port, more="cache: 1ms")
        async with wall(tmp_path, TOOLS, policy.replace("127.0.0.1", "localhost"), identity=IDENTITY) as w:
            assert (await w.call("GET", "/crm/get/7")).status == 200
        server.close()
        assert f"host: localhost:{port}".encode() in directory.requests[0]

    perform(play())


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relating, "MOST_CACHED", 2)

    async def play() -> None:
        async with house(tmp_path, owners(("zoe", "7")), "cache: 60s") as (w, directory):
            for id in (7, 8, 9, 7):
                await w.call("GET", f"/crm/get/{id}")
            assert len(directory.requests) == 4

    perform(play())


def test_rules_that_go_close_their_connections(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, owners(("zoe", "7"))) as (w, directory):
            assert (await w.call("GET", "/crm/get/7")).status == 200
        await directory.hung_up_on()

    perform(play())


def test_a_change_of_the_data_is_in_force_without_a_restart(tmp_path: Path) -> None:
    async def play() -> None:
        policy = (
            "relations: {owner: {file: data.csv}}\n"
            + POLICY.format(port=1, more="").partition("\n")[2].partition("\n")[2]
        )
        (tmp_path / "rules").mkdir()
        data = tmp_path / "rules" / "data.csv"
        data.write_text("subject,relation,object\nzoe,owner,7\n")
        async with wall(tmp_path, TOOLS, policy, identity=IDENTITY) as w:
            assert (await w.call("GET", "/crm/get/7")).status == 200
            assert (await w.call("GET", "/crm/get/8")).status == 403
            data.write_text("subject,relation,object\nzoe,owner,8\n")
            async with asyncio.timeout(8):
                while (await w.call("GET", "/crm/get/8")).status != 200:
                    await asyncio.sleep(0.05)
            assert (await w.call("GET", "/crm/get/7")).status == 403
            assert len({each["revision"] for each in w.records()}) == 2

    perform(play())

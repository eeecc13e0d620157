"""Backends that lie, break off, hang up, or never end: what the agent is told, and how often they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.corpora.cases import cases, named
from tests.wire import OK, Stage, Told, Wall, always_ok, answering, reply

WORDS = {
    "{long}": "x" * 20_000,
    "{many}": "\r\n".join(f"X-Evil-{number}: a" for number in range(300)),
    "{open}": "[" * 100_000 + "]" * 100_000,
}


def written(text: str) -> bytes:
    for word, stands_for in WORDS.items():
        text = text.replace(word, stands_for)
    return text.encode("latin-1")


def breaking(*pieces: bytes | float) -> Any:
    """A backend that answers with these pieces, waiting the given seconds between them, and hangs up."""

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def play() -> AsyncIterator[bytes]:
            for piece in pieces:
                if isinstance(piece, bytes):
                    yield piece
                else:
                    await asyncio.sleep(piece)

        return play()

    return answer


def nothing_evil(told: Told) -> None:
    assert b"evil" not in told.reply.raw.lower()
    assert "evil" not in str(told.record).lower()


@pytest.mark.parametrize("case", cases("replies/heads"), ids=named)
@pytest.mark.parametrize("method", ["GET /crm/things/7", "POST /crm/any"])
def test_a_reply_that_no_honest_server_sends(door: Stage, case: dict[str, Any], method: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = breaking(written(case["raw"]))
        verb, path = method.split()
        told = await w.tell(verb, path, b"{}" if verb == "POST" else b"")
        read = verb == "GET"
        codes = {"reply_refused", "upstream_unreachable" if read else "outcome_unknown"}
        assert told.record["code"] in codes
        assert told.reply.status in (502, 504)
        assert told.record["executed"] in ("unknown", "yes")
        assert told.reply.json["executed"] == told.record["executed"]
        assert len(told.reached) == 1
        nothing_evil(told)
        w.backend.answer = answering(OK)
        assert (await w.tell("GET", "/crm/things/8")).reply.json == {"ok": True}

    door.run(play)


@pytest.mark.parametrize("case", cases("replies/bodies"), ids=named)
def test_a_body_that_is_not_what_its_head_says(door: Stage, case: dict[str, Any]) -> None:
    async def play(w: Wall) -> None:
        body = written(case["body"])
        w.backend.answer = answering(reply(body, kind=case["kind"]))
        told = await w.tell("GET", "/crm/things/7")
        if case.get("passes"):
            assert told.reply.status == 200
            assert told.reply.body == body
            assert told.record["outcome"] == "ok"
            return
        assert told.reply.status == 502
        assert told.reply.json["code"] == told.record["code"] == "reply_refused"
        assert told.reply.json["executed"] == "yes"
        nothing_evil(told)

    door.run(play)


@pytest.mark.parametrize("case", [case for case in cases("replies/bodies") if not case.get("passes")], ids=named)
def test_the_same_where_the_contract_lets_it_pass_unchecked(door: Stage, case: dict[str, Any]) -> None:
    async def play(w: Wall) -> None:
        body = written(case["body"])
        w.backend.answer = answering(reply(body, kind=case["kind"]))
        told = await w.tell("GET", "/crm/lax")
        assert told.reply.status == 200
        assert told.reply.body == body
        assert told.reply.headers["toolwall-unchecked"] == "clean"
        assert told.record["passed_unchecked"] == ["clean"]

    door.run(play)


@pytest.mark.parametrize("path", ["/crm/lax", "/crm/raw"])
def test_a_head_that_lies_passes_nowhere(door: Stage, path: str) -> None:
    async def play(w: Wall) -> None:
        for number, case in enumerate(cases("replies/heads")):
            if "chunk" not in case["name"] and "breaks off" not in case["name"]:
                w.backend.answer = breaking(written(case["raw"]))
                told = await w.tell("GET", path, headers=(("Toolwall-Run", f"r{number}"),))
                assert told.reply.status in (502, 504), case["name"]
                nothing_evil(told)

    door.run(play)


def test_a_folded_header_is_unfolded(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"{}", "ETag: a\r\n X-Other: b\r\n\tc"))
        told = await w.tell("GET", "/crm/things/7")
        assert told.reply.headers["etag"].split() == ["a", "X-Other:", "b", "c"]

    door.run(play)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("reused", [False, True])
def test_a_backend_that_hangs_up_is_asked_once(door: Stage, method: str, reused: bool) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = always_ok if reused else breaking(OK)
        assert (await w.call("GET", "/crm/things/1")).status == 200
        await asyncio.sleep(0.02)
        connections = len(w.backend.seen)
        w.backend.answer = answering(None)
        told = await w.tell(method, "/crm/things/7")
        assert len(told.reached) == told.record["attempts"] == 1
        assert len(w.backend.seen) == connections + (not reused)
        assert told.record["code"] == ("upstream_unreachable" if method == "GET" else "outcome_unknown")
        assert told.record["executed"] == "unknown"
        assert ("retry-after" in told.reply.headers) == (method == "GET")

    door.run(play)


def test_a_backend_that_closed_a_kept_connection_is_not_the_agents_trouble(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = breaking(OK)
        for _ in range(3):
            assert (await w.tell("POST", "/crm/any", b"{}")).reply.status == 200
            await asyncio.sleep(0.02)

    door.run(play)


def test_a_backend_that_is_silent_in_the_middle(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = breaking(OK[:-4], 3.0)
        told = await w.tell("GET", "/crm/things/7")
        assert told.reply.json["code"] == "reply_refused"
        assert 900 < told.record["total_ms"] < 2_500

    door.run(play)


def test_interim_replies_are_not_the_reply(door: Stage) -> None:
    async def play(w: Wall) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </evil>\r\n\r\n"
        w.backend.answer = answering(b"HTTP/1.1 100 Continue\r\n\r\n" + early + OK)
        told = await w.tell("GET", "/crm/things/7")
        assert told.reply.json == {"ok": True}
        nothing_evil(told)

    door.run(play)


@pytest.mark.parametrize("status", ["204 Nothing", "205 Reset", "304 Same"])
def test_replies_without_a_body(door: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(f'HTTP/1.1 {status}\r\nETag: "a"\r\nContent-Length: 0\r\n\r\n'.encode())
        for path in ("/crm/things/7", "/crm/raw"):
            told = await w.tell("GET", path)
            assert told.reply.status == int(status[:3])
            assert told.reply.headers["etag"] == '"a"'
            assert told.reply.body == b""
            assert told.record["outcome"] == "ok"

    door.run(play)


@pytest.mark.parametrize("status", ["204 Nothing", "304 Same"])
def test_a_reply_that_must_not_have_a_body_and_has(door: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        evil = reply(b'{"EVIL": true}', "X-Evil: a")
        w.backend.answer = answering(f"HTTP/1.1 {status}\r\nContent-Length: {len(evil)}\r\n\r\n".encode() + evil)
        told = await w.tell("GET", "/crm/things/7")
        nothing_evil(told)
        w.backend.answer = answering(OK)
        told = await w.tell("GET", "/crm/things/8")
        assert told.reply.json == {"ok": True}
        nothing_evil(told)

    door.run(play)


def test_more_than_was_said_is_nobody_elses_reply(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(OK + reply(b'{"EVIL": true}'))
        told = await w.tell("GET", "/crm/things/7")
        nothing_evil(told)
        w.backend.answer = answering(OK)
        told = await w.tell("GET", "/crm/things/8")
        assert told.reply.json == {"ok": True}

    door.run(play)


def test_head_is_answered_with_a_head(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\nETag: "a"\r\n\r\n')
        told = await w.tell("HEAD", "/crm/things/7")
        assert told.reply.status == 200
        assert told.reply.headers["etag"] == '"a"'
        assert told.reply.body == b""
        assert told.record["outcome"] == "ok"

    door.run(play)


def test_a_reply_that_is_too_large(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for size, kept in ((1_000, True), (1_001, False)):
            w.backend.answer = answering(reply(b'"' + b"x" * (size - 2) + b'"'))
            told = await w.tell("GET", "/crm/small")
            assert (told.reply.status == 200) is kept
            assert kept or told.reply.json["code"] == "reply_refused"

    door.run(play)


@pytest.mark.parametrize("path", ["/crm/small", "/crm/raw"])
def test_a_reply_without_end(door: Stage, path: str) -> None:
    sent = 0

    async def endless(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1073741824\r\n\r\n"
            while True:
                sent += 65_536
                yield b"x" * 65_536

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = endless
        told = await w.tell("GET", path)
        assert told.record["code"] == "reply_refused"
        assert told.record["executed"] == "yes"
        await w.backend.hung_up_on()
        assert sent < 16 * 1024 * 1024
        # What was let go of a streamed reply must not look whole.
        assert told.reply.status == 502 or told.reply.raw.count(b"x") < 110_000

    door.run(play)

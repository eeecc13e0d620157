"""Replies that are cleaned while they come: nothing waits for the end, no secret gets through in pieces (F22-F25)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.doors.test_hangups import one_more_record
from tests.wire import Answer, Reply, Wall, perform, wall

TOOLS = """
  events: {says: Events., call: GET /events, timeout: 1s}
  words: {says: Words., call: GET /words}
  lax: {says: Events at least., call: GET /lax, reply: {on_error: pass}}
  kept:
    says: Events that a contract declares.
    call: GET /kept
    replies: {200: {text/event-stream: {type: string}}}
    reply: {contract: enforce}
  raw: {says: Events unseen., call: GET /raw, reply: {redact: "off"}}
  small: {says: Few events., call: GET /small, reply: {most_bytes: 1000}}
"""
MAIL, CARD = "ana@mail.example", "4242 4242 4242 4242"
EVENTS, LINES, TEXT = "text/event-stream", "application/x-ndjson", "text/plain"
BODIES = [
    (EVENTS, f': hello\n\nid: 1\ndata: write to {MAIL}\n\ndata: {{"card": "{CARD}"}}\n\ndata: end\n\n'),
    (
        EVENTS,
        "".join(f'data: {{"delta": {{"content": "{each}"}}}}\r\n\r\n' for each in ("to an", "a@mail.ex", "ample.")),
    ),
    (LINES, f'{{"a": "{MAIL}"}}\n{{"a": "{CARD}", "n": 1.0}}\n'),
    (TEXT, f"write to {MAIL}, or é {CARD} end"),
]


def head(kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def sending(kind: str, pieces: Iterable[bytes | float], end: bytes = b"0\r\n\r\n") -> Answer:
    """A backend that sends the pieces, and sleeps where one is a number of seconds."""

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def play() -> AsyncIterator[bytes]:
            yield head(kind)
            for piece in pieces:
                if isinstance(piece, bytes):
                    yield chunk(piece)
                else:
                    await asyncio.sleep(piece)
            yield end

        return play()

    return answer


def played(folder: Path, play: Callable[[Wall], Any], **how: Any) -> None:
    async def whole() -> None:
        async with wall(folder, TOOLS, **how) as w:
            await play(w)

    perform(whole())


@pytest.mark.parametrize(("kind", "text"), BODIES)
def test_cut_at_every_byte(tmp_path: Path, kind: str, text: str) -> None:
    body = text.encode()

    async def play(w: Wall) -> None:
        seen = set()
        for at in range(len(body) + 1):
            w.backend.answer = sending(kind, [body[:at], body[at:]])
            end = await w.tell("GET", "/crm/events")
            assert end.reply.status == 200
            seen.add(end.reply.body)
            assert sum(end.record["redactions"].values()) == text.count(CARD) + max(1, text.count(MAIL))
            assert end.record["outcome"] == "ok"
            assert "clean" in end.record["checks"]
        assert len(seen) == 1
        for secret in (b"ana", b"4242", b"mail.ex"):
            assert secret not in seen.pop() if len(seen) > 1 else all(secret not in each for each in seen)
        w.backend.answer = sending(kind, [body[at : at + 1] for at in range(len(body))])
        assert (await w.tell("GET", "/crm/events")).reply.body in seen

    played(tmp_path, play)


def test_the_first_event_comes_before_the_last_is_sent(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield head(EVENTS) + chunk(b": wait\n\n")
            await go_on.wait()
            go_on.clear()
            yield chunk(f"data: {MAIL}\n\n".encode())
            await go_on.wait()
            yield b"0\r\n\r\n"

        return pieces()

    async def play(w: Wall) -> None:
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/events"))
        async with asyncio.timeout(5):
            await reader.readuntil(b": wait\n")
            go_on.set()
            await reader.readuntil(b"data: <EMAIL_ADDRESS>\n\n")
            assert w.news() == []
            go_on.set()
            assert (await reader.read()).endswith(b"0\r\n\r\n")
        assert w.news()[0]["redactions"] == {"EMAIL_ADDRESS": 1}
        writer.close()

    played(tmp_path, play, answer=answer)


def test_words_without_an_end_go_out_after_a_pause_and_beginnings_of_secrets_wait(tmp_path: Path) -> None:
    pieces: list[bytes | float] = [
        b"All is well, write to ana@",
        1.2,  # REST_S is farther away than a busy machine is late
        b"mail.example now. " + b"and so on " * 10,
        0.6,
        b"Bye",
    ]

    async def play(w: Wall) -> None:
        w.backend.answer = sending(TEXT, pieces)
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/words"))
        async with asyncio.timeout(5):
            began = monotonic()
            assert b"ana" not in await reader.readuntil(b"All is well, write to ")
            assert monotonic() - began < 1.2
            assert b"ana" not in await reader.readuntil(b"<EMAIL_ADDRESS> now. ")
            assert (await reader.read()).endswith(b"3\r\nBye\r\n0\r\n\r\n")
        writer.close()

    played(tmp_path, play)


def test_a_stream_outlives_the_time_limit_of_its_tool_as_long_as_it_speaks(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, (*(b": wait\n\n", 0.4) * 4, b"data: 1\n\n"))
        end = await w.tell("GET", "/crm/events")
        assert end.reply.body.endswith(b"data: 1\n\n")
        assert end.record["outcome"] == "ok"
        w.backend.answer = sending(EVENTS, [b"data: 1\n\n", 1.6, b"data: 2\n\n"])
        end = await w.tell("GET", "/crm/events")
        assert end.record["code"] == "reply_refused"
        assert b"data: 2" not in end.reply.body

    played(tmp_path, play)


def last_event(reply: Reply) -> dict[str, Any]:
    before, _, event = reply.body.rpartition(b"event: error\ndata: ")
    assert before.endswith((b"\n\n", b"\r\n\r\n")) or not before
    assert event.endswith(b"}\n\n")
    return dict(json.loads(event))


@pytest.mark.parametrize(
    ("path", "pieces", "end", "why"),
    [
        ("events", [b"data: 1\n\n", b"data: \xff ana@\n\n"], b"0\r\n\r\n", "It could not be checked"),
        ("small", [b"data: 1\n\n", b"data: ana@" + b"x" * 1_000], b"0\r\n\r\n", "larger than 1000 bytes"),
        ("events", [b"data: 1\n\n", b"data: ana@"], b"", "broke off"),
    ],
)
def test_a_refusal_in_the_middle_is_the_last_event(
    tmp_path: Path, path: str, pieces: list[bytes], end: bytes, why: str
) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, pieces, end)
        told = await w.tell("GET", f"/crm/{path}")
        assert told.reply.status == 200
        assert told.reply.body.startswith(b"data: 1\n\n")
        assert told.reply.raw.endswith(b"\r\n0\r\n\r\n")
        problem = last_event(told.reply)
        assert (problem["code"], problem["executed"]) == ("reply_refused", "yes")
        assert why in problem["detail"]
        assert problem["call_id"] == told.record["call"]
        assert told.record["code"] == "reply_refused"
        assert b"ana@" not in told.reply.raw

    played(tmp_path, play)


def test_a_refusal_in_the_middle_of_lines_is_the_last_line_and_of_text_a_broken_end(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(LINES, [b'{"a": 1}\n{"a', b'": ana@\n'])
        told = await w.tell("GET", "/crm/events")
        first, last = told.reply.body.splitlines()
        assert first == b'{"a": 1}'
        assert json.loads(last)["code"] == "reply_refused"
        w.backend.answer = sending(TEXT, [b"words " * 100, b"\xff"])
        raw = await w.send(w.raw("GET", "/crm/events"))
        assert not raw.endswith(b"0\r\n\r\n")
        assert w.news()[-1]["code"] == "reply_refused"

    played(tmp_path, play)


def test_what_cannot_be_checked_passes_where_the_rules_say_so_and_the_rest_is_cleaned(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, [b"data: \xff\n\n", f"data: {MAIL}\n\n".encode()])
        told = await w.tell("GET", "/crm/lax", headers=[("TE", "trailers")])
        assert told.record["passed_unchecked"] == ["clean"]
        assert b"data: \xff\n\n" in told.reply.raw
        assert b"data: <EMAIL_ADDRESS>\n\n" in told.reply.raw
        end = b"\r\n0\r\nToolwall-Unchecked: clean\r\nToolwall-Redacted: EMAIL_ADDRESS=1\r\n\r\n"
        assert told.reply.raw.endswith(end)

    played(tmp_path, play)


@pytest.mark.parametrize("asked", [True, False])
def test_what_was_done_stands_in_a_trailer_for_those_who_take_trailers(tmp_path: Path, asked: bool) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, [f"data: {MAIL}\n\n".encode()])
        told = await w.tell("GET", "/crm/events", headers=[("TE", "trailers, gzip")] if asked else [])
        assert told.reply.raw.endswith(b"\r\nToolwall-Redacted: EMAIL_ADDRESS=1\r\n\r\n" if asked else b"\r\n0\r\n\r\n")
        assert ("trailer" in told.reply.headers) == asked

    played(tmp_path, play)


@pytest.mark.parametrize("rudely", [False, True])
def test_an_agent_that_leaves_ends_the_stream(tmp_path: Path, rudely: bool) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, [f"data: {MAIL}\n\n".encode(), 30.0])
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/events"))
        await reader.readuntil(b"<EMAIL_ADDRESS>\n\n")
        tasks = len(asyncio.all_tasks())
        if rudely:
            writer.transport.abort()
        else:
            writer.close()
        await w.backend.hung_up_on()
        record = await one_more_record(w)
        assert record["outcome"] == "client_gone"
        assert record["redactions"] == {"EMAIL_ADDRESS": 1}
        assert len(asyncio.all_tasks()) <= tasks

    played(tmp_path, play)


def test_many_lines_and_the_next_call_on_the_same_connection(tmp_path: Path) -> None:
    lines = [b'{"n": %d, "mail": "a%d@mail.example"}\n' % (n, n) for n in range(5_000)]

    async def play(w: Wall) -> None:
        w.backend.answer = sending(LINES, [b"".join(lines[at : at + 500]) for at in range(0, 5_000, 500)])
        raw = w.raw("GET", "/crm/events")
        came = await w.send(raw.replace(b"Connection: close\r\n", b"") + raw, quiet_s=10)
        assert came.count(b"HTTP/1.1 200 OK") == 2
        assert came.count(b'"<EMAIL_ADDRESS>"') == 10_000
        assert [each["redactions"] for each in w.news()] == [{"EMAIL_ADDRESS": 5_000}] * 2

    played(tmp_path, play)


def test_a_contract_judges_status_and_type_and_waits_for_nothing(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, [f"data: {MAIL}\n\n".encode(), 30.0])
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/kept"))
        async with asyncio.timeout(0.9):
            await reader.readuntil(b"data: <EMAIL_ADDRESS>\n\n")
        writer.close()
        await one_more_record(w)
        w.backend.answer = sending(LINES, [b"1\n"])
        told = await w.tell("GET", "/crm/kept")
        assert told.reply.status == 502
        assert told.record["deviations"] == ["media type: is not declared"]

    played(tmp_path, play)


def test_known_secrets_are_taken_out_of_streams_too(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("xK9 fresh-Orange-7")
    text = f'data: {{"delta": "it is xK9 fresh-Orange-7, says {MAIL}"}}\n\ndata: end\n\n'
    at = text.index("Orange")

    async def play(w: Wall) -> None:
        middle = b'"}\n\ndata: {"delta": "'
        w.backend.answer = sending(EVENTS, [text[:at].encode(), middle, text[at:].encode()])
        told = await w.tell("GET", "/crm/events", headers=[("TE", "trailers")])
        assert told.record["redactions"] == {"EMAIL_ADDRESS": 1, "KNOWN_SECRET": 1}
        assert b"Orange" not in told.reply.raw
        assert b"xK9" not in told.reply.raw
        assert b"KNOWN_SECRET=1" in told.reply.raw

    played(tmp_path, play, config="known_secrets: ['file:known']\n")


def test_unchecked_events_do_not_wait_for_the_next(tmp_path: Path) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = sending(EVENTS, [b"data: 1\n\n", 30.0])
        reader, writer = await asyncio.open_connection(*w.address)
        writer.write(w.raw("GET", "/crm/raw"))
        async with asyncio.timeout(5):
            await reader.readuntil(b"data: 1\n\n")
        writer.close()
        assert (await one_more_record(w))["outcome"] == "client_gone"

    played(tmp_path, play)

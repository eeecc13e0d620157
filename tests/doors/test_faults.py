"""What cannot be checked is never shown in silence: it is withheld, or passes as the tool says and is marked (F12)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.doors.test_streams import sending
from tests.wire import Told, Wall, answering, perform, reply, wall

TOOLS = """
  no: {says: Read., call: GET /no}
  pass: {says: Read at least., call: GET /pass, reply: {on_error: pass}}
"""
MAIL = "ann@example.com"
BIG = json.dumps([{"id": number, "mail": f"a{number}@example.com"} for number in range(20_000)]).encode()
JSON, EVENTS, LINES, TEXT = "application/json", "text/event-stream", "application/x-ndjson", "text/plain"
# What is sent, under which headers and bounds.
WHOLE = {
    "too large": (BIG, JSON, "most_scan: 64KiB", ()),
    "not in time": (BIG, JSON, "scan: 1ms", ()),
    "no JSON": (f'{{"a": "{MAIL}"'.encode(), JSON, "", ()),
    "too deep": (b'{"a":' * 5_000 + f'"{MAIL}"'.encode() + b"}" * 5_000, JSON, "", ()),
    "no UTF-8": (f"\xff {MAIL}".encode("latin-1"), TEXT, "", ()),
    "an unknown charset": (MAIL.encode(), f"{TEXT}; charset=utf-7", "", ()),
    "a charset that only some read": (MAIL.encode("utf-16le"), f"{TEXT}; charset = utf-16le", "", ()),
    "two charsets": (MAIL.encode("utf-16le"), f"{TEXT}; charset=utf-8; charset=utf-16le", "", ()),
    "a broken coding": (MAIL.encode(), JSON, "", ("Content-Encoding: gzip",)),
    "an unknown type": (MAIL.encode(), "x/y", "", ()),
    "no type": (MAIL.encode(), "", "", ()),
    "loose parts": (f"--a\n\n{MAIL}\n--a--".encode(), "multipart/mixed; boundary=a", "", ()),
}
STREAMS = {
    "no JSON": (LINES, b'{"a": 1}\n', f'{{"a": "{MAIL}"\n'.encode()),
    "no UTF-8": (EVENTS, b"data: 1\n\n", f"data: \xff {MAIL}\n\n".encode("latin-1")),
    "no UTF-8 in a line": (LINES, b'{"a": 1}\n', f'"\xff {MAIL}"\n'.encode("latin-1")),
    "no text": (TEXT, b"so many words ", f"\xff {MAIL}".encode("latin-1")),
}


def config(bound: str) -> str:
    return f"bounds: {{{bound}}}\n" if bound else ""


def is_withheld(told: Told) -> None:
    assert told.reply.status == 502
    assert told.reply.headers["toolwall-refused"] == "reply_refused"
    assert b"example.com" not in told.reply.raw
    assert told.record["code"] == "reply_refused"
    assert told.record["notes"]
    assert "example.com" not in json.dumps(told.record)


def is_marked(told: Told, body: bytes) -> None:
    assert told.reply.body == body
    assert told.reply.headers["toolwall-unchecked"] == "clean"
    assert told.record["passed_unchecked"] == ["clean"]
    assert told.record["notes"][0].startswith("clean: ")
    assert "example.com" not in json.dumps(told.record)


async def unchecked(w: Wall) -> list[str]:
    """What the metric says of calls that passed unchecked."""
    reader, writer = await asyncio.open_connection(*w.sidecar.admin.rsplit(":", 1))
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    first, *lines = (await reader.read()).decode().splitlines()
    writer.close()
    assert first == "HTTP/1.1 200 OK"
    return [line for line in lines if line.startswith("toolwall_passed_unchecked_total{")]


@pytest.mark.parametrize("fault", WHOLE)
def test_a_whole_reply(fault: str, tmp_path: Path) -> None:
    body, kind, bound, headers = WHOLE[fault]

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=config(bound)) as w:
            w.backend.answer = answering(reply(body, *headers, kind=kind))
            is_withheld(await w.tell("GET", "/crm/no"))
            assert await unchecked(w) == []
            is_marked(await w.tell("GET", "/crm/pass"), body)
            assert [line.rpartition(" ")[2] for line in await unchecked(w)] == ["1.0"]

    perform(play())


@pytest.mark.parametrize("fault", STREAMS)
def test_a_stream(fault: str, tmp_path: Path) -> None:
    kind, good, bad = STREAMS[fault]

    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:
            w.backend.answer = sending(kind, [good, 0.02, bad])
            told = await w.tell("GET", "/crm/no")
            assert b"example.com" not in told.reply.raw
            assert told.record["code"] == "reply_refused"
            if kind != TEXT:  # plain text breaks off
                assert told.reply.body.startswith(good)
                assert b"reply_refused" in told.reply.body
            assert await unchecked(w) == []
            told = await w.tell("GET", "/crm/pass", headers=[("TE", "trailers")])
            assert told.reply.body == good + bad
            assert b"Toolwall-Unchecked: clean" in told.reply.raw
            assert told.record["passed_unchecked"] == ["clean"]
            assert [line.rpartition(" ")[2] for line in await unchecked(w)] == ["1.0"]

    perform(play())


@pytest.mark.parametrize("path", ["no", "pass"])
def test_a_stream_that_is_not_read_in_time_ends(path: str, tmp_path: Path) -> None:
    """Nobody knows how far the look came, so nothing of it can pass."""
    line = BIG.replace(b" ", b"") + b"\n"

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=config("scan: 1ms")) as w:
            w.backend.answer = sending(LINES, [b"1\n", line])
            told = await w.tell("GET", f"/crm/{path}")
            assert b"example.com" not in told.reply.raw
            assert told.record["code"] == "reply_refused"

    perform(play())


def test_more_than_may_wait(tmp_path: Path) -> None:
    """With one look at a time, of several at once some are made, and none is skipped in silence."""

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=config("most_scans: 1")) as w:
            w.backend.answer = answering(reply(BIG))
            ended = await asyncio.gather(*(w.call("GET", f"/crm/{path}") for path in ["no"] * 4 + ["pass"] * 4))
            done = [each for each in ended[:4] if each.status == 200]
            for each in ended[:4]:
                assert b"example.com" not in each.body
                assert each.status == 200 or each.headers["toolwall-refused"] == "reply_refused"
            marked = [each for each in ended[4:] if "toolwall-unchecked" in each.headers]
            for each in ended[4:]:
                assert (each.body == BIG) is (each in marked)
                assert each in marked or b"example.com" not in each.body
            assert len(done) + len(ended) - 4 - len(marked) >= 1
            assert len(done) + 4 - len(marked) < 8
            assert sum("passed_unchecked" in record for record in w.news()) == len(marked)

    perform(play())

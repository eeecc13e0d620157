"""Shaping, with bytes of a real backend that come back through the door."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Reply, Stage, Told, Wall, answering, perform, reply, staged, wall

TOOLS = """
  keep: {call: GET /keep, reply: {keep: [id, name]}}
  drop: {call: GET /drop, reply: {drop: [notes, /secret/*]}}
  most: {call: GET /most, reply: {most: 2}}
  longest: {call: GET /longest, reply: {longest: 10}}
  fit: {call: GET /fit, reply: {fit: 2KiB}}
  all: {call: GET /all, reply: {most: 20, longest: 100, most_bytes: 8MiB}}
  raw: {call: GET /raw, reply: {redact: "off", longest: 10}}
  pass: {call: GET /pass, reply: {on_error: pass, most: 2}}
  rawpass: {call: GET /rawpass, reply: {redact: "off", on_error: pass, most: 2}}
  head: {call: HEAD /keep, reply: {keep: [id]}}
  write: {call: POST /write, effect: write, reply: {keep: [id], fit: 1KiB}}
  range:
    call: GET /range
    args: {Range: {type: string}}
    in: {Range: header}
    reply: {longest: 10}
  held:
    call: GET /held
    reply: {keep: [id]}
    replies: {200: {application/json: {type: object, required: [id, notes]}}}
  free: {call: GET /free}
"""
MAIL = "ann@mail.example"
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("shape"), TOOLS) as stage:
        yield stage


def told(house: Stage, path: str, raw: bytes | Any, method: str = "GET", body: bytes = b"", *headers: Any) -> Told:
    """What comes of one call that the backend answers with these bytes."""
    ends: list[Told] = []

    async def play(w: Wall) -> None:
        w.backend.answer = answering(raw) if isinstance(raw, bytes) else raw
        ends.append(await w.tell(method, path, body, headers))

    house.run(play)
    return ends[0]


def test_only_kept_fields_come_back_byte_for_byte(house: Stage) -> None:
    one = told(house, "/crm/keep", reply(b'{ "id" : 12345678901234567890, "notes": "n",\n "name":"caf\\u00e9" }'))
    assert one.reply.body == b'{ "id" : 12345678901234567890,\n "name":"caf\\u00e9" }'
    assert one.reply.headers["toolwall-shaped"] == "fields=1"
    assert one.record["shaped"] == {"fields": 1}
    assert one.record["checks"][-3:] == ["clean", "timeout", "shape"]


def test_dropped_fields_are_nowhere(house: Stage) -> None:
    body = (
        b'{"items": [{"id": 1, "notes": "canary"}, {"owner": {"notes": {"x": "canary"}}}], "secret": {"a": "canary"}}'
    )
    one = told(house, "/crm/drop", reply(body))
    assert one.reply.json == {"items": [{"id": 1}, {}]}
    assert b"canary" not in one.reply.raw
    assert one.record["shaped"] == {"fields": 3}


def test_lists_and_texts_say_how_much_is_missing(house: Stage) -> None:
    one = told(house, "/crm/most", reply(b'{"a": [1, 2, 3, 4], "b": [[5, 6, 7]]}'))
    assert one.reply.json["a"] == [1, 2]
    assert one.reply.json["a:left_out"].startswith("2 more items: GET /.toolwall/rest/")
    assert one.reply.json["b"][0][:2] == [5, 6]
    assert one.reply.headers["toolwall-shaped"] == "items=3"
    one = told(house, "/crm/longest", reply(b'{"a": "0123456789", "b": "0123456789x"}'))
    assert one.reply.json["a"] == "0123456789"
    assert one.reply.json["b"].startswith("0123456789... [1 more character: GET /.toolwall/rest/")
    assert one.record["shaped"] == {"texts": 1}


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8", "text/csv"])
def test_texts_that_are_no_json_are_cut_too(house: Stage, kind: str) -> None:
    one = told(house, "/crm/longest", reply("0123456789é".encode(), kind=kind))
    assert one.reply.body.startswith(b"0123456789... [1 more character: GET /.toolwall/rest/")


def test_a_reply_fits_or_is_refused_with_advice(house: Stage) -> None:
    rows = [{"id": number, "text": "x" * 400} for number in range(100)]
    one = told(house, "/crm/fit", reply(json.dumps(rows).encode()))
    assert 1_000 < len(one.reply.body) <= 2_048
    assert one.reply.json[0]["id"] == 0
    wide = json.dumps({f"member-{number}": number for number in range(1_000)}).encode()
    one = told(house, "/crm/fit", reply(wide))
    assert (one.reply.status, one.reply.json["code"], one.reply.json["executed"]) == (502, "reply_refused", "yes")
    assert "cannot be cut to 2048 bytes" in one.reply.json["detail"]
    assert "Ask for less" in one.reply.json["detail"]
    assert b"member-" not in one.reply.raw


def test_of_a_write_it_is_said_that_it_was_carried_out(house: Stage) -> None:
    one = told(house, "/crm/write", reply(b"[1, 2]"), "POST")
    assert (one.reply.status, one.reply.json["executed"]) == (502, "yes")
    assert one.reply.json["detail"].startswith("The action was carried out; its answer was withheld.")
    assert one.record["outcome"] == "refused"


def test_five_megabytes(house: Stage) -> None:
    rows = [
        {"id": number, "text": f"{number} {MAIL} " + "y" * 150, "tags": list(range(30))} for number in range(17_000)
    ]
    body = json.dumps(rows).encode()
    assert len(body) > 5_000_000
    ends: list[Reply] = []

    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(body))
        ends.append(Reply.parse(await w.send(w.raw("GET", "/crm/all"), quiet_s=60)))
        assert w.records()[-1]["shaped"]["items"] == 16_980 + 20 * 10

    house.run(play)
    assert len(ends[0].json) == 21
    assert len(ends[0].body) < 20_000
    assert MAIL.encode() not in ends[0].raw


def test_personal_data_across_the_cut_is_found_first(house: Stage) -> None:
    for before in range(1, 12):
        one = told(house, "/crm/longest", reply(json.dumps({"a": "z " * before + f"{CARD} {MAIL} end"}).encode()))
        assert b"4111" not in one.reply.raw
        assert b"ann@" not in one.reply.raw
        assert one.record["redactions"] == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}
        assert one.reply.json["a"].count("<") == one.reply.json["a"].count(">")


def test_without_cleaning_it_is_shaped_as_well(house: Stage) -> None:
    for body, coding in ((b'["0123456789x"]', ""), (gzip.compress(b'["0123456789x"]'), "Content-Encoding: gzip")):
        one = told(house, "/crm/raw", reply(body, *filter(None, [coding])))
        assert one.reply.json[0].startswith("0123456789... [1 more")
        assert "content-encoding" not in one.reply.headers
        assert one.reply.headers["toolwall-unchecked"] == "clean"
    bomb = gzip.compress(b"[" + b"1," * 4_000_000 + b"1]")
    one = told(house, "/crm/raw", reply(bomb, "Content-Encoding: gzip"))
    assert (one.reply.status, one.reply.json["code"]) == (502, "reply_refused")


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/crm/keep", reply(b'"id"')),
        ("/crm/keep", reply(b"[1, 2]")),
        ("/crm/keep", reply(b"id: 1", kind="text/plain")),
        ("/crm/keep", reply(b"id\n1", kind="text/csv")),
        ("/crm/drop", reply(b"notes: 1", kind="text/plain")),
        ("/crm/keep", reply(b'{"id": 1}\n{"x": 2}\n', kind="application/x-ndjson")),
        ("/crm/keep", reply(b'data: {"x": 2}\n\n', kind="text/event-stream")),
        ("/crm/raw", reply(b"{", kind="application/json")),
        ("/crm/raw", reply(b'{"a": "\xff"}')),
        ("/crm/raw", reply(b"0123456789x", kind="text/plain; charset=utf-7")),
        ("/crm/raw", reply(b"<a>0123456789</a>", kind="application/xml")),
        ("/crm/most", reply(b"[1,2,3]", status="206 Partial Content")),
        ("/crm/most", reply(b"[1,2,3]", "Content-Range: bytes 0-6/100")),
        ("/crm/fit", reply(b"[1,2", "Content-Encoding: gzip")),
    ],
)
def test_what_cannot_be_shaped_is_withheld(house: Stage, path: str, raw: bytes) -> None:
    one = told(house, path, raw)
    assert (one.reply.status, one.reply.json["code"]) == (502, "reply_refused")
    assert one.record["code"] == "reply_refused"
    assert "shape" not in one.record["checks"]


def test_a_range_is_not_shaped_whoever_asked_for_it(house: Stage) -> None:
    raw = reply(b"0123456789x", "Content-Range: bytes 0-10/99", status="206 Partial Content", kind="text/plain")
    one = told(house, "/crm/range", raw, "GET", b"", ("Range", "bytes=0-10"))
    assert (one.reply.status, one.reply.json["code"]) == (502, "reply_refused")
    assert "Call without `Range`" in one.reply.json["detail"]


def test_what_could_not_be_read_passes_where_the_rules_say_so_and_says_so(house: Stage) -> None:
    one = told(house, "/crm/rawpass", reply(b"[1, 2, 3"))
    assert (one.reply.status, one.reply.body) == (200, b"[1, 2, 3")
    assert "shape" in one.record["passed_unchecked"]
    assert b"toolwall-unchecked: shape" in one.reply.raw
    assert told(house, "/crm/pass", reply(b"[1, 2, 3]")).reply.json[:2] == [1, 2]


@pytest.mark.parametrize(
    ("path", "raw", "status"),
    [
        ("/crm/keep", b"HTTP/1.1 204 No\r\n\r\n", 204),
        ("/crm/keep", b'HTTP/1.1 304 No\r\nETag: "x"\r\n\r\n', 304),
        ("/crm/keep", reply(b"", kind=""), 200),
        ("/crm/keep", reply(b"null"), 200),
    ],
)
def test_what_has_no_body_has_nothing_to_shape(house: Stage, path: str, raw: bytes, status: int) -> None:
    one = told(house, path, raw)
    assert one.reply.status == status
    assert "toolwall-shaped" not in one.reply.headers


def test_a_head_has_nothing_to_shape(house: Stage) -> None:
    one = told(
        house, "/crm/keep", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n", "HEAD"
    )
    assert (one.reply.status, one.reply.body) == (200, b"")


def test_errors_keep_their_words(house: Stage) -> None:
    one = told(house, "/crm/keep", reply(b'{"error": "no such customer"}', status="404 Not Found"))
    assert (one.reply.status, one.reply.json) == (404, {"error": "no such customer"})
    one = told(house, "/crm/drop", reply(b'{"error": "bad", "notes": "canary"}', status="422 No"))
    assert (one.reply.status, one.reply.json) == (422, {"error": "bad"})
    one = told(house, "/crm/longest", reply(b"<html>long page of a proxy", status="502 Bad", kind="text/html"))
    assert (one.reply.status, one.reply.body[:14]) == (502, b"<html>long... ")


def test_validators_go_with_the_bytes_that_they_speak_of(house: Stage) -> None:
    heads = ('ETag: "x"', "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT", "Accept-Ranges: bytes", "X-Total-Count: 3")
    one = told(house, "/crm/most", reply(b"[1, 2, 3]", *heads)).reply
    assert {"etag", "last-modified", "accept-ranges"}.isdisjoint(one.headers)
    assert one.headers["x-total-count"] == "3"
    assert int(one.headers["content-length"]) == len(one.body)
    one = told(house, "/crm/most", reply(b"[1, 2]", *heads)).reply
    assert one.headers["etag"] == '"x"'
    one = told(
        house, "/crm/most", reply(b"[1, 2, 3]", "Content-MD5: abc", "Repr-Digest: sha-256=:x:", "Digest: x")
    ).reply
    assert {"content-md5", "repr-digest", "digest"}.isdisjoint(one.headers)


def test_the_contract_is_held_against_what_the_backend_sent(house: Stage) -> None:
    assert told(house, "/crm/held", reply(b'{"id": 1, "notes": "n"}')).reply.json == {"id": 1}
    assert told(house, "/crm/held", reply(b'{"id": 1}')).reply.status == 502


def test_text_that_comes_in_pieces_is_read_whole_first(house: Stage) -> None:
    async def pieces(_: bytes) -> AsyncIterator[bytes]:
        async def made() -> AsyncIterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
            for piece in (b"mail ann@", b"mail.example", b" and so on and on"):
                yield piece
                await asyncio.sleep(0.01)

        return made()

    one = told(house, "/crm/longest", pieces)
    assert one.reply.body.startswith(b"mail ... [")
    assert one.reply.headers["toolwall-redacted"] == "EMAIL_ADDRESS=1"
    assert one.record["redactions"] == {"EMAIL_ADDRESS": 1}
    assert one.closed


def test_a_stream_passes_as_long_as_it_is_where_no_fields_are_picked(house: Stage) -> None:
    events = b'data: {"a": [1, 2, 3, 4]}\n\n' * 3
    one = told(house, "/crm/most", reply(events, kind="text/event-stream"))
    assert (one.reply.status, one.reply.body) == (200, events)


def test_deep_nesting_is_shaped_or_withheld(house: Stage) -> None:
    for depth in (100, 900, 5_000, 100_000):
        one = told(house, "/crm/raw", reply(b"[" * depth + b'"0123456789x"' + b"]" * depth))
        assert one.reply.status == 502 or b"0123456789... [1 more character" in one.reply.body
        assert one.reply.status == 200 or depth > 900


def test_whatever_comes_is_json_or_a_refusal(house: Stage) -> None:
    chance = random.Random(7)
    whole = b'{"id": 1, "items": [{"id": "\\ud83d\\ude00<A>", "notes": [1, {"x": "0123456789012"}]}, 2.5, null]}'
    for _ in range(60):
        body = bytearray(whole)
        for _ in range(chance.randrange(3)):
            body[chance.randrange(len(body))] = chance.choice(b'"\\{}[],:0x\xff')
        for path in ("keep", "drop", "most", "longest", "raw"):
            one = told(house, f"/crm/{path}", reply(bytes(body)))
            assert one.reply.status in (200, 502)
            json.loads(one.reply.body)
            assert one.reply.status == 502 or not is_json(bytes(body)) or one.record["outcome"] == "ok"


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_known_secrets_are_in_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "kq7-31aZ-w-hunter"
    monkeypatch.setenv("SHAPE_SECRET", secret)

    async def play() -> None:
        body = json.dumps(["xxxxxx " + secret + " y" * 20, secret]).encode()
        answer = answering(reply(body))
        tools = '  raw: {call: GET /raw, reply: {redact: "off", longest: 10, most: 1}}'
        async with wall(tmp_path, tools, answer=answer, config="known_secrets: ['env:SHAPE_SECRET']") as w:
            first = (await w.call("GET", "/crm/raw")).json
            seen = [json.dumps(first)]
            for link in (first[0].split("GET ")[1].rstrip("]"), first[1].split("GET ")[1]):
                while link:
                    piece = await w.call("GET", link)
                    assert piece.status == 200
                    seen.append(piece.body.decode())
                    link = piece.json.get("next", "").removeprefix("GET ")
            assert secret[4:] not in "".join(seen)
            assert "KNOWN_SECRET" in "".join(seen)

    perform(play())

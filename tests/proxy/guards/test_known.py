"""A canary in every encoding, sent by the backend through the real door: none comes out."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.redaction.test_known import TYPES, WAYS
from tests.wire import Stage, Wall, answering, reply, staged

CANARY = 'kQ7-31aZ/wU"9+é'
PLAIN = "tok-8812aZqW"
BARE = "hdr-5531bYrX"  # known as what follows the name of a scheme
PHRASE = "correct horse battery staple"
SPACED = " ".join(f"{number:x}Zq-{number * 7919}" for number in range(60))
TOOLS = f"""
  get: {{says: Read., call: GET /x, reply: {{redact: standard}}}}
  raw: {{says: Read as it is., call: GET /raw, reply: {{redact: "off"}}}}
  lax: {{says: Read., call: GET /lax, reply: {{redact: standard, on_error: pass}}}}
  held: {{says: Read., call: GET /held, replies: {{200: {{application/json: {{type: object}}}}}}}}
  put:
    says: Write.
    call: PUT /x
    effect: write
    input: {{type: object, properties: {{key: {{type: integer}}}}, examples: [{{key: 1}}, {{key: "{PLAIN}"}}]}}
  typed:
    says: Write.
    call: POST /x
    effect: write
    args: {{key: {{type: string, enum: ["{PLAIN}"]}}}}
"""
PLACES = ["/crm/x", "/crm/raw", "/crm/lax"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("known")
    (folder / "many").write_text(f"{CANARY}\n{PLAIN}\nBearer {BARE}\n{PHRASE}\n{SPACED}\n")
    config = "known_secrets: ['lines:many']\nledger: {arguments: redacted}\n"
    with staged(folder, TOOLS, config=config) as made:
        yield made


def survivors(told: bytes) -> list[str]:
    ways = {**WAYS, "raw": str}
    return [way for way, write in ways.items() if write(CANARY).encode() in told]


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("media_type", TYPES)
def test_no_answer_holds_it(stage: Stage, path: str, media_type: str) -> None:
    async def play(w: Wall) -> None:
        for write in WAYS.values():
            body = TYPES[media_type](write(CANARY)).encode()
            w.backend.answer = answering(reply(body, kind=media_type))
            told = await w.tell("GET", path)
            assert survivors(told.reply.raw) == []
            if told.reply.status == 200:
                assert told.record["redactions"]["KNOWN_SECRET"] >= 1
                assert "KNOWN_SECRET=" in told.reply.headers["toolwall-redacted"]
                assert "known_secrets" in told.record["checks"]
            assert survivors(json.dumps(told.record, ensure_ascii=False).encode()) == []

    stage.run(play)


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("shown", [BARE, f"Bearer {BARE}", b64encode(BARE.encode()).decode()])
def test_credentials_are_not_shown_without_their_scheme_either(stage: Stage, path: str, shown: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(json.dumps({"a": f"no such token: {shown}"}).encode(), f"ETag: {shown}"))
        told = await w.tell("GET", path)
        assert told.reply.json == {"a": "no such token: <KNOWN_SECRET>"}
        assert shown.encode() not in told.reply.raw

    stage.run(play)


@pytest.mark.parametrize("path", PLACES)
def test_headers_hold_it_neither(stage: Stage, path: str) -> None:
    async def play(w: Wall) -> None:
        for way, write in WAYS.items():
            value = write(PLAIN)
            w.backend.answer = answering(reply(b"{}", f"ETag: {value}", f"Link: </api/x?a={value}>; rel=next"))
            told = await w.tell("GET", path)
            assert value.encode() not in told.reply.raw, way

    stage.run(play)


@pytest.mark.parametrize("path", PLACES)
def test_nor_does_what_is_compressed(stage: Stage, path: str) -> None:
    async def play(w: Wall) -> None:
        packed = gzip.compress(json.dumps({"a": CANARY, "b": 1}).encode())
        w.backend.answer = answering(reply(packed, "Content-Encoding: gzip"))
        told = await w.tell("GET", path)
        assert told.reply.json == {"a": "<KNOWN_SECRET>", "b": 1}
        assert "content-encoding" not in told.reply.headers

    stage.run(play)


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("kind", ["image/png", "text/plain; charset=utf-16"])
def test_where_it_cannot_be_taken_out_nothing_is_shown(stage: Stage, path: str, kind: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"\x89PNG\xff" + CANARY.encode(), kind=kind))
        told = await w.tell("GET", path)
        assert (told.reply.status, told.reply.json["code"]) == (502, "reply_refused")
        assert survivors(told.reply.raw) == []

    stage.run(play)


def test_what_cannot_be_decoded_is_not_shown_even_where_rules_let_it_pass(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"no gzip", "Content-Encoding: gzip"))
        for path in PLACES:
            assert (await w.tell("GET", path)).reply.json["code"] == "reply_refused"

    stage.run(play)


def test_other_answers_stay_byte_for_byte(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        for body, kind in ((b'{ "n":1.10, "p":"50%25" }', "application/json"), (b"\x89PNG\xff\0", "image/png")):
            w.backend.answer = answering(reply(body, kind=kind))
            told = await w.tell("GET", "/crm/raw")
            assert told.reply.body == body
            assert "toolwall-redacted" not in told.reply.headers

    stage.run(play)


def test_a_contract_is_judged_before_and_a_refusal_holds_nothing(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(json.dumps(["x", CANARY]).encode()))
        told = await w.tell("GET", "/crm/held")
        assert told.reply.json["code"] == "reply_refused"
        assert survivors(told.reply.raw) == []

    stage.run(play)


ENDLESS = "&#64; &#" + "1" * 5_000 + ";"


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("kind", ["text/html", "application/json", "text/event-stream"])
def test_an_escape_that_no_reader_undoes_is_no_fault(stage: Stage, path: str, kind: str) -> None:
    async def play(w: Wall) -> None:
        body = {"application/json": f'["{ENDLESS}"]', "text/event-stream": f"data: {ENDLESS}\n\n"}.get(kind, ENDLESS)
        w.backend.answer = answering(reply(body.encode(), kind=kind))
        told = await w.tell("GET", path, headers=[("Toolwall-Reason", ENDLESS)])
        assert (told.reply.status, told.reply.body) == (200, body.encode())
        told = await w.tell("PUT", "/crm/x", json.dumps({"other": ENDLESS}).encode())
        assert told.record.get("code") != "internal"

    stage.run(play)


def test_refusals_do_not_say_it(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        for method, body in (("POST", b'{"key": "wrong"}'), ("PUT", b'{"key": "x"}'), ("POST", b"{}")):
            told = await w.tell(method, "/crm/x", body)
            assert told.reply.json["code"] == "schema_violation"
            assert PLAIN.encode() not in told.reply.raw
        told = await w.tell("POST", "/crm/x", b"{}")
        assert told.reply.json["example"] == {"key": "<KNOWN_SECRET>"}

    stage.run(play)


def test_the_listing_does_not_say_it(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        for form in ("openai", "json", "mcp"):
            listing = await w.call("GET", f"/.toolwall/tools?format={form}")
            assert listing.status == 200
            assert b"KNOWN_SECRET" in listing.body
            assert PLAIN.encode() not in listing.raw

    stage.run(play)


def test_records_do_not_say_it(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        for way in ("as it is", "hex", "base64"):
            value = WAYS[way](PLAIN)
            await w.tell("PUT", "/crm/x", json.dumps({"note": value}).encode(), [("Toolwall-Reason", f"use {value}")])
            assert value.encode() not in w.ledger()
        told = await w.tell("GET", "/crm/x", headers=[("Toolwall-Run", PLAIN)])
        assert told.reply.json["code"] == "bad_request"
        assert PLAIN.encode() not in w.ledger()
        assert b64encode(PLAIN.encode()) not in w.ledger()

    stage.run(play)


@pytest.mark.parametrize("path", ["/crm/x", "/crm/raw"])
def test_a_stream_holds_none_however_it_is_cut(stage: Stage, path: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    deltas = [json.dumps({"delta": {"content": each}}) for each in ("it is kQ7-", '31aZ/wU"', "9+é and ", "so on")]
    body = "".join(f"data: {each}\n\n" for each in deltas).encode() + f"data: {PLAIN}\n\n".encode()

    async def play(w: Wall) -> None:
        for size in (1, 7, 30, len(body)):

            async def answer(_: bytes, size: int = size) -> AsyncIterator[bytes]:
                async def pieces() -> AsyncIterator[bytes]:
                    yield head
                    for at in range(0, len(body), size):
                        yield body[at : at + size]
                        await asyncio.sleep(0)

                return pieces()

            w.backend.answer = answer
            told = await w.tell("GET", path)
            texts = [
                json.loads(line[6:])["delta"]["content"] for line in told.reply.body.split(b"\n") if b"delta" in line
            ]
            assert "".join(texts) == "it is <KNOWN_SECRET> and so on"
            assert PLAIN.encode() not in told.reply.body
            assert told.record["redactions"] == {"KNOWN_SECRET": 2}

    stage.run(play)


def test_events_that_come_together_go_on_together(stage: Stage) -> None:
    event, head = b"data: 1\n\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield head
            await asyncio.sleep(0.02)
            yield event * 1_000

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = answer
        told = await w.tell("GET", "/crm/x")
        assert told.reply.body == event * 1_000
        assert told.reply.raw.count(event + b"\r\n") < 100  # chunks: each took a turn of the event loop

    stage.run(play)


@pytest.mark.parametrize("path", ["/crm/x", "/crm/raw"])
@pytest.mark.parametrize("secret", [PHRASE, SPACED])
def test_a_stream_shows_no_word_of_one_with_many(stage: Stage, path: str, secret: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield head + b"it is "
            for at in range(0, len(secret), 200):
                yield secret[at : at + 200].encode()[:-3]
                await asyncio.sleep(0.4)  # a pause, in which all goes out but what may be part of one
                yield secret[at : at + 200].encode()[-3:]
            yield b" and so on"

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = answer
        told = await w.tell("GET", path)
        assert told.reply.body == b"it is <KNOWN_SECRET> and so on"

    stage.run(play)


def test_a_stream_tells_of_all_that_was_taken_out(stage: Stage) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield head + b"data: ann@example.com\n\n"
            yield f"data: {PLAIN}\n\n".encode()
            yield f"data: bob@example.com {PLAIN}\n\n".encode()

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = answer
        told = await w.tell("GET", "/crm/x")
        assert told.reply.body.startswith(b"data: <EMAIL_ADDRESS>\n\ndata: <KNOWN_SECRET>\n\n")
        assert told.record["redactions"] == {"EMAIL_ADDRESS": 2, "KNOWN_SECRET": 2}

    stage.run(play)


def test_what_cannot_be_searched_ends_a_stream(stage: Stage) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield head + b"data: one\n\n"
            yield b"data: \xff" + PLAIN.encode() + b"\n\n"

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = answer
        told = await w.tell("GET", "/crm/raw")
        assert PLAIN.encode() not in told.reply.raw
        assert told.record["code"] == "reply_refused"

    stage.run(play)

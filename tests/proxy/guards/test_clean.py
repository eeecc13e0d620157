"""Clean: what a model could read was read here first. Hostile replies are played in tests/doors."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from tests.doors import house
from tests.wire import Stage, Wall, answering, perform, reply, staged, wall


def test_bodies_by_their_type(tmp_path: Path) -> None:
    seen = {
        "application/json": (b'{"a":"ann@example.com","n":1.10}', b'{"a":"<EMAIL_ADDRESS>","n":1.10}'),
        "application/vnd.x+json; charset=utf-8": (b'["ann@example.com"]', b'["<EMAIL_ADDRESS>"]'),
        "text/plain": (b"to ann@example.com.", b"to <EMAIL_ADDRESS>."),
        "text/html; charset=UTF-8": (b"<b>ann@example.com</b>", b"<b>&lt;EMAIL_ADDRESS&gt;</b>"),
    }  # fmt: skip

    def play_each(stage: Stage) -> None:
        for kind, (body, clean) in seen.items():

            async def play(w: Wall, kind: str = kind, body: bytes = body, clean: bytes = clean) -> None:
                w.backend.answer = answering(reply(body, kind=kind))
                told = await w.tell("GET", "/crm/things/7")
                assert told.reply.body == clean
                assert told.reply.headers["content-length"] == str(len(clean))
                assert told.reply.headers["toolwall-redacted"] == "EMAIL_ADDRESS=1"
                assert told.record["redactions"] == {"EMAIL_ADDRESS": 1}
                assert "clean" in told.record["checks"]

            stage.run(play)

    with staged(tmp_path, house.TOOLS, policy=house.POLICY) as stage:
        play_each(stage)


def test_encoded_text_is_opened_and_closed(tmp_path: Path) -> None:
    note = b64encode(b'{"ssn": "078051120", "n": 1.10}').decode()
    image = b64encode(bytes(range(256)) + b"ann@example.com").decode()
    body = f'{{"u": "https://x/?q=ann%40example.com&b=%2F", "file": "{note}", "image": "{image}"}}'

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            w.backend.answer = answering(reply(body.encode()))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.json["u"] == "https://x/?q=<EMAIL_ADDRESS>&b=%2F"
            assert b64decode(told.reply.json["file"]) == b'{"ssn": "<US_SSN>", "n": 1.10}'
            assert told.reply.json["image"] == image
            assert told.reply.headers["toolwall-redacted"] == "EMAIL_ADDRESS=1, US_SSN=1"
            assert told.record["redactions"] == {"EMAIL_ADDRESS": 1, "US_SSN": 1}

    perform(play())


def test_the_escapes_of_json_hide_nothing_in_a_line_of_a_log(tmp_path: Path) -> None:
    line = r'500 {"a": "ann\u0040example.com", "b": "card\n4111 1111 1111 1111"} id=%0A4111111111111111 C:\new\temp'
    clean = r'500 {"a": "<EMAIL_ADDRESS>", "b": "card\n<CREDIT_CARD>"} id=%0A<CREDIT_CARD> C:\new\temp'
    packed = f"{len(line):x}\r\n{line}\r\n0\r\n\r\n".encode()
    flowing = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" + packed
    events = reply(f"data: {line}\n\n".encode(), kind="text/event-stream")

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            w.backend.answer = answering(reply(json.dumps({"log": line}).encode()))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.json == {"log": clean}
            assert told.record["redactions"] == {"CREDIT_CARD": 2, "EMAIL_ADDRESS": 1}
            for raw in (reply(line.encode(), kind="text/plain"), flowing, events):
                w.backend.answer = answering(raw)
                told = await w.tell("GET", "/crm/things/7")
                assert clean.encode() in told.reply.raw
                assert b"4111" not in told.reply.raw

    perform(play())


def test_a_backends_error_is_cleaned_too(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            w.backend.answer = answering(reply(b'{"no": "ann@example.com"}', status="404 No"))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.status == 404
            assert told.reply.body == b'{"no": "<EMAIL_ADDRESS>"}'

    perform(play())


def test_turned_off_it_says_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            w.backend.answer = answering(reply(b'"ann@example.com"'))
            told = await w.tell("GET", "/crm/raw")
            assert told.reply.body == b'"ann@example.com"'
            assert told.reply.headers["toolwall-unchecked"] == "clean"
            assert told.record["passed_unchecked"] == ["clean"]

    perform(play())


def test_a_large_body_is_cleaned_whole(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            rows = [{"id": number, "mail": f"a{number}@example.com"} for number in range(5_000)]
            w.backend.answer = answering(reply(json.dumps(rows).encode()))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.json == [{"id": row["id"], "mail": "<EMAIL_ADDRESS>"} for row in rows]
            assert told.record["redactions"] == {"EMAIL_ADDRESS": 5_000}

    perform(play())


def test_findings_are_rewritten_as_the_rules_say(tmp_path: Path) -> None:
    ways = "{CREDIT_CARD: keep_last_4, EMAIL_ADDRESS: hash, IBAN_CODE: drop, US_SSN: {mask: '#'}}"
    tools = f"  get: {{says: Read., call: GET /x, reply: {{operators: {ways}}}}}"
    card, iban = "4242424242424242", "DE89370400440532013000"
    body = f'{{"card": "{card}", "mail": ["ann@example.com"], "iban": "{iban}", "note": "SSN 078-05-1121"}}'

    async def play() -> None:
        replies = []
        for _ in range(2):  # a second start has the same key
            async with wall(tmp_path, tools) as w:
                w.backend.answer = answering(reply(body.encode()))
                told = await w.tell("GET", "/crm/x")
                replies.append(told.reply.json)
                assert told.record["redactions"] == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1, "IBAN_CODE": 1, "US_SSN": 1}
                assert told.reply.headers["content-length"] == str(len(told.reply.body))
        first, second = replies
        assert first == second
        assert first["card"] == "************4242"
        assert first["mail"][0].startswith("<EMAIL_ADDRESS_")
        assert first["note"] == "SSN ###########"
        assert "iban" not in first

    perform(play())


LATIN = ("iso-8859-1", "windows-1252")
NO_BREAK = "4242\u00a04242\u00a04242\u00a04242"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("charset", LATIN)
@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("application/json", '{"a": "%s"}', '{"a": "<%s>"}'),
        ("text/plain", "é %s", "é <%s>"),
        ("text/html", "<p>é %s</p>", "<p>é &lt;%s&gt;</p>"),
    ],
)
def test_utf_8_under_another_name_hides_nothing(
    kind: str, text: str, shown: str, charset: str, encoding: str, tmp_path: Path
) -> None:
    secret = "pässwört-kQ7z-91"
    (tmp_path / "known").write_text(secret)

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, config="known_secrets: ['file:known']") as w:
            for value, found in ((NO_BREAK, "CREDIT_CARD"), (secret, "KNOWN_SECRET")):
                body = (text % value).encode(encoding)
                w.backend.answer = answering(reply(body, kind=f"{kind}; charset={charset}"))
                told = await w.tell("GET", "/crm/things/7")
                assert told.reply.body == (shown % found).encode(encoding)

    perform(play())


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("text/plain; charset=iso-8859-1", "é ann@example.com", "é ? gone"),
        ("application/json; charset=windows-1252", '["é ann@example.com"]', '["é ? gone"]'),
        ("application/x-ndjson; charset=us-ascii", '"ann@example.com"\n', '"? gone"\n'),
        ("application/json", '["é ann@example.com"]', '["é → gone"]'),
    ],
)
def test_what_stands_for_a_finding_may_have_characters_that_the_body_cannot(
    kind: str, text: str, shown: str, tmp_path: Path
) -> None:
    encoding = "utf-8" if kind == "application/json" else "latin-1"
    tools = "  get: {says: Read., call: GET /x, reply: {operators: {EMAIL_ADDRESS: {replace: → gone}}}}"

    async def play() -> None:
        async with wall(tmp_path, tools) as w:
            w.backend.answer = answering(reply(text.encode(encoding), kind=kind))
            told = await w.tell("GET", "/crm/x")
            assert (told.reply.status, told.reply.body) == (200, shown.encode(encoding))

    perform(play())


def test_places_are_left_as_they_are(tmp_path: Path) -> None:
    tools = """
  get: {says: Read., call: GET /x, reply: {except: [/id, {at: ref, kinds: [PHONE_NUMBER]}]}}
  no: {says: Read., call: GET /no, reply: {only: /c}}
"""
    values = {"id": "ann@example.com", "ref": "+1 415 555 0132 ann@example.com", "other": "ann@example.com"}
    done = {**values, "ref": "+1 415 555 0132 <EMAIL_ADDRESS>", "other": "<EMAIL_ADDRESS>"}

    async def play() -> None:
        async with wall(tmp_path, tools) as w:

            async def get(path: str, body: bytes, kind: str = "application/json") -> bytes:
                w.backend.answer = answering(reply(body, kind=kind))
                return (await w.tell("GET", path)).reply.body

            assert await get("/crm/x", json.dumps(values).encode()) == json.dumps(done).encode()
            twice = b'{"id": "ann@example.com", "id": "x"}'
            assert await get("/crm/x", twice) == twice.replace(b"ann@example.com", b"<EMAIL_ADDRESS>")
            body = b'{"c": {"m": "ann@example.com"}, "id": "ann@example.com"}'
            assert await get("/crm/no", body) == body.replace(b"ann@example.com", b"<EMAIL_ADDRESS>", 1)
            assert await get("/crm/no", b"ann@example.com", "text/plain") == b"<EMAIL_ADDRESS>"

    perform(play())

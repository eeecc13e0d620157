"""Outgoing arguments, through the real door: what is refused never reaches the backend, masked ones only masked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.redaction.test_known import WAYS
from tests.wire import Stage, Told, Wall, perform, staged, wall

SSN, MAIL, CARD = "078-05-1121", "ann@example.com", "4242424242424242"
KEY = "AKIA" + "IOSFODNN7" + "ABCDEFQ"
KNOWN = "kQ7-31aZ/wU9+"
FORM = "application/x-www-form-urlencoded"
TOOLS = """
  get: {says: Read., call: "GET /x/{id}", args: {id: {type: string}, q: {type: string, optional: true},
    n: {type: integer, optional: true}, tags: {type: array, items: {type: string}, optional: true},
    X-Note: {type: string, optional: true}}, in: {X-Note: header}}
  put:
    says: Write.
    call: PUT /x
    effect: write
    input:
      type: object
      properties: {note: {type: string, maxLength: 30}, n: {type: integer}}
      additionalProperties: true
  form:
    says: Write.
    call: POST /form
    effect: write
    body: [application/x-www-form-urlencoded, multipart/form-data]
    args: {note: {type: string}, b: {type: string, optional: true}}
  text: {says: Write., call: POST /text, effect: write, body: text/plain, args: {body: {type: string}}}
  free: {says: Write., call: POST /free, effect: write, input: {type: object, additionalProperties: true},
    outgoing: {allow: [KNOWN_SECRET]}}
  waits: {says: Write., call: POST /waits, effect: irreversible, args: {note: {type: string}}}
"""
KEYS = "outgoing: {refuse: [secrets, IBAN_CODE], mask: [standard], allow: [EMAIL_ADDRESS]}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("outgoing")
    (folder / "known").write_text(KNOWN)
    config = "known_secrets: ['file:known']\nledger: {arguments: redacted}\n"
    with staged(folder, TOOLS, config=config, backend_keys=KEYS) as made:
        yield made


def refused(told: Told, path: str, kind: str, value: str) -> None:
    assert (told.reply.status, told.reply.json["code"]) == (422, "unsafe_argument")
    assert told.reply.json["executed"] == "no"
    assert told.reply.json["errors"] == [{"path": path, "problem": f"holds {kind}"}]
    assert told.reached == []
    assert value not in told.reply.raw.decode() + json.dumps(told.record)


def test_what_is_refused_is_not_sent(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        iban = "DE89370400440532013000"
        told = await w.tell("PUT", "/crm/x", json.dumps({"note": f"k {KEY}"}).encode())
        refused(told, "/note", "AWS_ACCESS_KEY_ID", KEY)
        refused(await w.tell("PUT", "/crm/x", json.dumps({"a": [{"b": iban}]}).encode()), "/a/0/b", "IBAN_CODE", iban)
        refused(await w.tell("PUT", "/crm/x", json.dumps({"a": {iban: 1}}).encode()), "/a/*", "IBAN_CODE", iban)
        refused(await w.tell("GET", f"/crm/x/{KEY}"), "/id", "AWS_ACCESS_KEY_ID", KEY)
        refused(await w.tell("GET", f"/crm/x/1?q={KEY}"), "/q", "AWS_ACCESS_KEY_ID", KEY)
        refused(await w.tell("GET", f"/crm/x/1?tags=a&tags={KEY}"), "/tags/1", "AWS_ACCESS_KEY_ID", KEY)
        refused(await w.tell("GET", "/crm/x/1", headers=[("X-Note", KEY)]), "/X-Note", "AWS_ACCESS_KEY_ID", KEY)
        told = await w.tell("POST", "/crm/form", f"note={KEY}".encode(), [("Content-Type", FORM)])
        refused(told, "/note", "AWS_ACCESS_KEY_ID", KEY)
        told = await w.tell("POST", "/crm/text", f"see {KEY}".encode(), [("Content-Type", "text/plain")])
        refused(told, "/body", "AWS_ACCESS_KEY_ID", KEY)

    stage.run(play)


@pytest.mark.parametrize("name", ["Accept", "Accept-Language", "Content-Type", "If-None-Match", "If-Any"])
@pytest.mark.parametrize(
    ("value", "kind"), [(KEY, "AWS_ACCESS_KEY_ID"), (KNOWN, "KNOWN_SECRET"), (CARD, "CREDIT_CARD")]
)
def test_nor_is_it_in_a_header_that_needs_no_contract(stage: Stage, name: str, value: str, kind: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/x/1", headers=[(name, f"a/b; c={value}")])
        refused(told, f"/{name.lower()}", kind, value)
        told = await w.tell("GET", "/crm/x/1", headers=[("Accept", "text/plain"), ("Accept", f"a/b; c={value}")])
        refused(told, "/accept", kind, value)

    stage.run(play)


def test_nor_in_the_name_of_one(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        refused(await w.tell("GET", "/crm/x/1", headers=[(f"If-{CARD}", "1")]), "/*", "CREDIT_CARD", CARD)

    stage.run(play)


USUAL = [
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept", "application/vnd.github.v3+json"),
    ("Accept-Language", "de-CH,de;q=0.9,en-US;q=0.8"),
    ("If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ("If-None-Match", '"33a64df551425fcc55e4d42a148795d9f25f89d4", W/"5d8c72a5edda8d6a:3239", "0"'),
    ("If-Match", '"737060cd8c284d8af7ad3082f209582d"'),
    ("If-Match", "*"),
    ("Content-Type", "application/json; charset=UTF-8"),
    ("Authorization", f"Bearer {KEY}"),
]


@pytest.mark.parametrize(("name", "value"), USUAL)
def test_what_clients_say_in_headers_is_sent_and_so_is_a_credential(stage: Stage, name: str, value: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/x/1", headers=[(name, value)])
        assert told.reply.status == 200, told.reply.body
        assert f"\r\n{name.lower()}: {value}\r\n".encode() in told.reached[0]

    stage.run(play)


@pytest.mark.parametrize("way", WAYS)
def test_known_secrets_are_refused_in_every_encoding(stage: Stage, way: str) -> None:
    async def play(w: Wall) -> None:
        value = WAYS[way](KNOWN)
        told = await w.tell("PUT", "/crm/x", json.dumps({"other": [value]}).encode())
        refused(told, "/other/0", "KNOWN_SECRET", value)
        told = await w.tell("GET", f"/crm/x/1?q={quote(value, safe='')}")
        refused(told, "/q", "KNOWN_SECRET", value)

    stage.run(play)


def test_a_tool_may_be_trusted_with_known_secrets_by_name(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        body = json.dumps({"a": KNOWN}).encode()
        told = await w.tell("POST", "/crm/free", body)
        assert told.reply.status == 200
        assert told.reached[0].endswith(body)
        assert KNOWN not in json.dumps(told.record)

    stage.run(play)


def test_masked_json_is_all_else_byte_for_byte(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        body = f'{{ "note":"SSN {SSN}" ,"to" : "{MAIL}","f":1.10,"u":"\\u00e9" }}'
        told = await w.tell("PUT", "/crm/x", body.encode())
        sent = body.replace(SSN, "<US_SSN>").encode()
        assert told.reply.status == 200
        assert told.reached[0].endswith(b"\r\n\r\n" + sent)
        assert f"content-length: {len(sent)}\r\n".encode() in told.reached[0].lower()
        assert told.record["arguments"] == {"note": "SSN <US_SSN>", "to": "<EMAIL_ADDRESS>", "f": 1.1, "u": "é"}
        assert "arguments were masked" in told.record["notes"]
        assert told.record["checks"].index("outgoing") < told.record["checks"].index("intent")

    stage.run(play)


def test_the_hash_of_a_masked_call_is_that_of_what_is_sent(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        masked = await w.tell("PUT", "/crm/x", json.dumps({"note": f"SSN {SSN}"}).encode())
        intent = w.records("intent")[-1]
        plain = await w.tell("PUT", "/crm/x", json.dumps({"note": "SSN <US_SSN>"}).encode())
        assert masked.record["arguments_hash"] == plain.record["arguments_hash"] == intent["arguments_hash"]
        assert masked.reached[0].partition(b"\r\n\r\n")[2] == plain.reached[0].partition(b"\r\n\r\n")[2]
        assert "notes" not in plain.record

    stage.run(play)


def test_a_masked_query_form_and_text(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/x/1?tags=a%20b&q=SSN%20{SSN}&tags={MAIL}&tags=SSN+{SSN}")
        target = b"/api/x/1?tags=a%20b&q=SSN%20%3CUS_SSN%3E&tags=ann@example.com&tags=SSN%20%3CUS_SSN%3E"
        assert told.reached[0].startswith(b"GET " + target + b" HTTP/1.1\r\n")
        assert told.record["arguments"]["q"] == "SSN <US_SSN>"
        told = await w.tell("POST", "/crm/form", f"b=+x&note=SSN+{SSN}".encode(), [("Content-Type", FORM)])
        assert told.reached[0].endswith(b"\r\n\r\nb=+x&note=SSN%20%3CUS_SSN%3E")
        told = await w.tell("POST", "/crm/text", f"é SSN {SSN}\n".encode(), [("Content-Type", "text/plain")])
        assert told.reached[0].endswith("\r\n\r\né SSN <US_SSN>\n".encode())

    stage.run(play)


def test_masked_parts(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        head = b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\n'
        kind = [("Content-Type", "multipart/form-data; boundary=B")]
        told = await w.tell("POST", "/crm/form", head + f"SSN {SSN}\r\n--B--\r\n".encode(), kind)
        plain = await w.tell("POST", "/crm/form", head + b"SSN <US_SSN>\r\n--B--\r\n", kind)
        assert told.reply.status == plain.reply.status == 200
        bodies = [request.partition(b"\r\n\r\n")[2] for request in (*told.reached, *plain.reached)]
        assert bodies[0] == bodies[1]
        boundary = bodies[0][2:].partition(b"\r")[0]
        assert b"boundary=" + boundary + b"\r\n" in told.reached[0]
        assert SSN.encode() not in told.reached[0]

    stage.run(play)


def test_what_cannot_be_masked_is_refused(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        refused(await w.tell("GET", f"/crm/x/{CARD}"), "/id", "CREDIT_CARD", CARD)
        refused(await w.tell("GET", f"/crm/x/1?n={CARD}"), "/n", "CREDIT_CARD", CARD)
        refused(await w.tell("GET", "/crm/x/1", headers=[("X-Note", CARD)]), "/X-Note", "CREDIT_CARD", CARD)
        refused(await w.tell("PUT", "/crm/x", f'{{"n": {CARD}}}'.encode()), "/n", "CREDIT_CARD", CARD)

    stage.run(play)


def test_a_mask_that_breaks_the_contract_is_refused(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        short = "y" * 16  # with the kind, two characters longer, the note has 31
        told = await w.tell("PUT", "/crm/x", json.dumps({"note": f"{short} +14155552671"}).encode())
        refused(told, "/note", "PHONE_NUMBER", "4155552671")

    stage.run(play)


def test_what_cannot_be_sent_is_refused_before_a_human_is_asked(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        refused(
            await w.tell("POST", "/crm/waits", json.dumps({"note": KEY}).encode()), "/note", "AWS_ACCESS_KEY_ID", KEY
        )
        one = await w.tell("POST", "/crm/waits", json.dumps({"note": f"SSN {SSN}"}).encode())
        two = await w.tell("POST", "/crm/waits", b'{"note": "SSN <US_SSN>"}')
        assert one.reply.json["code"] == two.reply.json["code"] == "approval_pending"
        assert one.reply.json["approval_id"] == two.reply.json["approval_id"]

    stage.run(play)


def test_calls_that_hold_nothing_go_on_as_they_are(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm/x/1?q=a+b&tags={MAIL}")
        assert told.reached[0].startswith(f"GET /api/x/1?q=a+b&tags={MAIL} HTTP/1.1\r\n".encode())
        assert "outgoing" in told.record["checks"]
        assert "notes" not in told.record

    stage.run(play)


def test_a_large_argument_is_looked_at_too(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        rows = [f"row {number} of many" for number in range(8_000)]
        told = await w.tell("PUT", "/crm/x", json.dumps({"rows": [*rows, KEY]}).encode())
        refused(told, "/rows/8000", "AWS_ACCESS_KEY_ID", KEY)

    stage.run(play)


def test_without_a_word_of_it_nothing_is_looked_for(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS.replace(",\n    outgoing: {allow: [KNOWN_SECRET]}", "")) as w:
            told = await w.tell("PUT", "/crm/x", json.dumps({"a": KEY}).encode())
            assert told.reply.status == 200
            assert KEY.encode() in told.reached[0]
            assert "outgoing" not in told.record["checks"]

    perform(play())

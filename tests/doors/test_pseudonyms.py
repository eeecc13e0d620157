"""Pseudonyms through the socket: what a model sees stands for a value, and the named backend gets that value."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from proxy.app import CannotRun
from tests.proxy.collecting import FakeCollector, collector
from tests.wire import Told, Wall, length_of, perform, reply, wall

ANA, BEN = "ana.lopez@corp.test", "ben@corp.test"
PHONE = "+34 612 345 678"
CARD = "4242 4242 4242 4242"
RUN = ("Toolwall-Run", "r1")
TOOLS = """
  read: {call: GET /read}
  many: {call: "GET /read/{which}", args: {which: {type: string}}}
  echo: {call: POST /echo, effect: read, args: {text: {}, more: {optional: true}}}
  path: {call: "GET /people/{who}", args: {who: {type: string}}}
  all: {call: GET /people/all}
  find:
    call: GET /find
    args: {q: {type: string, optional: true}, ids: {type: array, items: {type: string}, optional: true}}
    in: {ids: {query: {explode: false}}}
  head:
    call: GET /head
    args: {x-who: {type: string, optional: true}, sid: {type: string, optional: true}}
    in: {x-who: header, sid: cookie}
  form:
    call: POST /form
    body: [application/x-www-form-urlencoded, multipart/form-data]
    effect: read
    args: {who: {type: string}}
  note: {call: POST /note, body: [text/plain, text/html], effect: read, args: {body: {type: string}}}
  cvv: {call: POST /cvv, effect: read, args: {cvv: {type: integer}}}
"""
OPERATORS = "{EMAIL_ADDRESS: pseudonym, PHONE_NUMBER: pseudonym, PERSON: pseudonym, CVV: pseudonym}"
KEYS = f"reply: {{operators: {OPERATORS}}}\nrestore: true"
TWO = """
listeners:
  - bind: '127.0.0.1:0'
    identity: {api_keys: [%s]}
"""


class Desk:
    """A backend: it says what it is told to say, and echoes bodies at /api/echo."""

    def __init__(self) -> None:
        self.says = b"{}"
        self.kind = "application/json"
        self.headers: tuple[str, ...] = ()

    async def __call__(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        if head.startswith(b"POST /api/echo"):
            return reply(body)
        return reply(self.says, *self.headers, kind=self.kind)


@asynccontextmanager
async def house(folder: Path, keys: str = KEYS, tools: str = TOOLS, **how: Any) -> AsyncIterator[tuple[Wall, Desk]]:
    desk = Desk()
    async with wall(folder, tools, answer=desk, backend_keys=keys, **how) as w:
        yield w, desk


async def seen(w: Wall, desk: Desk, said: Any, run: str = "r1", **more: str) -> Any:
    """What a model sees of a reply."""
    desk.says = json.dumps(said).encode()
    told = await w.tell("GET", "/crm/read", headers=[("Toolwall-Run", run), *more.items()])
    assert told.reply.status == 200, told.reply.body
    return told.reply.json


async def sent(w: Wall, path: str, body: Any, *headers: tuple[str, str]) -> Told:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await w.tell("POST", path, raw, [RUN, *headers])


def body_of(request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    assert length_of(head + b"\r\n\r\n") == len(body)
    return body


def test_a_value_is_the_same_token_in_a_run_and_comes_back_exactly(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            got = await seen(w, desk, {"email": ANA, "cc": [BEN, ANA], "phone": PHONE})
            assert got == {
                "email": "<EMAIL_ADDRESS_1>", "cc": ["<EMAIL_ADDRESS_2>", "<EMAIL_ADDRESS_1>"],
                "phone": "<PHONE_NUMBER_1>",
            }  # fmt: skip
            assert await seen(w, desk, {"x": f"again {BEN}"}) == {"x": "again <EMAIL_ADDRESS_2>"}
            desk.headers = (f"X-Request-Id: for {BEN}",)
            told = await w.tell("GET", "/crm/read", headers=[RUN])
            assert told.reply.headers["x-request-id"] == "for <EMAIL_ADDRESS_2>"
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>", "more": ["tell <EMAIL_ADDRESS_2>, quick"]})
            assert body_of(told.reached[0]) == json.dumps({"text": ANA, "more": [f"tell {BEN}, quick"]}).encode()
            assert told.reply.json == {"text": "<EMAIL_ADDRESS_1>", "more": ["tell <EMAIL_ADDRESS_2>, quick"]}
            assert told.record["restored"] == {"EMAIL_ADDRESS": 2}

    perform(play())


def test_numbers_and_json_in_json_come_back_as_they_were(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            inner = json.dumps({"first_name": "René", "mail": ANA})
            got = await seen(w, desk, {"cvv": 123, "content": inner})
            assert got == {
                "cvv": "<CVV_1>", "content": json.dumps({"first_name": "<PERSON_1>", "mail": "<EMAIL_ADDRESS_1>"})
            }  # fmt: skip
            told = await sent(w, "/crm/cvv", {"cvv": "<CVV_1>"})
            assert body_of(told.reached[0]) == b'{"cvv": 123}'
            told = await sent(w, "/crm/echo", {"text": got["content"], "more": "Dear <PERSON_1>"})
            arrived = json.loads(body_of(told.reached[0]))
            assert json.loads(arrived["text"]) == {"first_name": "René", "mail": ANA}
            assert arrived["more"] == "Dear René"

    perform(play())


def test_in_every_place_where_an_argument_travels(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            await seen(w, desk, {"a": ANA, "b": BEN, "first_name": "Ana & <Co>"})
            token, other = quote("<EMAIL_ADDRESS_1>", safe=""), quote("<EMAIL_ADDRESS_2>", safe="")

            async def first(method: str, path: str, body: bytes = b"", *headers: tuple[str, str]) -> bytes:
                told = await w.tell(method, path, body, [RUN, *headers])
                assert told.reply.status == 200, told.reply.body
                return told.reached[0]

            assert b"GET /api/people/ana.lopez%40corp.test HTTP" in await first("GET", f"/crm/people/{token}")
            assert b"/api/find?q=to+ana.lopez" not in (got := await first("GET", f"/crm/find?q=to+{token}"))
            assert b"/api/find?q=to%20ana.lopez%40corp.test HTTP" in got
            got = await first("GET", f"/crm/find?ids={token},plain,{other}")
            assert b"/api/find?ids=ana.lopez%40corp.test,plain,ben%40corp.test HTTP" in got
            cookie = ("Cookie", "sid=<EMAIL_ADDRESS_2>; other=<EMAIL_ADDRESS_1>")
            got = await first("GET", "/crm/head", b"", ("X-Who", "<EMAIL_ADDRESS_1>"), cookie)
            assert b"\r\nx-who: ana.lopez@corp.test\r\n" in got.lower()
            assert b"\r\ncookie: sid=ben@corp.test\r\n" in got.lower()
            form = ("Content-Type", "application/x-www-form-urlencoded")
            assert (
                body_of(await first("POST", "/crm/form", f"who={token}".encode(), form)) == b"who=ana.lopez%40corp.test"
            )
            parts = b'--x\r\nContent-Disposition: form-data; name="who"\r\n\r\n<EMAIL_ADDRESS_1>\r\n--x--\r\n'
            kind = ("Content-Type", "multipart/form-data; boundary=x")
            assert b"\r\n\r\nana.lopez@corp.test\r\n" in body_of(await first("POST", "/crm/form", parts, kind))
            text = ("Content-Type", "text/plain")
            note = b"Hi <EMAIL_ADDRESS_1>!"
            assert body_of(await first("POST", "/crm/note", note, text)) == b"Hi ana.lopez@corp.test!"

    perform(play())


def test_what_no_run_of_this_principal_knows_stays_as_it_is(tmp_path: Path) -> None:
    keys = {name: "ab" * 16 + name for name in ("one", "two")}
    identity = ", ".join(f"{{id: {name}, sha256: {sha256(key.encode()).hexdigest()}}}" for name, key in keys.items())

    async def play() -> None:
        async with house(tmp_path, identity=f"{{api_keys: [{identity}]}}") as (w, desk):
            one, two = (("Toolwall-Key", key) for key in keys.values())
            await seen(w, desk, {"a": ANA}, "r1", **dict([one]))
            token = {"text": "<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_7> <PERSON_1>"}
            mine = [RUN, one]
            for headers, expected in (
                (mine, f"{ANA} <EMAIL_ADDRESS_7> <PERSON_1>"),
                ([("Toolwall-Run", "r2"), one], token["text"]),
                ([RUN, two], token["text"]),
            ):
                told = await w.tell("POST", "/crm/echo", json.dumps(token).encode(), headers)
                assert json.loads(body_of(told.reached[0])) == {"text": expected}
            await seen(w, desk, {"a": BEN}, "r1", **dict([two]))
            told = await w.tell("POST", "/crm/echo", json.dumps(token).encode(), [RUN, two])
            assert json.loads(body_of(told.reached[0]))["text"].startswith(BEN)

    perform(play())


def test_nothing_is_restored_towards_a_backend_that_is_not_named_for_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, f"reply: {{operators: {OPERATORS}}}") as (w, desk):
            assert await seen(w, desk, {"a": ANA}) == {"a": "<EMAIL_ADDRESS_1>"}
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>"})
            assert body_of(told.reached[0]) == b'{"text": "<EMAIL_ADDRESS_1>"}'
            assert "restored" not in told.record
        async with house(tmp_path, f"reply: {{operators: {OPERATORS}}}\nrestore: [PHONE_NUMBER]") as (w, desk):
            await seen(w, desk, {"a": ANA, "phone": PHONE})
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1> <PHONE_NUMBER_1>"})
            assert json.loads(body_of(told.reached[0])) == {"text": f"<EMAIL_ADDRESS_1> {PHONE}"}

    perform(play())


def test_rules_and_the_outgoing_check_see_the_value_and_the_record_does_not_show_it(tmp_path: Path) -> None:
    policy = "rules: [{id: inside, allow: 'crm.*'}, {id: no, deny: crm.echo, when: 'args.text.endsWith(\".test\")'}]"

    async def play() -> None:
        config = "ledger: {arguments: redacted}"
        async with house(tmp_path, policy=policy, config=config) as (w, desk):
            await seen(w, desk, {"a": ANA, "first_name": "Ana"})
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>"})
            assert (told.reply.json["code"], told.reached) == ("denied", [])
            assert told.record["arguments"] == {"text": "<EMAIL_ADDRESS_1>"}
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>.", "more": "for <PERSON_1>"})
            assert told.record["arguments"] == {"text": "<EMAIL_ADDRESS_1>.", "more": "for <PERSON_1>"}
            assert told.record["restored"] == {"EMAIL_ADDRESS": 1, "PERSON": 1}
            assert json.loads(body_of(told.reached[0])) == {"text": f"{ANA}.", "more": "for Ana"}
        async with house(tmp_path, KEYS + "\noutgoing: {refuse: [EMAIL_ADDRESS]}") as (w, desk):
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>"})
            assert (told.reply.json["code"], told.reached) == ("unsafe_argument", [])
            assert ANA.encode() not in told.reply.raw
        async with house(tmp_path, KEYS + "\noutgoing: {mask: [EMAIL_ADDRESS]}", config=config) as (w, desk):
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>", "more": "x@y.test <PERSON_1>"})
            assert json.loads(body_of(told.reached[0])) == {"text": "<EMAIL_ADDRESS>", "more": "<EMAIL_ADDRESS> Ana"}
            assert told.record["arguments"] == {"text": "<EMAIL_ADDRESS_1>", "more": "<EMAIL_ADDRESS> <PERSON_1>"}

    perform(play())


def test_an_echo_of_a_value_is_cleaned_whatever_the_reply_is_looked_at_for(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            await seen(w, desk, {"a": ANA, "first_name": "Ana"})
        async with house(tmp_path, "reply: {redact: [US_SSN]}\nrestore: true") as (w, desk):
            desk.says = json.dumps({"said": f"Dear Ana, Anatol and {ANA}", "x": quote(ANA, safe="")}).encode()
            desk.headers = (f"Location: /api/people/{quote(ANA, safe='')}",)
            told = await sent(w, "/crm/form", b"who=%3CPERSON_1%3E+%3CEMAIL_ADDRESS_1%3E",
                              ("Content-Type", "application/x-www-form-urlencoded"))  # fmt: skip
            assert body_of(told.reached[0]) == b"who=Ana%20ana.lopez%40corp.test"
            assert told.reply.json == {
                "said": "Dear <PERSON_1>, Anatol and <EMAIL_ADDRESS_1>", "x": "%3CEMAIL_ADDRESS_1%3E"
            }  # fmt: skip
            assert told.reply.headers["location"] == "/crm/people/%3CEMAIL_ADDRESS_1%3E"
            assert ANA not in str(await seen(w, desk, {"a": "nothing"}))

    perform(play())


def test_a_run_lives_on_after_a_restart_and_the_files_show_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            await seen(w, desk, {"a": ANA, "first_name": "Anastasia"})
            assert_hidden(tmp_path)
        assert_hidden(tmp_path)
        async with house(tmp_path) as (w, desk):
            assert await seen(w, desk, {"x": BEN, "y": ANA}) == {"x": "<EMAIL_ADDRESS_2>", "y": "<EMAIL_ADDRESS_1>"}
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2> <PERSON_1>"})
            assert json.loads(body_of(told.reached[0])) == {"text": f"{ANA} {BEN} Anastasia"}

    perform(play())


def assert_hidden(folder: Path) -> None:
    files = [each for each in (folder / "state").rglob("*") if each.is_file()]
    assert any(each.name == "store.db" for each in files)
    for each in files:
        data = each.read_bytes()
        assert each.stat().st_mode & 0o077 == 0
        for value in (ANA, "Anastasia", "corp.test"):
            assert value.encode() not in data, each


def test_what_is_expired_is_unknown_and_its_number_is_not_given_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, config="pseudonyms: {keep: 300ms}") as (w, desk):
            await seen(w, desk, {"a": ANA})
            await asyncio.sleep(0.4)
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>"})
            assert body_of(told.reached[0]) == b'{"text": "<EMAIL_ADDRESS_1>"}'
            assert await seen(w, desk, {"a": BEN}) == {"a": "<EMAIL_ADDRESS_10001>"}

    perform(play())


def test_with_as_many_as_there_may_be_a_value_stands_as_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redaction.pseudonyms.MOST_VALUES", 1)

    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            desk.says = json.dumps({"a": ANA, "b": BEN, "c": ANA}).encode()
            told = await w.tell("GET", "/crm/read", headers=[RUN])
            assert told.reply.json == {"a": "<EMAIL_ADDRESS_1>", "b": "<EMAIL_ADDRESS>", "c": "<EMAIL_ADDRESS_1>"}
            assert any("no room for more pseudonyms" in note for note in told.record["notes"])

    perform(play())


def test_a_surrogate_looks_like_the_value_and_comes_back_as_the_value(tmp_path: Path) -> None:
    operators = (
        "{EMAIL_ADDRESS: {pseudonym: realistic}, PERSON: {pseudonym: realistic}, PHONE_NUMBER: {pseudonym: realistic}}"
    )

    async def play() -> None:
        async with house(tmp_path, f"reply: {{operators: {operators}}}\nrestore: true") as (w, desk):
            said = {"email": ANA, "customer": {"name": "Ana Lopez"}, "phone": PHONE}
            got = await seen(w, desk, said)
            assert got["email"].partition("@")[2] in ("example.com", "example.net", "example.org")
            assert got["phone"].startswith("+1 ")
            assert "-555-01" in got["phone"]
            name = got["customer"]["name"]
            assert len(name.split()) == 3
            assert await seen(w, desk, said) == got
            told = await sent(
                w, "/crm/echo", {"text": f"{name}, {got['email']}, {got['phone']}.", "more": got["email"]}
            )
            assert json.loads(body_of(told.reached[0])) == {"text": f"Ana Lopez, {ANA}, {PHONE}.", "more": ANA}
            assert told.reply.json == {"text": f"{name}, {got['email']}, {got['phone']}.", "more": got["email"]}
            assert await seen(w, desk, got) == got  # what is no value stays, and is not counted
            assert "redactions" not in w.records()[-1]

    perform(play())


PARTS = ("ana.lo", "pez@corp.test and b", "en@corp.test.")
STREAMS = [
    ("text/event-stream", f'data: to {ANA}\n\ndata: {{"to": "{BEN}", "cc": "{ANA}"}}\n\n'
     + "".join(f'data: {{"delta": {{"content": "{part}"}}}}\n\n' for part in PARTS)),
    ("application/x-ndjson", f'{{"a": "{ANA}"}}\n{{"a": "{BEN}", "b": "{ANA}"}}\n'),
    ("text/plain", f"{ANA} wrote to {BEN}, and {ANA} to nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body"), STREAMS)
def test_streams_have_the_same_tokens(tmp_path: Path, kind: str, body: str) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):

            async def answer(request: bytes) -> Any:
                async def pieces() -> AsyncIterator[bytes]:
                    yield f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
                    for at in range(0, len(body), 7):
                        yield body.encode()[at : at + 7]

                return pieces() if b"/read" in request else await desk(request)

            w.backend.answer = answer
            got = (await w.tell("GET", "/crm/read", headers=[RUN])).reply.body.decode()
            assert "corp.test" not in got
            assert got.count("<EMAIL_ADDRESS_1>") >= 2
            assert got.count("<EMAIL_ADDRESS_2>") >= 1
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2>"})
            assert json.loads(body_of(told.reached[0])) == {"text": f"{ANA} {BEN}"}

    perform(play())


def test_calls_of_two_principals_at_once_never_see_each_others_values(tmp_path: Path) -> None:
    """Each of four runs asks for its own values, in its own order, while the others do; each token is its own."""
    keys = {name: "cd" * 16 + name for name in ("one", "two")}
    identity = ", ".join(f"{{id: {name}, sha256: {sha256(key.encode()).hexdigest()}}}" for name, key in keys.items())
    chance = random.Random(7)

    async def play() -> None:
        async with house(tmp_path, identity=f"{{api_keys: [{identity}]}}") as (w, desk):

            async def answer(request: bytes) -> bytes:
                if b"/read/" in request:
                    await asyncio.sleep(chance.random() / 100)
                    path = request.split(b" ")[1].decode()
                    return reply(json.dumps([f"{each}@corp.test" for each in path.split("/")[-1].split("-")]).encode())
                return await desk(request)

            w.backend.answer = answer
            told: dict[tuple[str, str], dict[str, str]] = {}

            async def ask(who: str, run: str, *values: str) -> None:
                headers = [("Toolwall-Key", keys[who]), ("Toolwall-Run", run)]
                got = await w.call("GET", f"/crm/read/{'-'.join(values)}", headers=headers)
                for value, token in zip(values, got.json, strict=True):
                    assert told.setdefault((who, run), {}).setdefault(f"{value}@corp.test", token) == token
                back = await w.call("POST", "/crm/echo", json.dumps({"text": got.json}).encode(), headers)
                assert back.json == {"text": got.json}

            runs = [(who, run) for who in keys for run in ("a", "b")]
            mails = {each: [f"{each[0]}{each[1]}{number}" for number in range(6)] for each in runs}
            asked = [(each, chance.sample(mails[each], 3)) for each in runs * 8]
            chance.shuffle(asked)
            await asyncio.gather(*(ask(*each, *values) for each, values in asked))
            for each in runs:
                assert sorted(told[each].values()) == [f"<EMAIL_ADDRESS_{n + 1}>" for n in range(len(told[each]))]
            arrived = [body_of(request) for request in w.backend.requests if b"/echo" in request]
            for each in runs:
                own = {f"{value}@corp.test" for value in mails[each]}
                mixed = [set(json.loads(body)["text"]) for body in arrived]
                assert all(found <= own or not found & own for found in mixed)

    perform(play())


def test_no_value_stands_in_a_log_span_metric_ledger_or_refusal(
    tmp_path: Path, logs: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    written: dict[str, str] = {}
    secret, name = "zqcanary@corp.test", "Zqanary"

    async def whole(fake: FakeCollector) -> None:
        config = f"telemetry: {{otlp: '{fake.url}'}}\nledger: {{arguments: redacted}}"
        async with house(tmp_path, config=config) as (w, desk):
            got = [await seen(w, desk, {"mail": secret, "first_name": name, "cvv": 987})]
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1> <PERSON_1>", "more": "<CVV_1>"})
            assert secret.encode() in told.reached[0]
            refused = [
                await sent(w, "/crm/cvv", {"cvv": "<EMAIL_ADDRESS_1>"}),
                await sent(w, "/crm/cvv", {"cvv": 1, "<PERSON_1>": "<EMAIL_ADDRESS_1>"}),
                await w.tell("GET", "/crm/head", headers=[RUN, ("Cookie", "sid=<PERSON_1>,<EMAIL_ADDRESS_1>")]),
                await w.tell("GET", "/crm/find?no=%3CEMAIL_ADDRESS_1%3E&%3CPERSON_1%3E=1", headers=[RUN]),
                await w.tell("GET", "/crm/nothing/%3CEMAIL_ADDRESS_1%3E", headers=[RUN]),
            ]
            assert {each.reply.status for each in refused} == {403, 422}
            written["refusals"] = "".join(each.reply.raw.decode() for each in refused) + str(got) + str(told.reply.raw)
            written["ledger"] = w.ledger().decode()
            written["metrics"] = w.sidecar.telemetry.prometheus().decode()

    with collector() as fake:
        perform(whole(fake))
    assert fake.spans()
    written["spans"] = b"".join(fake.bodies).decode("latin-1")
    written["logs"] = "\n".join(logs)
    written["standard error"] = "".join(capfd.readouterr())
    for place, text in written.items():
        assert secret not in text, place
        assert name not in text, place
    assert "987" not in written["refusals"]  # elsewhere it may be part of another number


def test_a_value_that_cannot_stand_in_a_place_is_refused_without_showing_it(tmp_path: Path) -> None:
    tools = TOOLS + '  staff: {call: "GET /staff/{who}", args: {who: {type: string}}}\n  boss: {call: GET /staff/Ana}\n'

    async def play() -> None:
        async with house(tmp_path, tools=tools) as (w, desk):
            await seen(w, desk, {"first_name": "Ana"})
            told = await w.tell("GET", "/crm/staff/%3CPERSON_1%3E", headers=[RUN])  # it would mean another tool
            assert (told.reply.json["code"], told.reached) == ("unsafe_argument", [])
            assert b"Ana" not in told.reply.raw

    perform(play())


def test_rules_without_pseudonyms_make_no_table(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, "") as (w, desk):
            assert await seen(w, desk, {"a": ANA}) == {"a": "<EMAIL_ADDRESS>"}
            assert not (tmp_path / "state" / "store.db").exists()

    perform(play())


def test_a_table_of_another_key_is_told_at_the_start(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            await seen(w, desk, {"a": ANA})
        (tmp_path / "state" / "state.key").write_text("5a" * 32)
        (tmp_path / "state" / "ledger").rename(tmp_path / "old")
        with pytest.raises(CannotRun, match="another state key"):
            async with house(tmp_path):
                pass

    perform(play())


def test_an_answer_that_is_kept_is_given_again_within_its_run_only(tmp_path: Path) -> None:
    tools = """
  read: {call: GET /read, cache: {for: 1m, shared: true}}
  echo: {call: POST /echo, effect: read, args: {text: {}}}
"""

    async def play() -> None:
        async with house(tmp_path, tools=tools) as (w, desk):
            assert await seen(w, desk, [BEN, ANA], "r1") == ["<EMAIL_ADDRESS_1>", "<EMAIL_ADDRESS_2>"]
            assert await seen(w, desk, [ANA], "r1") == ["<EMAIL_ADDRESS_1>", "<EMAIL_ADDRESS_2>"]
            assert await seen(w, desk, [ANA], "r2") == ["<EMAIL_ADDRESS_1>"]
            for run, value in (("r1", BEN), ("r2", ANA)):
                told = await w.tell("POST", "/crm/echo", b'{"text": "<EMAIL_ADDRESS_1>"}', [("Toolwall-Run", run)])
                assert json.loads(body_of(told.reached[0])) == {"text": value}

    perform(play())


def test_rules_that_come_later_may_have_pseudonyms(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path, "") as (w, desk):
            assert await seen(w, desk, {"a": ANA}) == {"a": "<EMAIL_ADDRESS>"}
            path = tmp_path / "rules" / "crm.yaml"
            path.write_text(path.read_text().replace("\ntools:\n", f"\n{KEYS}\ntools:\n", 1))
            until = asyncio.get_running_loop().time() + 20
            while (got := await seen(w, desk, {"a": ANA})) == {"a": "<EMAIL_ADDRESS>"}:
                assert asyncio.get_running_loop().time() < until
                await asyncio.sleep(0.1)
            assert got == {"a": "<EMAIL_ADDRESS_1>"}
            told = await sent(w, "/crm/echo", {"text": "<EMAIL_ADDRESS_1>"})
            assert json.loads(body_of(told.reached[0])) == {"text": ANA}

    perform(play())

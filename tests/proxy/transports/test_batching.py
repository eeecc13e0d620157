"""Batches at the door: each call as if it had come alone, none that is not whole, no answer that is another's."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from proxy.protocols.batch import PATH
from tests.proxy.collecting import collector
from tests.proxy.test_app import full_disk
from tests.wire import Answer, Reply, Stage, Wall, answering, perform, reply, staged, wall

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer, minimum: 1}}}
  head: {says: Ask., call: "HEAD /things/{id}", args: {id: {type: integer}}}
  find:
    says: Search.
    call: GET /things
    args: {q: {type: string, optional: true}, X-Tenant: {type: string, optional: true}}
    in: {X-Tenant: header}
  put: {says: Write., call: POST /things, args: {body: {}}, effect: write}
  merge: {says: Write., call: PATCH /things, args: {a: {type: integer}}, effect: write}
  raw: {says: Read unseen., call: GET /raw, reply: {redact: off}}
  lax: {says: Read at least., call: GET /lax, reply: {on_error: pass}}
  some: {says: Read in parts., call: GET /some, reply: {most: 1}}
  slow: {says: Wait., call: GET /slow, timeout: 600ms}
  slow_put: {says: Wait and write., call: POST /slow, timeout: 600ms, effect: write}
  scarce: {says: Read., call: GET /scarce, limit: 2/hour}
  secret: {says: Nobody may., call: GET /secret}
"""
POLICY = """
rules:
  - id: everything-but-the-secret
    allow: crm.*
  - {id: nobody-may, deny: crm.secret}
"""
BOUNDS = "bounds: {most_batch: 60, batch_at_once: 4, most_batch_reply: 64KiB, most_line: 200, most_field: 300}"
GET = {"method": "GET", "path": "/crm/things/7"}
PUT = {"method": "POST", "path": "/crm/things", "body": {"name": "a"}}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("batching"), TOOLS, policy=POLICY, config=BOUNDS) as stage:
        yield stage


def get(number: int) -> dict[str, Any]:
    return {"method": "GET", "path": f"/crm/things/{number}"}


async def send(w: Wall, calls: Any, *headers: tuple[str, str]) -> Reply:
    data = calls if isinstance(calls, bytes) else json.dumps({"calls": calls}).encode()
    return await w.call("POST", PATH, data, headers)


async def answers(w: Wall, calls: Any, *headers: tuple[str, str]) -> list[dict[str, Any]]:
    """The answers to a batch, each of which has its own Record that names the batch's."""
    w.news()
    given = await send(w, calls, *headers)
    assert given.status == 200, given.body
    found: list[dict[str, Any]] = given.json["answers"]
    *records, whole = w.news()
    assert whole["call"] == given.headers["toolwall-call"]
    assert f"a batch of {len(found)} calls, of which {len(found)} were begun" in whole["notes"]
    assert {each["call"] for each in records} == {each["headers"]["toolwall-call"] for each in found}
    assert {each["batch"] for each in records} == {whole["call"]}
    assert "batch" not in whole
    return found


def codes(given: Sequence[dict[str, Any]]) -> list[Any]:
    """Status and refusal code of each answer."""
    refused = [each["body"] if "toolwall-refused" in each["headers"] else {} for each in given]
    return [(each["status"], said.get("code")) for each, said in zip(given, refused, strict=True)]


async def refused(w: Wall, data: bytes, *headers: tuple[str, str], code: str = "bad_request") -> dict[str, Any]:
    """What is said of a batch that is refused as a whole: it leaves one Record, and nothing of it is sent."""
    told = await w.tell("POST", PATH, data, headers)
    assert told.reply.headers["toolwall-refused"] == code
    assert told.reached == []
    assert (told.record["outcome"], told.record["executed"], told.record["code"]) == ("refused", "no", code)
    said: dict[str, Any] = told.reply.json
    assert said["executed"] == "no"
    return said


async def echo(request: bytes) -> bytes:
    """Says what it was asked for, after a moment that nobody can foresee."""
    await asyncio.sleep(secrets.randbelow(20) / 1000)
    path, _, body = request.partition(b"\r\n\r\n")
    return reply(json.dumps({"path": path.split()[1].decode(), "body": body.decode()}).encode())


def test_every_answer_is_that_of_its_own_call(house: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = echo
        tokens = [secrets.token_hex(8) for _ in range(60)]
        calls = [
            {"method": "GET", "path": f"/crm/things?q={token}"} if at % 2 else {**PUT, "body": {"name": token}}
            for at, token in enumerate(tokens)
        ]
        for given, token in zip(await answers(w, calls), tokens, strict=True):
            assert given["status"] == 200
            others = [each for each in tokens if each != token]
            assert token in json.dumps(given)
            assert not any(each in json.dumps(given) for each in others)
        assert [each["step"] for each in sorted(w.records()[-61:-1], key=lambda each: each["started_ns"])] == [
            *range(1, 61)
        ]

    house.run(play)


def test_half_of_a_batch_fails_and_each_failure_stands_in_its_place(house: Stage) -> None:
    async def play(w: Wall) -> None:
        async def some_fail(request: bytes) -> bytes:
            return reply(b"{}", status="500 Oh") if b"q=fail" in request else reply()

        w.backend.answer = some_fail
        before = len(w.backend.requests)
        given = await answers(
            w,
            [
                GET,
                get(0),
                {"method": "GET", "path": "/crm/secret"},
                PUT,
                {"method": "GET", "path": "/crm/nothing"},
                {"method": "GET", "path": "/nobody/things/7"},
                {"method": "GET", "path": "/crm/../crm/things/7"},
                {"method": "GET", "path": "http://127.0.0.1/crm/things/7"},
                {"method": "GET", "path": "/crm/things?q=fail"},
                {"method": "get", "path": "/crm/things/7"},
                {"method": "CONNECT", "path": "/crm/things/7"},
                {"method": "GET", "path": "/crm/things?q=a&q=b"},
                {"method": "GET", "path": "/crm/things HTTP/1.1\r\nX-Evil: 1"},
                {"method": "PATCH", "path": "/crm/things", "body": []},
                {"method": "GET", "path": "//.toolwall/batch"},
                {"method": "POST", "path": "/%2etoolwall/batch", "body": {"calls": [GET]}},
                {"method": "GET", "path": "/crm/things/8"},
            ],
        )
        assert codes(given) == [
            (200, None),
            (422, "schema_violation"),
            (403, "unknown_tool"),
            (200, None),
            (403, "unknown_tool"),
            (403, "unknown_tool"),
            (400, "bad_request"),
            (400, "bad_request"),
            (500, None),
            (400, "bad_request"),
            (400, "bad_request"),
            (400, "bad_request"),
            (400, "bad_request"),
            (422, "schema_violation"),
            (400, "bad_request"),
            (403, "unknown_tool"),
            (200, None),
        ]
        assert len(w.backend.requests) == before + 4
        hidden, missing = (re.sub(r'"call_id": "\w+"', "", json.dumps(given[at]["body"])) for at in (2, 4))
        assert hidden == missing

    house.run(play)


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "more behind it": b'{"calls": []} {}',
    "a list": json.dumps([GET]).encode(),
    "a string": b'"calls"',
    "no calls": b"{}",
    "an empty list": b'{"calls": []}',
    "an object of calls": json.dumps({"calls": {"0": GET}}).encode(),
    "another member": json.dumps({"calls": [GET], "atomic": True}).encode(),
    "calls twice": b'{"calls": [%b], "calls": [%b]}' % (json.dumps(GET).encode(), json.dumps(PUT).encode()),
    "escaped calls twice": b'{"calls": [%b], "c\\u0061lls": []}' % json.dumps(GET).encode(),
    "a path twice": b'{"calls": [{"method": "GET", "path": "/crm/things/7", "path": "/crm/secret"}]}',
    "a key of a body twice": b'{"calls": [{"method": "POST", "path": "/crm/things", "body": {"a": 1, "a": 2}}]}',
    "NaN": b'{"calls": [{"method": "POST", "path": "/crm/things", "body": NaN}]}',
    "half of a pair": b'{"calls": [{"method": "POST", "path": "/crm/things", "body": "\\ud800"}]}',
    "bad UTF-8": b'{"calls": [{"method": "POST", "path": "/crm/things", "body": "\xff"}]}',
    "a mark in front": b"\xef\xbb\xbf" + json.dumps({"calls": [GET]}).encode(),
    "10,000 calls": json.dumps({"calls": [GET] * 10_000}).encode(),
    "one too many": json.dumps({"calls": [GET] * 61}).encode(),
}
BAD_CALLS: dict[str, Any] = {
    "null": None,
    "a list": [],
    "a batch": {"calls": [GET]},
    "no method": {"path": "/crm/things/7"},
    "no path": {"method": "GET"},
    "a path that is a list": {"method": "GET", "path": ["/crm/things/7"]},
    "a method that is null": {"method": None, "path": "/crm/things/7"},
    "a tool beside the path": {**GET, "tool": "crm.secret"},
    "a host": {**GET, "host": "crm.internal"},
    "a principal": {**GET, "principal": "ann"},
    "a path as long as no request has": {"method": "GET", "path": "/crm/things?q=" + "a" * 200},
    "the batch again": {"method": "POST", "path": PATH, "body": {"calls": [GET]}},
    "the batch with a query": {"method": "POST", "path": PATH + "?x", "body": {"calls": [GET]}},
    "the listing": {"method": "GET", "path": "/.toolwall/tools"},
    "the rest of a reply": {"method": "GET", "path": "/.toolwall/rest/abc-1"},
    "what may be ours one day": {"method": "GET", "path": "/.toolwall"},
    "headers that are a list": {**GET, "headers": [["Accept", "*/*"]]},
    "a header that is a number": {**GET, "headers": {"X-Tenant": 7}},
    "a header of two": {**GET, "headers": {"X-Tenant": "a", "x-tenant": "b"}},
    "a name with a space": {**GET, "headers": {"X-Tenant ": "a"}},
    "a name with a colon": {**GET, "headers": {"X-Tenant: b\r\nX-Evil": "a"}},
    "an empty name": {**GET, "headers": {"": "a"}},
    "a value with a break": {**GET, "headers": {"X-Tenant": "a\r\nX-Evil: b"}},
    "a value with NUL": {**GET, "headers": {"X-Tenant": "a\0b"}},
    "a value with space around": {**GET, "headers": {"X-Tenant": " a"}},
    "a value as long as no header": {**GET, "headers": {"X-Tenant": "a" * 301}},
    "too many headers": {**GET, "headers": {f"X-{number}": "a" for number in range(101)}},
    "a form": {**PUT, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    "text": {**PUT, "headers": {"Content-Type": "text/plain"}},
    **{
        name: {**GET, "headers": {name: value}}
        for name, value in {
            "Toolwall-Key": "twk_x",
            "AUTHORIZATION": "Bearer x",
            "Proxy-Authorization": "Basic x",
            "Cookie": "session=x",
            "Host": "crm.internal",
            "Origin": "http://localhost",
            "Connection": "close",
            "Transfer-Encoding": "chunked",
            "Content-Length": "0",
            "Content-Encoding": "gzip",
            "Expect": "100-continue",
            "Upgrade": "websocket",
            "Forwarded": "for=1.2.3.4",
            "Via": "1.1 x",
            "traceparent": "00-1",
        }.items()
    },
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_batch_is_refused_as_a_whole(house: Stage, data: bytes) -> None:
    async def play(w: Wall) -> None:
        said = await refused(w, data)
        assert said["status"] == 400

    house.run(play)


@pytest.mark.parametrize("call", BAD_CALLS.values(), ids=BAD_CALLS)
def test_one_call_that_cannot_be_one_refuses_all_of_them(house: Stage, call: Any) -> None:
    async def play(w: Wall) -> None:
        said = await refused(w, json.dumps({"calls": [PUT, GET, call]}).encode())
        assert said["detail"].startswith("Call 2 of the batch")
        assert said["detail"].endswith("Nothing of the batch was sent.")
        assert not any(text in json.dumps(said) for text in ("Evil", "twk_x", "websocket", "1.2.3.4"))

    house.run(play)


def test_a_batch_nested_too_deep_is_refused(house: Stage) -> None:
    async def play(w: Wall) -> None:
        deep = b'{"calls": [{"method": "POST", "path": "/crm/things", "body": %b}]}'
        assert (await send(w, deep % (b"[" * 64 + b"]" * 64))).json["answers"][0]["status"] == 200
        await refused(w, deep % (b"[" * 65 + b"]" * 65), code="too_large")
        await refused(w, deep % (b"[" * 100_000 + b"]" * 100_000), code="too_large")

    house.run(play)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", PATH, []),
        ("PUT", PATH, []),
        ("POST", PATH + "?calls=1", []),
        ("POST", PATH, [("Content-Type", "text/plain")]),
        ("POST", PATH, [("Content-Type", "application/json; charset=utf-16")]),
        ("POST", PATH, [("Content-Type", "application/x-ndjson")]),
        ("POST", PATH, [("Toolwall-Idempotency-Key", "k1")]),
    ],
)
def test_a_batch_is_asked_for_in_one_way(house: Stage, method: str, path: str, headers: list[tuple[str, str]]) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell(method, path, json.dumps({"calls": [GET]}).encode(), headers)
        assert (told.reply.status, told.reply.json["code"], told.reached) == (400, "bad_request", [])
        assert method == "POST" or told.reply.headers["allow"] == "POST"

    house.run(play)


@pytest.mark.parametrize(
    "path", ["/.toolwall/batches", "/.toolwall/batch/", "/crm/.toolwall/batch", "/.toolwall/Batch"]
)
def test_other_places_are_no_batch(house: Stage, path: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("POST", path, json.dumps({"calls": [GET]}).encode())
        assert (told.reply.json["code"], told.reached) == ("unknown_tool", [])

    house.run(play)


def test_a_body_is_sent_as_it_was_written(house: Stage) -> None:
    async def play(w: Wall) -> None:
        bodies = [
            b'{"n" : 1.10,\t"x":1E5, "big": 12345678901234567890.5}',
            b'"\\u0061"',
            b"null",
            b"[ ]",
            b"-0.0",
            b'"a]}"',
        ]
        calls = [b'{ "path":"/crm/things" ,"body": %b\n, "method": "POST"}' % body for body in bodies]
        calls.append(b'{"headers": {"x": "body"}, "method": "POST", "body":{"body": [1]}, "path": "/crm/things"}')
        w.news()
        before = len(w.backend.requests)
        given = await send(w, b'\n{ "calls" : [' + b" ,".join(calls) + b" ] }\r\n")
        assert [each["status"] for each in given.json["answers"]] == [200] * 7
        sent = sorted(request.partition(b"\r\n\r\n")[2] for request in w.backend.requests[before:])
        assert sent == sorted([*bodies, b'{"body": [1]}'])

    house.run(play)


def test_a_body_may_be_another_kind_of_json(house: Stage) -> None:
    async def play(w: Wall) -> None:
        kind = {"content-type": "application/merge-patch+json; charset=utf-8"}
        [given] = await answers(w, [{"method": "PATCH", "path": "/crm/things", "headers": kind, "body": {"a": 1}}])
        assert given["status"] == 200
        assert b"\r\ncontent-type: application/merge-patch+json; charset=utf-8\r\n" in w.backend.requests[-1]

    house.run(play)


def test_headers_of_the_batch_hold_for_its_calls_and_their_own_go_before(house: Stage) -> None:
    async def play(w: Wall) -> None:
        before = len(w.backend.requests)
        find = {"method": "GET", "path": "/crm/things?q=a"}
        given = await answers(
            w,
            [
                find,
                {**find, "headers": {"X-Tenant": "own", "Toolwall-Run": "r2", "Accept": "text/csv", "If-Match": "z"}},
            ],
            *[("Authorization", "Bearer b1"), ("X-Tenant", "all"), ("Toolwall-Run", "r1"), ("Toolwall-Reason", "why")],
            *[("Accept", "application/json"), ("If-None-Match", "y"), ("Range", "bytes=0-1"), ("X-Other", "x")],
        )
        assert [each["status"] for each in given] == [200, 200]
        first, second = sorted(w.backend.requests[before:], key=lambda each: b"own" in each)
        for request in (first, second):
            assert b"\r\nauthorization: Bearer b1\r\n" in request
            for name in (b"x-other", b"toolwall-", b"if-none-match", b"range", b"application/json"):
                assert name not in request
        assert b"\r\nx-tenant: all\r\n" in first
        assert b"\r\nx-tenant: own\r\n" in second
        assert b"\r\naccept: text/csv\r\n" in second
        assert b"\r\nif-match: z\r\n" in second
        *parts, whole = w.records()[-3:]
        assert sorted((each["run"], each["reason"]) for each in parts) == [("r1", "why"), ("r2", "why")]
        assert whole["reason"] == "why"

    house.run(play)


SECRET = "canary-5tT0qLm2"
SLOTS = "credential:\n  - {send: bearer, from: caller}\n  - {send: {header: X-Api-Key}, from: caller}"


def test_a_credential_goes_to_the_backend_that_is_meant_or_nowhere(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "hr.yaml").write_text(
            "backend: hr\nurl: http://127.0.0.1:9/\ntools:\n  all: {says: All., call: GET /all}\n"
        )
        policy = "rules: [{id: all, allow: [crm.*, hr.*]}]"
        async with wall(tmp_path, TOOLS, policy, backend_keys=SLOTS) as w:
            both = json.dumps({"calls": [GET, {"method": "GET", "path": "/hr/all"}]}).encode()
            for header in ("Authorization", "Cookie"):
                said = await refused(w, both, (header, f"Bearer {SECRET}"))
                assert "nobody can tell" in said["detail"]
            given = (await send(w, both, ("X-Api-Key", SECRET))).json["answers"]
            assert codes(given)[0] == (400, "bad_request")
            assert w.backend.requests == []
            given = (await send(w, [GET, {**GET, "headers": {"x-api-key": SECRET}}], ("X-Api-Key", SECRET))).json[
                "answers"
            ]
            assert codes(given) == [(200, None), (400, "bad_request")]
            [request] = w.backend.requests
            assert f"\r\nx-api-key: {SECRET}\r\n".encode() in request
            assert SECRET.encode() not in w.ledger()

    perform(play())


KEYS = {name: f"twk_{name}" for name in ("ann", "bob")}
KEYED = ", ".join(
    f"{{id: {name}, roles: [r-{name}], sha256: {hashlib.sha256(key.encode()).hexdigest()}}}"
    for name, key in KEYS.items()
)


def test_who_calls_is_told_once_for_all_calls(tmp_path: Path) -> None:
    async def play() -> None:
        policy = "rules: [{id: a, allow: crm.get, to: {roles: [r-ann]}}, {id: b, allow: crm.put, to: {roles: [r-bob]}}]"
        async with wall(tmp_path, TOOLS, policy, identity=f"{{api_keys: [{KEYED}]}}") as w:
            for key in ([], [("Toolwall-Key", "twk_eve")]):
                data = json.dumps({"calls": [GET, PUT]}).encode()
                await refused(w, data, *key, code="unauthenticated")
                await refused(w, b"{", *key, code="unauthenticated")
            assert codes(await answers(w, [GET, PUT], ("Toolwall-Key", KEYS["ann"]))) == [
                (200, None),
                (403, "unknown_tool"),
            ]
            assert codes(await answers(w, [GET, PUT], ("Toolwall-Key", KEYS["bob"]))) == [
                (403, "unknown_tool"),
                (200, None),
            ]
            assert {each["principal"] for each in w.records()[-3:]} == {"bob"}

    perform(play())


def test_a_host_may_choose_the_backend_of_all_calls(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, listener=", hosts: {crm.internal: crm}") as w:
            data = json.dumps({"calls": [{"method": "GET", "path": "/things/7"}, GET]}).encode()
            raw = w.raw("POST", PATH, data, [("Authorization", "Bearer b1")])
            given = Reply.parse(await w.send(raw.replace(w.host.encode(), b"crm.internal", 1)))
            assert codes(given.json["answers"]) == [(200, None), (403, "unknown_tool")]
            [request] = w.backend.requests
            assert request.startswith(b"GET /api/things/7 HTTP/1.1\r\n")

    perform(play())


def test_a_call_that_hangs_ends_at_its_own_time_and_holds_up_no_other(house: Stage) -> None:
    async def some_hang(request: bytes) -> bytes:
        if b"/slow" in request:
            await asyncio.sleep(5)
        return reply()

    async def play(w: Wall) -> None:
        w.backend.answer = some_hang
        slow = [{"method": "GET", "path": "/crm/slow"}, {"method": "POST", "path": "/crm/slow"}]
        before = asyncio.get_running_loop().time()
        given = await answers(w, [slow[0], GET, slow[1], *[get(number) for number in range(1, 20)]])
        assert 0.2 <= asyncio.get_running_loop().time() - before < 1
        assert codes(given)[:3] == [(504, "timeout"), (200, None), (504, "outcome_unknown")]
        assert [each["status"] for each in given[3:]] == [200] * 19
        assert (given[0]["body"]["retry"], given[2]["body"]["executed"]) == ("after_delay", "unknown")

    house.run(play)


def counting(under_way: list[int], lasts_s: float) -> Answer:
    """A backend that counts its calls: those under way, and the most that ever were."""

    async def answer(_: bytes) -> bytes:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(lasts_s)
        under_way[0] -= 1
        return reply()

    return answer


def test_calls_are_made_at_once_within_the_bound(house: Stage) -> None:
    async def play(w: Wall) -> None:
        under_way = [0, 0]
        w.backend.answer = counting(under_way, 0.01)
        await answers(w, [get(number) for number in range(1, 21)])
        assert under_way == [0, 4]

    house.run(play)


def test_each_call_under_way_takes_a_place_and_a_full_door_makes_a_batch_slow(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, config="bounds: {most_calls: 3}") as w:
            under_way = [0, 0]
            w.backend.answer = counting(under_way, 0.05)
            batches = [
                asyncio.create_task(send(w, [get(10 * each + number) for number in range(1, 6)])) for each in (1, 2)
            ]
            while under_way[0] < 3:
                await asyncio.sleep(0.005)
            assert (await w.call("GET", "/crm/things/7")).json["code"] == "limit_reached"
            for each in batches:
                assert codes((await each).json["answers"]) == [(200, None)] * 5
            assert under_way == [0, 3]
            assert (await w.call("GET", "/crm/things/7")).status == 200

    perform(play())


def test_limits_count_each_call(house: Stage) -> None:
    async def play(w: Wall) -> None:
        before = len(w.backend.requests)
        given = await answers(w, [{"method": "GET", "path": "/crm/scarce"}] * 5)
        assert sorted(each["status"] for each in given) == [200, 200, 429, 429, 429]
        assert len(w.backend.requests) == before + 2
        assert {each["headers"]["ratelimit"].partition(";t=")[0] for each in given} == {
            '"crm.scarce-1h";r=1',
            '"crm.scarce-1h";r=0',
        }

    house.run(play)


def test_a_write_that_is_repeated_in_a_batch_is_done_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, once=True, config="bounds: {batch_at_once: 3}") as w:
            w.backend.answer = echo
            other = {**PUT, "body": {"name": "b"}}
            named = [{**each, "headers": {"Toolwall-Idempotency-Key": "k1"}} for each in (PUT, other)]
            given = await answers(w, [PUT, PUT, other, PUT, *named])
            assert codes(given) == [(200, None)] * 5 + [(409, "duplicate_call")]
            assert [each["body"]["body"] for each in given[:4]] == ['{"name": "a"}'] * 2 + [
                '{"name": "b"}',
                '{"name": "a"}',
            ]
            replayed = [each["headers"].get("toolwall-replayed", "").partition(";")[0] for each in given]
            first = given[0]["headers"]["toolwall-call"]
            assert replayed == ["", first, "", first, "", ""]
            assert len(w.backend.requests) == 3
            assert len(w.records("intent")) == 3

    perform(play())


async def broken_records(w: Wall, calls: list[Any], enough: int, rudely: bool) -> list[dict[str, Any]]:
    """The Records of a batch whose agent left as soon as so many of its calls had reached the backend."""
    w.news()
    before = len(w.backend.requests)
    _, writer = await asyncio.open_connection(*w.address)
    writer.write(w.raw("POST", PATH, json.dumps({"calls": calls}).encode()))
    while len(w.backend.requests) < before + enough:
        await asyncio.sleep(0.005)
    writer.transport.abort() if rudely else writer.close()
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(1):
        while not any("batch" not in each for each in found):
            await asyncio.sleep(0.01)
            found += w.news()
    await asyncio.sleep(0.05)
    assert w.news() == []
    return found


@pytest.mark.parametrize("rudely", [False, True])
def test_an_agent_that_hangs_up_leaves_every_call_with_its_record(house: Stage, rudely: bool) -> None:
    async def some_hang(request: bytes) -> bytes:
        if b"name" in request:
            await asyncio.sleep(3)
        return reply()

    async def play(w: Wall) -> None:
        w.backend.answer = some_hang
        before = len(w.backend.requests)
        found = await broken_records(w, [GET, PUT, PUT, PUT, PUT, GET, PUT], 5, rudely)
        assert len(w.backend.requests) == before + 5
        *parts, whole = found
        assert [each["outcome"] for each in parts] == ["ok"] + ["client_gone"] * 4
        assert [each["executed"] for each in parts] == ["yes"] + ["unknown"] * 4
        assert (whole["outcome"], whole["executed"], whole["notes"]) == (
            "client_gone",
            "no",
            ["a batch of 7 calls, of which 5 were begun"],
        )
        assert (await w.call("GET", "/crm/things/7")).status == 200

    house.run(play)


def test_what_was_sent_as_the_agent_hung_up_is_not_sent_again(tmp_path: Path) -> None:
    async def silence(_: bytes) -> bytes:
        await asyncio.sleep(3)
        return reply()

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, silence, once=True) as w:
            other = {**PUT, "body": {"name": "b"}}
            await broken_records(w, [PUT, other], 2, rudely=True)
            given = await answers(w, [other, PUT, {**PUT, "body": {"name": "c"}, "path": "/crm/nothing"}])
            assert codes(given) == [(504, "outcome_unknown")] * 2 + [(403, "unknown_tool")]
            assert len(w.backend.requests) == 2

    perform(play())


def test_a_batch_under_way_is_answered_when_the_sidecar_stops(tmp_path: Path) -> None:
    async def silence(_: bytes) -> bytes:
        await asyncio.sleep(5)
        return reply()

    async def play() -> None:
        bounds = "bounds: {drain: 400ms, batch_at_once: 2}"
        async with wall(tmp_path, TOOLS, POLICY, silence, config=bounds, once=True) as w:
            batch = asyncio.create_task(send(w, [PUT, GET, {**PUT, "body": {"name": "b"}}, get(8)]))
            while len(w.backend.requests) < 2:
                await asyncio.sleep(0.01)
        given = (await batch).json["answers"]
        assert codes(given) == [(504, "outcome_unknown")] + [(500, "internal")] * 3
        assert [each["body"]["executed"] for each in given] == ["unknown", "unknown", "no", "no"]
        assert len(w.backend.requests) == 2

    perform(play())


def test_a_batch_that_acted_and_cannot_be_recorded_says_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY) as w:

            async def failing(_: bytes) -> bytes:
                w.sidecar.firewall.entries.ledger.close()
                return reply()

            w.backend.answer = failing
            given = await send(w, [PUT])
            assert (given.status, given.json["code"], given.json["executed"]) == (502, "reply_refused", "unknown")
            given = await send(w, [PUT])
            assert (given.status, given.json["code"], given.json["executed"]) == (500, "internal", "no")
            assert len(w.backend.requests) == 1

    perform(play())


@pytest.mark.parametrize("passes", [True, False])
def test_while_nothing_can_be_recorded_a_batch_is_what_its_calls_are(tmp_path: Path, passes: bool) -> None:
    async def play() -> None:
        config = "ledger: {on_error: pass}" if passes else ""
        async with wall(tmp_path, TOOLS, POLICY, config=config) as w:
            with full_disk():
                given = await send(w, [GET, PUT, {"method": "GET", "path": "/crm/secret"}])
            if passes:
                assert codes(given.json["answers"])[:2] == [(200, None), (500, "internal")]
                assert given.json["answers"][0]["headers"]["toolwall-unchecked"] == "ledger"
                assert (given.status, given.headers["toolwall-unchecked"]) == (200, "ledger")
            else:
                assert (given.status, given.json["code"], given.json["executed"]) == (500, "internal", "no")
            assert not any(request.startswith(b"POST") for request in w.backend.requests)
            assert codes((await send(w, [GET, PUT])).json["answers"]) == [(200, None)] * 2

    perform(play())


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
BREAKING: dict[str, tuple[bytes, str, str]] = {
    "more JSON than one": (b'{"ok": true}}]}, {"status": 200', "application/json", "text"),
    "no JSON": (b"]", "application/json", "text"),
    "an unclosed string": (b'"', "application/json", "text"),
    "NaN": (b'{"a": NaN}', "application/json", "text"),
    "a key twice": (b'{"a": 1, "a": 2}', "application/json", "text"),
    "half of a pair": (b'{"a": "\\ud800"}', "application/json", "text"),
    "too deep": (b"[" * 500 + b"]" * 500, "application/json", "text"),
    "far too deep": (b"[" * 30_000, "application/json", "text"),
    "a mark in front": (b"\xef\xbb\xbf{}", "application/json", "text"),
    "not UTF-8": (b'{"a": "\xff"}', "application/json", "base64"),
    "another charset": (b'{"a": "\xe4"}', "application/json; charset=iso-8859-1", "base64"),
    "text": (b'"}, {"status": 500}], \\ \x00 \xe2\x80\xa8 \x1b', "text/plain", "text"),
    "wide text": ("ä".encode("utf-16"), "text/plain; charset=utf-16", "base64"),
    "bytes": (PNG, "image/png", "base64"),
    "bytes that say they are text": (PNG, "text/html", "base64"),
    "text that says it is nothing": (b"abc", "application/octet-stream", "base64"),
    "a coding": (b"abc", "text/plain\r\nContent-Encoding: gzip", "base64"),
    "JSON": (b' {"n": 1.10, "x": 1E5} \n', "application/json", "body"),
    "a problem": (b'{"code": "x"}', "application/problem+json; charset=UTF-8", "body"),
}


@pytest.mark.parametrize(("body", "kind", "member"), BREAKING.values(), ids=BREAKING)
def test_no_reply_breaks_the_others(house: Stage, body: bytes, kind: str, member: str) -> None:
    async def play(w: Wall) -> None:
        async def odd(request: bytes) -> bytes:
            return reply(body, kind=kind) if b"/raw" in request else reply(b'{"mine": 1}')

        w.backend.answer = odd
        before, given, after = await answers(w, [GET, {"method": "GET", "path": "/crm/raw"}, GET])
        assert before["body"] == after["body"] == {"mine": 1}
        assert [name for name in ("body", "text", "base64") if name in given] == [member]
        read = {"text": lambda it: it.encode(), "base64": base64.b64decode, "body": lambda it: json.dumps(it).encode()}
        came = read[member](given[member])
        assert came == body or (member == "body" and json.loads(came) == json.loads(body))
        assert given["headers"]["content-type"] == kind.partition("\r\n")[0]

    house.run(play)


def test_a_json_reply_stands_there_byte_for_byte(house: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b'{"n": 1.10,  "x": 1E5}'))
        assert b'"body": {"n": 1.10,  "x": 1E5}}' in (await send(w, [{"method": "GET", "path": "/crm/raw"}])).body

    house.run(play)


def test_replies_without_a_body_have_none(house: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(b"HTTP/1.1 204 No Content\r\nX-Request-Id: 7\r\n\r\n")
        head = {"method": "HEAD", "path": "/crm/things/7"}
        given = await answers(w, [GET, head])
        assert [each.keys() for each in given] == [{"status", "headers"}] * 2
        assert given[0]["headers"]["x-request-id"] == "7"

    house.run(play)


def test_headers_of_an_answer_are_those_it_has_alone(house: Stage) -> None:
    async def play(w: Wall) -> None:
        fields = [
            "Set-Cookie: a=1",
            "Set-Cookie: b=2, c",
            "Warning: 1",
            "Warning: 2",
            "X-Internal: 1",
            "Location: /api/things/9",
        ]
        w.backend.answer = answering(reply(b'{"mail": "ann@mail.example"}', *fields))
        [given] = await answers(w, [GET])
        alone = await w.call("GET", "/crm/things/7")
        headers = dict(given["headers"])
        assert headers.pop("set-cookie") == ["a=1; Path=/crm/", "b=2, c; Path=/crm/"]
        assert headers.pop("warning") == "1, 2"
        assert headers.pop("toolwall-call") != alone.headers["toolwall-call"]
        assert headers == {
            "location": "/crm/things/9",
            "content-type": "application/json",
            "toolwall-redacted": "EMAIL_ADDRESS=1",
        }
        assert given["body"] == alone.json

    house.run(play)


def test_the_rest_of_a_shaped_reply_can_be_fetched(house: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b'["first", "second"]'))
        [given] = await answers(w, [{"method": "GET", "path": "/crm/some"}], ("Toolwall-Run", "r7"))
        link = str(given["body"][-1]).rpartition("GET ")[2].rstrip("]")
        rest = await w.call("GET", link, headers=[("Toolwall-Run", "r7")])
        assert rest.json["items"] == ["second"]

    house.run(play)


def test_a_stream_that_ends_is_an_answer_and_one_that_does_not_is_none(house: Stage) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    async def streaming(request: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield head + b"data: to ann@mail.example\n\n"
            for _ in range(100 if b"/slow" in request else 1):
                await asyncio.sleep(0.05)
                yield b"data: more\n\n"

        return pieces()

    async def play(w: Wall) -> None:
        w.backend.answer = streaming
        given = await answers(w, [GET, {"method": "GET", "path": "/crm/slow"}, {"method": "POST", "path": "/crm/slow"}])
        assert given[0]["text"] == "data: to <EMAIL_ADDRESS>\n\ndata: more\n\n"
        assert given[0]["headers"]["toolwall-redacted"] == "EMAIL_ADDRESS=1"
        assert codes(given)[1:] == [(502, "reply_refused")] * 2
        assert [each["body"]["executed"] for each in given[1:]] == ["yes", "yes"]

    house.run(play)


def test_answers_are_bounded_together_and_nothing_is_sent_that_has_no_room(house: Stage) -> None:
    async def large(request: bytes) -> bytes:
        number = int(request.split()[1].rpartition(b"/")[2] or b"0")
        await asyncio.sleep(number / 50)
        return reply(json.dumps(["x" * 20_000]).encode())

    async def play(w: Wall) -> None:
        w.backend.answer = large
        before = len(w.backend.requests)
        given = await answers(w, [get(number) for number in range(1, 21)])
        said = codes(given)
        whole, withheld = said.count((200, None)), said.count((502, "reply_refused"))
        assert whole == 3
        assert said == [(200, None)] * 3 + [(502, "reply_refused")] * withheld + [(429, "limit_reached")] * (
            17 - withheld
        )
        assert 1 <= withheld <= 4
        assert len(w.backend.requests) == before + whole + withheld
        assert {each["body"]["executed"] for each in given[3 + withheld :]} == {"no"}
        assert {each["body"]["executed"] for each in given[3 : 3 + withheld]} == {"yes"}
        assert {each["principal"] for each in w.records()[-21:]} == {"bot"}

    house.run(play)


def test_each_call_has_a_span_of_its_own_below_that_of_the_batch(tmp_path: Path) -> None:
    async def play(url: str) -> None:
        async with wall(tmp_path, TOOLS, POLICY, config=f"telemetry: {{otlp: {url}}}") as w:
            await answers(w, [get(number) for number in range(1, 61)])
            asked = f"00-{'a' * 32}-{'b' * 16}-01"
            await answers(w, [GET, {"method": "GET", "path": "/crm/secret"}], ("traceparent", asked))

    with collector() as fake:
        perform(play(fake.url))
    spans = {span.span_id: span for span in fake.spans()}
    batches = [
        span for span in spans.values() if span.name == "execute_tool unknown" and span.parent_span_id not in spans
    ]
    assert len(batches) == 2
    parts = [span for span in spans.values() if span.parent_span_id in {batch.span_id for batch in batches}]
    assert sorted({part.name for part in parts}) == ["execute_tool crm.get", "execute_tool crm.secret"]
    assert len(parts) == 62
    assert {part.trace_id for part in parts} == {batch.trace_id for batch in batches}
    requests = [span for span in spans.values() if span.parent_span_id in {part.span_id for part in parts}]
    assert len(requests) == 61


def test_a_caller_who_asks_for_traces_gets_no_more_of_them_by_batches(tmp_path: Path) -> None:
    async def play(url: str) -> None:
        async with wall(tmp_path, TOOLS, POLICY, config=f"telemetry: {{otlp: {url}}}") as w:
            asked = ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01")
            await answers(w, [get(number) for number in range(1, 101)], asked)

    with collector() as fake:
        perform(play(fake.url))
    assert len([span for span in fake.spans() if span.name.startswith("execute_tool")]) <= 2 * 50


@pytest.mark.full
def test_many_agents_with_batches_over_a_bad_backend_get_their_own_answers(tmp_path: Path) -> None:
    async def bad(request: bytes) -> Any:
        await asyncio.sleep(secrets.randbelow(30) / 1000)
        whole = await echo(request)
        ways = (whole, whole, whole, reply(b"{}", status="500 Oh"), None, b"garbage", whole[:-5])
        return secrets.choice(ways)

    async def agent(w: Wall, name: str) -> int:
        good = 0
        for _ in range(10):
            tokens = [f"{name}-{secrets.token_hex(8)}" for _ in range(60)]
            calls = [
                {"method": "GET", "path": f"/crm/things?q={token}"} if at % 2 else {**PUT, "body": {"name": token}}
                for at, token in enumerate(tokens)
            ]
            given = (await send(w, calls)).json["answers"]
            assert len(given) == 60
            for each, token in zip(given, tokens, strict=True):
                good += each["status"] == 200
                said = json.dumps(each)
                assert (token in said) == (each["status"] == 200)
                assert len(re.findall(r"[a-z]+-[0-9a-f]{16}", said)) == (each["status"] == 200)
        return good

    async def play() -> None:
        keys = "breaker: off\nretry: {attempts: 1}"
        bounds = "bounds: {upstream_idle: 200ms}"
        async with wall(tmp_path, TOOLS, POLICY, bad, backend_keys=keys, config=bounds) as w:
            good = await asyncio.gather(*(agent(w, name) for name in ("ann", "bob", "cleo", "dan", "eve")))
            assert min(good) > 100
            await asyncio.sleep(0.2)
            assert not any("coro=<_Batch." in repr(task) for task in asyncio.all_tasks())
            writes = [request for request in w.backend.requests if request.startswith(b"POST")]
            assert len(writes) == len(set(writes)) == 5 * 10 * 30
            assert len(w.records()) == 5 * 10 * 61

    perform(play())

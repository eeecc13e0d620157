"""Reply contracts, with bytes of a real backend that come back through the door."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.wire import Stage, Told, Wall, answering, perform, reply, staged, wall

ORDER = "{type: object, properties: {id: {type: integer}, mail: {type: string, format: email}}, required: [id]}"
REPLIES = f"""
      200: {{application/json: {ORDER}, text/plain: {{maxLength: 20}}}}
      201: {{application/json: true}}
      202: {{}}
      204: {{}}
      404: {{application/problem+json: {{type: object, required: [title]}}}}
"""
TOOLS = f"""
  one:
    call: GET /one
    replies: {REPLIES}
  head:
    call: HEAD /one
    replies: {REPLIES}
  write:
    call: POST /one
    effect: write
    replies: {REPLIES}
  strict:
    call: GET /strict
    replies: {{200: {{application/json: {ORDER}}}, default: {{application/json: {{required: [code]}}}}}}
  lenient:
    call: GET /lenient
    reply: {{contract: report}}
    replies: {REPLIES}
  raw:
    call: GET /raw
    reply: {{contract: report, redact: off, most_bytes: 1000}}
    replies: {REPLIES}
  stream:
    call: GET /stream
    reply: {{contract: off, redact: off}}
    replies: {REPLIES}
  free:
    call: GET /free
"""
SECRET = "hunter-two"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("replies"), TOOLS) as stage:
        yield stage


def told(house: Stage, raw: bytes, path: str = "/crm/one", method: str = "GET") -> Told:
    """What comes of one call that the backend answers with these bytes."""
    ends: list[Told] = []

    async def play(w: Wall) -> None:
        w.backend.answer = answering(raw)
        ends.append(await w.tell(method, path))

    house.run(play)
    return ends[0]


GOOD = [
    reply(b'{"id": 7}'),
    reply(b'{"id": 7, "more": [1]}', kind="Application/JSON; charset=UTF-8"),
    reply(b"a text", kind="text/plain"),
    reply(b"5", status="201 Created"),
    reply(b"", status="202 Accepted", kind=""),
    b"HTTP/1.1 204 No\r\n\r\n",
    b"HTTP/1.1 304 No\r\nETag: x\r\n\r\n",
    reply(b'{"title": "gone"}', status="404 No", kind="application/problem+json"),
    reply(gzip.compress(b'{"id": 7}'), "Content-Encoding: gzip"),
]


@pytest.mark.parametrize("raw", GOOD)
def test_what_fits_passes(house: Stage, raw: bytes) -> None:
    end = told(house, raw)
    assert "toolwall-refused" not in end.reply.headers
    assert end.reply.status == int(raw[9:12])
    assert "reply_contract" in end.record["checks"]
    assert "deviations" not in end.record


def test_the_value_is_judged_before_it_is_cleaned(house: Stage) -> None:
    end = told(house, reply(b'{"id": 7, "mail": "ann@example.com"}'))
    assert end.reply.body == b'{"id": 7, "mail": "<EMAIL_ADDRESS>"}'  # which is no e-mail address any more


BAD = [
    (reply(f'{{"id": "{SECRET}"}}'.encode()), ["/id: type"]),
    (reply(f'{{"{SECRET}": 1}}'.encode()), ["/id: required"]),
    (reply(f'{{"id": 1, "mail": "{SECRET}"}}'.encode()), ["/mail: format"]),
    (reply(SECRET.encode()), ["body: is not JSON"]),
    (reply(b'{"id": 1, "id": 2}'), ["body: is not JSON"]),
    (reply(SECRET.encode(), kind="text/html"), ["media type: is not declared"]),
    (reply(SECRET.encode(), kind=""), ["media type: is not declared"]),
    (reply(SECRET.encode() * 3, kind="text/plain"), ["body: maxLength"]),
    (reply(b'{"id": 1}', kind="application/problem+json"), ["media type: is not declared"]),
    (reply(b"", kind="application/json"), ["body: is missing"]),
    (reply(SECRET.encode(), status="202 Accepted"), ["body: is not declared"]),
    (reply(b'{"id": 1}', status="203 Other"), ["status: is not declared"]),
    (reply(b'{"id": 1}', status="299 Other"), ["status: is not declared"]),
    (reply(b"", "Location: /api/two", status="302 Found"), ["status: is not declared"]),
    (reply(f'{{"a": "{SECRET}"}}'.encode(), status="404 No", kind="application/problem+json"), ["/title: required"]),
    (reply(SECRET.encode(), status="404 No", kind="text/html"), ["media type: is not declared"]),
    (reply(SECRET.encode(), "Content-Encoding: gzip"),
     ["could not be checked: the reply is not in the content coding that it names"]),
    (reply(gzip.compress(b'{"id": "x"}'), "Content-Encoding: gzip"), ["/id: type"]),
    (reply(gzip.compress(b"1" * 9_000_000), "Content-Encoding: gzip"),
     ["could not be checked: it is too large when decoded"]),
    (reply(b'{"id": 1}', "Content-Type: text/plain"), ["media type: is not declared"]),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "deviations"), BAD)
def test_what_is_off_is_withheld(house: Stage, raw: bytes, deviations: list[str]) -> None:
    end = told(house, raw)
    status = int(raw[9:12])
    problem = end.reply.json
    assert (end.reply.status, problem["code"], problem["retry"]) == (502, "reply_refused", "never")
    assert problem["executed"] == end.record["executed"] == ("yes" if status < 400 else "unknown")
    done = problem["detail"].startswith("The action was carried out; its answer was withheld. ")
    assert done == (status < 400)
    unchecked = deviations[0].startswith("could not be checked")
    verdict = "could not be checked against" if unchecked else "is off"
    assert f"(status {status}) {verdict} the tool's contract." in problem["detail"]
    assert end.record["deviations"] == deviations
    assert "reply_contract" in end.record["checks"]
    assert SECRET.encode() not in end.reply.raw
    assert SECRET not in json.dumps(end.record)


@pytest.mark.parametrize(("raw", "deviations"), BAD)
def test_a_report_lets_the_same_pass_and_says_so_in_the_record(house: Stage, raw: bytes, deviations: list[str]) -> None:
    end = told(house, raw, "/crm/lenient")
    assert end.record["deviations"] == deviations
    assert SECRET not in json.dumps(end.record)
    assert "reply_contract" in end.record["checks"]
    if end.reply.headers.get("toolwall-refused"):  # by cleaning, which has its own reasons
        assert "contract" not in end.reply.json["detail"]
    else:
        assert end.reply.status == int(raw[9:12])


@pytest.mark.parametrize("status", [400, 401, 409, 429, 500, 503])
def test_an_error_that_nobody_declared_is_the_backends_own(house: Stage, status: int) -> None:
    raw = reply(b"Slow down, ann@example.com!", "Retry-After: 3", status=f"{status} Own", kind="text/plain")
    end = told(house, raw)
    assert (end.reply.status, end.reply.body) == (status, b"Slow down, <EMAIL_ADDRESS>!")
    assert end.record["deviations"] == ["status: is not declared"]


def test_with_default_every_status_is_declared(house: Stage) -> None:
    assert told(house, reply(b'{"code": 1}', status="503 No"), "/crm/strict").reply.status == 503
    end = told(house, reply(f'{{"x": "{SECRET}"}}'.encode(), status="503 No"), "/crm/strict")
    assert (end.reply.status, end.record["deviations"]) == (502, ["/code: required"])


def test_a_write_whose_answer_is_off_was_carried_out(house: Stage) -> None:
    end = told(house, reply(b'{"id": "x"}'), method="POST")
    assert end.reply.json["executed"] == "yes"
    assert end.record["effect"] == "write"
    assert end.record["checks"][-1] == "reply_contract"


def test_a_head_has_no_body_to_judge(house: Stage) -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    assert told(house, good, method="HEAD").reply.status == 200
    end = told(house, b"HTTP/1.1 203 No\r\nContent-Length: 9\r\n\r\n", method="HEAD")
    assert end.record["deviations"] == ["status: is not declared"]
    assert end.reply.status == 502


def test_without_cleaning_the_contract_still_counts(house: Stage) -> None:
    end = told(house, reply(b'{"id": "ann@example.com"}'), "/crm/raw")
    assert end.reply.body == b'{"id": "ann@example.com"}'
    assert end.record["deviations"] == ["/id: type"]
    end = told(house, reply(b"[" + b"1," * 600 + b"1]"), "/crm/raw")
    assert end.reply.json["code"] == "reply_refused"
    assert "larger than 1000 bytes" in end.reply.json["detail"]


def test_without_replies_or_when_off_nothing_is_checked(house: Stage) -> None:
    for path in ("/crm/stream", "/crm/free"):
        end = told(house, reply(b'{"id": "x"}', status="299 Other"), path)
        assert end.reply.status == 299
        assert "reply_contract" not in end.record["checks"]
        assert "deviations" not in end.record


def test_off_still_streams(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def drip(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n" + b"data: 2\n\n"
            await asyncio.sleep(0.01)
            yield b"data: 3\n\n"
            await go_on.wait()

        return pieces()

    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=drip) as w:
            reader, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("GET", "/crm/stream"))
            came = await asyncio.wait_for(reader.readuntil(b"data: 2"), 5)  # while the backend has not ended
            assert came.startswith(b"HTTP/1.1 200 OK")
            go_on.set()
            writer.close()

    perform(play())


def test_a_large_answer_is_judged_off_the_loop_and_alike(house: Stage) -> None:
    rows = ", ".join(['{"id": 1}'] * 20_000)
    end = told(house, reply(f'{{"id": [{rows}]}}'.encode()))
    assert end.record["deviations"] == ["/id: type"]
    end = told(house, reply(f'{{"id": 1, "rows": [{rows}]}}'.encode()))
    assert (end.reply.status, "deviations" in end.record) == (200, False)

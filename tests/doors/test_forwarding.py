"""What was judged is what is sent (law 2): targets and bodies byte for byte, headers by allowlist."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.doors import house
from tests.wire import Stage, Wall, answering, perform, reply, wall


def headers_of(request: bytes) -> list[tuple[str, str]]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


# Paths and queries that are odd but mean one thing.
EXACT = [
    "/words/a",
    "/words/caf%C3%A9",
    "/words/caf%c3%a9",
    "/words/a%20b",
    "/words/a+b",
    "/words/a%2Bb",
    "/words/%61",
    "/words/a%25b",
    "/words/100%25",
    "/words/a.b",
    "/words/...",
    "/words/.a",
    "/words/a..b",
    "/words/~a_b-c",
    "/words/a:b@c",
    "/words/$&'()*+,=",
    "/words/%3B",
    "/words/a%3Fb",
    "/words/a%23b",
    "/words/%7Bname%7D",
    "/words/%E2%80%8B",
    "/words/http:%5B",
    "/files/a%2fb",
    "/files/a%2Fb%2Fc.txt",
    "/files/%2fetc%2fpasswd",
    "/files/a%2f%2fb",
    "/cars/;plate=X-1",
    "/cars/X-1;a=b;c=d",
    "/things?q=a%26b%3Dc",
    "/things?q=a=b",
    "/things?q=/a/../b?c",
    "/things?q=%2e%2e%2f",
    "/things?q=http://x.example/a:b@c",
    "/things?q=a+b%20c",
    "/things?q=%F0%9F%92%A9",
    "/things?q=",
    "/things?&q=a&&limit=3&",
    "/things?limit=3&q=b",
    "/things?tag=b&tag=a&tag=b",
    "/things?%71=a",
    "/things?q=!*'()~-._",
    "/things?q=AWS4-HMAC-SHA256%26X-Amz-Credential%3DAKID%2F20260101%2Fus-east-1%2Fs3&tag=%2B%2f%3d",
]


@pytest.mark.parametrize("target", EXACT)
def test_a_target_arrives_as_it_was_sent(door: Stage, target: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm" + target)
        assert told.reply.status == 200
        assert told.reached[0].split(b" ")[1] == b"/api" + target.encode()

    door.run(play)


def test_arguments_are_read_as_the_contract_declares_them(tmp_path: Path) -> None:
    tools = """
  find:
    says: Search.
    call: GET /{kind}/{id}.json
    args:
      kind: {enum: [a/b, "a;b"]}
      id: {type: integer, const: 7}
      ratio: {type: number, const: 0.5}
      big: {type: integer, const: 9007199254740993}
      exact: {type: boolean, const: true}
      tag: {type: array, items: {type: integer}, const: [1, 2]}
      X-Tenant: {type: string, const: "caf\\u00e9"}
      session: {type: string, const: a=b}
    in: {kind: {path: {encoded_slash: true}}, X-Tenant: header, session: cookie}
"""

    async def play() -> None:
        async with wall(tmp_path, tools) as w:
            target = "/crm/a%2Fb/7.json?ratio=5e-1&big=9007199254740993&exact=true&tag=1&tag=2"
            headers = [("x-tenant", "café"), ("Cookie", "other=1; session=a=b; third=3")]
            told = await w.tell("GET", target, headers=headers)
            assert told.reply.json == {"ok": True}, told.reply.json
            sent = headers_of(told.reached[0])
            assert ("cookie", "session=a=b") in sent
            assert ("x-tenant", "café") in sent
            assert (await w.tell("GET", target.replace("993", "992"), headers=headers)).reply.status == 422
            assert (await w.tell("GET", target, headers=headers[1:])).reply.status == 422

    perform(play())


BODIES = [
    b'{"a":1}',
    b' \r\n\t{ "a" : 1.0 , "b":[ ] }\n',
    b'{"id":12345678901234567890,"f":1E+2,"z":-0,"e":1.10}',
    rb'{"a":"\u00e9\ud83d\ude00\/"}',
    '{"é":"💩"}'.encode(),
    b"null",
    b"true",
    b'""',
    b"0",
    b"[" * 16 + b"]" * 16,
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_arrives_as_it_was_sent(door: Stage, body: bytes) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/any", body)
        assert told.reply.status == 200
        head, _, got = told.reached[0].partition(b"\r\n\r\n")
        assert got == body
        assert b"\r\ncontent-length: %d" % len(body) in head.lower()

    door.run(play)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.a+json"])
def test_kinds_of_json(door: Stage, kind: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/any", b"{}", [("Content-Type", kind)])
        assert told.reply.status == 200
        assert ("content-type", kind) in headers_of(told.reached[0])

    door.run(play)


def test_a_body_in_chunks_arrives_whole(door: Stage) -> None:
    async def play(w: Wall) -> None:
        head = w.raw(
            "POST", "/crm/any", headers=[("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")]
        )
        body = b'1;ext="x;y"\r\n{\r\n' + b'5\r\n"a":1\r\n' + b"01\r\n}\r\n0\r\nX-Trailer: evil\r\n\r\n"
        told = await w.tell_raw(head + body)
        assert told.reply.status == 200
        assert told.reached[0].endswith(b'\r\n\r\n{"a":1}')
        assert b"Trailer" not in told.reached[0]

    door.run(play)


def test_a_body_that_waits_for_the_go_ahead(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for body, status in ((b"{}", b"200"), (b'{"a":1,"a":2}', b"400")):
            reader, writer = await asyncio.open_connection(*w.address)
            whole = w.raw("POST", "/crm/any", body, [("Expect", "100-continue")])
            writer.write(whole[: -len(body)])
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert (await reader.readuntil(b"\r\n")).split(b" ")[1] == status
            writer.close()
        assert not any(b"expect" in request.lower() for request in w.backend.requests)

    door.run(play)


def test_http_1_0_knows_no_go_ahead(door: Stage) -> None:
    async def play(w: Wall) -> None:
        whole = w.raw("POST", "/crm/any", b"{}", [("Expect", "100-continue")]).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        told = await w.tell_raw(whole)
        assert told.reply.raw.startswith(b"HTTP/1.1 200 ")

    door.run(play)


def test_who_is_refused_is_not_told_to_go_on(door: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell_raw(w.raw("POST", "/crm/secret", b"{}", [("Expect", "100-continue")])[:-2])
        assert told.reply.raw.startswith(b"HTTP/1.1 403 ")

    door.run(play)


STRIPPED = {
    "Toolwall-Run": "run-1",
    "Toolwall-Reason": "r",
    "Toolwall-Idempotency-Key": "i",
    "Toolwall-Anything": "a",
    "X-Forwarded-For": "1.2.3.4",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-User": "admin",
    "x-forwarded-proto": "https",
    "X-REAL-IP": "1.2.3.4",
    "X-User-Id": "admin",
    "Forwarded": "for=1.2.3.4",
    "Via": "1.1 evil",
    "Cookie": "undeclared=1",
    "Accept-Encoding": "gzip, br",
    "User-Agent": "agent/1",
    "Referer": "http://a.example/secret",
    "TE": "trailers",
    "Trailer": "X-A",
    "Keep-Alive": "timeout=5",
    "Proxy-Authorization": "Basic eA==",
    "Proxy-Connection": "keep-alive",
    "X-Method-Override": "DELETE",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-URL": "/admin",
    "X-Rewrite-Url": "/admin",
    "Range": "bytes=0-1",
    "Max-Forwards": "0",
    "Content-MD5": "x",
    "baggage": "user=1",
    "X-Unknown": "a",
}
PASSED = {
    "Accept": "application/json;q=0.9, */*",
    "Accept-Language": "de, en;q=0.5",
    "Authorization": "Bearer of-the-backend",
    "If-None-Match": '"a", "b"',
    "If-Modified-Since": "Sat, 29 Oct 1994 19:43:31 GMT",
    "if-match": "*",
}


def test_only_known_headers_go_on(door: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things/7", headers=[*STRIPPED.items(), *PASSED.items()])
        assert told.reply.status == 200
        sent = headers_of(told.reached[0])
        assert len({name for name, _ in sent}) == len(sent)
        trace = [pair for pair in sent if pair[0] == "traceparent"]
        own = {
            "host": f"127.0.0.1:{w.backend.port}",
            "via": "1.1 toolwall",
            "forwarded": f'for=127.0.0.1;host="{w.host}";proto=http',
            "accept-encoding": "identity",
            "user-agent": "toolwall",
        }
        assert dict(sent) == own | dict(trace) | {name.lower(): value for name, value in PASSED.items()}
        assert len(trace) == 1
        assert told.record["run"] == "run-1"

    door.run(play)


def test_a_declared_user_agent_is_the_only_one(tmp_path: Path) -> None:
    tools = """
  find: {says: Search., call: GET /find, args: {User-Agent: {type: string}}, in: {User-Agent: header}}
"""

    async def play() -> None:
        async with wall(tmp_path, tools) as w:
            told = await w.tell("GET", "/crm/find", headers=[("User-Agent", "mine/1")])
            assert [value for name, value in headers_of(told.reached[0]) if name == "user-agent"] == ["mine/1"]

    perform(play())


def test_the_trace_goes_on(door: Stage) -> None:
    async def play(w: Wall) -> None:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        told = await w.tell("GET", "/crm/things/7", headers=[("traceparent", parent), ("tracestate", "a=1")])
        sent = dict(headers_of(told.reached[0]))
        assert sent["traceparent"].split("-")[1] == told.record["trace"] == "0af7651916cd43dd8448eb211c80319c"
        assert sent["tracestate"] == "a=1"

    door.run(play)


def test_what_connection_names_is_neither_judged_nor_sent(tmp_path: Path) -> None:
    tools = """
  find:
    says: Search.
    call: GET /find
    args: {X-Tenant: {type: string}, X-Other: {type: string, optional: true}}
    in: {X-Tenant: header, X-Other: header}
"""

    async def play() -> None:
        async with wall(tmp_path, tools) as w:
            lines = f"GET /crm/find HTTP/1.1\r\nHost: {w.host}\r\nX-Tenant: a\r\nX-Other: b\r\nConnection: close, "
            told = await w.tell_raw((lines + "x-OTHER, X-Nothing\r\n\r\n").encode())
            assert told.reply.status == 200
            assert ("x-tenant", "a") in headers_of(told.reached[0])
            assert b"x-other" not in told.reached[0].lower()
            told = await w.tell_raw((lines + "X-Tenant\r\n\r\n").encode())
            assert told.reply.status == 422
            assert told.reached == []

    perform(play())


@pytest.mark.parametrize("twice", ["X-Tenant: a\r\nX-Tenant: b", "X-Tenant: a\r\nx-tenant: a"])
def test_a_declared_header_that_comes_twice(door: Stage, twice: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell_raw(f"GET /crm/things HTTP/1.1\r\nHost: {w.host}\r\n{twice}\r\n\r\n".encode())
        assert told.reply.json["code"] == "bad_request"
        assert told.reached == []

    door.run(play)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
def test_names_of_the_door_itself(door: Stage, host: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell_raw(f"GET /crm/things/7 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert told.reply.status == 200
        assert f'host="{host}"' in dict(headers_of(told.reached[0]))["forwarded"]

    door.run(play)


def test_http_1_0_is_answered_and_closed(door: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell_raw(b"GET /crm/things/7 HTTP/1.0\r\n\r\n")
        assert (told.reply.status, told.reached) == (400, [])
        assert told.reply.json["detail"] == "There is no Host header."
        told = await w.tell_raw(b"GET /crm/things/7 HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert told.reply.status == 200
        assert told.closed
        assert told.reached[0].startswith(b"GET /api/things/7 HTTP/1.1\r\n")

    door.run(play)


def test_a_host_or_an_origin_that_the_listener_names(tmp_path: Path) -> None:
    async def play() -> None:
        listener = ", hosts: {crm.example: crm}, names: [wall.example], origins: ['https://App.example']"
        async with wall(tmp_path, house.TOOLS, house.POLICY, listener=listener) as w:
            raw = "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nOrigin: https://app.example\r\n\r\n"
            for path, host in (("/things/7", "CRM.example:81"), ("/crm/things/7", "wall.example")):
                told = await w.tell_raw(raw.format(path, host).encode())
                assert told.reply.status == 200
                assert told.reached[0].startswith(b"GET /api/things/7 ")
                assert b"origin" not in told.reached[0].lower()
            assert (await w.tell_raw(raw.format("/crm/things/7", "crm.example").encode())).reply.status == 403
            assert (await w.tell_raw(raw.format("/things/7", "wall.example").encode())).reply.status == 403

    perform(play())


def test_a_page_of_the_doors_own_origin_may_call_only_if_it_is_named(tmp_path: Path) -> None:
    """What a backend gives is no page of anybody who may act for the caller, whatever a browser makes of it."""

    async def play() -> None:
        for listener, status in (
            ("", 400),
            (", external_url: 'http://localhost:8080'", 400),
            (", origins: ['http://localhost:8080']", 200),
        ):
            async with wall(tmp_path, house.TOOLS, house.POLICY, listener=listener) as w:
                head = "GET /crm/things/7 HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n"
                for more in (
                    "Origin: http://localhost:8080",
                    "Origin: http://localhost:8080\r\nSec-Fetch-Site: same-origin",
                ):
                    told = await w.tell_raw(f"{head}{more}\r\n\r\n".encode())
                    assert (told.reply.status, len(told.reached)) == (status, int(status == 200))

    perform(play())


def test_no_request_leaves_anything_for_the_next(door: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply())
        for number in range(20):
            body = b'{"name": "%d"}' % number if number % 2 else b""
            await w.call("POST" if body else "GET", "/crm/things" if body else "/crm/things/7", body)
        assert w.backend.leftover == b""

    door.run(play)

"""Which credential reaches the backend, byte for byte: the caller's, the sidecar's, or none, and never elsewhere."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import pytest

from proxy.credentials import injecting
from proxy.errors import CODES
from tests.wire import ALONE, Backend, always_ok, answering, perform, reply, wall

TOOLS = """
  find: {call: GET /things, args: {q: {type: string, optional: true}}}
  send: {call: POST /things, args: {q: {type: string}}, effect: write}
  crumb: {call: GET /crumbs, args: {lang: {type: string}}, in: {lang: cookie}}
"""
SECRET = "kestrel-" + "9Xw4pQ7tLm2z"  # nobody's
THEIRS = "osprey-" + "3Vb8nK1sRd6y"
ALL_OF_THEIRS = [
    ("Authorization", f"Bearer {THEIRS}"),
    ("X-Api-Key", THEIRS),
    ("Cookie", f"sid={THEIRS}; other={THEIRS}"),
    ("Proxy-Authorization", f"Basic {THEIRS}"),
]
BASIC = b64encode(f"ana:{SECRET}".encode()).decode()


def held(folder: Path, value: str = SECRET, name: str = "secret") -> str:
    (folder / name).write_text(value + "\n")
    return f"file: {folder}/{name}"


def lines(request: bytes) -> list[str]:
    """What of a request could carry a credential: its first line and every header but those of each request."""
    first, *headers = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    usual = ("host", "user-agent", "accept-encoding", "via", "forwarded", "traceparent", "content-", "accept")
    return [first, *sorted(each for each in headers if not each.startswith(usual))]


@pytest.mark.parametrize(
    ("credential", "target", "expected"),
    [
        ("", "/api/things?q=a", [f"authorization: Bearer {THEIRS}"]),
        ("{send: bearer, from: caller}", "/api/things?q=a", [f"authorization: Bearer {THEIRS}"]),
        ("{send: basic, from: caller}", "/api/things?q=a", []),
        ("{send: {header: X-Api-Key}, from: caller}", "/api/things?q=a", [f"x-api-key: {THEIRS}"]),
        ("{send: {cookie: sid}, from: caller}", "/api/things?q=a", [f"cookie: sid={THEIRS}"]),
        ("none", "/api/things?q=a", []),
        ("{FILE, send: bearer}", "/api/things?q=a", [f"authorization: Bearer {SECRET}"]),
        ("{FILE, send: {basic: ana}}", "/api/things?q=a", [f"authorization: Basic {BASIC}"]),
        ("{FILE, send: {header: X-Api-Key}}", "/api/things?q=a", [f"x-api-key: {SECRET}"]),
        ("{FILE, send: {header: X-Api-Key, prefix: 'Key '}}", "/api/things?q=a", [f"x-api-key: Key {SECRET}"]),
        ("{FILE, send: {header: Authorization}}", "/api/things?q=a", [f"authorization: {SECRET}"]),
        ("{FILE, send: {query: api_key}}", f"/api/things?q=a&api_key={SECRET}", []),
        ("{FILE, send: {cookie: sid}}", "/api/things?q=a", [f"cookie: sid={SECRET}"]),
        (
            "[{FILE, send: {header: X-Api-Key}}, {FILE, send: {query: k}}]",
            f"/api/things?q=a&k={SECRET}",
            [f"x-api-key: {SECRET}"],
        ),
    ],
)
@pytest.mark.parametrize("theirs", [True, False])
def test_what_reaches_the_backend(
    tmp_path: Path, credential: str, target: str, expected: list[str], theirs: bool
) -> None:
    ours = "FILE" in credential
    if not (ours or theirs):
        expected = []

    async def play() -> None:
        said = credential.replace("FILE", held(tmp_path))
        keys = f"credential: {said}\n{ALONE}" if said else ALONE
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            told = await w.tell("GET", "/crm/things?q=a", headers=ALL_OF_THEIRS if theirs else ())
            assert told.reply.status == 200, told.reply.body
            [request] = told.reached
            assert lines(request) == [f"GET {target} HTTP/1.1", *expected]
            assert ("credential" in told.record["checks"]) is ours
            assert SECRET.encode() not in told.reply.raw + w.ledger()

    perform(play())


def test_what_the_caller_sends_in_our_place_of_the_query_ends_here(tmp_path: Path) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path)}, send: {{query: api_key}}}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            for theirs in (f"api_key={THEIRS}", f"api%5Fkey={THEIRS}", f"api_key={THEIRS}&api_key=x", "api_key"):
                told = await w.tell("GET", f"/crm/things?{theirs}&q=a%20b")
                assert told.reply.status == 200, told.reply.body
                assert lines(told.reached[0]) == [f"GET /api/things?q=a%20b&api_key={SECRET} HTTP/1.1"]
            told = await w.tell("GET", "/crm/things")
            assert lines(told.reached[0]) == [f"GET /api/things?api_key={SECRET} HTTP/1.1"]

    perform(play())


def test_a_cookie_of_ours_stands_beside_those_that_are_arguments(tmp_path: Path) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path)}, send: {{cookie: sid}}}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            told = await w.tell("GET", "/crm/crumbs", headers=[("Cookie", f"lang=de; sid={THEIRS}")])
            assert lines(told.reached[0]) == ["GET /api/crumbs HTTP/1.1", f"cookie: lang=de; sid={SECRET}"]

    perform(play())


@pytest.mark.parametrize(
    ("send", "value", "line"),
    [
        ("basic", "ana:a:b " + SECRET, "authorization: Basic " + b64encode(f"ana:a:b {SECRET}".encode()).decode()),
        ("{query: k}", "a&b=c #" + SECRET, "GET /api/things?k=a%26b%3Dc%20%23" + SECRET + " HTTP/1.1"),
    ],
)
def test_what_has_a_form_of_its_own_is_written_in_it(tmp_path: Path, send: str, value: str, line: str) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path, value)}, send: {send}}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            assert line in lines((await w.tell("GET", "/crm/things")).reached[0])

    perform(play())


@pytest.mark.parametrize(
    ("send", "value"),
    [
        ("bearer", f"{SECRET}\r\nX-Evil: 1"),
        ("bearer", f"{SECRET}\0"),
        ("bearer", f"{SECRET}é"),
        ("{header: X-K}", f"{SECRET}\nX: 1"),
        ("{cookie: sid}", f"{SECRET}; admin=1"),
        ("basic", SECRET),
    ],
)
def test_a_secret_that_would_change_the_request_is_not_sent(tmp_path: Path, send: str, value: str) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path, value)}, send: {send}}}\nbreaker: off"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            for method, body in (("GET", b""), ("POST", b'{"q":"a"}')):
                told = await w.tell(method, "/crm/things", body)
                assert told.reached == []
                said = told.reply.json
                assert (said["code"], said["executed"]) == ("upstream_unreachable", "no")
                assert said["code"] in CODES
                assert SECRET.encode() not in told.reply.raw + w.ledger()
                assert told.record["notes"][-1].startswith("credential: the secret ")
                assert told.record["attempts"] == 0

    perform(play())


def test_a_call_with_effects_has_its_intent_on_disk_before_and_its_credential_after(tmp_path: Path) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path)}, send: bearer}}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            told = await w.tell("POST", "/crm/things", b'{"q":"a"}')
            checks = told.record["checks"]
            assert checks.index("intent") < checks.index("credential")
            assert SECRET.encode() not in w.ledger()

    perform(play())


def test_each_attempt_asks_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injecting, "LOOK_S", 0.02)

    async def play() -> None:
        keys = f"credential: {{{held(tmp_path)}, send: bearer}}\nretry: {{attempts: 3}}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:

            async def rotated(_: bytes) -> bytes:
                if len(w.backend.requests) == 1:
                    (tmp_path / "new").write_text(THEIRS)
                    (tmp_path / "new").rename(tmp_path / "secret")
                    await asyncio.sleep(0.2)
                    return reply(status="503 Busy")
                return reply()

            w.backend.answer = rotated
            told = await w.tell("GET", "/crm/things")
            assert [lines(each)[1] for each in told.reached] == [
                f"authorization: Bearer {SECRET}",
                f"authorization: Bearer {THEIRS}",
            ]
            w.backend.answer = answering(reply(f'["{SECRET}", "{THEIRS}"]'.encode()))
            assert (await w.tell("GET", "/crm/things")).reply.json == ["<KNOWN_SECRET>", "<KNOWN_SECRET>"]

    perform(play())


def test_a_redirect_is_not_followed_with_it(tmp_path: Path) -> None:
    async def play() -> None:
        other = Backend(always_ok)
        server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        keys = f"credential: {{{held(tmp_path)}, send: bearer}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            for status in ("301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"):
                place = f"http://127.0.0.1:{port}/api/things?api_key={SECRET}"
                w.backend.answer = answering(reply(b"{}", f"Location: {place}", status=status))
                told = await w.tell("GET", "/crm/things")
                assert len(told.reached) == 1
                assert SECRET.encode() not in told.reply.raw
            assert other.seen == []
        server.close()

    perform(play())


def test_tricks_with_the_host_lead_to_the_same_backend_or_nowhere(tmp_path: Path) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path)}, send: bearer}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            port = w.backend.port
            for line, host in (
                (f"GET http://evil.example:{port}/crm/things HTTP/1.1", "evil.example"),
                ("GET /crm/things HTTP/1.1", "evil.example"),
                ("GET //evil.example/crm/things HTTP/1.1", w.host),
                ("GET /crm/things HTTP/1.1\r\nHost: evil.example", w.host),
                ("GET /crm/things HTTP/1.1\r\nX-Forwarded-Host: evil.example", w.host),
                ("GET /crm@evil.example/things HTTP/1.1", w.host),
            ):
                before = len(w.backend.requests)
                await w.send(f"{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                for request in w.backend.requests[before:]:
                    assert f"\r\nhost: 127.0.0.1:{port}\r\n".encode() in request
                    assert b"evil" not in request

    perform(play())


def test_a_second_backend_with_the_same_prefix_gets_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        other = Backend(always_ok)
        server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        rules = tmp_path / "rules"
        rules.mkdir()
        (rules / "other.yaml").write_text(
            f"backend: crm-2\nurl: http://127.0.0.1:{port}/api\ntools:\n{TOOLS}".replace(
                "effect: write", "effect: write, repeatable: true"
            )
        )
        keys = f"credential: {{{held(tmp_path)}, send: bearer}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, policy='rules: [{id: all, allow: "*.*"}]', backend_keys=keys) as w:
            for path in ("/crm-2/things", "/crm-2/things?x=/crm/things"):
                await w.call("GET", path)
            assert len(other.requests) == 1
            assert SECRET.encode() not in b"".join(map(bytes, other.seen))
        server.close()

    perform(play())


def test_a_name_that_leads_where_it_may_not_gets_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        keys = f"credential: {{{held(tmp_path)}, send: bearer}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys, host="localtest.example") as w:
            told = await w.tell("GET", "/crm/things")
            assert (told.reply.json["executed"], told.reached, w.backend.seen) == ("no", [], [])

    perform(play())


def test_the_callers_own_credential_ends_here_also_in_batches(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, backend_keys=f"credential: none\n{ALONE}") as w:
            body = b'{"calls": [{"method": "GET", "path": "/crm/things"}]}'
            await w.call("POST", "/.toolwall/batch", body, ALL_OF_THEIRS[:1])
            assert [lines(each) for each in w.backend.requests] == [["GET /api/things HTTP/1.1"]]

    perform(play())


def test_agents_are_not_told_to_send_what_the_sidecar_sends(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, backend_keys=f"credential: {{{held(tmp_path)}, send: bearer}}") as w:
            listed = await w.call("GET", "/.toolwall/tools")
            assert listed.status == 200
            assert "credentials" not in str(listed.json)

    perform(play())

"""Heads of replies: an allowlist, places rewritten to the door's, and no cookie or secret for the wrong eyes."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.identity.identity import digest
from tests.doors import house
from tests.wire import Stage, Wall, always_ok, answering, perform, reply, wall

# (Location of the backend, the same as the agent must see it or None); {own} is the backend's own authority.
LOCATIONS = [
    ("http://{own}/api/things/8", "/crm/things/8"),
    ("http://{own}/api/things/8?a=b#c", "/crm/things/8?a=b#c"),
    ("http://{own}/api", "/crm/"),
    ("HTTP://{own}/api/a", "/crm/a"),
    ("//{own}/api/a", "/crm/a"),
    ("/api/things/8", "/crm/things/8"),
    ("8", "/crm/things/8"),
    ("./8", "/crm/things/8"),
    ("../x", "/crm/x"),
    ("?q=1", "/crm/things/7?q=1"),
    ("#a", "/crm/things/7#a"),
    ("/", None),
    ("/other", None),
    ("/apiary", None),
    ("../../x", None),
    ("/api/../x", None),
    ("http://{own}", None),
    ("http://{own}/", None),
    ("https://{own}/api/a", None),
    ("http://127.0.0.1/api/a", None),
    ("http://127.0.0.1:1/api/a", None),
    ("http://evil.example/api/a", None),
    ("http://{own}@evil.example/api/a", None),
    ("http://user@{own}/api/a", None),
    ("http://{own}.evil.example/api/a", None),
    ("//evil.example/api/a", None),
    ("///evil.example/api/a", None),
    ("/\\evil.example/api/a", None),
    ("/api\\..\\a", None),
    ("/\t/evil.example/api", None),
    ("/api//evil.example/a", None),
    ("http://{own}/api//evil.example", None),
    ("http://{own}/api/../billing/x", None),
    ("http://{own}/api/%2e%2e/billing/x", None),
    ("http://{own}/api/things/..", None),
    ("//{own}/api/./a", None),
    ("/api/%2E%2e/billing/x", None),
    ("/api/a/.%2e/.%2E/b", None),
    ("%2e%2e/%2e%2e/billing", None),
    ("/api/a%2eb/...", "/crm/a%2eb/..."),
    ("javascript:alert(1)", None),
    ("data:text/html,x", None),
    ("http://[::1", None),
    ("http://127.0.0.1:99999/api", None),
    ("http://127.0.0.1:x/api", None),
    ("file:///api/a", None),
    ("ftp://{own}/api/a", None),
]


@pytest.mark.parametrize(("location", "seen"), LOCATIONS)
@pytest.mark.parametrize("status", ["302 Found", "201 Created"])
def test_a_location_leads_to_the_door_or_nowhere(door: Stage, location: str, seen: str | None, status: str) -> None:
    async def play(w: Wall) -> None:
        place = location.replace("{own}", f"127.0.0.1:{w.backend.port}")
        w.backend.answer = answering(reply(b"{}", f"Location: {place}", status=status))
        told = await w.tell("GET", "/crm/things/7")
        assert told.reply.status == int(status[:3])
        assert told.reply.headers.get("location") == seen
        assert len(told.reached) == 1
        assert ("notes" in told.record) == (seen is None)

    door.run(play)


PAGES = [
    ("Next-Page", "http://{own}/api/things?page=2", "http://{door}/crm/things?page=2"),
    ("Next-Page", "/api/things?page=2", "/crm/things?page=2"),
    ("Next-Page", "http://evil.example/api/things", None),
    ("Link", '<http://{own}/api/things?page=2>; rel="next"', '<http://{door}/crm/things?page=2>; rel="next"'),
    ("Link", "</api/things?a=1,2;3>;rel=next", "</crm/things?a=1,2;3>;rel=next"),
    (
        "Link",
        '<http://{own}/api/a>; rel="next"; results="true", <http://evil.example/api/a>; rel=last,<?p=1>; rel="first"',
        '<http://{door}/crm/a>; rel="next"; results="true", </crm/things/7?p=1>; rel="first"',
    ),
    ("Link", '<https://{own}/api/a>; rel="next"', None),
    ("Link", '<http://user@{own}/api/a>; rel="next"', None),
    ("Link", '</api/a>; rel="next"; anchor="http://evil.example/"', None),
    ("Link", '</api/a>; rel="next"; Anchor=x', None),
    ("Link", '</api/a>; title="<http://evil.example>"', None),
    ("Link", '</api/a>; rel="next" <http://evil.example>', None),
    ("Link", '</api/a>; rel="next", evil', None),
    ("Link", "/api/a; rel=next", None),
    ("Link", '</api/a>; rel="next', None),
]


@pytest.mark.parametrize(("name", "sent", "seen"), PAGES)
def test_pages_are_turned_at_the_door_or_not_at_all(door: Stage, name: str, sent: str, seen: str | None) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"{}", f"{name}: {sent}".replace("{own}", f"127.0.0.1:{w.backend.port}")))
        told = await w.tell("GET", "/crm/things/7")
        came = told.reply.headers.get(name.lower())
        assert came == (seen.replace("{door}", w.host) if seen else None)
        assert ("notes" in told.record) == (seen is None or "evil" in sent)

    door.run(play)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
def test_a_redirect_is_never_followed(door: Stage, status: int) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"", "Location: /api/things/8", status=f"{status} Go"))
        for method, path, body in (("GET", "/crm/things/7", b""), ("POST", "/crm/any", b"{}")):
            told = await w.tell(method, path, body)
            assert told.reply.status == status
            assert len(told.reached) == 1

    door.run(play)


def test_where_the_host_chose_the_backend_no_place_can_lead_away(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, listener=", hosts: {crm.example: crm}") as w:
            for place, seen in (("/api/a", "/a"), ("/api//evil.example/a", None), ("/api", "/")):
                w.backend.answer = answering(reply(b"{}", f"Location: {place}", status="302 Found"))
                told = await w.tell_raw(b"GET /things/7 HTTP/1.1\r\nHost: crm.example\r\nConnection: close\r\n\r\n")
                assert told.reply.headers.get("location") == seen

    perform(play())


def test_places_are_those_by_which_clients_see_the_door(tmp_path: Path) -> None:
    async def play() -> None:
        listener = ", external_url: 'https://tools.example/wall'"
        async with wall(tmp_path, house.TOOLS, house.POLICY, listener=listener) as w:
            sent = ("Location: /api/things/8", "Set-Cookie: a=1; Path=/api/things")
            page = f"Next-Page: http://127.0.0.1:{w.backend.port}/api/things?page=2"
            w.backend.answer = answering(reply(b"{}", *sent, page))
            came = (await w.call("GET", "/crm/things/7")).headers
            assert came["location"] == "/wall/crm/things/8"
            assert came["set-cookie"] == "a=1; Path=/wall/crm/things"
            assert came["next-page"] == "https://tools.example/wall/crm/things?page=2"

    perform(play())


COOKIES = [
    ("a=1", "a=1; Path=/crm/"),
    ("a=1; Path=/", "a=1; Path=/crm/"),
    ("a=1; Path=/api", "a=1; Path=/crm/"),
    ("a=1; path=/api/things", "a=1; Path=/crm/things"),
    ("a=1; Path=/apiary", "a=1; Path=/crm/"),
    ("a=1; Domain=example.com; HttpOnly", "a=1; Path=/crm/; HttpOnly"),
    ("a=1; domain=.crm.internal; Secure; SameSite=Lax", "a=1; Path=/crm/; Secure; SameSite=Lax"),
    ("a=1;Max-Age=3;PATH=/x;DOMAIN=y", "a=1; Path=/crm/; Max-Age=3"),
]


@pytest.mark.parametrize(("cookie", "seen"), COOKIES)
def test_a_cookie_belongs_to_the_door(door: Stage, cookie: str, seen: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"{}", f"Set-Cookie: {cookie}"))
        assert (await w.tell("GET", "/crm/things/7")).reply.headers["set-cookie"] == seen

    door.run(play)


def test_a_cookie_is_nobody_elses(tmp_path: Path) -> None:
    # A name and no address: aiohttp's own jar keeps no cookies of addresses, which would hide a shared jar.
    keys = ", ".join(f"{{id: {name}, roles: [support], sha256: {digest(name)}}}" for name in ("ann", "bob"))

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, identity=f"{{api_keys: [{keys}]}}", host="localhost") as w:
            w.backend.answer = answering(reply(b"{}", "Set-Cookie: session=of-ann; Path=/"))
            assert (await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Key", "ann")])).reply.status == 200
            w.backend.answer = always_ok
            for name in ("bob", "ann"):
                told = await w.tell("GET", "/crm/things", headers=[("Toolwall-Key", name)])
                assert told.record["principal"] == name
                assert b"cookie" not in told.reached[0].lower()
            told = await w.tell("GET", "/crm/things", headers=[("Toolwall-Key", "bob"), ("Cookie", "session=b; x=1")])
            assert b"\r\ncookie: session=b\r\n" in told.reached[0].lower()

    perform(play())


def test_only_known_headers_come_back(door: Stage) -> None:
    lines = [
        'ETag: "a"',
        "Retry-After: 3",
        "X-Request-Id: r1",
        "Server: evil/1",
        "X-Powered-By: evil",
        "Toolwall-Refused: denied",
        "Toolwall-Call: evil",
        "Toolwall-Redacted: evil=1",
        "Connection: keep-alive, ETag",
        "Keep-Alive: timeout=5",
        "Link: <http://evil.example>",
        "Refresh: 0; url=http://evil.example",
        "Content-Location: http://evil.example",
        "Alt-Svc: h3=evil",
        "Access-Control-Allow-Origin: *",
        "Proxy-Authenticate: Basic",
        "Trailer: X-Evil",
        "Cache-Control: public, max-age=99",
        "Content-Security-Policy: x",
        "X-Evil: a",
        "Date: Mon, 01 Jan 1990 00:00:00 GMT",
    ]

    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"{}", *lines))
        told = await w.tell("GET", "/crm/things/7")
        head = told.reply.headers
        assert "1990" not in head.pop("date")
        assert head == {
            "server": "toolwall",
            "cache-control": "private, no-store",
            "content-type": "application/json",
            "content-length": "2",
            "connection": "close",
            "etag": '"a"',
            "retry-after": "3",
            "x-request-id": "r1",
            "toolwall-call": told.record["call"],
        }

    door.run(play)


def test_secrets_in_headers_are_taken_out(door: Stage) -> None:
    token = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6"
    lines = [
        f"ETag: {token}",
        "X-Request-Id: ann@example.com",
        f"Content-Disposition: attachment; filename={token}.txt",
        f"Set-Cookie: a={token}",
        f"Location: /api/things?q={token}",
        "Warning: 199 - ann@example.com",
    ]

    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"{}", *lines, kind="text/plain; name=ann@example.com"))
        told = await w.tell("GET", "/crm/things/7")
        assert token.encode() not in told.reply.raw
        assert b"ann@example.com" not in told.reply.raw
        assert told.record["redactions"]["EMAIL_ADDRESS"] == 3
        assert sum(told.record["redactions"].values()) == 7
        assert "EMAIL_ADDRESS=3" in told.reply.headers["toolwall-redacted"]

    door.run(play)


def test_text_above_ascii_in_a_header_stays_what_it_was(door: Stage) -> None:
    async def play(w: Wall) -> None:
        raw = reply(b"{}", 'Content-Disposition: attachment; filename="@"').replace(b"@", "caf\u00e9".encode())
        w.backend.answer = answering(raw)
        told = await w.tell("GET", "/crm/things/7")
        assert 'filename="café"'.encode() in told.reply.raw

    door.run(play)

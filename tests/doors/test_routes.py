"""Every listener and every route, with every credential and under every name: exactly the right ones pass.

`WAYS` are the ways in which a listener can be reached, `DOOR` and `ADMIN` the credentials; a row more in one of them is
tried at each route of every listener.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy import routes
from proxy.routes import BATCH, REST, Route, Who
from tests.certificates import Authority
from tests.issuer import AUDIENCE, ISSUER, jwks, public, rsa_key, token, wrong_tokens
from tests.wire import Reply, Stage, Wall, staged, until_quiet

TOOLS = "  get: {call: 'GET /things/{id}', args: {id: {type: integer}}}"
KEY, TOKEN = "twk_" + "a" * 42 + "A", "k7-Wq2." * 4
KEYS = (
    f"{{api_keys: [{{id: ann, sha256: {hashlib.sha256(KEY.encode()).hexdigest()}}}], "
    f"jwt: [{{issuer: {ISSUER}, audience: {AUDIENCE}, keys: 'file:jwks.json'}}]}}"
)
AUTHORITY = Authority.new()
TLS = "tls: {certificate: own.pem, key: own.key}"


class Way(NamedTuple):
    """How a listener is reached: what it is bound to, what its configuration says besides, and its own Host."""

    bind: str
    more: str = ""

    def place(self, which: str) -> str:
        return self.bind.replace("NAME", which)


WAYS = {
    "plain": Way("127.0.0.1:0"),
    "TLS": Way("127.0.0.1:0", f", {TLS}"),
    "Unix socket": Way("unix:NAME"),
    "TLS on a Unix socket": Way("unix:NAME", f", {TLS}"),
}


class Given(NamedTuple):
    """What a caller shows, and whether that is right."""

    headers: tuple[tuple[str, str], ...]
    right: bool = False


def _bearer(name: str) -> Given:
    return Given((("Authorization", f"Bearer {BAD[name]}"),))


BAD = wrong_tokens()
GOOD = Given((("Authorization", f"Bearer {token(exp=2**31)}"),), right=True)
DOOR = {
    "nothing": Given(()),
    "garbage": Given((("Toolwall-Key", "garbage"),)),
    "nearly": Given((("Toolwall-Key", KEY[:-1]),)),
    "the admin token": Given((("Toolwall-Key", TOKEN),)),
    "the admin token as its own": Given((("Authorization", f"Bearer {TOKEN}"),)),
    "the key as a token": Given((("Authorization", f"Bearer {KEY}"),)),
    "a token that is garbage": _bearer("garbage"),
    "a token that has expired": _bearer("expired"),
    "a token for another audience": _bearer("wrong audience"),
    "a token of another issuer": _bearer("wrong issuer"),
    "a token with alg none": _bearer("alg none"),
    "a token with HS for RS": _bearer("HS for RS"),
    "both": Given((("Toolwall-Key", KEY), *GOOD.headers)),
    "a good token": GOOD,
    "right": Given((("Toolwall-Key", KEY),), right=True),
}
ADMIN = {
    "nothing": Given(()),
    "garbage": Given((("Authorization", "Bearer garbage-garbage-garbage"),)),
    "nearly": Given((("Authorization", f"Bearer {TOKEN[:-1]}"),)),
    "a key of a door": Given((("Authorization", f"Bearer {KEY}"),)),
    "a key of a door as its own": Given((("Toolwall-Key", KEY),)),
    "a token of a caller": GOOD._replace(right=False),
    "the token as a key": Given((("Toolwall-Key", TOKEN),)),
    "in the query": Given((("X-Original-Url", f"/metrics?token={TOKEN}"),)),
    "right": Given((("Authorization", f"Bearer {TOKEN}"),), right=True),
}
CALL = Route("/crm/things/7", ("GET",), Who.CALLER)
TARGETS = {REST: "/.toolwall/rest/abc-1"}
BODIES = {BATCH: b'{"calls": [{"method": "GET", "path": "/crm/things/7"}]}'}


@dataclass
class Reached:
    """A sidecar, and the way to its listeners."""

    stage: Stage
    tls: ssl.SSLContext | None

    def ask(
        self, which: str, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes = b""
    ) -> Reply:
        """One request to the `door` or to the `admin` listener. Headers may name another Host, or several."""
        sidecar = self.stage.wall.sidecar
        address = sidecar.doors[0] if which == "door" else sidecar.admin
        own = "localhost" if address.startswith("unix:") else address
        lines = [f"{method} {target} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
        lines += ["Content-Type: application/json"] if body else []
        lines += [] if any(name == "Host" for name, _ in headers) else [f"Host: {own}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return self.stage.runner.run(self._say(address, "\r\n".join(lines).encode() + b"\r\n\r\n" + body))

    async def _say(self, address: str, raw: bytes) -> Reply:
        name = "localhost" if self.tls else None
        if address.startswith("unix:"):
            to = asyncio.open_unix_connection(address.removeprefix("unix:"), ssl=self.tls, server_hostname=name)
        else:
            to = asyncio.open_connection(*address.rsplit(":", 1), ssl=self.tls, server_hostname=name)
        reader, writer = await to
        writer.write(raw)
        try:
            return Reply.parse(await until_quiet(reader))
        finally:
            writer.close()

    def route(self, which: str, route: Route, given: Given, *more: tuple[str, str], method: str = "") -> Reply:
        """A well-formed request for a route."""
        target, body = TARGETS.get(route, route.path), BODIES.get(route, b"")
        return self.ask(which, method or route.methods[0], target, (*given.headers, *more), body)


SOME = ("plain", "TLS on a Unix socket")


@pytest.fixture(
    scope="module", params=[way if way in SOME else pytest.param(way, marks=pytest.mark.full) for way in WAYS]
)
def reached(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    way, folder = WAYS[request.param], tmp_path_factory.mktemp("w")
    AUTHORITY.server().write(folder)
    (folder / "token").write_text(TOKEN)
    (folder / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one")))
    admin = f"{{bind: '{way.place('admin')}', token: 'file:token'{way.more}}}"
    with staged(folder, TOOLS, identity=KEYS, listener=way.more, bind=way.place("door"), admin=admin) as stage:
        yield Reached(stage, AUTHORITY.client(folder) if way.more else None)


@pytest.mark.parametrize("given", DOOR.values(), ids=DOOR)
@pytest.mark.parametrize("route", [CALL, *routes.DOOR], ids=lambda route: route.path)
def test_a_route_of_a_door_is_answered_to_callers_that_it_knows(route: Route, given: Given, reached: Reached) -> None:
    before = len(reached.stage.wall.backend.requests)
    reply = reached.route("door", route, given)
    assert route.who is Who.CALLER
    assert (reply.status != 401) == given.right
    if not given.right:
        assert reply.headers["toolwall-refused"] == "unauthenticated"
        assert len(reached.stage.wall.backend.requests) == before
    if given.right and route in (CALL, BATCH, routes.TOOLS):
        assert reply.status == 200


@pytest.mark.parametrize("given", ADMIN.values(), ids=ADMIN)
@pytest.mark.parametrize("route", routes.ADMIN, ids=lambda route: route.path)
def test_a_route_of_the_admin_listener_is_answered_to_whom_it_declares(
    route: Route, given: Given, reached: Reached
) -> None:
    for method in route.methods:
        reply = reached.route("admin", route, given, method=method)
        assert reply.status == (200 if given.right or route.who is Who.ANYBODY else 401)


@pytest.mark.parametrize("route", routes.ADMIN, ids=lambda route: route.path)
def test_no_other_method_is_answered(route: Route, reached: Reached) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - set(route.methods):
        reply = reached.route("admin", route, ADMIN["right"], method=method)
        assert (reply.status, reply.headers["allow"]) == (405, ", ".join(route.methods))


@pytest.mark.parametrize("route", routes.DOOR, ids=lambda route: route.path)
def test_a_door_answers_no_other_method_either(route: Route, reached: Reached) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - set(route.methods):
        reply = reached.route("door", route, DOOR["right"], method=method)
        assert reply.headers["toolwall-refused"] == "bad_request"


EVIL = (
    (("Host", "evil.example"),),
    (("Host", "localhost.evil.example"),),
    (("Host", "evil.example:8080"),),
    (("Host", "169.254.169.254"),),
    (("Host", "evil.example@localhost"),),
    (("Host", ""),),
    (("Host", "localhost"), ("Host", "evil.example")),
    (("Host", "localhost"), ("Origin", "http://evil.example")),
    (("Host", "localhost"), ("Origin", "null")),
    (("Host", "localhost"), ("Origin", "https://localhost.evil.example")),
)


@pytest.mark.parametrize("headers", EVIL, ids=str)
def test_under_a_foreign_name_nothing_is_answered_whatever_the_credential(
    headers: tuple[tuple[str, str], ...], reached: Reached
) -> None:
    before = len(reached.stage.wall.backend.requests)
    for route in (CALL, *routes.DOOR):
        reply = reached.route("door", route, DOOR["right"], *headers)
        assert (reply.status, reply.headers["toolwall-refused"]) == (400, "bad_request")
    for route in routes.ADMIN:
        assert reached.route("admin", route, ADMIN["right"], *headers).status in (400, 403)
    assert len(reached.stage.wall.backend.requests) == before
    assert reached.route("door", CALL, DOOR["right"]).status == 200  # nobody pulled the kill switch


def test_the_kill_switch_stops_calls_until_it_is_turned_back(reached: Reached) -> None:
    call = (DOOR["right"],)
    assert reached.route("admin", routes.STOP, ADMIN["right"]).status == 200
    stopped = reached.route("door", CALL, *call)
    assert (stopped.status, stopped.json["code"]) == (403, "denied")
    assert reached.route("admin", routes.RESUME, ADMIN["nothing"]).status == 401
    assert reached.route("door", CALL, *call).status == 403
    assert reached.route("admin", routes.RESUME, ADMIN["right"]).status == 200
    assert reached.route("door", CALL, *call).status == 200


def test_without_a_token_there_is_no_kill_switch_at_the_admin_listener(tmp_path: Path) -> None:
    with staged(tmp_path, TOOLS) as stage:
        reached = Reached(stage, None)
        for route in routes.ADMIN:
            for given in ADMIN.values():
                wanted = 404 if route.who is Who.TOKEN else 200
                assert reached.route("admin", route, given).status == wanted

        async def play(w: Wall) -> None:
            assert (await w.call("GET", "/crm/things/7")).status == 200

        stage.run(play)

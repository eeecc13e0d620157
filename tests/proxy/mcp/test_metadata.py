"""Who has to sign in at an MCP server learns where, from the sidecar, in words that hold for the sidecar's own URL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.issuer import AUDIENCE, ISSUER, jwks, public, rsa_key, token
from tests.mcpwire import Client, Heard, Server, mcp_wall, played
from tests.wire import Reply, Wall, reply

METADATA = "/.well-known/oauth-protected-resource"
LOGIN = "https://login.example/tenant"
UNAUTHORIZED = "401 Unauthorized"


class Guarded(Server):
    """A server that wants a token, and says where to get one: `documents` are its metadata by path, `challenge` is what
    it says to who has none."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, Callable[[], bytes]] = {}
        self.challenge: list[str] = []
        self.asked: list[str] = []

    async def __call__(self, raw: bytes) -> Any:
        heard = Heard.parse(raw)
        target = raw.split(b" ", 2)[1].decode()
        if target != "/api":
            self.asked.append(target)
            self.heard.append(heard)
            document = self.documents.get(target.partition("?")[0])
            return document() if document else reply(b"no", status="404 Not Found", kind="text/plain")
        if heard.headers.get("authorization") != "Bearer t-1":
            self.heard.append(heard)
            return reply(b"", *self.challenge, status=UNAUTHORIZED, kind="")
        return await super().__call__(raw)


def document(resource: str, **more: Any) -> Callable[[], bytes]:
    said = {"resource": resource, "authorization_servers": [LOGIN], **more}
    return lambda: reply(json.dumps(said).encode())


def guarded(folder: Path, server: Guarded, **how: Any) -> Any:
    """The sidecar, before a server whose endpoint is at /api."""
    keys = how.pop("keys", "")
    return mcp_wall(folder, server, keys=keys, **how)


def url(wall: Wall, path: str = "") -> str:
    return f"http://127.0.0.1:{wall.backend.port}{path}"


async def metadata(wall: Wall, path: str = "/crm/mcp", headers: list[tuple[str, str]] | None = None) -> Reply:
    return await wall.call("GET", f"{METADATA}{path}", b"", headers or [])


def asks(server: Guarded) -> list[str]:
    asked, server.asked = server.asked, []
    return asked


@played
async def test_a_client_finds_the_way_from_a_401_to_its_token(tmp_path: Path) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        server.challenge = [
            f'WWW-Authenticate: Bearer error="x", resource_metadata="{url(wall)}/meta?v=1", scope="a b"'
        ]
        server.documents["/meta"] = document(url(wall, "/api"), scopes_supported=["a", "b"], resource_name="Hub")
        no = await Client(wall).ask("tools/list")
        ours = f"http://{wall.host}{METADATA}/crm/mcp"
        assert no.status == 401
        assert no.headers["www-authenticate"] == f'Bearer error="x", resource_metadata="{ours}", scope="a b"'
        wall.news()
        told = await wall.tell("GET", f"{METADATA}/crm/mcp", headers=[("Authorization", "Bearer early")])
        assert told.reply.status == 200
        assert told.reply.json == {
            "resource": f"http://{wall.host}/crm/mcp",
            "authorization_servers": [LOGIN],
            "scopes_supported": ["a", "b"],
            "resource_name": "Hub",
        }
        assert asks(server) == ["/meta?v=1"]
        assert b"early" not in told.reached[0]
        record = told.record
        assert (record["tool"], record["decision"], record["status"]) == ("crm.mcp/metadata", "allow", 200)
        assert (record["protocol"], record["mcp"]["method"]) == ("mcp", "metadata")
        assert "clean" in record["checks"]
        yes = await wall.call(
            "POST", "/crm/mcp", json.dumps(Client(wall).message("tools/list", {})).encode(),
            [("Authorization", "Bearer t-1"), ("Accept", "application/json")],
        )  # fmt: skip
        assert [tool["name"] for tool in yes.json["result"]["tools"]] == ["find", "drop"]


@played
async def test_without_a_hint_the_known_places_are_tried(tmp_path: Path) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        assert (await Client(wall).ask("tools/list")).status == 401
        none = await metadata(wall)
        assert (none.status, none.json["error"]) == (404, "not_found")
        assert "toolwall-refused" not in none.headers
        places = [f"{METADATA}/api", f"{METADATA}/crm/mcp", METADATA]
        assert asks(server) == places
        server.documents[METADATA] = document(url(wall))
        assert (await metadata(wall)).json["resource"] == f"http://{wall.host}/crm/mcp"
        assert asks(server) == places
        server.documents[f"{METADATA}/api"] = document(url(wall, "/api"))
        assert (await metadata(wall, "/crm/mcp/")).json["resource"] == f"http://{wall.host}/crm/mcp/"
        assert asks(server) == [f"{METADATA}/api"]


@pytest.mark.parametrize(
    "place", ["http://elsewhere.example/meta", "http://127.0.0.1:1/meta", "https:///", "//x", "{}/../x", "no"]
)
@played
async def test_a_hint_that_leads_elsewhere_is_not_followed(tmp_path: Path, place: str) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        server.challenge = [f'WWW-Authenticate: Bearer resource_metadata="{place.format(url(wall))}"']
        no = await Client(wall).ask("tools/list")
        assert no.headers["www-authenticate"] == f'Bearer resource_metadata="http://{wall.host}{METADATA}/crm/mcp"'
        await metadata(wall)
        assert asks(server)[0] == f"{METADATA}/api"


@played
async def test_a_challenge_that_cannot_be_read_is_removed_and_recorded(tmp_path: Path) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        server.challenge = ['WWW-Authenticate: Bearer resource_metadata="http://x', 'WWW-Authenticate: Basic realm="a"']
        wall.news()
        no = await Client(wall).ask("tools/list")
        assert (no.status, no.headers["www-authenticate"]) == (401, 'Basic realm="a"')
        assert "a challenge that cannot be read was removed" in wall.news()[0]["notes"]


DEEP = json.loads("[" * 20 + "]" * 20)
BAD: dict[str, Callable[[Wall], bytes]] = {
    "foreign": lambda wall: document("https://hub.example/api")(),
    "another port": lambda wall: document("http://127.0.0.1:1/api")(),
    "another scheme": lambda wall: document(url(wall, "/api").replace("http:", "https:"))(),
    "a query": lambda wall: document(url(wall, "/api?x=1"))(),
    "a user": lambda wall: document(url(wall, "/api").replace("//", "//a@"))(),
    "no resource": lambda wall: reply(json.dumps({"authorization_servers": [LOGIN]}).encode()),
    "no server": lambda wall: document(url(wall), authorization_servers=[])(),
    "no list": lambda wall: document(url(wall), authorization_servers=LOGIN)(),
    "too many": lambda wall: document(url(wall), authorization_servers=[LOGIN] * 17)(),
    "a script": lambda wall: document(url(wall), authorization_servers=[LOGIN, "javascript:alert(1)"])(),
    "a command": lambda wall: document(url(wall), authorization_servers=["https://$(touch x).example"])(),
    "broken": lambda wall: reply(b'{"resource": '),
    "an array": lambda wall: reply(b"[]"),
    "empty": lambda wall: reply(b""),
    "twice": lambda wall: reply(f'{{"resource":"{url(wall)}","resource":"{url(wall)}"}}'.encode()),
    "deep": lambda wall: document(url(wall), x=DEEP)(),
    "large": lambda wall: document(url(wall), resource_name="x" * 70_000)(),
    "a page": lambda wall: reply(b"<html>", kind="text/html"),
    "a redirect": lambda wall: reply(b"", "Location: /other", status="302 Found", kind=""),
    "a fault": lambda wall: reply(b"{}", status="500 Internal Server Error"),
}  # fmt: skip


@pytest.mark.parametrize("which", BAD)
@played
async def test_what_cannot_be_passed_on_is_withheld(tmp_path: Path, which: str) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        server.documents[f"{METADATA}/api"] = lambda: BAD[which](wall)
        server.documents["/other"] = document(url(wall))
        wall.news()
        no = await metadata(wall)
        assert (no.status, no.headers["toolwall-refused"]) == (502, "reply_refused")
        assert LOGIN.encode() not in no.body
        assert "/other" not in asks(server)
        assert [each.startswith("metadata: ") for each in wall.news()[0]["notes"]] == [True]
        server.documents[METADATA] = document(url(wall))
        assert (await metadata(wall)).status == 200


@played
async def test_what_only_holds_for_the_server_is_left_out(tmp_path: Path) -> None:
    server = Guarded()
    more = {"signed_metadata": "a.b.c", "jwks_uri": "https://x.example", "x": 1, "resource_name": {"a": 1}}
    async with guarded(tmp_path, server) as wall:
        server.documents[METADATA] = document(url(wall), **more, bearer_methods_supported=["header"])
        assert set((await metadata(wall)).json) == {"resource", "authorization_servers", "bearer_methods_supported"}


@played
async def test_it_is_cleaned_and_not_broken_by_that(tmp_path: Path) -> None:
    mail = "ann" + "@" + "example.org"
    server = Guarded()
    async with guarded(tmp_path, server, keys="reply: {redact: strict}") as wall:
        servers = [f"https://login.example/{mail}", LOGIN]
        challenge = f'Bearer error_description="ask {mail}", resource_metadata="{url(wall)}/meta"'
        server.challenge = [f"WWW-Authenticate: {challenge}"]
        server.documents["/meta"] = document(
            url(wall),
            resource_name=f"of {mail}",
            authorization_servers=servers,
            scopes_supported=["read", mail],
            resource_documentation="https://docs.example/x",
            bearer_methods_supported=["header"],
        )
        no = await Client(wall).ask("tools/list")
        ours = f"http://{wall.host}{METADATA}/crm/mcp"
        assert no.headers["www-authenticate"] == (
            f'Bearer error_description="ask <EMAIL_ADDRESS>", resource_metadata="{ours}"'
        )
        said = await metadata(wall)
        assert said.json == {
            "resource": f"http://{wall.host}/crm/mcp",
            "authorization_servers": [LOGIN],
            "resource_name": "of <EMAIL_ADDRESS>",
            "bearer_methods_supported": ["header"],
        }
        server.documents["/meta"] = document(url(wall), authorization_servers=servers[:1])
        assert (await metadata(wall)).headers["toolwall-refused"] == "reply_refused"


@played
async def test_a_host_that_chooses_the_backend_has_its_own_place(tmp_path: Path) -> None:
    server = Guarded()
    async with guarded(tmp_path, server, listener=", hosts: {hub.test: crm}") as wall:
        server.challenge = [f'WWW-Authenticate: Bearer resource_metadata="{url(wall)}/meta"']
        server.documents["/meta"] = document(url(wall))
        for host in ("hub.test", "hub.test:8080"):
            request = f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            body = json.dumps(Client(wall).message("tools/list", {}))
            no = Reply.parse(await wall.send(f"{request}Content-Length: {len(body)}\r\n\r\n{body}".encode()))
            assert no.headers["www-authenticate"] == f'Bearer resource_metadata="http://{host}{METADATA}/mcp"'
            get = f"GET {METADATA}/mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            assert Reply.parse(await wall.send(get.encode())).json["resource"] == f"http://{host}/mcp"
        assert (await metadata(wall, "/mcp")).status == 403
        foreign = f"GET {METADATA}/crm/mcp HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n"
        assert Reply.parse(await wall.send(foreign.encode())).status == 400


@played
async def test_clients_are_told_the_url_by_which_they_know_it(tmp_path: Path) -> None:
    server = Guarded()
    async with guarded(tmp_path, server, listener=", external_url: 'https://tools.example:8443/wall/'") as wall:
        server.challenge = [f'WWW-Authenticate: Bearer resource_metadata="{url(wall)}/meta"']
        server.documents["/meta"] = document(url(wall))
        no = await Client(wall).ask("tools/list")
        ours = f"https://tools.example:8443/wall{METADATA}/crm/mcp"
        assert no.headers["www-authenticate"] == f'Bearer resource_metadata="{ours}"'
        for path in ("/crm/mcp", "/wall/crm/mcp"):
            assert (await metadata(wall, path)).json["resource"] == "https://tools.example:8443/wall/crm/mcp"
        assert (await metadata(wall, "/wall/wall/crm/mcp")).status == 403


@played
async def test_each_host_may_have_a_url_of_its_own(tmp_path: Path) -> None:
    server = Guarded()
    how = ", hosts: {hub.test: crm}, external_url: {hub.test: 'https://hub.example'}"
    async with guarded(tmp_path, server, listener=how) as wall:
        server.documents[METADATA] = document(url(wall))
        get = f"GET {METADATA}/mcp HTTP/1.1\r\nHost: hub.test\r\nConnection: close\r\n\r\n"
        assert Reply.parse(await wall.send(get.encode())).json["resource"] == "https://hub.example/mcp"
        assert (await metadata(wall)).json["resource"] == f"http://{wall.host}/crm/mcp"


@played
async def test_a_server_may_be_told_the_url_that_clients_know(tmp_path: Path) -> None:
    server = Guarded()
    async with guarded(tmp_path, server, listener=", external_url: 'https://tools.example/wall'") as wall:
        known = "https://tools.example/wall/crm/mcp"
        server.documents[f"{METADATA}/wall/crm/mcp"] = document(known, scopes_supported=["a"])
        assert (await metadata(wall)).json["scopes_supported"] == ["a"]
        assert asks(server) == [f"{METADATA}/api", f"{METADATA}/wall/crm/mcp"]
        server.challenge = [
            f'WWW-Authenticate: Bearer resource_metadata="https://tools.example{METADATA}/wall/crm/mcp"'
        ]
        no = await Client(wall).ask("tools/list")
        assert (
            no.headers["www-authenticate"] == f'Bearer resource_metadata="https://tools.example/wall{METADATA}/crm/mcp"'
        )
        assert (await metadata(wall)).json["resource"] == known
        assert (await metadata(wall, "/crm/mcp/")).json["resource"] == f"{known}/"
        assert asks(server)[1:] == [f"{METADATA}/wall/crm/mcp"]
        assert (await metadata(wall)).status == 200
        assert asks(server) == [f"{METADATA}/wall/crm/mcp"]
        server.documents[f"{METADATA}/wall/crm/mcp"] = document("https://tools.example/other")
        assert (await metadata(wall)).status == 502


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@played
async def test_it_is_only_read(tmp_path: Path, method: str) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        server.documents[METADATA] = document(url(wall))
        no = await wall.call(method, f"{METADATA}/crm/mcp", b"{}" if method in ("POST", "PUT") else b"")
        assert (no.status, no.headers["allow"]) == (405, "GET")
        assert server.heard == []


@pytest.mark.parametrize(
    "path", ["/crm/mcp?x=1", "/crm/mcp/x", "/crm", "", "/", "/nobody/mcp", "//crm/mcp", "/crm/../crm/mcp"]
)
@played
async def test_nothing_else_lies_there(tmp_path: Path, path: str) -> None:
    server = Guarded()
    async with guarded(tmp_path, server) as wall:
        server.documents[METADATA] = document(url(wall))
        assert (await metadata(wall, path)).status in (400, 403)
        assert (await wall.call("GET", f"{METADATA}/crm/mcp", b"{}")).status == 400
        assert server.heard == []


@pytest.mark.parametrize(
    "keys",
    [
        "credential: none",
        "credential: {env: HUB_TOKEN, send: bearer}",
        "credential: {send: {header: X-Key}, from: caller}",
    ],
)
@played
async def test_nobody_signs_in_whose_token_would_not_arrive(
    tmp_path: Path, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_TOKEN", "t-2-long-enough")
    server = Guarded()
    async with guarded(tmp_path, server, keys=keys) as wall:
        server.challenge = [f'WWW-Authenticate: Bearer resource_metadata="{url(wall)}/meta"']
        server.documents["/meta"] = document(url(wall))
        wall.news()
        no = await Client(wall).ask("tools/list")
        assert no.status == 401
        assert "www-authenticate" not in no.headers
        assert "does not reach the server" in wall.news()[0]["notes"][0]
        assert (await metadata(wall)).status == 404
        assert server.asked == []


@played
async def test_who_may_use_nothing_of_a_server_learns_nothing_of_it(tmp_path: Path) -> None:
    server = Guarded()
    policy = "rules: [{id: others, allow: crm.*, to: {roles: [nobody]}}]"
    async with guarded(tmp_path, server, policy=policy) as wall:
        server.documents[METADATA] = document(url(wall))
        told = await wall.tell("GET", f"{METADATA}/crm/mcp")
        assert (told.reply.status, told.reply.json["code"]) == (403, "unknown_tool")
        assert told.record["decision"] == "deny"
        assert server.heard == []


@played
async def test_a_rule_can_deny_it(tmp_path: Path) -> None:
    server = Guarded()
    policy = "rules: [{id: tools, allow: crm.*}, {id: no, deny: crm.mcp/metadata}]"
    async with guarded(tmp_path, server, policy=policy) as wall:
        assert (await metadata(wall)).status == 403
        assert server.heard == []


@played
async def test_a_listener_that_wants_a_key_wants_it_here_too(tmp_path: Path) -> None:
    server = Guarded()
    key = "twk_" + "a" * 42 + "A"
    identity = f"{{api_keys: [{{id: ann, sha256: {hashlib.sha256(key.encode()).hexdigest()}}}]}}"
    async with guarded(tmp_path, server, identity=identity) as wall:
        server.documents[METADATA] = document(url(wall))
        assert (await metadata(wall)).status == 401
        assert server.heard == []
        assert (await metadata(wall, headers=[("Toolwall-Key", key)])).status == 200
        assert key.encode() not in b"".join(each.raw for each in server.heard)


@played
async def test_where_authorization_is_for_the_sidecar_nobody_signs_in_at_a_server(tmp_path: Path) -> None:
    server = Guarded()
    (tmp_path / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one")))
    identity = f"{{jwt: [{{issuer: {ISSUER}, audience: {AUDIENCE}, keys: 'file:jwks.json'}}]}}"
    async with guarded(tmp_path, server, identity=identity) as wall:
        server.challenge = [f'WWW-Authenticate: Bearer resource_metadata="{url(wall)}/meta"']
        server.documents["/meta"] = document(url(wall))
        mine = ("Authorization", f"Bearer {token(exp=2**31)}")
        no = await Client(wall).send(Client(wall).message("tools/list", {}), [mine])
        assert no.status == 401
        assert "www-authenticate" not in no.headers
        assert (await metadata(wall, headers=[mine])).status == 404
        assert server.asked == []

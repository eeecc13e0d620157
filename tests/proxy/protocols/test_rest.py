"""One HTTP request as a call of one tool. What is forwarded byte for byte is played in tests/doors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.model import Peer
from proxy.protocols.head import Door
from proxy.protocols.rest import Greetings, RestAsk
from rules.facts import Principal, Run
from rules.load import load
from rules.tools import Catalog
from tests.doors import house

DOOR = Door("d", frozenset({"localhost", "crm.example"}), {"crm.example": "crm"})


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "crm.yaml").write_text(f"backend: crm\nurl: http://crm.internal/api\ntools:{house.TOOLS}")
    return load(folder).catalog


def ask(method: str, target: str, *headers: tuple[str, str], body: bytes = b"", host: str = "localhost") -> RestAsk:
    async def read() -> bytes:
        return body

    raw = tuple((name.encode(), value.encode()) for name, value in (("Host", host), *headers))
    return RestAsk(Greetings(DOOR, Peer("::1")), method, target, (1, 1), raw, read)


def called(found: RestAsk, catalog: Catalog) -> Any:
    found.hail()
    tool = asyncio.run(found.find(catalog))
    assert tool is not None
    return asyncio.run(found.call("c1", tool, Principal("ann"), Run("r", 1)))


def test_a_hail_is_what_the_head_says() -> None:
    hail = ask("GET", "/", ("Toolwall-Key", "k"), ("Toolwall-Run", "r-1"), ("Toolwall-Reason", "x" * 900)).hail()
    assert (hail.protocol, hail.peer, hail.key, hail.run) == ("rest", "::1", "k", "r-1")
    assert len(hail.reason) == 500
    assert ask("GET", "/").hail().key is None
    assert ask("GET", "/", ("Toolwall-Key", "two words")).hail().key == ""  # wrong, not missing


def test_a_prefix_or_a_host_chooses_the_backend(catalog: Catalog) -> None:
    call = called(ask("GET", "/crm/things/7"), catalog)
    assert (call.tool.name, call.base, call.outgoing.target) == ("crm.get", "/crm", "/things/7")
    call = called(ask("GET", "/things/7", host="crm.example:1"), catalog)
    assert (call.tool.name, call.base, call.outgoing.target) == ("crm.get", "", "/things/7")


def test_what_goes_out(catalog: Catalog) -> None:
    call = called(ask("GET", "/crm/things?q=a%20b", ("X-Tenant", "t"), ("Cookie", "session=s; x=y")), catalog)
    assert call.arguments == {"q": "a b", "X-Tenant": "t", "session": "s"}
    assert call.outgoing.target == "/things?q=a%20b"
    assert dict(call.outgoing.headers) == {
        "x-tenant": "t",
        "cookie": "session=s",
        "via": "1.1 toolwall",
        "forwarded": 'for="[::1]";host="localhost";proto=http',
    }


def test_nothing_is_found_for_strangers(catalog: Catalog) -> None:
    for target in ("/", "/crm", "/other/things/7", "/crm/nothing"):
        found = ask("GET", target)
        found.hail()
        assert asyncio.run(found.find(catalog)) is None


@pytest.mark.parametrize("kind", ["", "text/json", "application/json; charset=latin-1", "application/json;a=b"])
def test_a_body_that_is_not_json_by_its_type(catalog: Catalog, kind: str) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        called(ask("POST", "/crm/any", ("Content-Type", kind), body=b"{}"), catalog)


def test_a_head_that_comes_again_is_not_read_anew_and_another_one_is() -> None:
    greetings = Greetings(DOOR, Peer("::1"))
    host, secret = (b"Host", b"localhost"), (b"Authorization", b"Bearer " + b"x" * 8)
    first = greetings.read("GET", (1, 1), (host, secret))
    assert greetings.read("POST", (1, 1), (host, secret)) is first
    assert ("authorization", "Bearer xxxxxxxx") in first.passed
    bare = greetings.read("GET", (1, 1), (host,))
    assert "authorization" not in bare.first
    assert all(name != "authorization" for name, _ in bare.passed)


def test_what_was_refused_is_refused_again_and_forgets_the_head_before() -> None:
    greetings = Greetings(DOOR, Peer("::1"))
    good, bad = ((b"Host", b"localhost"),), ((b"Host", b"elsewhere"),)
    greetings.read("GET", (1, 1), good)
    for _ in range(2):
        with pytest.raises(Refusal, match="bad_request"):
            greetings.read("GET", (1, 1), bad)
    with pytest.raises(Refusal, match="bad_request"):
        greetings.read("TRACE", (1, 1), good)
    with pytest.raises(Refusal, match="bad_request"):
        greetings.read("GET", (2, 0), good)
    assert greetings.read("GET", (1, 1), good).first == {"host": "localhost"}

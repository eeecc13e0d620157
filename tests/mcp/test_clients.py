"""Clients and servers of the official SDKs: what they say to each other is as published, and through the sidecar the
same comes of the same plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.mcp.environments import HERE, node, sdk1, sdk2
from tests.mcp.published import LEGACY, MODERN, PROTOCOL, heads_disagree, schema, wrong
from tests.mcp.sides import Served, failed, plays, script, server1, server2
from tests.mcp.tap import Said
from tests.mcp.walls import walled

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def _published() -> None:
    """Skip at once, and not at the end, where the schemas are not there."""
    schema(MODERN)


class Pair(NamedTuple):
    """A server, the client that plays with it, and the revision that they speak."""

    server: Callable[[Path], Any]
    client: Callable[[str], list[str | Path]]
    revision: str


PAIRS = {
    "sdk1": Pair(server1, lambda url: [sdk1(), HERE / "client1.py", url], LEGACY),
    "sdk2": Pair(server2, lambda url: [sdk2(), HERE / "client2.py", url], MODERN),
    "ts1": Pair(server1, lambda url: [node(), script("clientts1.mjs"), url], LEGACY),
    "ts2": Pair(server2, lambda url: [node(), script("clientts2.mjs"), url], MODERN),
    "fastmcp-to-sdk1": Pair(server1, lambda url: [sdk2(), HERE / "clientfast.py", url, "auto"], LEGACY),
    "fastmcp-to-sdk2": Pair(server2, lambda url: [sdk2(), HERE / "clientfast.py", url, "auto"], MODERN),
}


def of_era(said: list[Said]) -> dict[str, list[Said]]:
    """Both conversations that may be in one: clients ask for the newest revision first, and fall back."""
    modern = [each for each in said if _modern(each)]
    return {MODERN: modern, LEGACY: [each for each in said if each not in modern]}


def _modern(said: Said) -> bool:
    return PROTOCOL.encode() in said.exchange.request.body


def check_said(said: list[Said], revision: str, least: int = 30) -> None:
    """Everything is as published, and most of it is of the revision that is meant."""
    eras = of_era(said)
    assert len(eras[revision]) >= least
    assert {era: wrong(era, eras[era]) for era in eras} == {MODERN: [], LEGACY: []}
    assert heads_disagree(eras[MODERN]) == []


def alone(pair: Pair, server: Served) -> dict[str, Any]:
    """What comes of the plays without the sidecar."""
    outcomes = plays(*pair.client(server.url))
    assert failed(outcomes) == {}
    return outcomes


@pytest.mark.parametrize("name", PAIRS)
def test_without_the_sidecar(name: str, tmp_path: Path) -> None:
    pair = PAIRS[name]
    with pair.server(tmp_path) as server:
        alone(pair, server)
        check_said(server.tap.said(), pair.revision)


def cleaned(outcomes: dict[str, Any]) -> dict[str, Any]:
    """What cleaning leaves of outcomes: the only address in them is what a server says that the user answered."""
    whole: dict[str, Any] = json.loads(json.dumps(outcomes).replace("ada" + "@" + "example.net", "<EMAIL_ADDRESS>"))
    return whole


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two outcomes differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = dict.fromkeys([*one, *other])
        return [each for key in keys for each in differences(one.get(key), other.get(key), f"{where}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [each for at in range(len(one)) for each in differences(one[at], other[at], f"{where}/{at}")]
    if one == other:
        return []
    texts = json.dumps(one), json.dumps(other)
    same = next((at for at, pair in enumerate(zip(*texts, strict=False)) if len(set(pair)) > 1), 0)
    at = max(0, same - 60)
    return [f"{where}: {texts[0][at : at + 200]} became {texts[1][at : at + 200]}"]


@pytest.mark.parametrize("name", PAIRS)
def test_through_the_sidecar(name: str, tmp_path: Path) -> None:
    pair = PAIRS[name]
    with pair.server(tmp_path) as server:
        before = alone(pair, server)
        with walled(tmp_path, them=server.url) as wall:
            server.tap.forget()
            through = plays(*pair.client(wall.url("them")))
            assert differences(cleaned(before), through) == []
            check_said(wall.tap.said(), pair.revision)
            check_said(server.tap.said(), pair.revision)


@pytest.mark.parametrize("name", ["sdk1", "sdk2"])
def test_what_a_server_leaks_does_not_arrive(name: str, tmp_path: Path) -> None:
    secret = b"jane.roe" + b"@" + b"example.org"
    pair = PAIRS[name]
    with pair.server(tmp_path) as server, walled(tmp_path, them=server.url) as wall:
        server.tap.forget()
        plays(*pair.client(wall.url("them")), "leak")
        assert server.tap.count(secret) >= 3  # in content, in a document and in a log message
        assert wall.tap.count(secret) == 0
        assert wall.tap.count(b"<EMAIL_ADDRESS>") >= 3

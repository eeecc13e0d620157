"""Clients and servers of the official SDKs: what they say to each other is as published, and nothing fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.mcp.environments import HERE, node, sdk1, sdk2
from tests.mcp.published import LEGACY, MODERN, PROTOCOL, heads_disagree, wrong
from tests.mcp.sides import Served, failed, plays, script, server1, server2
from tests.mcp.tap import Said

pytestmark = pytest.mark.full


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


def check_wire(said: list[Said], revision: str) -> None:
    """Everything is as published, and most of it is of the revision that is meant."""
    eras = of_era(said)
    assert len(eras[revision]) > 30
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
        check_wire(server.tap.said(), pair.revision)

"""Clients that start a server, and servers that are started, that nobody here wrote: `toolwall mcp` stands between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.mcp.environments import HERE, node, sdk1, sdk2
from tests.mcp.published import LEGACY, MODERN, schema, wrong
from tests.mcp.sides import failed, lines_in, plays, script, tapped_lines, where
from tests.mcp.test_clients import cleaned, differences
from tests.mcp.walls import records_in, wrapped

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def _published() -> None:
    """Skip at once, and not at the end, where the schemas are not there."""
    schema(MODERN)


Command = list[str | Path]


def server1() -> Command:
    return [sdk1(), HERE / "server1.py", "stdio"]


def server2() -> Command:
    return [sdk2(), HERE / "server2.py", "stdio"]


class Pair(NamedTuple):
    """A server, the client that plays with it, and the revision that they speak."""

    server: Callable[[], Command]
    client: Callable[[str], Command]
    revision: str


PAIRS = {
    "sdk1": Pair(server1, lambda at: [sdk1(), HERE / "client1.py", at], LEGACY),
    "sdk2": Pair(server2, lambda at: [sdk2(), HERE / "client2.py", at], MODERN),
    "ts1": Pair(server1, lambda at: [node(), script("clientts1.mjs"), at], LEGACY),
    "ts2": Pair(server2, lambda at: [node(), script("clientts2.mjs"), at], MODERN),
    "fastmcp-to-sdk1": Pair(server1, lambda at: [sdk2(), HERE / "clientfast.py", at, "auto"], LEGACY),
    "fastmcp-to-sdk2": Pair(server2, lambda at: [sdk2(), HERE / "clientfast.py", at, "auto"], MODERN),
}


def check_lines(file: Path, revision: str, least: int = 30) -> None:
    """Every line is as published, and most are of the revision that is meant."""
    eras = lines_in(file)
    assert len(eras[revision]) >= least
    assert {era: wrong(era, said) for era, said in eras.items()} == {MODERN: [], LEGACY: []}


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_comes_of_the_same_plays(name: str, tmp_path: Path) -> None:
    pair = PAIRS[name]
    before, outside, inside = tmp_path / "before", tmp_path / "outside", tmp_path / "inside"
    alone = plays(*pair.client(where(tapped_lines(before, pair.server()))))
    assert failed(alone) == {}
    check_lines(before, pair.revision)
    wall = wrapped(tmp_path, "them", tapped_lines(inside, pair.server()))
    inside.unlink()  # of the import
    through = plays(*pair.client(where(tapped_lines(outside, wall))))
    assert differences(cleaned(alone), through) == []
    check_lines(outside, pair.revision)
    check_lines(inside, pair.revision)
    assert records_in(tmp_path / "state" / "stdio" / "them") != []

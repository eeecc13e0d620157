"""The official conformance suite, by itself and through the sidecar."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mcp.sides import conformance, server1
from tests.mcp.walls import walled

pytestmark = pytest.mark.full

ALL = 40
"""Checks of the suite `active` at the pinned version, each of which counts."""


def check_everything_passes(url: str) -> None:
    score = conformance(url)
    assert score.failed == {}, score.words
    assert sum(score.passed.values()) == ALL, score.words
    assert score.passed["dns-rebinding-protection"] == 2
    pending = conformance(url, "pending")
    assert pending.failed == {}, pending.words
    assert pending.passed["json-schema-2020-12"] == 4


def test_the_test_server_passes_everything_by_itself(tmp_path: Path) -> None:
    with server1(tmp_path) as server:
        check_everything_passes(server.url)


def test_it_passes_everything_through_the_sidecar(tmp_path: Path) -> None:
    with server1(tmp_path) as server, walled(tmp_path, them=server.url) as wall:
        # Without a tap before the sidecar, for it is the sidecar's own Host and Origin that count.
        check_everything_passes(wall.url("them", tap=False))
        tools = {each.get("tool") for each in wall.records()}
    assert {"them.test_simple_text", "them.mcp/initialize", "them.sampling/createMessage"} <= tools

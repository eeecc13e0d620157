"""Clients and servers of both official SDKs: what they say to each other is as published, and nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mcp.environments import HERE, sdk1, sdk2
from tests.mcp.published import LEGACY, MODERN, heads_disagree, wrong
from tests.mcp.sides import failed, plays, server1, server2

pytestmark = pytest.mark.full


def test_sessions_without_the_sidecar(tmp_path: Path) -> None:
    with server1(tmp_path) as server:
        outcomes = plays(sdk1(), HERE / "client1.py", server.url)
        assert failed(outcomes) == {}
        said = server.tap.said()
    assert len(said) > 100
    assert wrong(LEGACY, said) == []


def test_the_newest_revision_without_the_sidecar(tmp_path: Path) -> None:
    with server2(tmp_path) as server:
        outcomes = plays(sdk2(), HERE / "client2.py", server.url)
        assert failed(outcomes) == {}
        said = server.tap.said()
    assert len(said) > 100
    assert wrong(MODERN, said) == []
    assert heads_disagree(said) == []

"""The official conformance suite, by itself and through the sidecar."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mcp.sides import conformance, server1

pytestmark = pytest.mark.full

ALL = 40
"""Checks of the suite `active` at the pinned version, each of which counts."""


def test_the_test_server_passes_everything_by_itself(tmp_path: Path) -> None:
    with server1(tmp_path) as server:
        score = conformance(server.url)
        assert score.failed == {}, score.words
        assert sum(score.passed.values()) == ALL, score.words
        assert score.passed["dns-rebinding-protection"] == 2
        pending = conformance(server.url, "pending")
        assert pending.failed == {}, pending.words
        assert pending.passed["json-schema-2020-12"] == 4

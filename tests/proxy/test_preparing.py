"""Rules that cannot be prepared keep the sidecar from starting, and say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.app import CannotRun, running
from proxy.config import load_config
from tests.wire import perform, wall

TOOLS = "  get: {says: Read., call: GET /get}\n"


def test_a_host_that_leads_to_no_backend_is_an_error(tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(CannotRun, match="has no backend nowhere"):
            async with wall(tmp_path, TOOLS, listener=", hosts: {a.test: nowhere}"):
                pass

    perform(play())


@pytest.mark.parametrize("name", ["nowhere", "crm"])
def test_a_listener_joins_mcp_servers_only(tmp_path: Path, name: str) -> None:
    async def play() -> None:
        with pytest.raises(CannotRun, match=f"has no MCP server {name}"):
            async with wall(tmp_path, TOOLS, listener=f", mcp: {{backends: [{name}]}}"):
                pass

    perform(play())


@pytest.mark.parametrize(("tool", "there"), [("GET /a", False), ("POST /a, effect: write, repeatable: true", True)])
def test_the_table_is_opened_for_tools_with_effects_alone(tmp_path: Path, tool: str, there: bool) -> None:
    async def play() -> None:
        async with wall(tmp_path, f"  do: {{says: Do., call: {tool}}}\n", once=True):
            assert (tmp_path / "state" / "store.db").exists() is there

    perform(play())


def test_a_table_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, "  do: {says: Do., call: POST /a, effect: write}\n", once=True):
            pass
        (tmp_path / "state" / "store.db").write_bytes(b"no table" * 1000)
        settings: Any = load_config(tmp_path / "toolwall.yaml")
        with pytest.raises(CannotRun, match=r"store\.db"):
            async with running(settings):
                pass

    perform(play())

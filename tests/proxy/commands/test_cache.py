"""`toolwall cache clear`, beside a real sidecar and without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from typer.testing import CliRunner

from proxy.cli import app
from tests.wire import perform, wall

TOOLS = '  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: string}}, cache: 60s}\n'


async def clear(folder: Path, *tools: str) -> tuple[int, str]:
    """Beside the loop of the sidecar, which takes the order."""
    words = ["cache", "clear", *tools, "-c", str(folder / "toolwall.yaml")]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    return done.exit_code, done.output


def test_the_answers_are_forgotten(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:
            await w.call("GET", "/crm/things/a")
            assert await clear(tmp_path, "crm.get") == (0, "Forgotten: the answers of crm.get.\n")
            assert len((await w.tell("GET", "/crm/things/a")).reached) == 1
            assert (await clear(tmp_path))[1] == "Forgotten: the answers of all tools.\n"

    perform(play())


def test_a_name_that_no_tool_has_forgets_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:
            await w.call("GET", "/crm/things/a")
            said = "Nothing was forgotten: there is no tool crm.got (did you mean crm.get?).\n"
            assert await clear(tmp_path, "crm.get", "crm.got") == (1, said)
            assert (await w.tell("GET", "/crm/things/a")).reached == []
            (tmp_path / "rules" / "policy.yaml").write_text("rules: [")  # the sidecar keeps its own
            assert (await clear(tmp_path, "crm.get"))[0] == 0

    perform(play())


def test_without_a_sidecar_it_says_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS):
            pass
        code, said = await clear(tmp_path)
        assert code == 3
        assert "No sidecar took the order within 5 s" in said

    perform(play())

"""The way to a server that is started: what is lost is said, and it is started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from proxy.mcp.lane import MOST_LOOSE_BYTES, Gone
from tests.mcpwire import played
from tests.stdiowire import SERVER, gone, inside


def code(said: dict[str, Any]) -> str:
    """The code of a refusal."""
    return str(said["result"]["_meta"]["toolwall/refusal"]["code"])


@pytest.mark.parametrize(("tool", "refused"), [("drop", "outcome_unknown"), ("find", "upstream_unreachable")])
@played
async def test_a_server_that_is_killed_in_a_call_is_not_said_to_have_done_it_and_comes_back(
    tmp_path: Path, tool: str, refused: str
) -> None:
    async with inside(tmp_path) as one:
        await one.begin()
        one.call(1, tool, "slow")
        await one.until(lambda: any('"slow"' in line for line in one.errors))
        first = await one.server()
        os.kill(first, signal.SIGKILL)
        said = await one.answer(1)
        assert code(said) == refused
        assert said["result"]["_meta"]["toolwall/refusal"]["executed"] == "unknown"

        await one.until(lambda: any(each.get("method") == "notifications/tools/list_changed" for each in one.said))
        told = next(each for each in one.said if each.get("method") == "notifications/message")
        assert told["params"]["level"] == "warning"
        assert "was started again" in told["params"]["data"]
        one.call(2, "find", "b")
        assert "<EMAIL_ADDRESS>" in (await one.answer(2))["result"]["content"][0]["text"]
        assert await one.server() != first
        greetings = [line for line in one.errors if '"initialize"' in line]
        assert len(greetings) == 2
        assert len([line for line in one.errors if "notifications/initialized" in line]) == 2
    records = {each["tool"]: each for each in one.records() if each.get("code") == refused}
    assert records[f"crm.{tool}"]["executed"] == "unknown"


@played
async def test_a_line_without_an_end_ends_the_server_and_not_us(tmp_path: Path) -> None:
    async with inside(tmp_path) as one:
        await one.begin()
        one.call(1, "drop", "endless")
        assert code(await one.answer(1)) == "outcome_unknown"
        one.call(2, "find", "b")
        assert "result" in await one.answer(2)


@played
async def test_what_is_told_before_anybody_listens_takes_little_room(tmp_path: Path) -> None:
    """Of 20 MiB the last few are kept, until the client begins a session."""
    said = json.dumps(
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "%d %s"}}
    )
    flood = f"for i in range(40): print({said!r} % (i, 'x ' * 2**18))"
    then = f"import runpy; runpy.run_path({SERVER[1]!r}, run_name='__main__')"
    async with inside(tmp_path, [SERVER[0], "-u", "-c", f"{flood}\n{then}"]) as one:
        await one.begin()

        def told() -> list[int]:
            said = [each for each in one.said if each.get("method") == "notifications/message"]
            return [int(each["params"]["data"].partition(" ")[0]) for each in said]

        await one.until(lambda: 39 in told())
        most = MOST_LOOSE_BYTES // 2**19
        assert told() == list(range(40 - len(told()), 40))
        assert 1 < len(told()) <= most


@played
async def test_who_changes_its_mind_is_heard_by_the_server_by_its_own_number(tmp_path: Path) -> None:
    async with inside(tmp_path) as one:
        await one.begin()
        one.call("mine", "drop", "slow")
        await one.until(lambda: any('"slow"' in line for line in one.errors))
        one.feed({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "other"}})
        one.feed({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "mine"}})
        await one.until(lambda: [each for each in one.records() if each["outcome"] == "client_gone"])
    assert not any(each.get("id") == "mine" for each in one.said)


@played
async def test_a_server_that_ignores_sigterm_is_ended_with_us(tmp_path: Path) -> None:
    async with inside(tmp_path, [*SERVER, "--stubborn"]) as one:
        await one.begin()
        server = await one.server()
    await gone(server)


@pytest.mark.full
@played
async def test_a_server_that_never_stays_is_given_up(tmp_path: Path) -> None:
    async with inside(tmp_path, ["sh", "-c", "exit 5"]) as one:
        with pytest.raises(Gone, match=r"does not stay: it ended \(exit code 5\)"):
            await asyncio.wait_for(asyncio.shield(one.staying), 100)

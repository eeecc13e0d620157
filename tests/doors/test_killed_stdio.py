"""`toolwall mcp` and what it started, when one of them is killed: nobody is left over, and nothing is pretended."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from tests.mcpwire import played
from tests.stdiowire import CONFIG, SERVER, folder_of, gone, started


@played
async def test_when_we_are_killed_in_a_call_the_server_ends_and_the_intent_is_on_disk(tmp_path: Path) -> None:
    folder_of(tmp_path)
    async with started(tmp_path, command=[*SERVER, "--stubborn"]) as client:
        await client.begin()
        await client.begin_ask("tools/call", name="drop", arguments={"text": "slow"})
        await client.logged('"slow"')
        server = await client.server()
        client.process.send_signal(signal.SIGKILL)
        await client.process.wait()
        await gone(server)
    ledger = next(tmp_path.glob("state/stdio/crm/ledger/*.jsonl")).read_bytes()
    kinds = [(line["kind"], line.get("tool")) for line in map(json.loads, ledger.splitlines())]
    assert ("intent", "crm.drop") in kinds
    assert ("call", "crm.drop") not in kinds

    async with started(tmp_path) as client:  # the folder is free again, and says what it knows
        await client.begin()
        assert await client.leave() == 0
    own = tmp_path / "own.yaml"
    own.write_text(CONFIG.replace("state: state", "state: state/stdio/crm"))
    said = CliRunner().invoke(app, ["ledger", "pending", "-c", str(own)])
    assert "crm.drop" in said.output


@pytest.mark.full
@played
async def test_when_we_are_asked_to_end_so_is_a_server_that_does_not_listen(tmp_path: Path) -> None:
    folder_of(tmp_path)
    async with started(tmp_path, command=[*SERVER, "--stubborn"]) as client:
        await client.begin()
        _, coming = await client.begin_ask("tools/call", name="drop", arguments={"text": "slow"})
        await client.logged('"slow"')
        server = await client.server()
        client.process.send_signal(signal.SIGTERM)
        said = await coming
        assert said["result"]["_meta"]["toolwall/refusal"]["code"] == "outcome_unknown"
        assert await client.process.wait() == 0
        await gone(server)

"""A client of the official SDK signs in at a server of the official SDK, through the sidecar."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.processes import free_port, running
from tests.mcp.environments import HERE, run, sdk1, sdk2
from tests.mcp.sides import plays, until_open
from tests.mcp.walls import CONFIG, POLICY, TOOLWALL, set_up

pytestmark = pytest.mark.full

TOKEN = "importer-0123456789"


@pytest.mark.parametrize(("client", "end"), [(sdk1, ""), (sdk1, "/"), (sdk2, "")], ids=["sdk1", "slash", "sdk2"])
def test_a_client_signs_in_at_a_server_through_the_sidecar(
    tmp_path: Path, client: Callable[[], Path], end: str
) -> None:
    """The server was told by which URL its clients know it, and refuses tokens for any other."""
    port, own = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/notes/mcp"
    command = [str(sdk1()), str(HERE / "guarded1.py"), str(own), url, TOKEN]
    with running("guarded1", command, tmp_path) as server:
        until_open(own, server.check)
        imported = (f"http://127.0.0.1:{own}/mcp", "--name", "notes", "--token", "env:NOTES_TOKEN")
        environ = os.environ | {"NOTES_TOKEN": TOKEN}
        run(TOOLWALL, "import", "mcp", *imported, "--out", "rules", cwd=tmp_path, env=environ)
        set_up(tmp_path / "rules" / "notes.yaml")
        (tmp_path / "rules" / "notes.policy.yaml").write_text(POLICY.format(names='["notes.*"]'))
        (tmp_path / "toolwall.yaml").write_text(CONFIG.format(port=port, more=""))
        with running("toolwall", [str(TOOLWALL), "run", "-c", str(tmp_path / "toolwall.yaml")], tmp_path) as process:
            until_open(port, process.check)
            assert plays(client(), HERE / "signin.py", url + end) == {
                "resource": [url + end],
                "at": f"127.0.0.1:{own}",
                "tools": ["greet"],
                "said": ["Hello, Ann."],
            }

"""A second round trip: Glances publishes OpenAPI 3.1 (FastAPI), and its client knows no base path, so the Host chooses
the backend.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench.evidence import LedgerTail
from tests.bench.processes import free_port, get, running, wait_for
from tests.roundtrip.apart import environment
from tests.roundtrip.street import TOOLWALL, toolwall

pytestmark = pytest.mark.full

PROGRAMS = Path(__file__).with_name("glances.txt")
DRIVER = Path(__file__).with_name("glances_driver.py")
# It would ask the world for its newest version and for our address.
QUIET = ["--disable-check-update", "--disable-webui", "--disable-plugin", "ip,cloud,wifi,containers,vms"]
PARTS = [
    *("status", "pluginslist", "all", "all/limits", "cpu", "cpu/history/2", "mem/percent", "mem/views", "load/limits"),
    *("processes/1", "processcount/total/description", "args", "help", "nosuch", "cpu/nosuch"),
]
CONFIG = """\
rules: rules
state: state
listeners:
  - bind: 127.0.0.1:{door}
    hosts: {{localhost: glances}}
    identity: {{static: {{id: watch-bot, roles: [reader]}}}}
admin: {{bind: 127.0.0.1:{admin}}}
"""


@dataclass
class Town:
    """Glances on one port, the sidecar on another."""

    folder: Path
    glances: int
    door: int

    def ask(self, port: int) -> dict[str, Any]:
        """What the client makes of all parts."""
        command = [environment(PROGRAMS) / "python", DRIVER, str(port), *PARTS]
        env = os.environ | {"NO_PROXY": "localhost", "no_proxy": "localhost"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("glances")
    there = Town(folder, free_port(), free_port())
    command = [str(environment(PROGRAMS) / "glances"), "-w", "-B", "127.0.0.1", "-p", str(there.glances), *QUIET]
    with running("glances", command, folder) as glances:
        (folder / "glances.json").write_bytes(wait_for(glances, f"http://127.0.0.1:{there.glances}/openapi.json"))
        url = f"http://127.0.0.1:{there.glances}"
        code, said = toolwall(folder, "import", "openapi", "glances.json", "--name", "glances", "--url", url)
        assert code == 0, said
        admin = free_port()
        (folder / "toolwall.yaml").write_text(CONFIG.format(door=there.door, admin=admin))
        with running("toolwall", [*TOOLWALL, "run", "-c", str(folder / "toolwall.yaml")], folder) as sidecar:
            wait_for(sidecar, f"http://127.0.0.1:{admin}/readyz")
            yield there


def test_its_document_is_in_order(town: Town) -> None:
    document = json.loads((town.folder / "glances.json").read_text())
    assert document["openapi"].startswith("3.1")
    operations = sum(map(len, document["paths"].values()))
    code, said = toolwall(town.folder, "check")
    assert code == 0, said
    assert f"1 backends, {operations} tools" in said
    assert "no errors" in said
    assert toolwall(town.folder, "test")[0] == 0


def test_its_client_gets_the_same_at_the_door(town: Town) -> None:
    direct, through = town.ask(town.glances), town.ask(town.door)
    assert (through["parts"], through["plugins"]) == (direct["parts"], direct["plugins"])
    assert sum(direct["parts"].values()) >= 12
    assert "cpu" in direct["plugins"]
    assert {"cpu", "mem", "load"} <= {*through["sensors"]} & {*direct["sensors"]}
    records = [record for record in LedgerTail(town.folder / "state" / "ledger").records() if record["outcome"] == "ok"]
    assert len(records) == len(PARTS) + 1  # and `all` once more for the sensors
    assert len({record["tool"] for record in records}) >= 10
    assert {record["tool"] for record in records} >= {"glances.api", "glances.api_all", "glances.api_get_processes"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/4/cpu/history?nb=few", "schema_violation"),
        ("/api/4/cpu?colour=red", "schema_violation"),
        ("/api/3/cpu", "unknown_tool"),
        ("/openapi.json", "unknown_tool"),
    ],
)
def test_what_is_not_in_the_document_stays_out(town: Town, path: str, code: str) -> None:
    with pytest.raises(OSError, match=f'"code":"{code}"'):
        get(f"http://localhost:{town.door}{path}")

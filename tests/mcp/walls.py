"""The sidecar between both sides, as an operator sets it up: imported, everything allowed, every filter on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from proxy.ledger.segments import segments_in
from tests.bench.processes import free_port, running
from tests.mcp.environments import run
from tests.mcp.sides import tapped, until_open
from tests.mcp.tap import Tap

TOOLWALL = Path(sys.executable).with_name("toolwall")

POLICY = """\
rules:
  - id: everything
    allow: {names}
    waive: {{approval: "Tests are their own approvers."}}
"""
FILTERS = {
    "reply": {"redact": "standard", "binary": "pass", "warn": ["HIGH_ENTROPY"]},
    "outgoing": {"refuse": ["secrets"]},
}
CONFIG = """\
rules: rules
state: state
listeners:
  - bind: 127.0.0.1:{port}
    identity: {{static: {{id: bot, roles: [agent]}}}}
    origins: ["http://127.0.0.1:{port}"]
    {more}
admin: {{bind: "127.0.0.1:0"}}
stdio: {{identity: {{static: {{id: bot, roles: [agent]}}}}}}
"""


class Wall(NamedTuple):
    """A sidecar that runs: where it listens, what passes by on the way to it, and where it keeps its ledger."""

    port: int
    tap: Tap
    folder: Path

    def url(self, name: str, tap: bool = True) -> str:
        """Where a client finds a server."""
        return f"http://127.0.0.1:{self.tap.port if tap else self.port}/{name}/mcp"

    @property
    def own(self) -> str:
        """Where a client finds the sidecar's own server."""
        return f"http://127.0.0.1:{self.tap.port}/.toolwall/mcp"

    def records(self) -> list[dict[str, Any]]:
        """The ledger's records of calls."""
        return records_in(self.folder / "state")


def records_in(state: Path) -> list[dict[str, Any]]:
    """The records of calls in the ledger of a state folder."""
    files = segments_in(state / "ledger")
    entries = [json.loads(line) for each in files for line in each.read_bytes().splitlines()]
    return [each for each in entries if each["kind"] == "call"]


@contextmanager
def walled(folder: Path, **servers: str) -> Iterator[Wall]:
    """A sidecar over the MCP servers at these URLs."""
    for name, url in servers.items():
        imported(folder, name, url)
    with sidecar(folder, [each for name in servers for each in everything_of(name)]) as wall:
        yield wall


def imported(folder: Path, name: str, *what: str | Path) -> None:
    """Import a server, by its URL or `--` and its command."""
    rules = folder / "rules"
    run(TOOLWALL, "import", "mcp", "--name", name, "--out", rules, *what, cwd=folder)
    set_up(rules / f"{name}.yaml")
    (rules / f"{name}.policy.yaml").unlink()  # which allows little


def everything_of(name: str) -> list[str]:
    """What allows all that a server has."""
    return [f"{name}.{rest}" for rest in ("*", "*/*", "*/*/*")]


def wrapped(folder: Path, name: str, command: list[str | Path], policy: str = "") -> list[str | Path]:
    """The command that a client starts instead of a server's; without a policy everything is allowed."""
    imported(folder, name, "--", *command)
    (folder / "rules" / "policy.yaml").write_text(policy or POLICY.format(names=json.dumps(everything_of(name))))
    (folder / "toolwall.yaml").write_text(CONFIG.format(port=free_port(), more=""))
    return [TOOLWALL, "mcp", "--server", name, "-c", folder / "toolwall.yaml", "--", *command]


@contextmanager
def sidecar(folder: Path, allowed: list[str], more: str = "") -> Iterator[Wall]:
    """A sidecar over the backends of FOLDER/rules, where all are allowed these tools. `more` is of its listener."""
    port = free_port()
    (folder / "rules" / "policy.yaml").write_text(POLICY.format(names=json.dumps(allowed)))
    (folder / "toolwall.yaml").write_text(CONFIG.format(port=port, more=more))
    with running("toolwall", [str(TOOLWALL), "run", "-c", str(folder / "toolwall.yaml")], folder) as process:
        until_open(port, process.check)
        with tapped(free_port(), port) as tap:
            yield Wall(port, tap, folder)


def set_up(file: Path) -> None:
    """What an operator does with an imported file: every filter on. The tests make the same call again on purpose."""
    backend = yaml.safe_load(file.read_text()) | FILTERS
    for tool in backend.get("tools", {}).values():
        tool.pop("guessed", None)
        if tool["effect"] != "read":
            tool |= {"effect": "write" if tool["effect"] == "admin" else tool["effect"], "repeatable": True}
    file.write_text(yaml.safe_dump(backend, sort_keys=False))

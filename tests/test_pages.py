"""The examples in the pages about what is sent, and how often, load as they stand there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.config import load_config
from proxy.identity.keyfile import keys_in
from rules.definitions import definitions, written
from rules.examples import failures, run
from rules.load import load

DOCS = Path(__file__).parents[1] / "docs"
EVERYBODY = 'rules: [{id: all, allow: "*.*"}]\n'
PLAIN = "tools:\n  add_note: {says: Add a note., call: POST /notes, args: {text: {type: string}}, effect: write}\n"


def blocks(page: str) -> list[str]:
    found: list[str] = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    return found


def completed(block: str) -> str:
    """A backend's file of which a page may show the tools alone, or everything else."""
    head = "" if "backend:" in block else "backend: crm\nurl: https://crm.internal/api\n"
    return head + block + ("" if "tools:" in block else PLAIN)


@pytest.mark.parametrize(
    ("page", "backend", "policy"),
    [
        ("reliability", 0, None),
        ("reliability", 1, None),
        ("limits", 2, 3),
        ("send-once", 0, None),
        ("cache", 0, None),
    ],
)
def test_an_example_of_a_page_loads(tmp_path: Path, page: str, backend: int, policy: int | None) -> None:
    shown = blocks(page)
    (tmp_path / "backend.yaml").write_text(completed(shown[backend]))
    (tmp_path / "policy.yaml").write_text(EVERYBODY if policy is None else shown[policy])
    assert load(tmp_path).catalog.tools


def test_limits_of_callers_and_of_a_backend_load_together(tmp_path: Path) -> None:
    policy, backend, *_ = blocks("limits")
    (tmp_path / "backend.yaml").write_text(backend + PLAIN.removeprefix("tools:\n"))
    (tmp_path / "policy.yaml").write_text(policy)
    assert set(load(tmp_path).catalog.tools) == {"crm.search", "crm.add_note"}


def test_the_files_of_an_mcp_server_that_is_started_load(tmp_path: Path) -> None:
    *_, config, backend = blocks("mcp")
    tools = [{"name": "read_file", "inputSchema": {"type": "object"}}]
    (tmp_path / "files.definitions.json").write_bytes(written(definitions(tools, [], [], [])))
    (tmp_path / "files.yaml").write_text(backend)
    (tmp_path / "policy.yaml").write_text(EVERYBODY)
    assert load(tmp_path).catalog.backends["files"].url.is_started
    (tmp_path / "toolwall.yaml").write_text(config)
    settings = load_config(tmp_path / "toolwall.yaml")
    assert settings.stdio is not None
    assert settings.stdio.env == ("GITHUB_TOKEN",)


def test_the_files_of_an_mcp_server_load_and_their_examples_hold(tmp_path: Path) -> None:
    text = {"type": "string"}
    names = ("search_issues", "issue.create")
    tools = [{"name": name, "inputSchema": {"type": "object", "properties": {"q": text}}} for name in names]
    accepted = definitions(
        tools,
        [{"name": "review", "arguments": [{"name": "change"}]}],
        [{"uri": "repo://readme", "name": "readme"}],
        [{"uriTemplate": "repo://{owner}/{repo}/{+path}", "name": "file"}],
    )
    (tmp_path / "hub.definitions.json").write_bytes(written(accepted))
    backend, policy, sidecar, *_ = blocks("mcp")
    (tmp_path / "hub.yaml").write_text(backend)
    (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "sidecar.conf").write_text(sidecar)
    assert load_config(tmp_path / "sidecar.conf").listeners
    rules = load(tmp_path)
    assert [one.as_text() for one in failures(run(rules, datetime.now(UTC)))] == []
    assert len(rules.examples) == 4


@pytest.mark.parametrize(
    ("page", "block"), [("runs", 0), ("api-keys", 0), ("api-keys", 2), ("listeners", 0), ("listeners", 1)]
)
def test_a_configuration_of_a_page_loads(tmp_path: Path, page: str, block: int) -> None:
    (tmp_path / "toolwall.yaml").write_text(blocks(page)[block])
    assert load_config(tmp_path / "toolwall.yaml").listeners


def test_the_key_file_of_its_page_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text(blocks("api-keys")[1])
    (key,) = keys_in(tmp_path / "keys.yaml")
    assert (key.principal.id, key.prefix, key.is_over(0)) == ("support-bot", "twk_AbC123", False)


@pytest.mark.parametrize("block", [0, 1, 2])
def test_the_relations_of_their_page_load_and_its_examples_hold(tmp_path: Path, block: int) -> None:
    says = "says: Get one account., call: 'GET /accounts/{account_id}', args: {account_id: {type: integer}}"
    tool = f"tools:\n  get_account: {{{says}}}\n"
    (tmp_path / "crm.yaml").write_text(f"backend: crm\nurl: https://crm.internal/api\n{tool}")
    (tmp_path / "policy.yaml").write_text(blocks("relations")[block])
    (tmp_path / "data").mkdir()
    csv = re.findall(r"```csv\n(.*?)```", (DOCS / "relations.md").read_text(), re.DOTALL)[0]
    (tmp_path / "data" / "relations.csv").write_text(csv)
    rules = load(tmp_path)
    assert rules.relations.pairs or rules.relations.services
    assert failures(run(rules, datetime.now(UTC))) == ()

"""The examples in the pages about what is sent, and how often, load as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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

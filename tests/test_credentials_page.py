"""Every configuration that the page about credentials shows loads as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import load
from tests.test_pages import EVERYBODY, blocks

SHOWN = [block for block in blocks("credentials") if "backend:" in block]


@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_what_the_page_shows_can_be_sent(tmp_path: Path, number: int) -> None:
    (tmp_path / "backend.yaml").write_text(SHOWN[number])
    (tmp_path / "policy.yaml").write_text(EVERYBODY)
    [backend] = load(tmp_path).catalog.backends.values()
    assert backend.injects
    assert all(backend.url.host in each.hosts for each in backend.injects)

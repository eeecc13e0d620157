"""The configurations in the pages about callers load as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import load_config
from tests.test_pages import blocks


@pytest.mark.parametrize("page", ["identity", "tokens", "client-certificates", "unix-peers", "delegation", "api-keys"])
def test_a_listener_that_a_page_shows_loads(tmp_path: Path, page: str) -> None:
    (tmp_path / "toolwall.yaml").write_text(blocks(page)[0])
    (listener,) = load_config(tmp_path / "toolwall.yaml").listeners
    identity = listener.identity
    assert identity.configured() or identity.jwt or identity.key_file


def test_the_rule_about_a_whole_chain_loads(tmp_path: Path) -> None:
    from rules.load import load

    (tmp_path / "crm.yaml").write_text(
        "backend: crm\nurl: https://crm.internal/api\n"
        "tools:\n  create_refund: {says: Refund., call: POST /refunds, args: {n: {type: integer}}, effect: write}\n"
    )
    (tmp_path / "policy.yaml").write_text(blocks("delegation")[1])
    (rule,) = load(tmp_path).rules
    assert rule.to.links == "all"

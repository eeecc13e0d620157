"""docs/vault.md: each configuration on it loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.config import load_config
from rules.load import load

PAGE = (Path(__file__).parents[1] / "docs" / "vault.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WAYS = [block for block in BLOCKS if block.startswith("auth:")]
BACKENDS = [block for block in BLOCKS if block.startswith("backend:")]
WHOLE = next(block for block in BLOCKS if block.startswith("# toolwall.yaml"))


def test_nothing_on_the_page_is_left_out() -> None:
    assert (len(BLOCKS), len(WAYS), len(BACKENDS)) == (8, 4, 2)


def test_the_state_key_loads(tmp_path: Path) -> None:
    state = next(block for block in BLOCKS if block.startswith("state:"))
    (tmp_path / "toolwall.yaml").write_text(WHOLE + state)
    assert load_config(tmp_path / "toolwall.yaml").state_key == "vault:secret/toolwall#state_key"


def test_the_whole_configuration_loads(tmp_path: Path) -> None:
    (tmp_path / "toolwall.yaml").write_text(WHOLE)
    vault = load_config(tmp_path / "toolwall.yaml").vault
    assert vault is not None
    assert (vault.namespace, vault.ca, vault.auth.method) == ("team-a", str(tmp_path / "vault-ca.pem"), "approle")


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_sign_in_loads(way: str, tmp_path: Path) -> None:
    head, _, _ = WHOLE.partition("vault:")
    (tmp_path / "toolwall.yaml").write_text(f"{head}vault:\n  address: https://vault.internal:8200\n  {way}")
    vault = load_config(tmp_path / "toolwall.yaml").vault
    assert vault is not None
    assert f"{vault.auth.method}:" in way


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backend_loads(backend: str, tmp_path: Path) -> None:
    (tmp_path / "backend.yaml").write_text(backend)
    (tmp_path / "policy.yaml").write_text('rules: [{id: all, allow: "*.*"}]\n')
    [injected] = next(iter(load(tmp_path).catalog.backends.values())).injects
    assert injected.origin.scheme == "vault"


def test_what_is_wrong_is_said_with_all_else_that_is(tmp_path: Path) -> None:
    head, _, _ = WHOLE.partition("vault:")
    (tmp_path / "toolwall.yaml").write_text(f"{head}vault: {{address: 'http://vault:8200', auth: {{token: env:T}}}}\n")
    with pytest.raises(Exception, match=r"toolwall\.yaml:3:9: vault\.address: is http, and not on this machine"):
        load_config(tmp_path / "toolwall.yaml")

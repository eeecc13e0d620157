"""The sidecar's own key: made where it is missing and only where that is wanted, and never taken from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import Settings, load_config
from proxy.ownkey import own_key
from proxy.state import KEY_FILE, StateError


def settings(folder: Path, state: str = "state") -> Settings:
    (folder / "toolwall.yaml").write_text(
        f"state: {state}\nlisteners: [{{bind: '127.0.0.1:0', identity: {{static: {{id: bot}}}}}}]\n"
    )
    return load_config(folder / "toolwall.yaml")


def test_it_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is none"):
        own_key(settings(tmp_path))
    assert not (tmp_path / "state").exists()
    made = own_key(settings(tmp_path), make=True)
    assert (tmp_path / "state" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert own_key(settings(tmp_path)).derive("x") == made.derive("x")


def test_vault_has_to_be_configured(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="needs the key `vault`"):
        own_key(settings(tmp_path, "{folder: state, key: 'vault:secret/toolwall#key'}"), make=True)

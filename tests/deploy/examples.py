"""The example configurations of deploy/, made ready to run: a key in place of its placeholder, a port, a backend."""

from __future__ import annotations

import shutil
from pathlib import Path

from proxy.identity.identity import digest, new_key
from tests.deploy.machine import DEPLOY, free_port

COMPOSE = DEPLOY / "compose"
PLACEHOLDER = "put the hash of your key here"


def with_key(text: str) -> tuple[str, str]:
    """A toolwall.yaml with the hash of a new key, and the key."""
    assert PLACEHOLDER in text
    key = new_key()
    return text.replace(PLACEHOLDER, digest(key)), key


def lay(source: Path, rules: Path, folder: Path, changes: dict[str, str]) -> str:
    """Copy a toolwall.yaml and its rules to `folder`, with a new key and textual changes. Returns the key."""
    text, key = with_key(source.read_text())
    shutil.copytree(rules, folder / "rules")
    files = {folder / "toolwall.yaml": text, folder / "rules" / "crm.yaml": (rules / "crm.yaml").read_text()}
    for path, content in files.items():
        for old, new in changes.items():
            content = content.replace(old, new)
        path.write_text(content)
    missing = [old for old in changes if not any(old in each for each in (text, (rules / "crm.yaml").read_text()))]
    assert not missing, f"the examples no longer hold {missing}"
    return key


def on_loopback(folder: Path, backend: int) -> tuple[int, int, str]:
    """Lay Compose's example for a run on this machine. Returns the ports of door and admin, and the key."""
    port, admin = free_port(), free_port()
    change = {
        "https://crm.example.com/api": f"http://127.0.0.1:{backend}",
        "0.0.0.0:8080": f"127.0.0.1:{port}",
        "127.0.0.1:9464": f"127.0.0.1:{admin}",
        "state: /var/lib/toolwall": f"state: {folder}/state",
    }
    return port, admin, lay(COMPOSE / "toolwall.yaml", COMPOSE / "rules", folder, change)

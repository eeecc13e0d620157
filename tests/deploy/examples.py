"""The example configurations of deploy/, made ready to run: a key in place of its placeholder, a port, a backend."""

from __future__ import annotations

import shutil
from pathlib import Path

from proxy.identity import digest, new_key

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

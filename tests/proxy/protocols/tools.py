"""One tool from what stands under it in a rules file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from textwrap import indent

from rules.load import load
from rules.tools import Tool


def tool(text: str) -> Tool:
    """The tool `crm.t`; `text` is its YAML."""
    with tempfile.TemporaryDirectory() as folder:
        head = "backend: crm\nurl: http://crm.test\ntools:\n  t:\n    effect: write\n"
        (Path(folder) / "crm.yaml").write_text(head + indent(text.strip("\n"), "    "))
        return load(Path(folder)).catalog.tools["crm.t"]

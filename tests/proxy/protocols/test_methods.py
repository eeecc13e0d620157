"""Which messages there are, held against the published schemas."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from proxy.protocols.methods import CLIENT, LEGACY, MODERN, REVISIONS, SERVER, Method, is_served

_EXTENDED = {"tasks/get", "tasks/cancel", "tasks/update", "notifications/tasks/status", "notifications/tasks"}
"""Of an extension, where a revision has no such method of its own."""


def schema(revision: str) -> Any:
    root = os.environ.get("TOOLWALL_CORPORA")
    if not root:
        pytest.skip("TOOLWALL_CORPORA names no folder with the real-world corpora")
    said = json.loads((Path(root) / "mcp" / "schema" / f"{revision}.json").read_text())
    return said.get("$defs") or said["definitions"]


def methods(definitions: Any, union: str) -> set[str]:
    """The methods of one of the schema's unions."""
    root = definitions.get(union, {})
    each = [definitions[one["$ref"].rpartition("/")[2]] for one in root.get("anyOf", [])] or [root]
    return {one["properties"]["method"]["const"] for one in each if "properties" in one}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("sender", ["Client", "Server"])
@pytest.mark.parametrize("kind", ["Request", "Notification"])
def test_the_tables_are_those_of_the_schema(revision: str, sender: str, kind: str) -> None:
    table = CLIENT if sender == "Client" else SERVER
    ours = {name for name in table if is_served(table, name, kind.lower(), revision)}
    theirs = methods(schema(revision), sender + kind)
    assert theirs <= ours
    assert ours - theirs <= (_EXTENDED if revision in MODERN else set())


def test_without_a_revision_it_is_one_with_sessions() -> None:
    assert is_served(CLIENT, "initialize", "request", "")
    assert not is_served(CLIENT, "server/discover", "request", "")
    assert not is_served(CLIENT, "initialize", "notification", "")
    assert not is_served(CLIENT, "nothing", "request", "")
    assert not Method("request", MODERN[0]).is_in(LEGACY[0])

import json
import os
from pathlib import Path

import pytest

from rules.mcp.plumbing import ASKED, CLOSE, LASTING, METADATA, PLUMBING, RESPONSE, STREAM

TOOLS_AND_THE_LIKE = {"tools/call", "prompts/get", "resources/read"}


def methods(revision, *kinds):
    """The methods of a revision's schema, where it is there."""
    root = os.environ.get("TOOLWALL_CORPORA")
    if not root:
        pytest.skip("TOOLWALL_CORPORA names no folder with the real-world corpora")
    whole = json.loads((Path(root) / "mcp" / "schema" / f"{revision}.json").read_text())
    found = set()
    todo = [whole["$defs"][kind] for kind in kinds]
    while todo:
        here = todo.pop()
        if "anyOf" in here:
            todo += here["anyOf"]
        elif "$ref" in here:
            todo.append(whole["$defs"][here["$ref"].rpartition("/")[2]])
        else:
            found.add(here["properties"]["method"]["const"])
    return found


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_every_method_of_a_client_is_plumbing_or_means_a_tool(revision):
    known = methods(revision, "ClientRequest", "ClientNotification")
    assert known - {*PLUMBING, *TOOLS_AND_THE_LIKE, "notifications/tasks/status"} == set()


def test_there_is_no_method_in_it_that_no_revision_knows():
    known = {method for revision in ("2025-11-25", "2026-07-28") for method in methods(
        revision, "ClientRequest", "ClientNotification")}  # fmt: skip
    assert set(PLUMBING) - known == {STREAM, CLOSE, METADATA, RESPONSE, "tasks/update"}


def test_what_a_server_asks_is_no_plumbing():
    asked = methods("2025-11-25", "ServerRequest") - {"ping"} - set(PLUMBING)
    assert asked == set(ASKED)
    assert not set(ASKED) & set(PLUMBING)
    assert set(PLUMBING) > LASTING

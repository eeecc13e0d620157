"""An MCP server's definitions and file, as the tests of its backend use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rules.decide import Ruleset
from rules.definitions import definitions, written
from rules.load import load
from rules.source import LoadProblem
from tests.rules.helpers import problems, write

SEARCH: dict[str, Any] = {
    "name": "search_issues",
    "title": "Search",
    "description": "Find issues.",
    "inputSchema": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"q": {"type": "string"}, "region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["q"],
    },
    "outputSchema": {
        "type": "object",
        "properties": {"count": {"$ref": "#/$defs/count"}},
        "required": ["count"],
        "$defs": {"count": {"type": "integer"}},
    },
    "annotations": {"readOnlyHint": True},
    "icons": [{"src": "https://hub.test/icon.png"}],
    "_meta": {"test/x": 1},
}
CREATE: dict[str, Any] = {"name": "issue.create", "inputSchema": {"type": "object", "properties": {"title": {}}}}
REVIEW: dict[str, Any] = {
    "name": "review",
    "description": "Review a change.",
    "arguments": [{"name": "change", "description": "Its id.", "required": True}, {"name": "tone"}],
}
README: dict[str, Any] = {"uri": "repo://readme", "name": "readme"}
FILE: dict[str, Any] = {"uriTemplate": "repo://{owner}/{repo}/{+path}", "name": "file"}
LISTS: dict[str, Any] = {
    "tools": [SEARCH, CREATE],
    "prompts": [REVIEW],
    "resources": [README],
    "templates": [FILE],
    "instructions": "Search first.",
}
HUB = """
    backend: hub
    url: https://hub.test/mcp
    mcp: hub.definitions.json
    tools:
      search_issues: {effect: read, cache: 1m}
      create: {name: issue.create, says: Open an issue., effect: write, guessed: true}
    prompts:
      review: {}
    resources:
      readme: {uri: "repo://readme"}
      file: {template: "repo://{owner}/{repo}/{+path}", says: A file.}
"""
POLICY = "rules: [{id: all, allow: [hub.*]}]"


def accept(folder: Path, **lists: Any) -> None:
    """Write the definitions file."""
    (folder / "hub.definitions.json").write_bytes(written(definitions(**{**LISTS, **lists})))


def hub(folder: Path, policy: str = POLICY, text: str = HUB, **lists: Any) -> Ruleset:
    """Load the server's file and a policy."""
    accept(folder, **lists)
    return load(write(folder, hub=text, policy=policy))


def wrong(folder: Path, text: str = HUB, **lists: Any) -> list[LoadProblem]:
    """What is wrong with the server's file; it has to be wrong."""
    accept(folder, **lists)
    return problems(folder, hub=text)

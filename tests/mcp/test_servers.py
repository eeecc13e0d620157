"""Servers of npm that nobody here wrote: they do what they do, and it is what the published schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mcp import sides
from tests.mcp.environments import HERE, sdk1
from tests.mcp.published import LEGACY, MODERN, schema, wrong
from tests.mcp.walls import walled

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def _published() -> None:
    """Skip at once, and not at the end, where the schemas are not there."""
    schema(MODERN)


EVERYTHING: list[Any] = [
    ["echo", {"message": "hello"}],
    ["get-sum", {"a": 2, "b": 3}],
    ["get-tiny-image", {}],
    ["get-structured-content", {"location": "New York"}],
    ["get-annotated-message", {"messageType": "error", "includeImage": True}],
    ["get-resource-links", {"count": 2}],
    ["trigger-long-running-operation", {"duration": 1, "steps": 4}],
    ["trigger-sampling-request", {"prompt": "hi", "maxTokens": 10}],
    ["trigger-elicitation-request", {}],
    ["toggle-subscriber-updates", {}],
]
WATCHED = "demo://resource/dynamic/text/1"
PERSON = {"name": "Ada", "entityType": "person", "observations": ["wrote a program"]}
MEMORY: list[Any] = [
    ["create_entities", {"entities": [PERSON]}],
    ["add_observations", {"observations": [{"entityName": "Ada", "contents": ["likes numbers"]}]}],
    ["search_nodes", {"query": "Ada"}],
    ["read_graph", {}],
    ["delete_entities", {"entityNames": ["Ada"]}],
]


def filesystem_calls(folder: Path) -> list[Any]:
    file = str(folder / "files" / "a.txt")
    return [
        ["write_file", {"path": file, "content": "one\ntwo\n"}],
        ["edit_file", {"path": file, "edits": [{"oldText": "two", "newText": "three"}]}],
        ["read_text_file", {"path": file}],
        ["list_directory", {"path": str(folder / "files")}],
        ["read_text_file", {"path": "/etc/hostname"}],
    ]


CALLS = {"everything": lambda _: EVERYTHING, "filesystem": filesystem_calls, "memory": lambda _: MEMORY}


def visit(name: str, url: str, folder: Path) -> dict[str, Any]:
    """What a server is and has, and what came of the calls."""
    calls = json.dumps(CALLS[name](folder))
    watched = [WATCHED] if name == "everything" else []
    return sides.plays(sdk1(), HERE / "visitor.py", url, calls, *watched)


def check(name: str, visited: dict[str, Any], folder: Path) -> None:
    """That the server did what it is there for."""
    assert len(visited["calls"]) == len(CALLS[name](folder))
    said = json.dumps(visited["calls"])
    if name == "everything":
        assert "The sum of 2 and 3 is 5." in said
        assert [each for each in visited["told"] if isinstance(each, dict)] != []  # it asked the model and the user
        assert len([each for each in visited["told"] if isinstance(each, list)]) == 4  # steps of progress
    elif name == "filesystem":
        assert (folder / "files" / "a.txt").read_text() == "one\nthree\n"
        assert [each["isError"] for each in visited["calls"]] == [False, False, False, False, True]
    else:
        entity = visited["calls"][2]["structuredContent"]["entities"][0]
        assert entity["observations"] == ["wrote a program", "likes numbers"]


@pytest.mark.parametrize("name", CALLS)
def test_without_the_sidecar(name: str, tmp_path: Path) -> None:
    with getattr(sides, name)(tmp_path) as server:
        check(name, visit(name, server.url, tmp_path), tmp_path)
        assert wrong(LEGACY, server.tap.said()) == []


@pytest.mark.parametrize("name", CALLS)
def test_through_the_sidecar(name: str, tmp_path: Path) -> None:
    with getattr(sides, name)(tmp_path) as server, walled(tmp_path, them=server.url) as wall:
        server.tap.forget()
        check(name, visit(name, wall.url("them"), tmp_path), tmp_path)
        assert wrong(LEGACY, wall.tap.said()) == []
        assert wrong(LEGACY, server.tap.said()) == []

"""Clients that check results by the schema that they were shown take the shaped ones, and read on where they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mcp import sides
from tests.mcp.environments import HERE, sdk1
from tests.mcp.walls import everything_of, imported, sidecar

pytestmark = pytest.mark.full

CALLS: list[Any] = [["page", {"count": 5}], ["plain", {"count": 5}], ["words", {"count": 5}]]
SHAPED = {"drop": ["secret"], "most": 2, "longest": 30}


def note(number: int) -> str:
    return f"Order {number}: " + "very long words " * 4


def shape(file: Path) -> None:
    """What an operator writes into an imported file."""
    backend = yaml.safe_load(file.read_text())
    backend["reply"] |= SHAPED
    file.write_text(yaml.safe_dump(backend, sort_keys=False))


def test_clients_that_nobody_here_wrote_take_the_part_and_read_on(tmp_path: Path) -> None:
    with sides.served("listing", [sdk1(), HERE / "listing1.py", "{port}", "{called}"], tmp_path) as server:
        imported(tmp_path, "hub", server.url)
        shape(tmp_path / "rules" / "hub.yaml")
        with sidecar(tmp_path, everything_of("hub")) as wall:
            came = sides.plays(sdk1(), HERE / "shaped1.py", wall.url("hub"))
            others = dict(sides.visits(["ts1", "ts2", "sdk2", "fastmcp"], wall.url("hub"), CALLS))
    assert came["tools"] == ["page", "plain", "words", "toolwall_rest"]
    assert "canary" not in json.dumps(came)
    check_page(came["page"], came["page on"])
    check_plain(came["plain"], came["plain on"])
    for client, visited in others.items():
        page, plain, words = visited["calls"]
        assert "canary" not in json.dumps(visited), client
        assert [each["id"] for each in json.loads(page["content"][0]["text"])["orders"]] == [1, 2], page
        assert (len(plain["content"]), "... [" in words["content"][0]["text"]) == (3, True), client
    assert came["words"]["structuredContent"]["result"].startswith("word " * 6 + "... [")


def check_page(result: dict[str, Any], on: list[Any]) -> None:
    """Data and text say the same, and hold what the schema promises."""
    data = result["structuredContent"]
    assert json.loads(result["content"][0]["text"]) == data
    assert [each["id"] for each in data["orders"]] == [1, 2]
    assert data["orders"][1] | {"note": ""} == {
        "id": 2, "state": "open", "note": "", "buyer": "<EMAIL_ADDRESS>", "card": 0,
    }  # fmt: skip
    assert data["total"] == 5
    first, second, more = on
    assert [data["orders"][0]["note"].partition("... [")[0] + "".join(first)] == [note(1)]
    assert "".join(second) == note(2)[30:]
    assert [each["id"] for piece in more for each in piece] == [3, 4, 5]


def check_plain(result: dict[str, Any], on: list[Any]) -> None:
    """Each item of the list is a text of its own, and of these the first are there."""
    assert len(result["content"]) == 3
    texts = [json.loads(each["text"]) for each in result["content"][:2]]
    assert [each["id"] for each in texts] == [each["id"] for each in result["structuredContent"]["result"]] == [1, 2]
    assert [each["id"] for piece in on[-1] for each in piece] == [3, 4, 5]

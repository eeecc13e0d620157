"""Placing arguments where the contract declares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.protocols import placing
from rules.load import load
from rules.tools import Tool

RULES = """
backend: crm
url: http://crm.internal/api
tools:
  whole: {says: W., call: POST /whole, args: {body: {}}, effect: write}
  some:
    says: S.
    call: POST /some/{id}/{file}
    args: {id: {type: integer}, file: {type: string}, body_id: {type: string}, n: {type: integer, optional: true}}
    in: {file: {path: {encoded_slash: true}}, n: query}
    effect: write
  open:
    says: O.
    call: POST /open/{id}
    input: {type: object, properties: {id: {type: integer}, a: {}}, additionalProperties: true}
    effect: write
"""


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, Tool]:
    (tmp_path / "crm.yaml").write_text(RULES)
    return {tool.short: tool for tool in load(tmp_path).catalog.tools.values()}


def placed_body(tool: Tool, value: Any) -> placing.Placed:
    placed = placing.Placed()
    placing.body(placed, tool, value)
    return placed


def test_a_body_that_is_the_argument(tools: dict[str, Tool]) -> None:
    for value in (None, 1, [], {"a": 1}):
        assert placed_body(tools["whole"], value).arguments == {"body": value}


def test_a_body_of_declared_names(tools: dict[str, Tool]) -> None:
    assert placed_body(tools["some"], {"id": "b"}).arguments == {"body_id": "b"}
    for value in ([], "a", None, 1):
        assert [problem.problem for problem in placed_body(tools["some"], value).problems]
    strange = placed_body(tools["some"], {"n": 1, "file": "x", "body_id": "y"})
    assert strange.arguments == {}
    assert len(strange.problems) == 1


def test_an_open_body_cannot_stand_for_what_travels_elsewhere(tools: dict[str, Tool]) -> None:
    placed = placed_body(tools["open"], {"a": 1, "b": 2, "id": 3})
    assert placed.arguments == {"a": 1, "b": 2}
    assert len(placed.problems) == 1


def test_names_are_guessed_and_never_repeated(tools: dict[str, Tool]) -> None:
    [problem] = placed_body(tools["some"], {"idd": 1, "Zq77Xw": 2}).problems
    assert "did you mean id?" in problem.problem
    assert "Zq77Xw" not in problem.problem
    assert problem.path == ""


def test_paths(tools: dict[str, Tool]) -> None:
    placed = placing.Placed()
    placing.path(placed, tools["some"], {"id": "7", "file": "a%2Fb"})
    assert placed.arguments == {"id": 7, "file": "a/b"}
    for id, file in (("7%2f", "a"), ("7;a", "a"), ("7", "a;b")):
        with pytest.raises(Refusal, match="bad_request"):
            placing.path(placing.Placed(), tools["some"], {"id": id, "file": file})


def test_queries(tools: dict[str, Tool]) -> None:
    placed = placing.Placed()
    placing.query(placed, tools["some"], "n=7&m=1")
    assert placed.arguments == {"n": 7}
    assert len(placed.problems) == 1

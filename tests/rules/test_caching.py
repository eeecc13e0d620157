"""What a contract says of answers that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.caching import Caching
from rules.load import RulesError, load

READ = "get: {says: Read., call: GET /a, cache: %s}"


def tools_of(folder: Path, text: str):
    (folder / "crm.yaml").write_text(f"backend: crm\nurl: https://crm.example\ntools:\n  {text}\n")
    return load(folder).catalog.tools


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("60s", Caching(60.0)),
        ("{for: 2m}", Caching(120.0)),
        ("{for: 500ms, shared: true, stale: 10m}", Caching(0.5, True, 600.0)),
    ],
)
def test_for_how_long_and_for_whom(tmp_path: Path, said: str, meant: Caching) -> None:
    assert tools_of(tmp_path, READ % said)["crm.get"].caching == meant


def test_without_a_word_nothing_is_kept(tmp_path: Path) -> None:
    tool = tools_of(tmp_path, "get: {says: Read., call: GET /a}")["crm.get"]
    assert (tool.caching, tool.invalidates) == (None, frozenset())


def test_a_write_names_tools_of_its_backend_by_patterns(tmp_path: Path) -> None:
    text = "get_a: {says: A., call: GET /a}\n  get_b: {says: B., call: GET /b}\n  list: {says: L., call: GET /l}\n"
    text += "  put: {says: P., call: PUT /a, effect: write, invalidates: [get_*, list]}"
    assert tools_of(tmp_path, text)["crm.put"].invalidates == {"crm.get_a", "crm.get_b", "crm.list"}


def test_what_a_callers_own_token_gave_is_that_callers_alone(tmp_path: Path) -> None:
    exchange = "credential: {env: A, send: {exchange: {url: 'https://login.example/t'}}}"

    def read(cache: str) -> Caching | None:
        (tmp_path / "erp.yaml").write_text(
            f"backend: erp\nurl: https://erp.example\n{exchange}\ntools:\n  {READ % cache}\n"
        )
        return load(tmp_path).catalog.tools["erp.get"].caching

    assert read("60s") == Caching(60.0, by_token=True)
    assert read("{for: 60s, shared: false}") == Caching(60.0, by_token=True)
    with pytest.raises(RulesError, match=r"tools\.get\.cache\.shared: cannot be, for each caller has a token"):
        read("{for: 60s, shared: true}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("put: {says: P., call: PUT /a, effect: write, cache: 60s}", "is for reads"),
        ("get: {says: G., call: GET /a, invalidates: get}", "this one reads"),
        ("put: {says: P., call: PUT /a, effect: write, invalidates: crm.put}", "matches no tool of this file"),
        ("put: {says: P., call: PUT /a, effect: write, invalidates: []}", "invalidates"),
        (READ % "60s, reply: {redact: 'off'}", "tools.get.cache: keeps nothing where `redact` is off"),
        (READ % "60", "cache"),
        (READ % "{shared: true}", "for"),
        (READ % "{for: 60s, share: true}", "shared"),
    ],
)
def test_what_can_mean_nothing_is_an_error(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(RulesError, match=problem):
        tools_of(tmp_path, text)

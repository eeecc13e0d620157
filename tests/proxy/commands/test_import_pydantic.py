"""`toolwall import pydantic`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from rules.load import load

MODULE = '''\
from typing import Annotated, Literal
from pydantic import BaseModel, Field

print("noise")

class Order(BaseModel):
    """Create an order."""
    item: str = Field(max_length=20)

class Shop:
    @staticmethod
    def cancel(order_id: Annotated[int, Field(ge=1)], why: Literal["late", "wrong"] = "late") -> None:
        """Cancel an order."""

def broken(*args: int) -> None: ...
def slashed(a: int, b: dict) -> None: ...
value = 7
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with somebody's module, which is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "myshop.py").write_text(MODULE)
    (tmp_path / "failing.py").write_text("raise SystemExit(4)\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name in ("myshop", "failing", "shop"):
            del sys.modules[name]


def toolwall(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["import", "pydantic", *args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_a_tool_is_printed_as_a_block() -> None:
    code, out, err = toolwall("myshop:Order", "--call", "POST /orders", "--effect", "write")
    assert code == 0
    assert out.splitlines() == [
        "  order:",
        "    says: Create an order.",
        "    call: POST /orders",
        "    args: {item: {type: string, maxLength: 20}}",
        "    effect: write",
    ]
    assert err == "noise\n"


def test_a_new_file_loads_and_none_is_overwritten(folder: Path) -> None:
    calls = ("myshop:Order", "--call", "POST /orders", "myshop:Shop.cancel", "--call", "POST /orders/{order_id}/cancel")
    given = (*calls, "--backend", "shop", "--url", "https://shop.test", "-o", "rules/shop.yaml")
    code, out, _ = toolwall(*given)
    assert (code, out) == (0, "Written: rules/shop.yaml. No rule allows its tools yet.\n")
    tools = load(folder / "rules").catalog.tools
    assert sorted(tools) == ["shop.cancel", "shop.order"]
    assert tools["shop.cancel"].contract.check({"order_id": 0}) != ()
    before = (folder / "rules" / "shop.yaml").read_bytes()
    code, _, err = toolwall(*given)
    assert code == 1
    assert err.splitlines()[-1].startswith("rules/shop.yaml is there already")
    assert (folder / "rules" / "shop.yaml").read_bytes() == before
    code, out, _ = toolwall(*given[:-2])
    assert (code, out.encode()) == (0, before)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["myshop:Order"], 2, "Missing option"),
        (["myshop:Order", "myshop:Shop.cancel", "--call", "GET /a"], 2, "Give --call once for each"),
        (["myshop:Order", "--call", "GET a"], 2, "is not METHOD /path"),
        (["myshop:Order", "--call", "GET /a", "--effect", "none"], 2, "--effect is one of: read"),
        (["myshop:Order", "--call", "GET /a", "-o", "x.yaml"], 2, "needs --url"),
        (["myshop", "--call", "GET /a"], 2, "is not module:Model"),
        (["rules:Order", "--call", "GET /a"], 2, "rules is a name that Toolwall has itself"),
        (["myshop:Gone", "--call", "GET /a"], 1, "has no Gone"),
        (["myshop:broken", "--call", "GET /a"], 1, "broken takes *args"),
        (["myshop:value", "--call", "GET /a"], 1, "neither a class nor a function"),
        (["nowhere:Order", "--call", "GET /a"], 3, "nowhere cannot be imported: ModuleNotFoundError"),
        (["failing:Order", "--call", "GET /a"], 3, "failing cannot be imported: SystemExit"),
        (["myshop:Order", "--call", "GET /a/{id}"], 1, "id"),
        (["myshop:Order", "--call", "GET /a", "--url", "ftp://x"], 1, "must begin with http"),
    ],
)
def test_what_cannot_be_imported_says_why(args: list[str], code: int, says: str) -> None:
    ended, out, err = toolwall(*args)
    assert (ended, out) == (code, "")
    assert says in err


def test_the_search_path_is_as_it_was() -> None:
    before = list(sys.path)
    toolwall("myshop:Order", "--call", "GET /a")
    toolwall("nowhere:Order", "--call", "GET /a")
    assert sys.path == before


def test_what_the_documentation_shows_is_true(folder: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "import.md").read_text()
    (folder / "shop.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    line, _, out = page[page.index("$ toolwall import pydantic") :].partition("```")[0].partition("\n")
    assert toolwall(*shlex.split(line)[4:]) == (0, out, "")

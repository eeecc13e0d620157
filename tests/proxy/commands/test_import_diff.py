"""`toolwall import diff`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from rules.load import load
from tests.rules.compare.shop import LIST, SHOP, changed

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "import.md").read_text()
LIMIT = (*LIST, "parameters", 0, "schema", "maximum")
SUMMARY = (*LIST, "summary")
CART = (("paths", "/carts"), {"post": {"operationId": "create_cart", "responses": {"201": {"description": "made"}}}})
DELETE = (("paths", "/orders/{id}", "delete"), None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an imported document."""
    monkeypatch.chdir(tmp_path)
    document(SHOP)
    assert toolwall("import", "openapi", "shop.json")[0] == 0
    return tmp_path / "rules"


def document(value: dict[str, Any]) -> None:
    Path("shop.json").write_text(json.dumps(value))


def toolwall(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(args))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def diff(value: dict[str, Any], *args: str) -> tuple[int, str, str]:
    document(value)
    return toolwall("import", "diff", "shop.json", *args)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def shown(command: str) -> tuple[list[str], str]:
    """The arguments and the output of a command in the documentation."""
    line, _, out = PAGE[PAGE.index(f"$ toolwall {command}") :].partition("```")[0].partition("\n")
    return shlex.split(line)[2:], out


def test_what_the_documentation_shows_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    desk = json.loads((ROOT / "deploy" / "demo" / "openapi.json").read_text())
    document(desk)
    url = ("--name", "desk", "--url", "http://127.0.0.1:9000")
    assert toolwall("import", "openapi", "shop.json", *url)[0] == 0
    file = tmp_path / "rules" / "desk.yaml"
    file.write_text(file.read_text().replace("maximum: 50", "maximum: 10", 1))
    desk["info"]["version"] = "1.1.0"
    for path in ("/customers", "/tickets"):
        desk["paths"][path]["get"]["parameters"][1]["schema"]["maximum"] = 200
    desk["paths"]["/customers/{customer_id}/export"] = {
        "post": {
            "operationId": "export_customer",
            "parameters": desk["paths"]["/customers/{customer_id}"]["get"]["parameters"],
            "responses": {"202": {"description": "Begun."}},
        }
    }
    desk["components"]["schemas"]["Order"]["properties"]["item"]["maxLength"] = 100
    (tmp_path / "newer.json").write_text(json.dumps(desk))
    args, out = shown("import diff")
    assert toolwall(*args) == (1, out, "")


def test_nothing_changed(folder: Path) -> None:
    before = contents(folder)
    code, out, err = diff(SHOP)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "nothing changed"
    assert diff(SHOP, "--write")[0] == 0
    assert {path: data for path, data in contents(folder).items() if path[0] != "."} == {
        path: data for path, data in before.items() if path[0] != "."
    }


def test_what_was_loosened_is_1_and_nothing_is_written_unasked(folder: Path) -> None:
    before = contents(folder)
    code, out, err = diff(changed((LIMIT, 500), (SUMMARY, "All orders.")))
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "shop: Shop 1.0 -> Shop 1.0",
        "",
        "LOOSENED: more calls or replies pass than before",
        "  shop.list_orders (GET /orders)",
        "    limit: maximum was 100, is now 500",
        "    reworded: its purpose, which a model reads, is now: All orders.",
        "",
        "1 loosened",
        "Nothing was written; --write takes over what does not conflict.",
    ]
    assert contents(folder) == before


def test_what_was_tightened_is_0(folder: Path) -> None:
    code, out, _ = diff(changed((LIMIT, 10)))
    assert code == 0
    assert "    limit: maximum was 100, is now 10\n" in out


def test_writing_takes_over_and_the_folder_loads(folder: Path) -> None:
    code, out, _ = diff(changed((LIMIT, 500), CART), "--write")
    assert code == 1
    assert "  shop.create_cart (POST /carts)\n    write, guessed; no rule allows it\n" in out
    rules = load(folder)
    assert rules.catalog.tools["shop.list_orders"].contract.check({"limit": 500}) == ()
    assert rules.catalog.tools["shop.list_orders"].contract.check({"limit": 501}) != ()
    assert "shop.create_cart" in rules.catalog.tools
    assert diff(changed((LIMIT, 500), CART))[:2] == (0, "shop: Shop 1.0 -> Shop 1.0\n\nnothing changed\n")
    assert toolwall("check")[0] == 0


def test_an_edit_by_hand_stays_and_is_shown_with_its_place(folder: Path) -> None:
    file = folder / "shop.yaml"
    file.write_text(file.read_text().replace("maximum: 100", "maximum: 50"))
    line = next(number for number, text in enumerate(file.read_text().split("\n"), 1) if "maximum: 50" in text)
    code, out, _ = diff(changed((LIMIT, 500), (SUMMARY, "All orders.")), "--write")
    assert code == 1
    where = f"  shop.yaml:{line}:1: tools.list_orders.args.limit.maximum: "
    assert where + "was 100, is 50 by hand, and is 500 in the newer document" in out.splitlines()
    assert "maximum: 50" in file.read_text()
    assert "says: All orders." in file.read_text()
    assert diff(changed((LIMIT, 500), (SUMMARY, "All orders.")), "--keep-mine")[0] == 1
    assert diff(changed((LIMIT, 500), (SUMMARY, "All orders.")))[0] == 0
    assert "maximum: 50" in file.read_text()


def test_a_new_tool_that_a_pattern_allows_is_told(folder: Path) -> None:
    (folder / "more.yaml").write_text("rules: [{id: everything, allow: 'shop.*', to: {roles: [ops]}}]\n")
    code, out, _ = diff(changed(CART))
    assert code == 1
    assert "    write, guessed; ALLOWED by everything\n" in out


def test_a_removed_tool_waits_until_no_rule_names_it(folder: Path) -> None:
    code, out, _ = diff(changed(DELETE), "--write")
    assert code == 1
    named = [line for line in out.splitlines() if line.startswith("  shop.policy.yaml:")]
    assert named
    assert all("names delete_order" in line for line in named)
    assert "shop.delete_order" in load(folder).catalog.tools
    (folder / "shop.policy.yaml").write_text("rules: [{id: reads, allow: shop.get_order}]\n")
    code, out, _ = diff(changed(DELETE), "--write")
    assert code == 0
    assert "shop.delete_order" not in load(folder).catalog.tools


def test_what_would_not_load_is_not_written(folder: Path) -> None:
    (folder / "shop.policy.yaml").write_text("rules: [{id: writes, allow: shop.create_order}]\n")
    (folder / "other.yaml").write_text(
        "backend: other\nurl: https://other.test\ntools: {a: {call: GET /a, input: {$ref: schemas/shop/Order.json}}}\n"
    )
    before = contents(folder)
    gone = changed()
    for verbs in gone["paths"].values():
        verbs.pop("get", None)
    gone["paths"]["/orders"]["post"].pop("requestBody")
    code, _, err = diff(gone, "--write")
    assert code == 1
    assert "nothing was written" in err
    assert contents(folder) == before


def test_the_address_that_was_given_still_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document(SHOP)
    assert toolwall("import", "openapi", "shop.json", "--url", "https://staging.test")[0] == 0
    assert diff(SHOP)[0] == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["gone.json"], 3, "Cannot read gone.json"),
        (["shop.json", "nowhere"], 3, "There is no rules folder nowhere."),
        (["shop.json", "."], 2, "Which backend of .?"),
        (["shop.json", "rules", "--backend", "other"], 2, "Imported there: shop."),
        (["rules/shop.policy.yaml"], 3, "not an OpenAPI document"),
    ],
)
def test_wrong_usage(folder: Path, args: list[str], code: int, says: str) -> None:
    ended, _, err = toolwall("import", "diff", *args)
    assert ended == code
    assert says in err


@pytest.mark.parametrize("text", ["{", "[]", '{"tools": 1}', '{"tools": {"a": 1}}', '{"schemas": {"../x.json": {}}}'])
def test_a_broken_base_is_an_end_and_nothing_is_touched(folder: Path, text: str) -> None:
    (folder / ".import" / "shop.json").write_text(text)
    before = contents(folder)
    code, _, err = diff(changed((LIMIT, 500)), "--write")
    assert code == 3
    assert ".import" in err
    assert contents(folder) == before


def test_a_folder_that_does_not_load_has_to_be_mended_first(folder: Path) -> None:
    (folder / "bad.yaml").write_text("rules: [{id: x}]\n")
    code, _, err = diff(changed((LIMIT, 500)), "--write")
    assert code == 1
    assert "bad.yaml:1:" in err


def test_modes_of_files_stay_and_no_file_is_left_over(folder: Path) -> None:
    os.chmod(folder / "shop.yaml", 0o640)
    names = set(contents(folder))
    assert diff(changed((LIMIT, 500)), "--write")[0] == 1
    assert set(contents(folder)) == names
    assert (folder / "shop.yaml").stat().st_mode & 0o777 == 0o640


def test_a_document_moves_no_text_on_the_terminal(folder: Path) -> None:
    evil = "\x1b[2J\n\r\u202e"
    schema = {"type": "string", "enum": ["open", "done", evil]}
    new = {"name": f"new{evil}", "in": "query", "schema": {"type": "string"}}
    parameters = [{"name": "state", "in": "query", "schema": schema}, new]
    _, out, err = diff(changed(((*LIST, "parameters"), parameters), (SUMMARY, f"List{evil}LOOSENED")))
    assert all(line.isprintable() for line in (out + err).split("\n"))
    assert out.count("\nLOOSENED") == 1

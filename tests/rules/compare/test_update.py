"""A newer document for a folder that somebody has edited: what is taken over, and what is never overwritten."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rules.compare.edit import NotEditable
from rules.compare.tools import Contracts
from rules.compare.update import Update, renamed, update
from rules.openapi import Document, contracts, files
from rules.source import LoadProblem, read
from tests.rules.compare.shop import CREATE, LIST, SHOP, changed, state, texts
from tests.rules.helpers import corpus

LIMIT = (*LIST, "parameters", 0, "schema", "maximum")
SCHEMAS = ("components", "schemas")
ITEM = (*SCHEMAS, "Order", "properties", "item", "maxLength")
CART = {"post": {"operationId": "create_cart", "responses": {"201": {"description": ""}}}}
DELETE = ("paths", "/orders/{id}", "delete")
FILE, ORDER = "shop.yaml", "schemas/shop/Order.json"


def updated(document: dict[str, Any], *edits: tuple[str, str], keep: bool = False, **mentions: str) -> Update:
    """Import, edit the rules file by hand, and update to a newer document."""
    found = texts()
    for old, new in edits:
        assert old in found[FILE].decode()
        found[FILE] = found[FILE].replace(old.encode(), new.encode())
    named = {name: [LoadProblem(file, 7, 1, "", "")] for name, file in mentions.items()}
    return update(state(), state(document), FILE, found, named, keep)


def plain(data: bytes | None) -> Any:
    assert data is not None
    node, problems = read(FILE, data)
    assert problems == []
    assert node is not None
    return node.plain()


@pytest.mark.parametrize(
    "document",
    [
        SHOP,
        changed((LIMIT, 500)),
        changed((ITEM, 80)),
        changed((DELETE, None)),
        changed(((*LIST, "parameters"), [])),
        changed(((*LIST, "summary"), "List the orders of all customers, the newest ones first. " * 4)),
        changed(
            (("paths", "/carts"), {"post": {"operationId": "create_cart", "responses": {"201": {"description": ""}}}})
        ),
        changed((("components", "schemas", "Order", "properties", "cart"), {"$ref": "#/components/schemas/Cart"}))
        | {
            "components": {**SHOP["components"], "schemas": {**SHOP["components"]["schemas"], "Cart": {"type": "null"}}}
        },
        changed((("security",), [{"token": []}]), (("servers",), [{"url": "https://new.test"}])),
    ],
)
def test_without_edits_the_folder_becomes_what_a_fresh_import_gives(document: dict[str, Any]) -> None:
    done = updated(document)
    assert done.conflicts == done.edited == []
    after = {path: data for path, data in {**texts(), **done.files}.items() if data is not None}
    fresh = texts(document)
    assert plain(after[FILE]) == plain(fresh[FILE])
    assert {path for path in after if path.endswith(".json")} == {path for path in fresh if path.endswith(".json")}
    for path in (path for path in fresh if path.startswith("schemas/")):
        assert after[path] == fresh[path]
    new = state(document)
    assert (done.base.backend, done.base.tools, done.base.schemas) == (new.backend, new.tools, new.schemas)
    assert update(done.base, new, FILE, after, {}).files == {}


def test_untouched_tools_stay_byte_for_byte() -> None:
    edit = ("says: Get one.", "says: 'Get one.'   # ours")
    done = updated(changed((LIMIT, 500)), edit, ("  create_order:", "  # Careful.\n\n  create_order:"))
    before = texts()[FILE].decode().replace(*edit).replace("  create_order:", "  # Careful.\n\n  create_order:")
    after = done.files[FILE]
    assert after is not None
    assert after.decode() == before.replace("maximum: 100", "maximum: 500")


def test_an_edit_by_hand_is_never_overwritten() -> None:
    done = updated(changed((LIMIT, 500), ((*LIST, "summary"), "List.")), ("maximum: 100", "maximum: 50"))
    (conflict,) = done.conflicts
    line = texts()[FILE].decode().split("\n").index("    args:", 10) + 1
    assert (conflict.file, conflict.path) == (FILE, "tools.list_orders.args.limit.maximum")
    assert conflict.line >= line
    assert conflict.message == "was 100, is 50 by hand, and is 500 in the newer document"
    after = plain(done.files[FILE])["tools"]["list_orders"]
    assert (after["args"]["limit"]["maximum"], after["says"]) == (50, "List.")
    assert done.base.tools["list_orders"]["args"]["limit"]["maximum"] == 100


def test_a_conflict_that_is_settled_is_not_told_again() -> None:
    newer = changed((LIMIT, 500))
    done = updated(newer, ("maximum: 100", "maximum: 50"), keep=True)
    assert (done.conflicts, done.files) == ([], {})
    again = update(done.base, state(newer), FILE, {**texts(), FILE: texts()[FILE].replace(b"100", b"50")}, {})
    assert (again.changes, again.conflicts, again.files) == ([], [], {})


def test_an_effect_that_somebody_looked_at_is_no_guess_any_more() -> None:
    def with_effect(effect: str) -> Contracts:
        new = state()
        return Contracts(new.backend, {**new.tools, "create_order": {**new.tools["create_order"], "effect": effect}})

    found = texts()
    start = found[FILE].index(b"create_order:")
    found[FILE] = found[FILE][:start] + found[FILE][start:].replace(b"    guessed: true\n", b"", 1)
    done = update(state(), with_effect("read"), FILE, found, {})
    assert [one.path for one in done.conflicts if "effect" in one.path] == ["tools.create_order.effect"]
    assert plain({**found, **done.files}[FILE])["tools"]["create_order"]["effect"] == "write"
    assert update(state(), state(), FILE, found, {}).edited == ["create_order"]


def test_a_removed_tool_stays_while_rules_name_it() -> None:
    done = updated(changed((DELETE, None)), delete_order="policy.yaml")
    assert [str(one) for one in done.conflicts] == [
        "policy.yaml:7:1: names delete_order, which the newer document no longer has: take it out, then run again"
    ]
    assert FILE not in done.files
    assert "delete_order" in done.base.tools
    kept = updated(changed((DELETE, None)), delete_order="policy.yaml", keep=True)
    assert (kept.conflicts, FILE in kept.files, "delete_order" in kept.base.tools) == ([], False, False)


def test_a_removed_tool_that_was_edited_stays() -> None:
    done = updated(changed((DELETE, None)), ("says: Delete one.", "says: Delete one for good."))
    (conflict,) = done.conflicts
    assert conflict.message == "was edited by hand, and the newer document no longer has it"


def test_a_tool_that_was_deleted_by_hand_does_not_come_back() -> None:
    found = texts()
    start = found[FILE].index(b"  delete_order:")
    found[FILE] = found[FILE][:start]
    assert b"delete_order" not in found[FILE]
    newer = changed(((*DELETE, "summary"), "Delete it."))
    done = update(state(), state(newer), FILE, found, {})
    assert (done.conflicts, done.files, done.edited) == ([], {}, ["delete_order"])
    assert update(done.base, state(newer), FILE, found, {}).files == {}


@pytest.mark.parametrize("name", ["create_cart", "our_cart"])
def test_a_tool_that_was_added_by_hand_stays_when_the_document_has_it_too(name: str) -> None:
    added = f"tools:\n  {name}:\n    call: POST /carts\n    effect: write\n"
    done = updated(changed((("paths", "/carts"), CART)), ("tools:\n", added))
    (conflict,) = done.conflicts
    assert conflict.path == f"tools.{name}"
    assert "create_cart" not in done.base.tools
    assert FILE not in done.files


def test_an_edited_schema_file_is_merged_or_a_conflict() -> None:
    def with_order(**item: Any) -> dict[str, bytes]:
        order = json.loads(texts()[ORDER])
        order["properties"]["item"].update(item)
        return {**texts(), ORDER: json.dumps(order, indent=2).encode()}

    merged = update(state(), state(changed((ITEM, 80))), FILE, with_order(pattern="^a"), {})
    assert merged.conflicts == []
    assert json.loads(merged.files[ORDER] or b"")["properties"]["item"] == {
        "type": "string",
        "maxLength": 80,
        "pattern": "^a",
    }
    hit = update(state(), state(changed((ITEM, 80))), FILE, with_order(maxLength=10), {})
    assert [(one.file, one.path, one.line > 1) for one in hit.conflicts] == [(ORDER, "properties.item.maxLength", True)]
    assert ORDER not in hit.files


def test_a_schema_file_that_is_no_json_is_not_overwritten() -> None:
    done = update(state(), state(changed((ITEM, 80))), FILE, {**texts(), ORDER: b"{ half"}, {})
    assert ORDER not in done.files or done.conflicts
    assert done.files.get(ORDER, b"{ half") == b"{ half" or done.conflicts


def test_operations_keep_the_names_that_rules_know() -> None:
    document = changed(((*LIST, "operationId"), "orders"), ((*CREATE, "operationId"), "list_orders"))
    new = renamed(state(), state(document))
    assert {name: tool["call"] for name, tool in new.tools.items()} == {
        name: tool["call"] for name, tool in state().tools.items()
    }
    swapped = Contracts(tools={"b": {"call": "GET /a"}, "a": {"call": "GET /c"}}, calls={"b": "GET /a", "a": "GET /c"})
    old = Contracts(tools={"a": {"call": "GET /a"}}, calls={"a": "GET /a"})
    assert {name: tool["call"] for name, tool in renamed(old, swapped).tools.items()} == {
        "a": "GET /a",
        "a_2": "GET /c",
    }


def test_a_file_in_braces_is_left_to_its_owner() -> None:
    flow = json.dumps({**state().backend, "tools": state().tools}).encode()
    done = update(state(), state(changed((LIMIT, 500))), FILE, {**texts(), FILE: flow}, {})
    assert done.conflicts
    assert FILE not in done.files
    with pytest.raises(NotEditable):
        update(state(), state(), FILE, {FILE: b"tools: [\n"}, {})


def keywords(document: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Places in a document whose change is a change of some contract, or of words."""
    todo = [document]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            yield from ((here, word) for word in ("maximum", "maxLength", "description") if word in here)
            todo += here.values()
        elif isinstance(here, list):
            todo += here


def takes_over(record: dict[str, Any], folder: Path) -> None:
    """A real document, changed in some places: nothing is in the way, and the folder becomes a fresh import."""
    file = folder / record["file"]
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    name = file.name.removesuffix(".gz")
    old, newer = contracts(Document(name, data)), Document(name, data)
    for here, word in sorted(keywords(newer.root), key=lambda place: str(place))[::7]:
        here[word] = here[word] + 1 if isinstance(here[word], int) else f"{here[word]} New."
    new = contracts(newer, old.name)
    base, theirs = (Contracts(one.backend, one.tools, one.schemas, one.calls, one.notes) for one in (old, new))
    before, fresh = ({path: text.encode() for path, text in files(one).items()} for one in (old, new))
    if old.tools:
        assert update(base, base, f"{old.name}.yaml", before, {}).changes == []
        done = update(base, theirs, f"{old.name}.yaml", before, {})
        after = {path: data for path, data in {**before, **done.files}.items() if data is not None}
        assert (done.conflicts, done.edited) == ([], [])
        assert plain(after[f"{old.name}.yaml"]) == plain(fresh[f"{old.name}.yaml"])
        assert not [
            line for one in done.changes for _, line in one.lines if line.endswith("to compare (look yourself)")
        ]


def test_small_documents_are_taken_over() -> None:
    for record in corpus("openapi/index.jsonl.gz"):
        if record["operations"] <= 7:
            takes_over(record, Path(os.environ["TOOLWALL_CORPORA"]) / "openapi")


@pytest.mark.full
def test_all_documents_are_taken_over() -> None:
    for record in corpus("openapi/index.jsonl.gz"):
        takes_over(record, Path(os.environ["TOOLWALL_CORPORA"]) / "openapi")

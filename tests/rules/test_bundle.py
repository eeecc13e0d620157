"""Bundles mean what their contracts mean, without any file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rules import bundle
from rules.bundle import bundled, flat, shortened
from rules.schema import Contract

ORDER = {
    "type": "object",
    "x-team": "hunter2",
    "properties": {
        "id": {"$ref": "deep/id.json"},
        "parent": {"$ref": "#"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["id"],
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "properties": {"order": {"$ref": "order.json"}, "n": {"type": "integer"}}}},
}
GOOD: list[Any] = [
    {"order": {"id": 3}},
    {"order": {"id": 3, "parent": {"id": 4}, "lines": [{"n": 1, "order": {"id": 5}}]}},
]
BAD: list[Any] = [
    {},
    {"order": {}},
    {"order": {"id": 0}},
    {"order": {"id": 3, "parent": {"id": 0}}},
    {"order": {"id": 3, "lines": [{"n": "1"}]}},
    {"order": {"id": 3, "lines": [{"order": {"id": 0}}]}},
    {"order": {"id": 3, "more": 1}},
    {"order": {"id": 3}, "more": 1},
]


def contract(folder: Path, schema: dict[str, Any], **files: Any) -> Contract:
    (folder / "deep").mkdir(exist_ok=True)
    for name, document in {"order.json": ORDER, "deep/id.json": {"type": "integer", "minimum": 1}, **files}.items():
        (folder / name).write_text(json.dumps(document))
    return Contract(schema, folder)


def accepts(schema: Any, value: Any) -> bool:
    """The verdict of a validator that the product does not ask here, with no folder and no network."""
    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    return bool(cls(schema).is_valid(value))


def test_a_contract_with_files_means_the_same_without_them(tmp_path: Path) -> None:
    made = contract(
        tmp_path,
        {
            "type": "object",
            "properties": {"order": {"$ref": "order.json"}},
            "required": ["order"],
            "$comment": "secret",
        },
    )
    schema, exact = bundled(made)
    assert exact
    shape = flat(made, schema)
    assert shape.keys() == {"type", "properties", "required", "additionalProperties", "$defs"}
    for value in GOOD:
        assert made.check(value) == ()
        assert accepts(shape, value)
    for value in BAD:
        assert made.check(value) != ()
        assert not accepts(shape, value)
    assert "hunter2" not in json.dumps(schema)
    assert "secret" not in json.dumps(schema)
    assert ".json" not in json.dumps(schema)


def test_data_that_looks_like_a_reference_stays(tmp_path: Path) -> None:
    data = {"$ref": "order.json", "x-kept": 1}
    schema = {
        "type": "object",
        "properties": {"$ref": {"const": data}, "x-kept": {"$ref": "order.json"}},
        "examples": [{"$ref": data}],
    }
    whole, _ = bundled(contract(tmp_path, schema))
    assert whole["properties"] == {"$ref": {"const": data}, "x-kept": {"$ref": "#/$defs/order"}}
    assert whole["examples"] == [{"$ref": data}]


def test_files_of_one_name_and_names_that_are_taken(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "id.json"}, "b": {"$ref": "deep/id.json"}, "c": {"$ref": "#/$defs/id"}},
        "$defs": {"id": {"type": "boolean"}},
    }
    whole, _ = bundled(contract(tmp_path, schema, **{"id.json": {"type": "string"}}))
    assert accepts(whole, {"a": "x", "b": 1, "c": True})
    for bad in ({"a": 1}, {"b": "x"}, {"c": 1}):
        assert not accepts(whole, bad)


def test_a_reference_into_a_file(tmp_path: Path) -> None:
    whole, _ = bundled(
        contract(tmp_path, {"type": "object", "properties": {"line": {"$ref": "order.json#/$defs/line"}}})
    )
    assert accepts(whole, {"line": {"n": 1}})
    assert not accepts(whole, {"line": {"n": "1"}})


@pytest.mark.parametrize(
    "document",
    [
        {"$anchor": "here", "type": "integer"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"},
        {"$defs": {"a": {"$anchor": "b", "type": "string"}}, "type": "integer"},
    ],
)
def test_names_of_their_own_are_bundled_as_the_standard_says(tmp_path: Path, document: dict[str, Any]) -> None:
    made = contract(tmp_path, {"type": "object", "properties": {"n": {"$ref": "own.json"}}}, **{"own.json": document})
    whole, exact = bundled(made)
    assert exact
    assert accepts(whole, {"n": 1})
    assert not accepts(whole, {"n": "x"})


def test_what_does_not_hold_together_is_shortened(tmp_path: Path) -> None:
    document = {"$id": "https://elsewhere.test/own", "type": "integer"}
    made = contract(
        tmp_path,
        {"type": "object", "properties": {"n": {"$ref": "own.json"}}, "required": ["n"]},
        **{"own.json": document},
    )
    whole, exact = bundled(made)
    assert accepts(whole, {"n": 1})
    assert exact or whole["required"] == ["n"]
    assert "own.json" not in json.dumps(whole) or exact


def test_old_drafts_keep_their_words(tmp_path: Path) -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"a": {"$ref": "old.json"}},
        "definitions": {"old": {"type": "string"}},
    }
    whole, exact = bundled(contract(tmp_path, schema, **{"old.json": {"items": [{"type": "integer"}]}}))
    assert exact
    assert set(whole["definitions"]) == {"old", "old_2"}
    assert accepts(whole, {"a": [1]})
    assert not accepts(whole, {"a": ["1"]})


@pytest.mark.parametrize(
    ("schema", "good", "bad", "required"),
    [
        ({"$ref": "order.json"}, [{"id": 1}], [{}, {"id": 0}, {"id": 1, "more": 2}], ["id"]),
        (
            {"allOf": [{"$ref": "order.json"}], "type": "object"},
            [{"id": 1, "parent": {"id": 2}}],
            [{}, {"id": 1, "parent": {}}],
            ["id"],
        ),
        (
            {
                "type": "object",
                "properties": {"kind": {"enum": ["a", "b"]}},
                "required": ["kind"],
                "oneOf": [
                    {"properties": {"n": {"type": "integer"}}, "required": ["n"]},
                    {"properties": {"n": {"type": "string"}}},
                ],
            },
            [{"kind": "a", "n": 1}, {"kind": "b", "n": "x"}],
            [{}, {"kind": "c"}, {"kind": "a", "n": True}, {"kind": "a", "other": 1}],
            ["kind"],
        ),
        ({"properties": {"a": {"type": "integer"}}}, [{}, {"a": 1}], [{"a": "x"}, {"b": 1}], []),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"a": 1}], [{"a": "x"}], None),
        ({}, [{}], [{"a": 1}], []),
    ],
)
def test_a_flat_schema_is_an_object_with_its_properties_at_the_top(
    tmp_path: Path, schema: dict[str, Any], good: list[Any], bad: list[Any], required: list[str] | None
) -> None:
    made = contract(tmp_path, schema)
    shape = flat(made, bundled(made)[0])
    assert shape["type"] == "object"
    assert isinstance(shape["properties"], dict)
    assert bundle._BRANCHES.isdisjoint(shape)
    assert shape.get("required") == required
    for value in good:
        assert made.check(value) == ()
        assert accepts(shape, value)
    for value in bad:
        assert made.check(value) != ()
        assert not accepts(shape, value)


def test_a_shortened_schema_is_small_and_looser(tmp_path: Path) -> None:
    many = {f"n{number}": {"type": "integer", "description": "x" * 5000} for number in range(bundle.MOST_NAMES + 50)}
    made = contract(
        tmp_path,
        {
            "type": "object",
            "properties": {"order": {"$ref": "order.json"}, "a": {"enum": ["x"], "description": "An a."}, **many},
            "required": ["a", "n99"],
        },
    )
    shape = shortened(flat(made, bundled(made)[0]), made)
    assert shape["properties"]["a"] == {"enum": ["x"], "description": "An a."}
    assert len(shape["properties"]) == bundle.MOST_NAMES
    assert len(json.dumps(shape)) < 32 * 1024
    assert shape["required"] == ["a"]
    assert shape["additionalProperties"] is True
    made = contract(tmp_path, {"type": "object", "properties": {"order": {"$ref": "order.json"}}})
    assert shortened(flat(made, bundled(made)[0]), made) == {
        "type": "object",
        "properties": {"order": {"type": "object"}},
        "required": [],
        "additionalProperties": False,
    }

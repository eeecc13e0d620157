"""The schema of results that a client is shown fits what it gets, whatever was left out."""

import json
import random
from dataclasses import replace

import jsonschema
import pytest

from redaction.operators import Way
from redaction.shaping import Bounds, Links
from rules.mcp import shown
from rules.mcp.shaping import shaped
from rules.shaping import Answer, Shaping, Unshapable
from rules.tools import Reply
from tests.rules.mcp.hub import SEARCH, hub

ROW = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "state": {"enum": ["open", "closed"]},
        "note": {"type": "string", "minLength": 1, "maxLength": 900, "pattern": "^[a-z ]*$"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 1},
        "cells": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}, "minItems": 3}},
    },
    "required": ["id", "note", "tags"],
    "additionalProperties": False,
}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": {"$ref": "#/definitions/row"}, "minItems": 2, "uniqueItems": True},
        "either": {"oneOf": [{"type": "string", "maxLength": 1_000}, {"type": "object", "required": ["a"]}]},
        "pair": {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False},
        "by": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
    },
    "required": ["rows"],
    "additionalProperties": False,
    "minProperties": 1,
    "not": {"properties": {"rows": {"maxItems": 1}}, "required": ["rows"]},
    "if": {"required": ["by"]},
    "then": {"required": ["either"]},
    "definitions": {"row": ROW},
}


def tool(tmp_path, schema=SCHEMA, **reply):
    made = hub(tmp_path).catalog.tools["hub.search_issues"]
    return replace(made, reply=Reply(**reply)), {**SEARCH, "outputSchema": schema}


def one(chance):
    def words():
        return "a word " * chance.choice([1, 3, 100])

    def row(number):
        return {
            "id": number + 1,
            "state": chance.choice(["open", "closed"]),
            "note": words(),
            "tags": [chance.choice(["x", "y"])] * chance.randrange(1, 6),
            "cells": [[1, 2, 3, 4]] * chance.randrange(4),
        }

    more = chance.choice([{}, {"either": words()}, {"either": {"a": [1] * 9}}, {"pair": [1, "x"]}])
    by = {"by": {"k": [1] * chance.randrange(9), "l": [2, 3]}} if "either" in more else {}
    return {"rows": [row(number) for number in range(chance.randrange(2, 9))], **more, **by}


SHAPINGS = [
    *(Shaping(bounds=Bounds(*each)) for each in [(1,), (3, 20), (0, 5), (0, 0, 1_500), (2, 0, 3_000)]),
    *(Shaping(keep=each) for each in [("id",), ("rows",), ("note", "by"), ("/rows/*/tags",), ("/rows/0/id",)]),
    *(Shaping(drop=each) for each in [("id",), ("rows",), ("/rows/0",), ("/pair/0", "tags"), ("/by/k",)]),
    Shaping(("id", "cells", "tags"), ("state",), Bounds(1, 5)),
]


@pytest.mark.parametrize("shaping", SHAPINGS, ids=Shaping.as_text)
def test_what_a_client_gets_fits_what_it_is_shown(tmp_path, shaping):
    chance = random.Random(3)
    told = shown.definition(*reversed(tool(tmp_path, shaping=shaping)))["outputSchema"]
    validator = jsonschema.Draft7Validator(told)
    validator.check_schema(told)
    before, count = jsonschema.Draft7Validator(SCHEMA), 0
    for _ in range(60):
        data = one(chance)
        before.validate(data)
        body = json.dumps({"result": {"content": [], "structuredContent": data}}).encode()
        try:
            done = shaped(shaping, Answer(body, "application/json"), Links("call it with rest=H-", 100))
        except Unshapable:
            continue
        count += bool(done.counts)
        validator.validate(json.loads(done.body)["result"]["structuredContent"])
    assert count > 5


def test_what_still_holds_is_still_told(tmp_path):
    a_tool, accepted = tool(tmp_path, shaping=Shaping(bounds=Bounds(most=3)))
    told = shown.definition(accepted, a_tool)["outputSchema"]
    row = told["definitions"]["row"]
    assert row["properties"]["note"] == ROW["properties"]["note"]
    assert row["properties"]["state"] == {"enum": ["open", "closed"]}
    assert (row["required"], row["additionalProperties"]) == (ROW["required"], False)
    validator = jsonschema.Draft7Validator(told)
    assert not validator.is_valid({"rows": [{"id": 0, "note": "a", "tags": []}]})
    assert not validator.is_valid({"rows": [], "other": 1})
    assert not validator.is_valid({"rows": 1})


def test_of_what_is_dropped_nobody_is_told(tmp_path):
    a_tool, accepted = tool(tmp_path, shaping=Shaping(drop=("state", "/rows/0")))
    told = shown.definition(accepted, a_tool)["outputSchema"]
    assert "state" not in told["definitions"]["row"]["properties"]
    assert {"id", "note", "tags", "cells"} == {*told["definitions"]["row"]["properties"]}


def test_what_cleaning_writes_may_stand_for_any_text(tmp_path):
    kinds = frozenset({"EMAIL_ADDRESS"})
    a_tool, accepted = tool(tmp_path, shaping=Shaping(bounds=Bounds(most=3)), redact=kinds)
    told = shown.definition(accepted, a_tool)["outputSchema"]["definitions"]["row"]["properties"]
    assert (told["note"], told["state"], told["id"]) == ({"type": "string"}, {}, {"type": "integer"})


@pytest.mark.parametrize(
    ("way", "kind", "required"),
    [("zero", "integer", True), ("mask", ["integer", "string"], True), ("drop", ["integer", "string"], False)],
)
def test_how_findings_are_rewritten_counts(tmp_path, way, kind, required):
    ways = frozenset({("CREDIT_CARD", Way(way))})
    a_tool, accepted = tool(tmp_path, redact=frozenset({"CREDIT_CARD"}), ways=ways)
    row = shown.definition(accepted, a_tool)["outputSchema"]["definitions"]["row"]
    assert row["properties"]["id"] == {"type": kind}
    assert ("required" in row) == required
    assert ("minItems" in row["properties"]["tags"]) == required


def test_a_tool_whose_results_are_whole_is_shown_as_it_was_accepted(tmp_path):
    a_tool, accepted = tool(tmp_path)
    assert shown.definition(accepted, a_tool) == accepted
    a_tool, _ = tool(tmp_path, shaping=Shaping(keep=("id",)))
    assert shown.definition(SEARCH | {"outputSchema": True}, a_tool) == SEARCH | {"outputSchema": True}


def test_a_reference_to_what_is_gone_says_nothing(tmp_path):
    schema = {"type": "object", "properties": {"a": {"$ref": "#/not"}, "b": {"$ref": "#"}}, "not": {"type": "array"}}
    a_tool, accepted = tool(tmp_path, schema, shaping=Shaping(keep=("a",)))
    told = shown.definition(accepted, a_tool)["outputSchema"]
    assert told["properties"] == {"a": {}, "b": {"$ref": "#"}}

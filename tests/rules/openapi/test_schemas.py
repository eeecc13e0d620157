import json

import pytest

from rules.dialects import DRAFT202012
from rules.documents import ROOT
from rules.openapi import Document
from rules.openapi.schemas import MOST_NESTING, Schemas
from rules.schema import compiled


def made(components, modern=False):
    told = []
    document = Document("a.json", json.dumps({"components": {"schemas": components}}).encode())
    return Schemas(document, modern, told.append), told


def ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def valid(schemas, schema, value):
    documents = {ROOT + name: one for name, one in schemas.files.items()}
    return compiled(schema, DRAFT202012, documents).is_valid(value)


def test_shared_schemas_are_files_that_refer_to_each_other():
    components = {
        "Order": {
            "type": "object",
            "properties": {"lines": {"type": "array", "items": ref("Line")}, "of": ref("Order")},
        },
        "Line": {"type": "object", "properties": {"of": ref("Order"), "n": {"type": "integer"}}},
    }
    schemas, told = made(components)
    assert schemas.inline(ref("Order"), "a.json", "reply", "it") == {"$ref": "Order.json"}
    schemas.finish()
    assert told == []
    assert set(schemas.files) == {"Order.json", "Line.json"}
    assert schemas.files["Line.json"]["properties"]["of"] == {"$ref": "Order.json"}
    assert valid(schemas, {"$ref": "Order.json"}, {"lines": [{"n": 1, "of": {"lines": [{"n": 2}]}}]})
    assert not valid(schemas, {"$ref": "Order.json"}, {"lines": [{"n": 1, "of": {"lines": [{"n": "x"}]}}]})


def test_a_small_schema_that_refers_to_nothing_stands_in_the_tool():
    schemas, _ = made({"State": {"type": "string", "enum": ["a", "b"]}})
    assert schemas.inline(ref("State"), "a.json", "request", "it") == {"type": "string", "enum": ["a", "b"]}
    assert schemas.files == {}


def test_a_large_schema_of_one_tool_is_a_file_once():
    large = {"type": "object", "properties": {f"property_{n}": {"type": "string", "minLength": n} for n in range(30)}}
    schemas, _ = made({})
    assert schemas.inline(large, "a.json", "request", "post.body") == {"$ref": "post.body.json"}
    assert schemas.inline(large, "a.json", "request", "put.body") == {"$ref": "post.body.json"}


def test_read_only_members_do_not_travel_in_requests_nor_write_only_ones_in_replies():
    components = {
        "User": {
            "type": "object",
            "properties": {
                "id": {"type": "integer", "readOnly": True},
                "made": ref("Stamp"),
                "password": {"type": "string", "writeOnly": True},
                "name": {"type": "string"},
            },
            "required": ["id", "made", "password", "name"],
        },
        "Stamp": {"type": "string", "readOnly": True},
        "Team": {"type": "object", "properties": {"users": {"type": "array", "items": ref("User")}}},
        "Plain": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}},
    }
    schemas, _ = made(components)
    assert schemas.file_of(schemas.document.find(ref("Team")["$ref"], "a.json"), "request") == "Team.request.json"
    assert schemas.file_of(schemas.document.find(ref("Team")["$ref"], "a.json"), "reply") == "Team.reply.json"
    names = {
        schemas.file_of(schemas.document.find(ref("Plain")["$ref"], "a.json"), side) for side in ("request", "reply")
    }
    assert names == {"Plain.json"}, "what is alike on both sides is one file"
    schemas.finish()
    request, reply = schemas.files["User.request.json"], schemas.files["User.reply.json"]
    assert (set(request["properties"]), request["required"]) == ({"password", "name"}, ["password", "name"])
    assert (set(reply["properties"]), reply["required"]) == ({"id", "made", "name"}, ["id", "made", "name"])


def test_what_a_branch_hides_no_other_branch_requires():
    components = {"Base": {"properties": {"id": {"type": "integer", "readOnly": True}, "n": {"type": "integer"}}}}
    schemas, _ = made(components)
    found = schemas.translate(
        {"allOf": [ref("Base"), {"required": ["id", "n"]}], "required": ["id"]}, "a.json", "request"
    )
    assert found == {"allOf": [{"$ref": "Base.request.json"}, {"required": ["n"]}]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({**ref("A"), "nullable": True}, {"anyOf": [{"$ref": "A.json"}, {"type": "null"}]}),
        ({**ref("A"), "maxLength": 1, "description": "d"}, {"description": "d", "$ref": "A.json"}),
        ({"oneOf": [ref("A"), {}]}, {"oneOf": [{"$ref": "A.json"}, {}]}),
        ({"oneOf": [ref("A")], "discriminator": {"propertyName": "t"}}, {"anyOf": [{"$ref": "A.json"}]}),
        ({"allOf": [], "anyOf": "x"}, {}),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
        ({"items": {}}, {"items": {}}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"properties": {}, "required": ["a", "a", 7]}, {"required": ["a"]}),
        ({"required": True}, {}),
        ({"required": [{"a": 1}]}, {}),
        (
            {"properties": {"$ref": {"type": "string"}, "readOnly": {"type": "boolean"}}},
            {"properties": {"$ref": {"type": "string"}, "readOnly": {"type": "boolean"}}},
        ),
        ({"patternProperties": {"^x-": True}}, {"patternProperties": {"^x-": True}}),
        ({"dependentRequired": {"a": ["b"]}}, {"dependentRequired": {"a": ["b"]}}),
        ({"if": {"required": ["a"]}, "then": False}, {"if": {"required": ["a"]}, "then": False}),
        (True, True),
    ],
)
def test_subschemas(schema, expected):
    schemas, told = made({"A": {"type": "string"}})
    assert schemas.translate(schema, "a.json", "request") == expected
    assert told == []


def test_beside_a_reference_of_openapi_31_everything_counts():
    schemas, _ = made({"A": {"type": "string"}}, modern=True)
    assert schemas.translate({**ref("A"), "maxLength": 1}, "a.json", "request") == {"maxLength": 1, "$ref": "A.json"}


@pytest.mark.parametrize(
    ("schema", "side", "expected", "says"),
    [
        (ref("Gone"), "request", {"not": {}}, "no value passes here"),
        (ref("Gone"), "reply", {}, "any value passes here"),
        ({"$ref": 7}, "request", {"not": {}}, "is not text"),
        ("string", "request", {}, "no mapping"),
        ({"additionalProperties": "yes"}, "request", {}, "additionalProperties is no schema"),
        ({"$recursiveRef": "#"}, "request", {}, "$recursiveRef is left out"),
        ({"patternProperties": {"(?=a)": {}}}, "request", {}, "does not run in linear time"),
    ],
)
def test_what_is_broken_stays_shut_in_requests_and_is_said(schema, side, expected, says):
    schemas, told = made({})
    found = schemas.translate(schema, "a.json", side)
    assert len(told) == 1
    assert says in told[0]
    if isinstance(schema, dict):
        assert says in found.pop("$comment")
    assert found == expected


def test_depth_is_bounded():
    deep = {"type": "string"}
    for _ in range(MOST_NESTING + 10):
        deep = {"items": deep}
    schemas, told = made({})
    found = schemas.translate(deep, "a.json", "request")
    assert "nested deeper" in told[0]
    compiled(found, DRAFT202012, {})


def test_names_of_files_are_safe_and_differ():
    names = ["a/b", "A/B", "../x", "ünï", "", "x" * 300, "CON.v1", "a b"]
    schemas, _ = made({name: {"type": "string"} for name in names})
    made_names = [
        schemas.file_of(schemas.document.find("#/components/schemas/" + name.replace("/", "~1"), "a.json"), "reply")
        for name in names
        if name
    ]
    assert len({name.lower() for name in made_names}) == len(made_names)
    assert all(
        name.isascii() and "/" not in name and not name.startswith(".") and len(name) < 80 for name in made_names
    )

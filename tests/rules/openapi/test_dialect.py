import pytest

from rules.dialects import DRAFT202012, flaws
from rules.openapi.dialect import is_nullable, plain_part, with_null
from rules.schema import compiled


def part(schema):
    said = []
    found = plain_part(schema, said.append)
    assert flaws(found, DRAFT202012) == []
    compiled(found, DRAFT202012, {})
    return found, said


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "minLength": 1}, {"type": "string", "minLength": 1}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string", None]}, {"type": ["string", "null"]}),
        ({"type": "String"}, {"type": "string"}),
        ({"type": "file"}, {"type": "string", "contentEncoding": "base64"}),
        ({"type": "long"}, {"type": "integer"}),
        ({"type": "any"}, {}),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "integer", "exclusiveMinimum": 0}),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": False}, {"type": "integer", "minimum": 0}),
        ({"exclusiveMaximum": 5}, {"exclusiveMaximum": 5}),
        ({"exclusiveMaximum": True}, {}),
        ({"maximum": "10", "minLength": "2"}, {"minLength": 2, "maximum": 10}),
        ({"type": "integer", "format": "int32"}, {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}),
        ({"type": "integer", "format": "int32", "minimum": 1}, {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}),
        ({"type": "integer", "format": "int64"}, {"type": "integer"}),
        ({"type": "string", "format": "dateTime"}, {"type": "string", "format": "date-time"}),
        ({"type": "string", "format": "byte"}, {"type": "string", "contentEncoding": "base64"}),
        ({"type": "string", "format": "card-number"}, {"type": "string"}),
        ({"type": "integer", "format": "date-time"}, {"type": "integer"}),
        ({"example": "a", "default": 3}, {"default": 3, "examples": ["a"]}),
        ({"examples": ["b", "c"]}, {"examples": ["b"]}),
        ({"example": "x" * 61, "default": {"a": 1}}, {}),
        ({"type": "string", "enum": ["a", "a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"type": "string", "enum": [1, True, 2.5]}, {"type": "string", "enum": ["1", "true", "2.5"]}),
        ({"type": "integer", "enum": ["1", "-2"]}, {"type": "integer", "enum": [1, -2]}),
        ({"enum": [1, True, 1.0]}, {"enum": [1, True, 1.0]}),
        ({"const": None}, {"const": None}),
        ({"pattern": "/^a+$/"}, {"pattern": "^a+$"}),
        ({"description": "An  <b>id</b>\n* of `x`"}, {"description": "An id * of x"}),
        ({"xml": {}, "x-own": 1, "discriminator": {}, "externalDocs": {}, "deprecated": True}, {}),
        ({"uniqueItems": True, "multipleOf": 0.01}, {"uniqueItems": True, "multipleOf": 0.01}),
        ({"uniqueItems": "yes", "multipleOf": 0}, {}),
    ],
)
def test_one_schema_object_in_json_schema(schema, expected):
    assert part(schema) == (expected, [])


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "wibble"}, "the type `wibble` is none of JSON Schema"),
        ({"type": {"a": 1}}, "is none of JSON Schema"),
        ({"pattern": "(?!x)y"}, "without look-around"),
        ({"pattern": "(a)\\1"}, "without look-around"),
        ({"pattern": 7}, "without look-around"),
        ({"minLength": -1}, "minLength is no count"),
        ({"maxItems": 1.5}, "maxItems is no count"),
        ({"maximum": "many"}, "maximum is no number"),
        ({"enum": []}, "no list of values"),
        ({"enum": "a"}, "no list of values"),
    ],
)
def test_what_cannot_be_taken_over_is_left_out_and_said(schema, says):
    found, said = part(schema)
    assert found == {}
    assert len(said) == 1
    assert says in said[0]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": "string", "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"$ref": "a.json"}, {"anyOf": [{"$ref": "a.json"}, {"type": "null"}]}),
        (
            {"description": "d", "allOf": [{}]},
            {"description": "d", "anyOf": [{"allOf": [{}]}, {"type": "null"}]},
        ),
        ({}, {}),
    ],
)
def test_null_is_allowed_besides(made, expected):
    assert with_null(made) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [({"nullable": True}, True), ({"x-nullable": True}, True), ({"nullable": "true"}, False), ({}, False)],
)
def test_nullable_is_a_boolean(schema, expected):
    assert is_nullable(schema) is expected

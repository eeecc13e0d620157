import pytest

from rules.dialects import DRAFT202012
from rules.documents import ROOT
from rules.problems import NO_EXAMPLE
from rules.samples import Guide


def guide(schema, **documents):
    return Guide(schema, DRAFT202012, {ROOT + name: document for name, document in documents.items()})


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"default": 5, "examples": [6]}, 5),
        ({"examples": [6, 7]}, 6),
        ({"default": None}, None),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"enum": ["x", "y"]}, "x"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 1.5}, NO_EXAMPLE),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, True),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string"}, NO_EXAMPLE),
        ({"type": "string", "examples": [5]}, NO_EXAMPLE),
        ({"type": "string", "format": "date", "maxLength": 3}, NO_EXAMPLE),
        ({"$ref": "#/$defs/n"}, 9),
        ({"$ref": "x.json#/$defs/n"}, 8),
        ({"allOf": [{"type": "integer"}, {"minimum": 4, "type": "integer"}]}, 4),
        (True, NO_EXAMPLE),
    ],
)
def test_an_example_comes_from_the_schema_and_fits_it(schema, example):
    root = {"properties": {"a": schema}, "$defs": {"n": {"const": 9}}}
    found = guide(root, **{"x.json": {"$defs": {"n": {"const": 8}}}}).example(["a"])
    assert found is example if example is NO_EXAMPLE else found == example


def test_places_are_found_through_items_and_unknown_names():
    schema = {
        "properties": {
            "l": {"prefixItems": [{"const": 1}], "items": {"const": 2}},
            "m": {"additionalProperties": {"const": 3}},
        }
    }
    shown = guide(schema)
    assert [shown.example(path) for path in (["l", 0], ["l", 7], ["m", "any"])] == [1, 2, 3]
    assert shown.example(["no", "where", 5]) is NO_EXAMPLE


def test_declared_names_are_found_through_branches():
    schema = {
        "properties": {"a": {}},
        "allOf": [{"properties": {"b": {}}}],
        "anyOf": [{"oneOf": [{"properties": {"c": {}}}]}],
        "if": {"properties": {"d": {}}},
        "then": {"properties": {"e": {}}},
        "dependentSchemas": {"a": {"properties": {"f": {}}}},
        "$ref": "#/$defs/x",
        "$defs": {"x": {"properties": {"g": {}}}, "unused": {"properties": {"h": {}}}},
    }
    assert guide(schema).names() == frozenset("abcdefg")


def test_schemas_that_lead_in_circles_end():
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#"}]}}}
    assert guide(schema).names() == frozenset()
    assert guide(schema).others() is None


def test_names_that_no_schema_declares_are_stars_in_paths():
    shown = guide({"properties": {"a": {"items": {"properties": {"b~": {}}}}}})
    assert shown.safe(["a", 3, "b~", "SECRET"]) == "/a/3/b~0/*"


def test_what_is_known_about_each_argument_is_collected():
    schema = {"properties": {"a": {"type": "string"}}, "allOf": [{"properties": {"a": {"maxLength": 3}}}]}
    assert guide(schema).properties() == {"a": [{"type": "string"}, {"maxLength": 3}]}

import math

import pytest

from rules.lint.values import ANY, ANYTHING, JSON, MOST_ALTERNATIVES, NOTHING, Schemas, constant, join, meet
from rules.schema import Contract


def at(schema, *path, **top):
    """What may be at a place below the argument `a`, and whether it always is there."""
    schemas = Schemas(Contract({"type": "object", "properties": {"a": schema}, **top}))
    value, presence = schemas.member(schemas.root, "a")
    for name in path:
        value, presence = (schemas.item(value), presence) if name == "[]" else schemas.member(value, name)
    return value, presence


def test_branches_that_multiply_have_an_end():
    names = {f"s{i}": {"anyOf": [{"$ref": f"#/$defs/s{i + 1}"}] * 10} for i in range(30)}
    value, _ = at({"$ref": "#/$defs/s0"}, **{"$defs": {**names, "s30": {"type": "integer"}}})
    assert value.kinds >= JSON


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        ({}, JSON),
        (True, ANY),
        ({"type": "integer"}, {"int"}),
        ({"type": "number"}, {"int", "double"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"enum": ["a", None]}, {"string", "null"}),
        ({"const": 5}, {"int", "double"}),
        ({"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]}, {"int"}),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, {"string", "bool"}),
        ({"type": "string", "oneOf": [{"maxLength": 5}, {"type": "integer"}]}, {"string"}),
        ({"type": "integer", "minimum": 5, "maximum": 3}, set()),
        ({"not": {"type": "string"}}, JSON),
        ({"$ref": "#/$defs/t"}, {"string"}),
        ({"$ref": "#/$defs/loop"}, JSON),
    ],
)
def test_types(schema, kinds):
    defs = {"t": {"type": "string"}, "loop": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/loop"}]}}
    value, _ = at(schema, **{"$defs": defs})
    assert value.kinds >= kinds
    assert "$ref" in str(schema) or value.kinds == kinds


@pytest.mark.parametrize(
    ("schema", "low", "high"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 5}, 1, 5),
        ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 5}, 2, 4),
        ({"enum": [3, 7, 5]}, 3, 7),
        ({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 2}, {"enum": [9]}]}, 1, 9),
        ({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 2}, {"type": "string"}]}, 1, 2),
        ({"type": "integer"}, -math.inf, math.inf),
        ({"type": "integer", "maximum": 10**400}, -math.inf, math.inf),
    ],
)
def test_bounds(schema, low, high):
    value, _ = at(schema)
    assert (value.low, value.high) == (low, high)


def test_draft_04_says_exclusive_beside_the_bound():
    top = {"$schema": "http://json-schema.org/draft-04/schema#"}
    value, _ = at({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, **top)
    assert value.low == 2


OBJECT = {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "name", "presence"),
    [
        (OBJECT, "x", "always"),
        (OBJECT, "y", "maybe"),
        (OBJECT, "z", "maybe"),
        ({**OBJECT, "additionalProperties": False}, "z", "never"),
        ({**OBJECT, "additionalProperties": False, "patternProperties": {"z": True}}, "z", "maybe"),
        ({"anyOf": [OBJECT, {"type": "string"}]}, "x", "always"),
        ({"anyOf": [OBJECT, {"type": "object"}]}, "x", "maybe"),
        ({"type": "string"}, "x", "never"),
        ({"allOf": [OBJECT, {"required": ["y"]}]}, "y", "always"),
        ({}, "x", "maybe"),
    ],
)
def test_members(schema, name, presence):
    assert at(schema, name)[1] == presence


def test_the_top_level_is_closed_unless_the_author_opened_it():
    closed = Schemas(Contract({"type": "object", "properties": {"a": {}}}))
    assert closed.member(closed.root, "b")[1] == "never"
    opened = Schemas(Contract({"type": "object", "additionalProperties": True}))
    assert opened.member(opened.root, "b")[1] == "maybe"


def test_items():
    assert at({"type": "array", "items": {"type": "string"}}, "[]")[0].kinds == {"string"}
    assert at({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, "[]")[0].kinds == {"string"}
    assert at({"type": "array"}, "[]")[0].kinds == ANY


def test_free_objects():
    assert at({"type": "object"})[0].is_free
    assert at({**OBJECT, "additionalProperties": True})[0].is_free
    assert not at(OBJECT)[0].is_free
    assert not at({"type": "object", "maxProperties": 3})[0].is_free
    assert not at({"type": "string"})[0].is_free


def test_many_alternatives_may_be_anything():
    many = [{"type": "object", "properties": {f"p{i}": {}}, "additionalProperties": False} for i in range(40)]
    assert len(many) > MOST_ALTERNATIVES
    value, presence = at({"anyOf": many}, "q")
    assert (presence, value.kinds) == ("maybe", ANY)


def test_meet_and_join_have_their_ends():
    some = constant([1, "a", None])
    assert meet(some, ANYTHING) == some
    assert join(some, NOTHING).consts == some.consts
    assert meet(some, NOTHING).kinds == frozenset()
    assert meet(constant([True]), constant([1])).kinds == frozenset()

"""What text can stand for follows from the schema of its place."""

import json

import pytest

from rules.kinds import MOST_DEPTH, MOST_KEPT, TEXT, kinds
from rules.schema import Contract


def kind(schema, folder=None):
    return kinds(Contract({"type": "object", "properties": {"a": schema}}, folder).guide).member("a")


@pytest.mark.parametrize(
    ("schema", "simple"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({}, "string"),
        ({"enum": [1, 2]}, "integer"),
        ({"const": True}, "boolean"),
        ({"type": ["integer", "null"]}, "integer"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
        ({"type": ["integer", "number"]}, "number"),
        ({"type": ["string", "integer"]}, "string"),
        ({"allOf": [{"type": "integer"}, {"minimum": 1}]}, "integer"),
        ({"$ref": "x.json"}, "integer"),
        ({"enum": ["a", 2]}, ""),
        ({"type": ["integer", "boolean"]}, ""),
        ({"type": "array"}, ""),
        ({"type": "object"}, ""),
        ({"properties": {"x": {}}}, ""),
        ({"items": {}}, ""),
    ],
)
def test_the_one_type_that_any_text_is_read_as(tmp_path, schema, simple):
    (tmp_path / "x.json").write_text('{"type": "integer"}')
    assert kind(schema, tmp_path).simple == simple


def test_arrays_objects_and_both():
    both = kind({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "object"}, {"type": "string"}]})
    assert (both.is_list, both.is_map, both.is_scalar) == (True, True, True)
    assert both.item().simple == "integer"
    assert not kind({"type": ["array", "null"]}).is_scalar
    assert repr(both) == "Kind(array or object or string)"
    assert repr(TEXT) == "Kind(anything)"


def test_words_are_listed_only_where_every_text_is():
    assert kind({"enum": ["a", 2]}).words == {"a"}
    assert kind({"anyOf": [{"enum": ["a"]}, {"const": "b"}, {"type": "integer"}]}).words == {"a", "b"}
    assert kind({"anyOf": [{"enum": ["a"]}, {"type": "string"}, {"type": "integer"}]}).words is None


def test_members_and_the_names_that_nobody_declared():
    one = kind({"properties": {"n": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}})
    assert (one.names, one.is_open) == ({"n"}, True)
    assert (one.member("n").simple, one.member("zz").simple) == ("integer", "boolean")
    assert one.member("zz") is one.member("yy")
    assert not kind({"properties": {"n": {}}}).is_open
    assert not kind({"allOf": [{"additionalProperties": False}, {"additionalProperties": True}]}).is_open
    assert kind({"type": "object"}).is_open


def test_texts_that_the_author_lists():
    assert kind({"enum": ["a", "b", 1]}).listed == {"a", "b"}
    assert kind({"anyOf": [{"const": "a"}, {"enum": ["b"]}]}).listed == {"a", "b"}
    assert kind({"anyOf": [{"const": "a"}, {"type": "string"}]}).listed == frozenset()
    assert kind({"type": "string"}).listed == TEXT.listed == frozenset()


def test_a_schema_that_loops_has_an_end(tmp_path):
    names = [f"n{number}" for number in range(24)]
    schema = {"type": "object", "properties": {name: {"$ref": "loop.json"} for name in names}}
    (tmp_path / "loop.json").write_text(json.dumps(schema))
    here = top = kind({"$ref": "loop.json"}, tmp_path)
    for _ in range(MOST_DEPTH + 5):
        here = here.member("n1")
    assert here is TEXT
    for first in names:
        for second in names:
            for third in names:
                top.member(first).member(second).member(third)
    assert top._kept[0] == MOST_KEPT
    assert top.member("n23").member("n23").member("n23").is_map

import timeit

import pytest

from rules.dialects import DRAFT4, DRAFT201909, DRAFT202012
from rules.documents import ROOT
from rules.second import second_opinion


def valid(schema, value, dialect=DRAFT202012, **documents):
    found = second_opinion(schema, dialect, {ROOT + name: document for name, document in documents.items()})
    return found.is_valid(value)


def test_it_knows_the_keywords_that_it_is_asked_about():
    schema = {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}
    assert valid(schema, {"a": 1})
    assert not valid(schema, {"b": 1})
    tree = {"$recursiveAnchor": True, "additionalProperties": {"$recursiveRef": "#"}, "type": "object"}
    assert valid(tree, {"a": {"b": {}}}, DRAFT201909)
    assert not valid(tree, {"a": {"b": 1}}, DRAFT201909)


def test_it_follows_references_to_files_and_to_itself():
    documents = {"x.json": {"type": "integer"}}
    schema = {"properties": {"a": {"$ref": "x.json"}, "b": {"$ref": "#"}}}
    assert valid(schema, {"a": 1, "b": {"a": 1}}, **documents)
    assert not valid(schema, {"b": {"a": "x"}}, **documents)


@pytest.mark.parametrize(
    ("schema", "value", "answer"),
    [
        ({"multipleOf": 0.01}, 19.99, True),
        ({"multipleOf": 0.01}, 1.005, False),
        ({"multipleOf": 5}, 1e308, True),
        ({"multipleOf": 2}, "x", True),
        ({"uniqueItems": True}, [1, True], True),
        ({"uniqueItems": True}, [1, 1.0], False),
        ({"uniqueItems": True}, "xx", True),
        ({"uniqueItems": False}, [1, 1], True),
        ({"pattern": r"^\p{Letter}+$"}, "é", True),
        ({"pattern": r"^\d$"}, "٣", False),
        ({"pattern": "^a$"}, "a\n", False),
        ({"pattern": "x"}, 5, True),
        ({"enum": [1]}, True, False),
        ({"const": 0}, False, False),
    ],
)
def test_it_is_exact(schema, value, answer):
    assert valid(schema, value) is answer


@pytest.mark.parametrize("dialect", [DRAFT4, DRAFT201909, DRAFT202012], ids=lambda one: one.name)
def test_a_named_dialect_keeps_patterns_linear_also_behind_a_reference(dialect):
    schema = {"$schema": dialect.uri, "items": {"$ref": "#"}, "pattern": "^(a+)+$"}
    assert valid(schema, ["aaa"], dialect)
    attack = ["a" * 100_000 + "!"]
    assert min(timeit.repeat(lambda: valid(schema, attack, dialect), number=1, repeat=2)) < 1


def test_many_items_are_compared_in_linear_time():
    items = [{"a": number} for number in range(20_000)]
    assert min(timeit.repeat(lambda: valid({"uniqueItems": True}, items), number=1, repeat=2)) < 1

"""Branches within branches: what would take too long is not tried."""

import time

import pytest

from rules.dialects import dialect_of
from rules.effort import MOST_STEPS, Effort
from rules.replies import Shape
from rules.samples import Guide
from rules.schema import Contract

TREE = {
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/tree"}},
    "$defs": {
        "tree": {
            "anyOf": [
                {"type": "object", "required": [name], "properties": {"below": {"$ref": "#/$defs/tree"}}}
                for name in ("a", "b", "c")
            ]
        }
    },
}


def tree(levels):
    value = {"x": 1}
    for _ in range(levels):
        value = {"below": value}
    return {"tree": value}


def doubling(levels):
    """Definitions of which each has two ways to the next."""
    below = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    last = {f"d{levels}": {"type": "integer"}}
    return {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": below | last}


def effort(schema):
    return Effort(Guide(schema, dialect_of(schema), {}))


def seconds(act):
    started = time.thread_time()
    act()
    return time.thread_time() - started


def test_trees_multiply_and_are_cut_off():
    assert effort(TREE).multiplies
    assert not effort(TREE).exceeds(tree(3), MOST_STEPS)
    assert effort(TREE).exceeds(tree(10), MOST_STEPS)


@pytest.mark.parametrize("levels", [8, 10, 20, 60])
def test_a_small_call_does_not_cost_seconds(levels):
    contract = Contract(TREE)
    assert seconds(lambda: contract.check(tree(levels))) < 1
    assert contract.check(tree(levels))
    shape = Shape(TREE)
    assert seconds(lambda: shape.deviations(tree(levels))) < 1
    assert shape.deviations(tree(levels))


@pytest.mark.parametrize("levels", [12, 40, 60])
def test_branches_that_double_at_one_place(levels):
    contract = Contract(doubling(levels))
    assert seconds(lambda: contract.check({"x": "no"})) < 1
    assert contract.check({"x": "no"})
    assert seconds(lambda: contract.example()) < 1


def test_a_shallow_tree_is_still_judged_and_explained():
    contract = Contract(TREE)
    assert contract.check({"tree": {"a": 1, "below": {"b": 2}}}) == ()
    assert [problem.path for problem in contract.check({"tree": 7})] == ["/tree"]


def test_long_lists_in_a_schema_that_refers_to_itself_are_no_great_work():
    schema = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "$defs": {
            "node": {
                "anyOf": [
                    {"type": "integer"},
                    {"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/node"}}}},
                ]
            }
        },
    }
    shape = Shape(schema)
    assert shape.deviations({"items": [{"items": [1, 2, 3]}] * 5_000}) == ()
    assert [str(each) for each in shape.deviations({"items": ["no"]})] != []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object"},
    ],
)
def test_most_schemas_need_no_care(schema):
    assert not effort(schema).multiplies

import timeit

import jsonschema_rs
import pytest

from rules.problems import MOST_SHOWN, MOST_VALUE, Problem, closest, listed, phrase, pointer, type_of, undeclared


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "a boolean"),
        (0, "an integer"),
        (1.0, "a number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
        (None, "null"),
        (object(), "a value that JSON does not know"),
    ],
)
def test_types_are_called_as_in_json(value, name):
    assert type_of(value) == name


def test_a_pointer_escapes_as_rfc_6901_says():
    assert pointer(["a/b", 0, "m~n", ""]) == "/a~1b/0/m~0n/"
    assert pointer([]) == ""


def test_the_closest_name_is_offered_and_a_far_one_is_not():
    assert closest("custommer_id", ["customer_id", "order_id"]) == "customer_id"
    assert closest("Customer_ID", ["customer_id"]) == "customer_id"
    assert closest("zzz", ["customer_id"]) == ""
    assert closest("a", []) == ""


def test_undeclared_names_are_not_repeated():
    assert "SECRET" not in undeclared(["SECRET"], ["id"])
    assert undeclared(["x"], []) == "holds a name that is not declared; declared: none"


def test_long_lists_are_cut_and_counted():
    assert listed(range(MOST_SHOWN + 5)).endswith(f"{MOST_SHOWN - 1} and 5 more")


def test_an_example_of_null_is_not_no_example():
    assert Problem("", "x", None) != Problem("", "x")


def test_many_long_names_cost_no_time():
    names = [f"{number}" + "customer_id" * 5000 for number in range(1000)]
    known = [f"customer_id_{number}" for number in range(50)]
    assert min(timeit.repeat(lambda: undeclared(names, known), number=1, repeat=3)) < 0.5


@pytest.mark.parametrize(
    ("schema", "value", "says"),
    [
        ({"enum": [None, True, "x", {"a": 1}]}, 5, 'must be one of: null, true, x, {"a": 1}'),
        ({"const": False}, 5, "must be false"),
        ({"const": "x" * 500}, 5, "must be " + "x" * MOST_VALUE + " ..."),
    ],
)
def test_values_of_the_schema_are_shown_as_json(schema, value, says):
    (error,) = jsonschema_rs.Draft202012Validator(schema).iter_errors(value)
    assert phrase(error) == says

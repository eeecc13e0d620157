import pytest

from rules.bulk import MOST_DEPTH, elements, holds_nul


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ({}, 0),
        ([], 0),
        ("text", 0),
        (None, 0),
        ({"a": 1, "b": "x"}, 2),
        ({"a": [1, 2, {"b": []}]}, 5),
        ([[[]], [[]]], 4),
        ([0] * 1000, 1000),
    ],
)
def test_items_and_members_are_counted_at_all_depths(value, count):
    assert elements(value) == count


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_nested_too_deep_has_no_number():
    assert elements(nested(MOST_DEPTH)) == MOST_DEPTH
    assert elements(nested(MOST_DEPTH + 1)) == -1
    assert elements({"a": {"b": nested(MOST_DEPTH - 2)}}) == MOST_DEPTH
    assert elements({"a": {"b": nested(MOST_DEPTH - 1)}}) == -1


@pytest.mark.parametrize("value", ["\0", ["a", "b\0"], {"a": {"b": ["c", {"d": "\0e"}]}}, {"a\0": 1}, {"x": {"\0": 1}}])
def test_a_nul_is_seen_wherever_it_stands(value):
    assert holds_nul(value)


def test_what_holds_no_nul_and_what_is_too_deep_to_say():
    assert not holds_nul({"a": [1, None, True, "b", {"c": 1.5}], "d": {}})
    deep: list = []
    for _ in range(MOST_DEPTH + 5):
        deep = [deep]
    assert holds_nul(deep)

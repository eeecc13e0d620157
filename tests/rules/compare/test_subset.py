"""Whether one schema allows only what another one allows: tried against validation of many values."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from rules.compare.side import Side
from rules.compare.subset import gaps
from rules.documents import ROOT
from tests.rules.compare import fuzzing

POOL = [*fuzzing.VALUES, *(fuzzing.value(Random(seed), 3) for seed in range(300))]


def verdict(seed: int) -> str:
    """What the comparison says of two random schemas, and whether a value shows otherwise."""
    random = Random(seed)
    old = fuzzing.whole(random)
    new = fuzzing.mutated(random, old) if seed % 10 else fuzzing.whole(random)
    try:
        wide, narrow = fuzzing.validator(old), fuzzing.validator(new)
    except ValueError:  # a random schema that the validator refuses
        return "no schema"
    found = gaps(Side(old), Side(new))
    beyond = next((value for value in POOL if narrow.is_valid(value) and not wide.is_valid(value)), POOL)
    assert found or beyond is POOL, (seed, old, new, beyond)
    return ("proved" if not found else "open") + (" wrongly" if found and beyond is POOL else "")


def tried(first: int, count: int) -> Counter[str]:
    return Counter(verdict(seed) for seed in range(first, first + count))


def test_what_is_proved_is_true_and_most_that_is_true_is_proved() -> None:
    found = tried(0, 1_000)
    assert found["open"] > 120
    assert found["proved"] > 3 * found["open wrongly"]


@pytest.mark.full
def test_what_is_proved_is_true_in_many_more() -> None:
    assert tried(1_000_000, 40_000)["open"] > 5_000


def test_a_cycle_is_followed_once() -> None:
    def tree(most: int) -> dict[str, Any]:
        size = {"type": "integer", "maximum": most}
        return {"type": "object", "properties": {"child": {"$ref": "Tree.json"}, "size": size}}

    top = {"$ref": "schemas/Tree.json"}
    old, new = Side(top, {ROOT + "schemas/Tree.json": tree(9)}), Side(top, {ROOT + "schemas/Tree.json": tree(10)})
    assert [(gap.path, gap.word) for gap in gaps(old, new)] == [(("size",), "maximum")]
    assert gaps(new, old) == []
    assert gaps(old, old) == []


def test_a_reference_to_itself_proves_nothing() -> None:
    text = Side({"type": "string"})
    for word in ("anyOf", "allOf", "oneOf"):
        assert gaps(Side({word: [{"$ref": "#"}], "maxLength": 1}), text)
    for loop in ({"anyOf": [{"$ref": "#"}]}, {"not": {"$ref": "#"}}, {"oneOf": [{"$ref": "#"}, {"type": "null"}]}):
        assert gaps(Side(loop), text), loop


@pytest.mark.parametrize(
    "odd",
    [
        {"$id": "https://elsewhere.test/", "type": "string"},
        {"$schema": "http://json-schema.org/draft-07/schema", "type": "string"},
        {"$schema": "https://unknown.test/schema"},
        {"$ref": "nowhere.json"},
        {"$dynamicRef": "#meta"},
        {"future": 1},
        {"maximum": "ten"},
        {"multipleOf": 0},
        {"minLength": None},
        {"type": ["strange"]},
    ],
)
def test_what_is_not_understood_is_never_proved_from_something_else(odd: dict[str, Any]) -> None:
    found = gaps(Side(odd), Side({"type": ["string", "number"]}))
    assert found


def test_a_comparison_ends_where_it_branches_without_end() -> None:
    def tangle(index: int) -> dict[str, Any]:
        branches = [{"$ref": f"#/$defs/{(index * 7 + step) % 12}"} for step in range(6)]
        below = {"$ref": f"#/$defs/{(index + 1) % 12}"}
        return {"anyOf": [*branches, {"properties": {f"n{number}": below for number in range(12)}}]}

    old = {"$ref": "#/$defs/0", "$defs": {str(index): tangle(index) for index in range(12)}}
    assert gaps(Side({**old, "maxProperties": 3}), Side({**old, "minProperties": 1}))


def test_deep_schemas_are_left_open_and_break_nothing() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(5_000):
        deep = {"items": deep}
    assert gaps(Side(deep), Side({"items": {}}))

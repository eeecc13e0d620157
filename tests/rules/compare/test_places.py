"""What several schemas say about one member, and what they surely do not."""

from __future__ import annotations

from typing import Any

from rules.compare.places import (
    declared,
    is_impossible,
    matches,
    may_match,
    of_index,
    of_name,
    of_others,
    of_pattern,
    patterns,
)

X = "https://rules.invalid/"


def on(*nodes: Any) -> list[tuple[str, Any]]:
    return [(X, node) for node in nodes]


def test_what_is_asked_of_a_name() -> None:
    own = {"properties": {"a": 1}, "additionalProperties": 2}
    by_pattern = {"patternProperties": {"^a": 3}, "additionalProperties": 4}
    assert of_name(on(own, by_pattern, True), "a") == on(1, 3)
    assert of_name(on(own, by_pattern), "ab") == on(2, 3)
    assert of_name(on(own, by_pattern), "b") == on(2, 4)
    assert declared(on(own, by_pattern, {"properties": {"b": 1, "a": 1}})) == ["a", "b"]
    assert patterns(on(own, by_pattern)) == ["^a"]


def test_of_a_pattern_that_cannot_be_read_nothing_is_sure() -> None:
    assert not matches("(?=a)", "a")
    assert may_match("(?=a)", "a")
    odd = {"patternProperties": {"(?=a)": 1}, "additionalProperties": 2}
    assert of_name(on(odd), "a") == []


def test_what_is_asked_of_names_that_match_a_pattern_or_none() -> None:
    both = on({"patternProperties": {"^a": 1}, "additionalProperties": 2}, {"additionalProperties": 3})
    assert of_pattern(both, "^a") == on(1, 3)
    assert of_pattern(both, "^b") == on(3)
    assert of_others(both) == on(2, 3)


def test_what_is_asked_of_an_item() -> None:
    both = on({"prefixItems": [1], "items": 2}, {"items": 3}, {"maxItems": 2})
    assert of_index(both, 0) == on(1, 3)
    assert of_index(both, 1) == on(2, 3)
    assert of_index(both, 2) == on(2, 3, False)


def test_what_no_value_fulfils() -> None:
    assert is_impossible(on({}, False))
    assert is_impossible(on({"type": "string"}, {"type": "null"}))
    assert is_impossible(on({"enum": [1]}, {"enum": [2]}))
    assert not is_impossible(on({"type": "string"}, True))

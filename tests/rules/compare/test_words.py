"""What a comparison says: each change of one keyword, in words."""

from __future__ import annotations

from typing import Any

import pytest

from rules.compare.side import Side
from rules.compare.subset import gaps
from rules.compare.words import MOST_TEXT, phrase

INTEGER, STRING, ARRAY = {"type": "integer"}, {"type": "string"}, {"type": "array"}
CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": STRING},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN = {key: value for key, value in CLOSED.items() if key != "additionalProperties"}
FREE = {key: value for key, value in CLOSED.items() if key != "required"}
WITH_B = {**CLOSED, "properties": {"a": STRING, "b": INTEGER}}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"], "title": "Dog"}

NO = "nothing"
# Less, more, the path, the keyword, and its values.
BOUNDS: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    ({"maximum": 100}, {"maximum": 500}, "maximum", "100", "500"),
    ({"minimum": 1}, {}, "minimum", "1", NO),
    ({"exclusiveMinimum": 0}, {"minimum": 0}, "exclusiveMinimum", "0", NO),
    ({**INTEGER, "maximum": 10}, {**INTEGER, "exclusiveMaximum": 12}, "maximum", "10", NO),
    ({"maxLength": 5}, {"maxLength": 6}, "maxLength", "5", "6"),
    ({"minItems": 2}, {"minItems": 1}, "minItems", "2", "1"),
    ({"minProperties": 2}, {"minProperties": 1}, "minProperties", "2", "1"),
    ({"multipleOf": 10}, {"multipleOf": 5}, "multipleOf", "10", "5"),
    ({"pattern": "^a"}, {}, "pattern", "^a", NO),
    ({"format": "date"}, {}, "format", "date", NO),
    ({"uniqueItems": True}, {}, "uniqueItems", "true", NO),
    (STRING, {"type": ["string", "null"]}, "type", "string", "string, null"),
    (INTEGER, {"type": "number"}, "type", "integer", "number"),
    ({"enum": ["a"]}, STRING, "enum", "a", NO),
    ({"items": STRING}, {}, "[]: type", "string", NO),
    ({"prefixItems": [STRING]}, {"prefixItems": [True]}, "0: type", "string", NO),
    ({"patternProperties": {"^x": STRING}}, {}, "^x: type", "string", NO),
    ({"propertyNames": {"maxLength": 3}}, {}, "*: maxLength", "3", NO),
    ({"contains": INTEGER}, {}, "contains", '{"type": "integer"}', NO),
    ({"dependentRequired": {"a": ["b"]}}, {}, "a: dependentRequired", "b", NO),
]
# Less, more, and how each way is said.
NAMED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"enum": ["a", "b"]}, {"enum": ["a", "b", "c", 1]}, "also allows c, 1", "no longer allows c, 1"),
    ({"const": "a"}, {"enum": ["a", "b"]}, "also allows b", "no longer allows b"),
    (CLOSED, WITH_B, "b: is allowed now", "b: is no longer allowed"),
    (CLOSED, FREE, "a: is no longer required", "a: is required now"),
    (
        *(CLOSED, OPEN, "*: every name that is not declared is allowed now"),
        "*: every name that is not declared is no longer allowed",
    ),
    (
        *({"anyOf": [STRING]}, {"anyOf": [STRING, INTEGER]}),
        *("also allows the form integer", "no longer allows the form integer"),
    ),
    ({"oneOf": [CAT]}, {"oneOf": [CAT, DOG]}, "also allows the form Dog", "no longer allows the form Dog"),
]
PAIRS = [
    *((less, more, f"{word} was {a}, is now {b}", f"{word} was {b}, is now {a}") for less, more, word, a, b in BOUNDS),
    *NAMED,
]


def told(old: Any, new: Any) -> tuple[list[str], list[str]]:
    """What became looser and what became tighter."""
    return (
        [phrase(gap, "loosened") for gap in gaps(Side(old), Side(new))],
        [phrase(gap, "tightened") for gap in gaps(Side(new), Side(old))],
    )


@pytest.mark.parametrize(("less", "more", "loosened", "tightened"), PAIRS)
def test_one_change_is_told_as_what_it_is(less: Any, more: Any, loosened: str, tightened: str) -> None:
    assert told(less, more) == ([loosened], [])
    assert told(more, less) == ([], [tightened])


@pytest.mark.parametrize(("less", "more", "loosened", "tightened"), PAIRS)
def test_it_is_told_wherever_it_lies(less: Any, more: Any, loosened: str, tightened: str) -> None:
    for wrap, path in (
        (lambda it: {"properties": {"x": it}}, "x"),
        (lambda it: {"items": it}, "[]"),
        (lambda it: {"allOf": [{"$ref": "#/$defs/it"}], "$defs": {"it": {"items": {"items": it}}}}, "[][]"),
    ):
        loose, tight = told(wrap(less), wrap(more))
        joint = ": " if loosened[:1] not in "ab*0^[" or ": " not in loosened else ("" if loosened[0] == "[" else ".")
        assert (loose, tight) == ([f"{path}{joint}{loosened}"], [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"title": "a", "description": "b", "examples": [1]}, {"description": "c", "x-more": {}}),
        ({"type": ["string", "null"]}, {"type": ["null", "string"]}),
        ({"type": ["string", "null"]}, {"anyOf": [STRING, {"type": "null"}]}),
        ({"enum": [1, 2]}, {"enum": [2, 1.0]}),
        ({**INTEGER, "minimum": 1}, {**INTEGER, "exclusiveMinimum": 0}),
        ({**STRING, "maximum": 3}, STRING),
        ({"allOf": [STRING, {"maxLength": 3}]}, {**STRING, "maxLength": 3}),
        ({"oneOf": [CAT, DOG]}, {"anyOf": [DOG, CAT]}),
        ({"type": "boolean"}, {"enum": [True, False]}),
    ],
)
def test_what_allows_the_same_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert told(old, new) == ([], [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"pattern": "^a+$"}, {"pattern": "^a$"}),
        ({"format": "date"}, {"format": "date-time"}),
        ({"not": {"minimum": 1}}, {"not": {"multipleOf": 2}}),
        ({"oneOf": [STRING, {"maxLength": 3}]}, {"oneOf": [STRING]}),
        ({"if": STRING, "then": {"maxLength": 1}}, {"if": INTEGER, "then": {"maximum": 1}}),
        ({"unevaluatedProperties": False}, {"unevaluatedProperties": STRING}),
    ],
)
def test_what_cannot_be_told_is_left_to_the_reader(old: dict[str, Any], new: dict[str, Any]) -> None:
    loosened, tightened = told(old, new)
    assert any(line.endswith(" (look yourself)") for line in loosened + tightened)


def test_a_new_argument_that_is_required_is_both() -> None:
    new = {**WITH_B, "required": ["a", "b"]}
    assert told(CLOSED, new) == (["b: is allowed now"], ["b: is required now"])


def test_long_values_are_cut() -> None:
    (line,), _ = told({"enum": ["a"]}, {"enum": ["a", "x" * 500, *range(9)]})
    assert line.endswith(" and 5 more")
    assert len(line) < 2 * MOST_TEXT

"""Keywords that hold schemas: what is proved of them, in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from rules.compare.keywords import name_of
from rules.compare.side import Side
from rules.compare.subset import gaps

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"maximum": 9}}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}
OLD_CAT = {**CAT, "properties": {"kind": {"const": "cat"}, "lives": {"maximum": 3}}}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"oneOf": [CAT, DOG]}, {"oneOf": [DOG, OLD_CAT]}),
        ({"oneOf": [STRING, INTEGER]}, INTEGER),
        ({"anyOf": [STRING, {"type": "null"}]}, {"type": ["string", "null"], "maxLength": 3}),
        ({"not": {"type": "object", "minProperties": 3}}, {"not": {"type": "object", "minProperties": 2}}),
        ({"if": STRING, "then": {"maxLength": 5}}, {"if": STRING, "then": {"maxLength": 4}}),
        ({"contains": {"minimum": 1}}, {"contains": {"minimum": 2}, "minContains": 3}),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"required": ["b"]}),
        ({"dependentRequired": {"a": ["b"]}}, {"dependentRequired": {"a": ["c", "b"]}}),
        ({"patternProperties": {"^a": STRING}}, {"properties": {"ab": STRING}, "additionalProperties": False}),
        ({"additionalProperties": INTEGER}, {"properties": {"a": INTEGER}, "additionalProperties": False}),
        ({"items": {"minimum": 1}}, {"prefixItems": [{"minimum": 1}, {"minimum": 2}], "items": False}),
        ({"prefixItems": [STRING, INTEGER]}, {"prefixItems": [STRING], "maxItems": 1}),
        ({"propertyNames": {"pattern": "^a"}}, {"propertyNames": {"pattern": "^a", "maxLength": 4}}),
    ],
)
def test_what_is_tighter_is_proved_and_what_is_looser_is_not(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    assert gaps(Side(wide), Side(narrow)) == []
    assert gaps(Side(narrow), Side(wide)) != []


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"oneOf": [STRING, {"maxLength": 3}]}, STRING),
        ({"contains": INTEGER}, {"contains": INTEGER, "minContains": 0}),
        ({"contains": INTEGER, "maxContains": 1}, {"contains": INTEGER, "minContains": 1}),
        ({"patternProperties": {"^a": STRING}}, {"patternProperties": {"^b": STRING}}),
        ({"if": STRING, "then": {"maxLength": 5}}, {"if": {}, "then": {"maxLength": 5}, "else": STRING}),
        (
            {"properties": {"a": True}, "unevaluatedProperties": False},
            {"properties": {"a": True}, "unevaluatedProperties": False, "anyOf": [{"properties": {"b": True}}]},
        ),
    ],
)
def test_what_only_looks_alike_is_not_proved(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    assert gaps(Side(wide), Side(narrow)) != []


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        (True, "anything"),
        (False, "nothing"),
        ({"$ref": "../shop/Order.json"}, "Order"),
        ({"title": "Big", "type": "object"}, "Big"),
        ({"type": ["string", "null"]}, "string or null"),
        ({}, "another form"),
    ],
)
def test_branches_have_names(branch: Any, name: str) -> None:
    assert name_of(branch) == name

"""Keywords without schemas: what follows from what."""

from __future__ import annotations

from typing import Any

import pytest

from rules.compare.scalars import ALL, MOST_VALUES, atom, atoms, beyond, follows, fulfils, listed, values


@pytest.mark.parametrize(
    ("word", "asked", "nodes"),
    [
        ("maximum", 10, [{"exclusiveMaximum": 10}]),
        ("exclusiveMaximum", 11, [{"type": "integer", "maximum": 10}]),
        ("exclusiveMinimum", 0, [{"type": "integer"}, {"minimum": 0.5}]),
        ("exclusiveMaximum", 11, [{"type": "number", "maximum": 10.5}, {"type": "integer", "maximum": 11}]),
        ("minimum", 0.1, [{"minimum": 0.1}]),
        ("multipleOf", 0.1, [{"multipleOf": 0.3}]),
        ("multipleOf", 0.5, [{"type": "integer"}]),
        ("minLength", 0, [{}]),
        ("maxLength", 5, [{"maxLength": 9}, {"maxLength": 4}]),
        ("minProperties", 2, [{"required": ["a"]}, {"required": ["b"]}]),
        ("uniqueItems", True, [{"maxItems": 1}]),
        ("uniqueItems", False, [{}]),
        ("type", ["number", "null"], [{"type": "integer"}]),
        ("type", "integer", [{"enum": [1, 2.0]}]),
        ("format", "date", [{"format": "date"}]),
    ],
)
def test_it_follows(word: str, asked: Any, nodes: list[dict[str, Any]]) -> None:
    assert follows(word, asked, nodes)


@pytest.mark.parametrize(
    ("word", "asked", "nodes"),
    [
        ("exclusiveMaximum", 10, [{"maximum": 10}]),
        ("maximum", 10, [{"minimum": 10}]),
        ("multipleOf", 0.2, [{"multipleOf": 0.3}]),
        ("multipleOf", 2, [{"type": "integer"}]),
        ("minLength", 1, [{"maxLength": 1}]),
        ("minProperties", 2, [{"required": ["a", "a"]}]),
        ("uniqueItems", True, [{"uniqueItems": False}]),
        ("type", "integer", [{"type": "number"}]),
        ("type", "integer", [{"enum": [1, 1.5]}]),
        ("type", "unheard", [{"type": "string"}]),
        ("pattern", "^a", [{"pattern": "^ab"}]),
        ("maximum", "ten", [{"maximum": 1}]),
        ("maximum", 1, [{"maximum": None}]),
        ("multipleOf", 0, [{"multipleOf": 1}]),
    ],
)
def test_it_does_not_follow(word: str, asked: Any, nodes: list[dict[str, Any]]) -> None:
    assert not follows(word, asked, nodes)


def test_types() -> None:
    assert atoms([]) == ALL
    assert atoms([{"type": "number"}]) == {"integer", "fraction"}
    assert atoms([{"type": ["number", "string"]}, {"type": ["integer", "string"]}]) == {"integer", "string"}
    assert atoms([{"type": "string"}, {"type": "null"}]) == frozenset()
    assert [atom(one) for one in (None, True, 1, 1.0, 1.5, "", [], {})] == [
        *("null", "boolean", "integer", "integer", "fraction", "string", "array", "object")
    ]


def test_few_values() -> None:
    assert listed([{"type": "string"}]) is None
    assert listed([{"enum": [1, 2, True]}, {"enum": [1.0, True]}]) == [1, True]
    assert listed([{"const": "a"}, {"const": "b"}]) == []
    assert listed([{"enum": list(range(MOST_VALUES + 1))}]) is None
    assert values([{"type": "boolean"}]) == [False, True]
    assert values([{"enum": [1, "a", 9]}, {"type": "integer", "maximum": 5}]) == [1]
    assert values([{"type": ["boolean", "null"]}]) is None
    assert beyond({"maximum": 3}, "maximum", [1, 4, "x"]) == [4]


def test_what_cannot_be_checked_is_not_fulfilled() -> None:
    assert fulfils("ab", {"pattern": "^a"})
    assert not fulfils("ab", {"pattern": "(?=a)"})
    assert not fulfils("ab", {"$ref": "https://elsewhere.test/"})

"""References, what lies on one place, and what did not change."""

from __future__ import annotations

from typing import Any

import pytest

from rules.compare.side import MOST_SPREAD, Side, TooMuch, bare, can_be_read, same, unchanged
from rules.documents import ROOT

A, B, C = (f"{ROOT}schemas/shop/{name}.json" for name in "ABC")


def test_references_are_followed_through_files_and_escapes() -> None:
    odd: dict[str, Any] = {"$defs": {"a/b~c d": {"type": "string"}, "list": {"anyOf": [{"type": "null"}]}}}
    side = Side({"$ref": "schemas/shop/A.json"}, {A: {"$ref": "B.json#/$defs/a~1b~0c%20d"}, B: odd})
    assert side.follow(A, "B.json#/$defs/a~1b~0c%20d") == (B, {"type": "string"})
    assert side.follow(B, "#/$defs/list/anyOf/0") == (B, {"type": "null"})
    assert side.follow(ROOT, "#") == (ROOT, side.schema)
    assert side.target((ROOT, side.schema)) == (B, {"type": "string"})
    for nowhere in ("C.json", "B.json#/$defs/none", "B.json#anchor", "B.json#/$defs/list/anyOf/7"):
        assert side.follow(A, nowhere) is None


def test_what_lies_on_one_place() -> None:
    last = {"allOf": [{"minimum": 1}, True]}
    side = Side({"$ref": "#/$defs/last", "maximum": 3, "$defs": {"last": last}})
    assert [node for _, node in side.spread([(ROOT, side.schema)])] == [side.schema, last, {"minimum": 1}, True]


def test_loops_of_references_end() -> None:
    loop: dict[str, Any] = {"$ref": "#", "allOf": [{"$ref": "#"}]}
    assert len(Side(loop).spread([(ROOT, loop)])) == 2
    ring = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    Side(ring).target((ROOT, ring))
    with pytest.raises(TooMuch):
        Side(True).spread([(ROOT, {"allOf": [{"minimum": number} for number in range(MOST_SPREAD)]})])


def test_a_document_is_unchanged_only_with_all_that_it_leads_to() -> None:
    old: dict[str, Any] = {A: {"$ref": "B.json"}, B: {"$ref": "A.json"}, C: {"$ref": "C.json"}}
    assert unchanged(old, old) == {A, B, C}
    assert unchanged(old, {**old, B: {"$ref": "A.json", "type": "string"}}) == {C}
    assert unchanged({A: {"$ref": "B.json"}}, {A: {"$ref": "B.json"}}) == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1, {"a": 2.0}], [1.0, {"a": 2}], True),
        ([True], [1], False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [2, 1], False),
        (None, False, False),
        ("1", 1, False),
    ],
)
def test_equality_is_that_of_json(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_notes_are_taken_out_of_schemas_and_not_out_of_data() -> None:
    schema = {
        "title": "x",
        "x-own": 1,
        "properties": {"title": {"title": "y", "type": "string"}},
        "enum": [{"title": "z"}],
        "anyOf": [{"description": "d", "minimum": 1}],
        "items": {"examples": [1]},
    }
    assert bare(schema) == {
        "properties": {"title": {"type": "string"}},
        "enum": [{"title": "z"}],
        "anyOf": [{"minimum": 1}],
        "items": {},
    }


def test_what_moves_references_is_not_read() -> None:
    assert can_be_read(Side({"properties": {"$id": {"type": "string"}}}))
    assert can_be_read(Side({"$schema": "https://json-schema.org/draft/2020-12/schema"}))
    assert not can_be_read(Side({"items": {"$id": "other"}}))
    assert not can_be_read(Side({}, {A: {"$schema": "http://json-schema.org/draft-04/schema#"}}))

import json

from rules.openapi import Document
from rules.openapi.marks import Marks, mapping, parts, sequence


def marks(components):
    document = Document("a.json", json.dumps(components).encode())
    return Marks(document), lambda name: document.find(f"#/{name}", "a.json")


def test_a_mark_is_found_through_circles_and_known_afterwards():
    found, at = marks(
        {
            "a": {"properties": {"b": {"$ref": "#/b"}}},
            "b": {"properties": {"a": {"$ref": "#/a"}, "c": {"$ref": "#/c"}}},
            "c": {"properties": {"x": {"readOnly": True}}},
            "d": {"properties": {"self": {"$ref": "#/d"}, "gone": {"$ref": "#/gone"}}},
            "e": {"enum": [{"readOnly": True}]},
        }
    )
    for _ in range(2):
        assert [found.differs(at(name), "request") for name in "abcd"] == [True, True, True, False]
        assert [found.differs(at(name), "reply") for name in "abcd"] == [False] * 4
    assert found.refers(at("a"))
    assert not found.refers(at("c"))
    assert found.differs(at("e"), "request"), "a file too many does no harm"


def test_hidden_members_are_those_that_say_so_beside_or_behind_a_reference():
    found, _ = marks({"stamp": {"readOnly": True}, "base": {"properties": {"id": {"readOnly": True}}}})
    schema = {
        "properties": {
            "a": {"readOnly": True},
            "b": {"$ref": "#/stamp"},
            "c": {"$ref": "#/gone"},
            "d": {"readOnly": "true"},
            "e": True,
            "f": {"$ref": "#/gone", "readOnly": True},
        },
        "allOf": [{"$ref": "#/base"}, {"$ref": "#/gone"}, 7],
    }
    assert found.hidden(schema, "a.json", "request") == {"a", "b", "f", "id"}
    assert found.hidden(schema, "a.json", "reply") == set()
    assert found.hidden("text", "a.json", "request") == set()


def test_branches_that_loop_end():
    found, at = marks({"a": {"allOf": [{"$ref": "#/a"}], "properties": {"x": {"readOnly": True}}}})
    assert found.hidden(at("a").value, "a.json", "request") == {"x"}


def test_what_is_not_of_a_kind_is_empty():
    assert (mapping([1]), mapping({"a": 1}), sequence({"a": 1}), sequence([1])) == ({}, {"a": 1}, [], [1])
    assert list(parts([{"a": [{"b": 1}]}, 7])) == [{"a": [{"b": 1}]}, {"b": 1}]

import pytest

from rules.documents import Library
from rules.lookalikes import Lookalikes
from rules.schema import Contract

SCHEMA = {
    "type": "object",
    "properties": {
        "who": {"type": "object", "properties": {"id": {"type": "integer", "maximum": 5}, "Kind": {}}},
        "list": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "string"}]}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "both": {"type": "object", "properties": {"a": {}, "A": {}}},
        "ID": {"type": "string"},
    },
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "size": {}}}},
}
CONTRACT = Contract(SCHEMA)


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ({"who": {"ID": 9}}, "/who"),
        ({"who": {"id": 1, "Id": 9}}, "/who"),
        ({"who": {"\u212aind": 9}}, "/who"),  # the sign of Kelvin, which Go folds to a k as well
        ({"list": ["x", {"size": 1}, {"SIZE": 1}]}, "/list/2"),
        ({"list": [{"next": {"next": {"Next": {}}}}]}, "/list/0/next/next"),
        ({"list": [{"x": 1}] * 20 + [{"siZe": 1}]}, "/list/20"),
    ],
)
def test_a_name_in_another_case_is_a_problem_where_it_stands(args, path):
    (problem,) = CONTRACT.check(args)
    assert problem.path == path
    assert problem.problem.startswith("holds a name that is not declared (did you mean ")


@pytest.mark.parametrize(
    "args",
    [
        {"who": {"id": 1, "Kind": 1, "other": 1}},
        {"labels": {"ID": "x", "Who": "x", "SIZE": "x"}},
        {"both": {"a": 1, "A": 2}},
        {"list": [{"size": 1, "next": {"free": {"Size": 1}}}, "ID"]},
        {"ID": "x"},
    ],
)
def test_names_that_are_declared_there_or_look_like_none_that_is(args):
    assert CONTRACT.check(args) == ()


def test_an_open_contract_has_them_at_its_top_too():
    contract = Contract({"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": True})
    assert contract.check({"Id": "x"})[0].path == ""
    assert contract.check({"ident": "x"}) == ()


def test_names_of_other_files_count():
    files = {"node.json": {"type": "object", "properties": {"size": {}}}}
    contract = Contract({"type": "object", "properties": {"a": {"$ref": "node.json"}}}, Library(None, files))
    assert contract.check({"a": {"Size": 1}})[0].path == "/a"
    assert contract.check({"a": {"size": 1}}) == ()


def test_many_places_are_looked_up_once():
    class Counting:
        def __init__(self, guide):
            self.guide, self.asked = guide, []

        def __getattr__(self, name):
            return getattr(self.guide, name)

        def names_at(self, place):
            self.asked.append(place)
            return self.guide.names_at(place)

    guide = Counting(CONTRACT.guide)
    assert Lookalikes(guide).find({"labels": {"Id": "x"}, "list": [{"x": {"Id": 1}}] * 1_000}) is None
    assert len(guide.asked) < 20

"""Names of a query or a form, gathered into arguments."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.protocols import fields, target
from rules.tools import Tool
from tests.proxy.protocols.tools import tool

RANGE = "{anyOf: [{type: integer}, {type: object, properties: {gt: {type: integer}}}]}"
SPREAD = "{type: object, properties: {x: {type: integer}, y: {type: array, items: {type: string}}}}"


@pytest.fixture(scope="module")
def search() -> Tool:
    return tool(f"""
call: GET /search
args:
  q: {{type: string}}
  ids: {{type: array, items: {{type: integer}}}}
  created: {RANGE}
  page: {SPREAD}
in:
  ids: {{query: {{name: 'ids[]', explode: false}}}}
  created: {{query: {{style: deepObject}}}}
""")


def collect(one: Tool, query: str) -> tuple[dict[str, Any], list[str]]:
    arguments, strange = fields.collect(one.query, target.raw_pairs(query), target.decode_plus, 9)
    return arguments, [name for name, _ in strange]


def test_each_name_belongs_to_one_argument(search: Tool) -> None:
    query = "q=a%26b&ids%5B%5D=1,2&created%5Bgt%5D=5&x=7&y=a&y=b+c"
    assert collect(search, query) == (
        {"q": "a&b", "ids": [1, 2], "created": {"gt": 5}, "page": {"x": 7, "y": ["a", "b c"]}},
        [],
    )
    assert collect(search, "created=5") == ({"created": 5}, [])


def test_names_of_nobody(search: Tool) -> None:
    assert collect(search, "ids=1&z=1&page=1&created[=1&other[x]=1") == (
        {},
        ["ids", "z", "page", "created[", "other[x]"],
    )


def test_an_open_object_takes_what_is_left() -> None:
    one = tool("call: GET /x\nargs: {q: {type: string}, rest: {type: object, additionalProperties: {type: integer}}}")
    assert collect(one, "q=7&a=7&b=x") == ({"q": "7", "rest": {"a": 7, "b": "x"}}, [])


@pytest.mark.parametrize(
    "query",
    [
        "q=1&q=2",
        "ids[]=1&ids[]=2",
        "ids[]=1,2&ids%5B%5D=3",
        "created=1&created=2",
        "created=5&created[gt]=5",
        "created[gt]=5&created[gt]=6",
        "x=1&x=2",
    ],
)
def test_what_is_given_in_two_ways(search: Tool, query: str) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        collect(search, query)


def test_a_deep_object_is_not_given_as_text() -> None:
    one = tool("call: GET /x\nargs: {f: {type: object}}\nin: {f: {query: {style: deepObject}}}")
    assert collect(one, "f[a]=1") == ({"f": {"a": "1"}}, [])
    for query in ("f=1", "f=%7B%22a%22:1%7D"):
        with pytest.raises(Refusal, match="bad_request"):
            collect(one, query)


def test_there_is_an_end_to_fields(search: Tool) -> None:
    query = "&".join(f"z{number}=1" for number in range(fields.MOST_FIELDS + 1))
    with pytest.raises(Refusal, match="too_large"):
        collect(search, query)
    assert len(collect(search, query[:-1].rpartition("&")[0])[1]) == fields.MOST_FIELDS

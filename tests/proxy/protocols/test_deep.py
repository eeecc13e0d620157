"""Names with brackets."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.protocols import deep
from rules.kinds import MOST_DEPTH
from tests.proxy.protocols.test_styles import param

STRINGS = {"type": "array", "items": {"type": "string"}}
SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "tags": STRINGS,
        "deep": {"type": "object", "properties": {"on": {"type": "boolean"}}},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "either": {"anyOf": [STRINGS, {"type": "object"}, {"type": "string"}]},
    },
}


def read(*pairs: str, schema: Any = SCHEMA) -> Any:
    found = []
    for pair in pairs:
        name, _, value = pair.partition("=")
        split = deep.split(f"color{name}")
        assert split is not None
        assert split[0] == "color"
        found.append((split[1], value))
    return deep.read(param(schema, "deepObject"), found, 9)


def test_names() -> None:
    assert deep.split("a[b]") == ("a", ["b"])
    assert deep.split("a[b][]") == ("a", ["b", ""])
    for name in ("a", "a[b", "a]", "[b]", "a[b]c", "a[[b]]", "a[b]]", ""):
        assert deep.split(name) is None


def test_what_the_contract_has_is_read_as_it_says() -> None:
    assert read("[n]=1", "[deep][on]=true", "[x]=7") == {"n": 1, "deep": {"on": True}, "x": "7"}
    for tags in (["[tags][]=a", "[tags][]=b"], ["[tags][0]=a", "[tags][1]=b"], ["[tags]=a", "[tags]=b"]):
        assert read(*tags) == {"tags": ["a", "b"]}
    assert read("[tags]=a") == {"tags": ["a"]}
    assert read("[rows][0][n]=1", "[rows][1][n]=2") == {"rows": [{"n": 1}, {"n": 2}]}
    assert read("[either]=a") == {"either": "a"}
    assert read("[either][]=a") == {"either": ["a"]}
    assert read("[either][x]=a") == {"either": {"x": "a"}}
    assert read("[0]=a", "[1]=b", schema=STRINGS) == ["a", "b"]


def test_text_is_no_object_here() -> None:
    assert read('[deep]={"on":true}') == {"deep": '{"on":true}'}
    assert read("[n]=x") == {"n": "x"}


@pytest.mark.parametrize(
    "pairs",
    [
        ["[n]=1", "[n]=2"],
        ["[n]=1", "[n][x]=2"],
        ["[n][x]=1", "[n]=2"],
        ["[deep][]=1"],
        ["[]=1"],
        ["[tags][1]=a", "[tags][0]=b"],
        ["[tags][1]=a"],
        ["[tags][0]=a", "[tags][2]=b"],
        ["[tags][0]=a", "[tags][]=b"],
        ["[tags][00]=a"],
        ["[tags][x]=a"],
        ["[rows][][n]=1", "[rows][][m]=1"],
        ["[either][]=a", "[either][x]=a"],
        ["[x]" * (MOST_DEPTH + 1) + "=1"],
    ],
)
def test_what_readers_could_order_or_join_differently(pairs: list[str]) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        read(*pairs)

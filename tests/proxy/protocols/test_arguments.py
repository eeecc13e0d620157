"""From texts of the wire to typed arguments."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.protocols.arguments import gather, scalar, typed
from rules.kinds import Kind, kinds
from rules.schema import Contract


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("7", "integer", 7),
        ("-0", "integer", 0),
        ("9007199254740993", "integer", 9007199254740993),
        ("9" * 101, "integer", "9" * 101),
        ("07", "integer", "07"),
        ("+7", "integer", "+7"),
        ("7 ", "integer", "7 "),
        ("7\n", "integer", "7\n"),
        ("٧", "integer", "٧"),
        ("1_0", "integer", "1_0"),
        ("0x1", "integer", "0x1"),
        ("1.0", "integer", "1.0"),
        ("1e3", "integer", "1e3"),
        ("", "integer", ""),
        ("1.5", "number", 1.5),
        ("1e2", "number", 100.0),
        ("3", "number", 3),
        ("1e999", "number", "1e999"),
        ("NaN", "number", "NaN"),
        ("inf", "number", "inf"),
        (".5", "number", ".5"),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("True", "boolean", "True"),
        ("1", "boolean", "1"),
        ("7", "string", "7"),
    ],
)
def test_a_text_that_does_not_fit_its_kind_stays_text(text: str, kind: str, value: Any) -> None:
    found = typed(text, kind)
    assert found == value
    assert type(found) is type(value)


def kind(schema: dict[str, Any]) -> Kind:
    return kinds(Contract({"type": "object", "properties": {"a": schema}}).guide).member("a")


def test_one_value_or_several() -> None:
    numbers, either = {"type": "array", "items": {"type": "integer"}}, {"type": ["string", "array"]}
    assert gather(["1", "x"], kind(numbers), "a", 9) == [1, "x"]
    assert gather(["1"], kind(numbers), "a", 9) == [1]
    assert gather(["1"], kind({"type": "integer"}), "a", 9) == 1
    assert gather(["1"], kind(either), "a", 9) == "1"
    assert gather(["1", "2"], kind(either), "a", 9) == ["1", "2"]
    with pytest.raises(Refusal, match="bad_request"):
        gather(["1", "1"], kind({"type": "integer"}), "a", 9)


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"anyOf": [{"type": "integer"}, {"enum": ["auto"]}]}, "auto", "auto"),
        ({"anyOf": [{"type": "integer"}, {"enum": ["auto"]}]}, "7", 7),
        ({"anyOf": [{"type": "integer"}, {"enum": ["7"]}]}, "7", "7"),
        ({"type": ["integer", "string"]}, "7", "7"),
        ({"type": ["integer", "boolean"]}, "true", True),
        ({"type": ["integer", "boolean"]}, "yes", "yes"),
        ({"type": "object"}, '{"a":1}', {"a": 1}),
        ({"type": "object"}, "a", "a"),
        ({"type": ["object", "string"]}, '{"a":1}', '{"a":1}'),
        ({"enum": ["a", 2]}, "2", 2),
        ({"enum": ["a", 2]}, "b", "b"),
    ],
)
def test_what_a_text_stands_for_where_several_types_may_stand(schema: dict[str, Any], text: str, value: Any) -> None:
    found = scalar(text, kind(schema), 9)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "{", "[NaN]", '["\\ud800"]', "[1] []"])
def test_json_text_that_can_be_read_in_two_ways(text: str) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        scalar(text, kind({"type": ["object", "array"]}), 9)


def test_json_text_that_is_too_deep() -> None:
    with pytest.raises(Refusal, match="too_large"):
        scalar("[[[1]]]", kind({"type": "object"}), 2)

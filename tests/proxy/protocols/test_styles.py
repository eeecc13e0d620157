"""The styles of OpenAPI: its own table of examples, and what is not written like it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from proxy.errors import Refusal
from proxy.protocols import styles
from rules.kinds import kinds
from rules.schema import Contract
from rules.wire import Param

ARRAY = {"type": "array", "items": {"type": "string"}}
OBJECT = {"type": "object", "additionalProperties": {"type": "integer"}}
BLUE, LIST, RGB = "blue", ["blue", "black", "brown"], {"R": 100, "G": 200, "B": 150}


def param(schema: dict[str, Any], style: Any, explode: bool = False) -> Param:
    kind = kinds(Contract({"type": "object", "properties": {"color": schema}}).guide).member("color")
    return Param("color", "color", "path", kind, style, explode)


def read(schema: dict[str, Any], style: str, explode: bool, text: str) -> Any:
    return styles.read(param(schema, style, explode), text, unquote, 9)


@pytest.mark.parametrize(
    ("style", "explode", "array", "object_"),
    [
        ("matrix", False, ";color=blue,black,brown", ";color=R,100,G,200,B,150"),
        ("matrix", True, ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"),
        ("label", False, ".blue,black,brown", ".R,100,G,200,B,150"),
        ("label", True, ".blue.black.brown", ".R=100.G=200.B=150"),
        ("simple", False, "blue,black,brown", "R,100,G,200,B,150"),
        ("simple", True, "blue,black,brown", "R=100,G=200,B=150"),
        ("form", False, "blue,black,brown", "R,100,G,200,B,150"),
        ("spaceDelimited", False, "blue%20black+brown", "R%20100%20G%20200%20B%20150"),
        ("pipeDelimited", False, "blue%7Cblack|brown", "R%7c100%7CG|200|B|150"),
    ],
)
def test_the_table_of_openapi(style: str, explode: bool, array: str, object_: str) -> None:
    assert read(ARRAY, style, explode, array) == LIST
    assert read(OBJECT, style, explode, object_) == RGB


@pytest.mark.parametrize(
    ("style", "text"), [("matrix", ";color=blue"), ("label", ".blue"), ("simple", "blue"), ("form", "blue")]
)
def test_a_single_value(style: str, text: str) -> None:
    for explode in (False, True):
        assert read({"type": "string"}, style, explode, text) == BLUE
        assert read({"type": ["string", "array"]}, style, explode, text) == BLUE
        assert read(ARRAY, style, explode, text) == [BLUE]


@pytest.mark.parametrize(
    ("schema", "style", "explode", "text"),
    [
        (ARRAY, "form", False, "a%2Cb,c"),
        (ARRAY, "simple", False, "a%2cb"),
        (ARRAY, "simple", True, "a%2Cb"),
        (ARRAY, "label", False, ".a%2Cb"),
        (ARRAY, "label", True, ".a%2Eb"),
        (ARRAY, "matrix", False, ";color=a%2Cb"),
        (ARRAY, "matrix", True, ";color=a%3Bcolor%3Db"),
        (OBJECT, "simple", True, "a%3Db=1"),
        (OBJECT, "form", False, "R,1%2CG"),
        ({"type": ["string", "array"]}, "form", False, "a%2Cb"),
    ],
)
def test_an_encoded_delimiter_may_be_one_for_a_server_that_decodes_first(
    schema: Any, style: str, explode: bool, text: str
) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        read(schema, style, explode, text)


def test_a_delimiter_in_a_value_that_the_contract_lists() -> None:
    listed = {"type": "array", "items": {"enum": ["a,b", "c"]}}
    assert read(listed, "form", False, "a%2Cb,c") == ["a,b", "c"]
    assert read(ARRAY, "pipeDelimited", False, "a,b%7Cc%20d") == ["a,b", "c d"]
    assert read(ARRAY, "form", False, "a.b%2E,c%3D") == ["a.b.", "c="]


def test_items_are_typed_and_what_does_not_fit_stays_text() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    assert read(numbers, "form", False, "1,x,2") == [1, "x", 2]
    assert read({"type": "array", "items": {"type": "object"}}, "form", False, "{}") == [{}]


def test_json_text() -> None:
    assert read(OBJECT, "json", False, "%7B%22R%22:1%7D") == {"R": 1}
    for text in ("R", "%7B%22R%22:1,%22R%22:2%7D", ""):
        with pytest.raises(Refusal, match="bad_request"):
            read(OBJECT, "json", False, text)


@pytest.mark.parametrize(
    ("schema", "style", "explode", "text"),
    [
        (ARRAY, "label", False, "blue,black"),
        (OBJECT, "label", True, "R=1"),
        (ARRAY, "matrix", False, "blue"),
        (ARRAY, "matrix", False, ";colour=blue"),
        (ARRAY, "matrix", False, "color=blue"),
        (ARRAY, "matrix", False, ";color=blue;other=black"),
        (OBJECT, "matrix", False, ";color=R,1;G=2"),
        (ARRAY, "matrix", True, ";color=blue;colour=black"),
        (ARRAY, "matrix", True, "blue;color=black"),
        (ARRAY, "matrix", True, "blue"),
        (OBJECT, "matrix", True, ";R=1;G"),
        (OBJECT, "matrix", True, ";R=1;R=2"),
        (OBJECT, "simple", False, "R,100,G"),
        (OBJECT, "simple", False, "R,100,R,200"),
        (OBJECT, "simple", True, "R=100,G"),
        (OBJECT, "simple", True, "R=100,R=100"),
        (OBJECT, "simple", True, "R=100,%52=100"),
        (OBJECT, "form", False, "R"),
        (OBJECT, "spaceDelimited", False, "R%20100%20G"),
    ],
)
def test_what_is_written_in_another_style(schema: dict[str, Any], style: str, explode: bool, text: str) -> None:
    with pytest.raises(Refusal, match="bad_request") as caught:
        read(schema, style, explode, text)
    assert "color" in caught.value.detail
    assert caught.value.suggestion.startswith("Write ")


def test_every_style_that_can_be_declared_is_explained() -> None:
    for style in ("simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject"):
        for explode in (False, True):
            assert "{" not in styles.not_in_style(param(ARRAY, style, explode)).suggestion

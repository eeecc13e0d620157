"""Contracts from models and typed functions: what they allow is what the Python says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from rules.schema import Contract
from rules.typed import NotTyped, Typed, tool_of


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    """One line."""

    item: str = Field(max_length=20)
    count: Annotated[int, Field(ge=1, le=99)] = 1


class NewOrder(BaseModel):
    """Create an order
    for a customer.

    More that nobody needs.
    """

    customer_id: int = Field(description="Whose order.", gt=0)
    colour: Colour = Colour.RED
    lines: list[Line] = Field(min_length=1)


class Tree(BaseModel):
    name: str
    below: list[Tree] = []


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Options(TypedDict, total=False):
    limit: int


@dataclass
class Point:
    x: float
    y: float = 0.0


def refund(
    order_id: Annotated[int, Field(ge=1, description="Which order.")],
    reason: Literal["broken", "late"] = "late",
    *,
    note: str | None = None,
) -> None:
    """Refund an order.

    Args:
        order_id: Not this text.
        reason: Why.
        note (str): A word
            to the customer.
        gone: No such argument.
    """


def numpy_style(a: int, b: int = 1) -> None:
    """Add.

    Parameters
    ----------
    a : int
        The first.
    b : int, optional
        The second.
    """


async def sphinx_style(pet: Annotated[Cat | Dog, Field(discriminator="kind")], size: Point | None = None) -> None:
    """Keep a pet.

    :param pet: The pet.
    """


def bare() -> None:
    pass


def contract(made: Typed) -> Contract:
    """The contract that a loader makes of it."""
    args = {name: dict(one) for name, one in made.tool.get("args", {}).items()}
    needed = [name for name, one in args.items() if not one.pop("optional", False)]
    short = {"type": "object", "properties": args, "required": needed, "additionalProperties": False}
    return Contract(made.tool.get("input", short))


def allows(thing: Any, **args: Any) -> bool:
    return contract(tool_of(thing, "POST /x")).check(args) == ()


def test_a_model_is_a_tool() -> None:
    made = tool_of(NewOrder, "POST /orders")
    assert (made.name, made.notes) == ("new_order", [])
    assert made.tool["says"] == "Create an order for a customer."
    assert (made.tool["call"], made.tool["effect"], made.tool["guessed"]) == ("POST /orders", "write", True)
    assert made.tool["input"]["properties"]["customer_id"] == {
        "description": "Whose order.",
        "type": "integer",
        "exclusiveMinimum": 0,
    }
    line = {"item": "tea"}
    assert allows(NewOrder, customer_id=1, lines=[line, {**line, "count": 99}], colour="blue")


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer_id": 0},
        {"customer_id": "1"},
        {"customer_id": None},
        {"lines": []},
        {"lines": [{"item": "t" * 21}]},
        {"lines": [{"item": "t", "count": 0}]},
        {"lines": [{"count": 1}]},
        {"colour": "green"},
        {"other": 1},
    ],
)
def test_what_the_model_refuses_its_contract_refuses(wrong: dict[str, Any]) -> None:
    assert not allows(NewOrder, **{"customer_id": 1, "lines": [{"item": "tea"}], **wrong})


def test_a_function_is_a_tool() -> None:
    made = tool_of(refund, "POST /orders/{order_id}/refund", "irreversible")
    assert made.name == "refund"
    assert made.tool == {
        "says": "Refund an order.",
        "call": "POST /orders/{order_id}/refund",
        "args": {
            "order_id": {"description": "Which order.", "type": "integer", "minimum": 1},
            "reason": {
                "description": "Why.",
                "type": "string",
                "enum": ["broken", "late"],
                "default": "late",
                "optional": True,
            },
            "note": {
                "description": "A word to the customer.",
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "optional": True,
            },
        },
        "effect": "irreversible",
    }
    assert allows(refund, order_id=1)
    for wrong in ({}, {"order_id": 0}, {"order_id": 1, "reason": "bored"}, {"order_id": 1, "note": 1}, {"gone": 1}):
        assert not allows(refund, **wrong)


def test_docstrings_of_other_styles() -> None:
    args = tool_of(numpy_style, "GET /sum").tool["args"]
    assert {name: one["description"] for name, one in args.items()} == {"a": "The first.", "b": "The second."}
    made = tool_of(sphinx_style, "POST /pets")
    assert (made.name, made.tool["says"], made.notes) == ("sphinx_style", "Keep a pet.", [])
    assert made.tool["input"]["properties"]["pet"]["description"] == "The pet."


def test_unions_references_and_cycles() -> None:
    assert allows(sphinx_style, pet={"kind": "dog"}, size={"x": 1.5})
    assert not allows(sphinx_style, pet={"kind": "cow"})
    assert allows(Tree, name="a", below=[{"name": "b", "below": [{"name": "c"}]}])
    assert not allows(Tree, name="a", below=[{"name": "b", "below": [{"name": 1}]}])
    assert not allows(Tree, name="a", other=1)


def test_dataclasses_and_typed_dicts() -> None:
    assert allows(Point, x=1)
    assert not allows(Point, y=1)
    assert tool_of(Point, "GET /points").tool["says"] == "Point"
    assert allows(Options)
    assert not allows(Options, limit="1")


def test_names_that_are_not_declared_pass_only_where_the_model_says_so() -> None:
    assert allows(Open, a=1, b=2)
    assert not allows(Point, x=1, z=2)
    assert "args" not in tool_of(bare, "GET /bare").tool
    assert tool_of(bare, "GET /bare").tool["says"] == "bare"


def test_what_no_loader_knows_is_left_out_and_told() -> None:
    class Odd(BaseModel):
        path: Annotated[str, Field(json_schema_extra={"format": "binary", "example": "x", "x-own": 1})]
        code: Annotated[str, Field(json_schema_extra={"pattern": "(?=a)"})]
        call: Any = Field(default_factory=lambda: print)
        late: Any = print

    made = tool_of(Odd, "POST /odd")
    assert made.tool["args"]["path"] == {"type": "string", "x-own": 1}
    assert "path: the format binary is left out" in made.notes
    assert any("(?=a)" in note for note in made.notes)
    assert any("example" in note for note in made.notes)
    assert len(made.notes) == 4
    contract(made)


def star(*args: int) -> None: ...
def stars(**kwargs: int) -> None: ...
def untyped(a) -> None: ...  # type: ignore[no-untyped-def]
def before(a: int, /) -> None: ...
def unknown(a: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821
def callback(a: type[Contract], b: Contract) -> None: ...


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (star, r"star takes \*args: .*take a list"),
        (stars, r"stars takes \*\*kwargs"),
        (untyped, "the parameter a without a type: write a: str"),
        (before, "before takes a before /"),
        (unknown, "unknown has no JSON Schema"),
        (callback, "callback has no JSON Schema"),
        (Contract.check, "self without a type"),
        (Contract, "no Pydantic model"),
        (Colour, "no Pydantic model"),
        (7, "neither a class nor a function"),
        (len, "neither a model nor a function"),
        (list[int], "neither a model nor a function"),
    ],
)
def test_what_is_no_tool_says_why(thing: Any, why: str) -> None:
    with pytest.raises(NotTyped, match=why):
        tool_of(thing, "POST /x")

"""What formulas give, and when they give nothing."""

from __future__ import annotations

from typing import Any

import pytest

from rules.cel import BadCondition
from rules.formula import ARGS, REPLY, STATUS, Formula, Untold

FACTS: dict[str, Any] = {
    "args": {"a": 1, "x-y": "z"},
    "reply": {"id": "r1", "n": None, "deep": [{"id": 7}], "f": 2.5, "yes": True},
    "status": 200,
}
ALL = (ARGS, REPLY, STATUS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("reply.id", "r1"),
        ("args.a", 1),
        ("args['x-y']", "z"),
        ("reply.deep[0].id", 7),
        ("reply.deep", [{"id": 7}]),
        ("reply.f", 2.5),
        ("'k-' + reply.id", "k-r1"),
        ("has(args.b) ? args.b : 'none'", "none"),
        ("{'id': reply.id}", {"id": "r1"}),
        ("status", 200),
    ],
)
def test_what_it_gives(text: str, value: Any) -> None:
    assert Formula(text, ALL).value(FACTS) == value


@pytest.mark.parametrize(
    "text",
    [
        "reply.nope",
        "reply.deep[1].id",
        "args.b",
        "reply.n",
        "1 / 0 + args.a",
        "b'bytes'",
        "timestamp('2026-01-01T00:00:00Z')",
    ],
)
def test_what_is_not_there_gives_nothing_and_is_no_text(text: str) -> None:
    with pytest.raises(Untold):
        Formula(text, ALL).value(FACTS)


@pytest.mark.parametrize(
    "reply", [{"id": "a\0b"}, {"id": 2**70}, [0] * 6_000, {"id": "\ud800"}], ids=["nul", "long", "many", "half"]
)
def test_a_reply_that_cannot_be_read_as_it_is_gives_nothing(reply: Any) -> None:
    with pytest.raises(Untold):
        Formula("reply.id", ALL).value({**FACTS, "reply": reply})
    assert Formula("reply.id == 'a'", ALL, is_question=True).is_so({**FACTS, "reply": reply}) is None


def test_no_value_stands_in_what_is_said() -> None:
    with pytest.raises(Untold) as caught:
        Formula("reply.id.nope", ALL).value({**FACTS, "reply": {"id": "secret-4711"}})
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("status == 200 && reply.id == 'r1'", True),
        ("reply.id == 'other'", False),
        ("reply.yes", True),
        ("reply.id", None),
        ("reply.nope == 1", None),
        ("status == 404 || reply.nope == 1", None),
        ("status == 200 || reply.nope == 1", True),
    ],
)
def test_a_question_has_three_answers(text: str, answer: bool | None) -> None:
    assert Formula(text, ALL, is_question=True).is_so(FACTS) is answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reply.", "is not CEL"),
        ("replies.id", "undeclared reference"),
        ("principal.id", "undeclared"),
        ("x" * 2_001, "longer"),
    ],
)
def test_what_is_no_formula(text: str, says: str) -> None:
    with pytest.raises(BadCondition, match=says):
        Formula(text, ALL)


def test_a_question_is_a_yes_or_no_and_knows_only_its_names() -> None:
    with pytest.raises(BadCondition, match="must be yes or no"):
        Formula("status + 1", ALL, is_question=True)
    with pytest.raises(BadCondition) as caught:
        Formula("reply.id", (ARGS,))
    assert caught.value.hint == "known are: args"


def test_what_it_uses() -> None:
    formula = Formula("has(args.a) ? reply.id : 'status ' + args.b", ALL)
    assert formula.uses == {"args", "reply"}
    assert formula.arguments == {"a": True, "b": False}
    assert formula == Formula("has(args.a) ? reply.id : 'status ' + args.b", ALL)
    assert len({formula, Formula("status", ALL)}) == 2

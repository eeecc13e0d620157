"""What an expression names, and what is said of one that is none."""

from __future__ import annotations

import pytest

from rules.cel import BadCondition, arguments_in
from rules.when import When


def test_the_arguments_that_an_expression_names() -> None:
    assert arguments_in("args.a.b > 1 && args['x-y'] == args[\"z\"] || has(args.a)") == ["a", "x-y", "z"]
    assert arguments_in("args.a == 'args.b' && args.c in ['args.d', 'args.e']") == ["a", "c"]
    assert arguments_in("kwargs.a > 1 && args['a\\'b'] == 1") == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("args.a = 1", "CEL writes == && || !"),
        ("args.a == 1 and args.b == 2", "CEL writes == && || !"),
        ("args.a.startswith('x')", "did you mean startsWith?"),
        ("args.a == True", "did you mean true?"),
        ("arg.a == 1", "did you mean args?"),
        ("roles == 'x'", "known are: args, principal"),
    ],
)
def test_who_writes_another_language_is_told_what_cel_has(text: str, hint: str) -> None:
    with pytest.raises(BadCondition) as told:
        When(text)
    assert told.value.hint.startswith(hint)

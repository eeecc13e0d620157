"""What an expression names, and what is said of one that is none."""

from __future__ import annotations

from rules.cel import arguments_in


def test_the_arguments_that_an_expression_names() -> None:
    assert arguments_in("args.a.b > 1 && args['x-y'] == args[\"z\"] || has(args.a)") == ["a", "x-y", "z"]
    assert arguments_in("args.a == 'args.b' && args.c in ['args.d', 'args.e']") == ["a", "c"]
    assert arguments_in("kwargs.a > 1 && args['a\\'b'] == 1") == []

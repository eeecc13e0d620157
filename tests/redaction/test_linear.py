import timeit

import pytest

from redaction.linear import ANYWHERE, Expression, matcher


def test_a_match_is_its_place_and_that_of_its_groups() -> None:
    assert matcher("b(c)(d)?")(ANYWHERE, b"abcb", 0, 4) == [(1, 3), (2, 3), (-1, -1)]
    assert matcher("b(c)", capture=False)(ANYWHERE, b"abcb", 0, 4) == [(1, 3)]


def test_no_match_has_no_place() -> None:
    assert matcher("(x)")(ANYWHERE, b"abc", 0, 3) == [(-1, -1), (-1, -1)]


def test_what_stands_before_the_beginning_is_seen_but_not_matched() -> None:
    assert matcher("^b|\\bb")(ANYWHERE, b"ab", 1, 2) == [(-1, -1)]


def test_text_is_utf_8() -> None:
    assert matcher("^.é$")(ANYWHERE, "üé".encode(), 0, 4) == [(0, 4)]


def test_a_small_bound_of_memory_costs_time_and_no_match() -> None:
    text = b"ab" * 50_000 + b"x"
    small = matcher("a.{40}x", memory=1 << 14)
    assert small(ANYWHERE, text, 0, len(text)) == matcher("a.{40}x")(ANYWHERE, text, 0, len(text))
    assert min(timeit.repeat(lambda: small(ANYWHERE, text, 0, len(text)), number=1, repeat=3)) < 1


@pytest.mark.parametrize(
    "expression", [r"[\pL_]+[^\pN\pM]", r"\pL[\pN]", r"\[\pL\]", r"[]\pL]", r"[^]\pN]x", r"[\pM]", "a"]
)
@pytest.mark.parametrize("text", ["", "a1", "[b]", "]", "_a-", "1x", "éa", "é", "٣x", "[é]", "a\u0301", "-x"])
def test_an_expression_finds_the_same_in_ascii_as_in_all_text(expression: str, text: str) -> None:
    data = text.encode()
    found = Expression(expression).on(data)(ANYWHERE, data, 0, len(data))
    assert found == matcher(expression)(ANYWHERE, data, 0, len(data))

import pytest

from redaction.detector import Pattern
from redaction.judge import judge


def pattern(**fields: object) -> Pattern:
    return Pattern("x", "X", "An x.", ".+", ("x",), ("y",), **fields)  # type: ignore[arg-type]


def test_without_conditions_all_of_it_is_the_value() -> None:
    assert judge(pattern())("abc") == 3


def test_a_check_says_how_much_of_it() -> None:
    assert judge(pattern(check="iban"))("DE89370400440532013000 AND") == 22
    assert judge(pattern(check="iban", entropy=1.0))("DE89370400440532013001") == 0


def test_a_value_of_few_characters_is_none_where_entropy_is_asked_for() -> None:
    assert judge(pattern(entropy=2.5))("xxxxxxxxxxxxxxxx") == 0
    assert judge(pattern(entropy=2.5))("x7Gk2pQ9vLm4") == 12


def test_a_stop_word_makes_it_none_in_any_case() -> None:
    sift = judge(pattern(stop=("Example",)))
    assert sift("AKIAIOSFODNN7EXAMPLE") == 0
    assert sift("AKIAIOSFODNN7") == 13


def test_a_check_that_nobody_wrote_is_an_error_with_the_closest_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'iban'"):
        judge(pattern(check="ibann"))

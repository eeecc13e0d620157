import pytest

from redaction.apart import SHORT, Gate, apart, sort_of
from redaction.detector import all_patterns

EXPRESSIONS = [
    r"gsk_[a-z]{4}",
    r"(?i:basic)\s[a-z]+",
    r"\b[0-9]{12}\b",
    r"\b(?:sk|rk)_live",
    r"(?:^|[^0-9])(\d{3}-\d)",
    r"\$5",
]


def test_expressions_are_sorted_by_how_they_begin() -> None:
    assert [sort_of(each) for each in EXPRESSIONS] == ["fixed", "words", "counted", "bounded", "classes", "fixed"]


def test_each_expression_of_ours_is_in_one_part() -> None:
    regexes = [pattern.regex for pattern in all_patterns()]
    assert sorted(place for places in apart(regexes) for place in places) == list(range(len(regexes)))


@pytest.mark.parametrize("room", [0, 2 * SHORT], ids=["short", "long"])
@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("nothing", []),
        ("gsk_abcd", [0]),
        ("BASIC abc 123456789012 $5", [1, 2, 5]),
        (" sk_live 123-4 ", [3, 4]),
        ("", []),
    ],
)
def test_the_gate_says_which_occur_however_long_the_text(text: str, hits: list[int], room: int) -> None:
    assert sorted(Gate(EXPRESSIONS).Match((text + " " * room).encode())) == [*hits, len(EXPRESSIONS)]


def test_a_gate_of_nothing_lets_everything_pass() -> None:
    assert Gate([]).Match(b"x") == Gate([]).Match(b"x" * 2 * SHORT) == [0]


class Full:
    def Match(self, data: bytes) -> list[int]:  # noqa: N802
        return []


def test_a_part_that_ran_out_of_memory_is_no_answer() -> None:
    gate = Gate(EXPRESSIONS)
    gate._parts[-1] = (Full(), gate._parts[-1][1])
    assert gate.Match(b"gsk_abcd" * SHORT) == []

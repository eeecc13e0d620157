import re

import pytest

from rules.patterns import MOST_TEXT, matching


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{3}$",
        "^cus_[a-z0-9]{4,}$",
        r"^\d{4}-\d{2}$",
        "^(EUR|USD)$",
        "^(?:a|b)+c?$",
        r"^[^@\s]+@[^@\s]+$",
        r"^[\w.-]+$",
        "^.+$",
        r"^/[^/]*/x$",
        r"\.json$",
        "(?P<year>[12][0-9]{3})",
        "^[^a-zA-Z0-9]$",
        "",
    ],
)
@pytest.mark.parametrize("more", [0, 1, 5])
def test_a_text_matches_its_pattern(pattern, more):
    assert re.search(pattern, matching(pattern, more))


def test_more_makes_it_longer_where_that_is_allowed():
    assert matching("^[a-z]{2,9}$", 3) == "aaaaa"
    assert matching("^[a-z]{2,3}$", 9) == "aaa"


@pytest.mark.parametrize("pattern", [r"\p{L}", "(", "a{900}{900}", "x{4294967290}", "(?=a)b", r"(a)\1", "(" * 5000])
def test_what_cannot_be_made_is_left_out(pattern):
    assert matching(pattern) == ""


def test_a_text_is_short():
    assert len(matching("a{999}")) == 999 <= MOST_TEXT
    assert matching("a{1001}") == ""


def test_what_python_would_warn_of_is_no_trouble():
    assert matching("[[a]x") in ("[x", "ax")

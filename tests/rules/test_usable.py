import pytest

from rules.usable import usable_pattern


@pytest.mark.parametrize(
    ("given", "usable"), [("^a$", "^a$"), ("/a/", "/a/"), ("[", ""), ("(a{1,9999}){1,9999}", ""), (None, "")]
)
def test_patterns_are_those_that_run_in_linear_time(given, usable):
    assert usable_pattern(given) == usable

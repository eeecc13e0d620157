"""The shapes of what bounds spending. What they mean is in test_limits.py and test_budgets.py."""

import re

import pytest

from rules.bounds import POINTER, RATE


@pytest.mark.parametrize("text", ["1/s", "20/hour", "5/10s", "3/0.5s", "999999999/day", "7/1.5h"])
def test_rates(text):
    assert re.fullmatch(RATE, text)


@pytest.mark.parametrize(
    "text", ["0/s", "20", "20/", "20/0s", "-1/s", "1.5/s", "20/year", "20/hour ", "20 /hour", "1/s/s"]
)
def test_what_is_no_rate(text):
    assert not re.fullmatch(RATE, text)


@pytest.mark.parametrize(("text", "fits"), [("", True), ("/", True), ("/a/b", True), ("a", False), ("#/a", False)])
def test_pointers(text, fits):
    assert bool(re.fullmatch(POINTER, text)) is fits

"""A test for each file of patterns, not for each pattern: hundreds of small tests cost more than what they do."""

import pytest

from redaction.detector import families

each_family = pytest.mark.parametrize("family", families().values(), ids=families())
"""Gives a test `family`: the patterns of one of our files. It has to say in what it asserts which pattern it is."""

import re

import pytest

from rules.lint.kinds import KINDS, LEVELS
from tests.rules.lint.tables import cases

ELSEWHERE = {"broken-file", "schema-looser", "secret-in-rules"}
"""Tested where the files themselves are, and definitions of MCP servers."""


@pytest.mark.parametrize("id", sorted(KINDS))
def test_a_kind_says_what_why_and_what_to_do(id):
    kind = KINDS[id]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", id)
    assert kind.level in LEVELS
    assert kind.title
    assert not kind.title.endswith(".")
    assert kind.why.endswith(".")
    assert kind.edit
    assert not kind.edit.endswith(".")


def test_every_kind_has_a_case_where_it_is_found_and_one_where_it_is_not():
    tried = {(kind, wanted) for kind, wanted, _ in cases("conditions", "inputs", "policy", "tools", "words")}
    assert tried == {(kind, wanted) for kind in KINDS.keys() - ELSEWHERE for wanted in (True, False)}

"""The key `restore`; what is wrong with it in its file is in tests/rules/test_backends.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.outgoing import Outgoing
from rules.restoring import read_restore
from rules.source import Node, read
from rules.tools import Reply

CHECKED = Reply(redact=frozenset({"US_SSN"}))


def node(text: str) -> Node:
    found, problems = read("c.yaml", text.encode())
    assert found is not None
    assert not problems
    return found


@pytest.mark.parametrize(("said", "meant"), [("true", {"*"}), ("false", set()), ("[PERSON]", {"PERSON"})])
def test_it_names_kinds_or_all_of_them(said: str, meant: set[str]) -> None:
    root = node(f"restore: {said}\ncall: GET /")
    assert read_restore(root.get("restore"), root, CHECKED) == (meant, [])
    assert read_restore(None, root, CHECKED) == (frozenset(), [])


def test_kinds_of_the_authors_may_be_named(tmp_path: Path) -> None:
    root = node("restore: [BADGE]\ncall: GET /")
    assert read_restore(root.get("restore"), root, CHECKED, frozenset({"BADGE"})) == ({"BADGE"}, [])
    kinds, problems = read_restore(root.get("restore"), root, CHECKED)
    assert (kinds, len(problems)) == (frozenset(), 1)


def test_what_is_put_back_is_looked_for_in_replies() -> None:
    root = node("restore: true\ncall: GET /")
    _, problems = read_restore(root.get("restore"), root, Reply())
    assert [each.path for each in problems] == ["call"]
    assert read_restore(None, root, Reply())[1] == []


def test_what_is_put_back_may_be_sent() -> None:
    root = node("restore: [PERSON, US_SSN]\ncall: GET /")
    said = Outgoing(refuse=frozenset({"US_SSN"}), mask=frozenset({"PERSON", "CVV"}))
    _, problems = read_restore(root.get("restore"), root, CHECKED, outgoing=said)
    assert [each.path for each in problems] == ["restore", "restore"]
    assert ["PERSON" in problems[0].message, "US_SSN" in problems[1].message] == [True, True]
    every = node("restore: true\ncall: GET /")
    assert read_restore(every.get("restore"), every, CHECKED, outgoing=said)[1] == []

"""docs/dependencies.md accounts for each dependency of pyproject.toml, and for no other."""

from __future__ import annotations

import re

from packaging.requirements import Requirement

from tests.deploy.machine import ROOT
from tests.deploy.pins import project

PAGE = (ROOT / "docs" / "dependencies.md").read_text()


def rows() -> dict[str, list[str]]:
    """The first table: package, and the cells after it."""
    table = PAGE.partition("|---|")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]
    return {name: rest for name, *rest in cells}


def test_each_dependency_has_its_reason_licence_and_size() -> None:
    found = rows()
    assert list(found) == [Requirement(each).name for each in project()["run"]]
    for reason, licence, size, _ in found.values():
        assert reason
        assert licence
        assert re.fullmatch(r"[\d.]+ MB", size)


def test_each_extra_is_named() -> None:
    for extra in project().keys() - {"run", "build"}:
        assert f"`[{extra}]`" in PAGE


def test_what_was_not_taken_is_not_a_dependency() -> None:
    refused = PAGE.partition("## Considered")[2].partition("\n## ")[0]
    names = set(re.findall(r"^\| ([a-z][a-z-]+)", refused, re.MULTILINE))
    assert names
    assert not names & rows().keys()

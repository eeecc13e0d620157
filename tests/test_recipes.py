"""docs/recipes.md: each recipe loads together with the backend at the top of the page, and its examples come out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules import examples
from rules.coverage import coverage, wanted
from rules.lint import lint
from rules.load import load

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
HEAD, *SECTIONS = re.split(r"^### ", PAGE, flags=re.MULTILINE)
RECIPES = {section.partition("\n")[0]: section for section in SECTIONS}


def blocks(text: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def laid(folder: Path, recipe: str) -> Path:
    """A rules folder with a recipe in it."""
    for number, text in enumerate([*blocks(HEAD), *blocks(RECIPES[recipe])]):
        (folder / f"{number}.yaml").write_text(text)
    return folder


def test_there_are_recipes() -> None:
    assert len(RECIPES) == PAGE.count("\n### ") >= 18
    assert len(blocks(HEAD)) == 1
    assert PAGE.count("```") == 2 * len(blocks(PAGE))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_does_what_it_says(recipe: str, tmp_path: Path) -> None:
    ruleset = load(laid(tmp_path, recipe))
    outcomes = examples.run(ruleset, datetime.now(UTC))
    assert outcomes
    assert examples.failures(outcomes) == ()
    assert [wanted(rule) for rule in coverage(ruleset, outcomes).missing] == []
    # A recipe uses few tools of the backend at the top; the others are out of reach.
    grave = [each for each in lint(ruleset) if each.level != "note" and each.id != "tool-unreachable"]
    assert grave == []

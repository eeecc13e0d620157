"""`toolwall check` and `schema`: the rules before they are in force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli_common import FINDINGS, fail, say

if TYPE_CHECKING:
    from rules.decide import Ruleset

Folder = Annotated[Path, typer.Argument(help="The rules folder.")]


def load_rules(folder: Path) -> Ruleset:
    """The rules of a folder, or an end that lists everything that is wrong with them."""
    from rules.load import RulesError, load

    if not folder.is_dir():
        fail(f"There is no rules folder {folder}. Name another one, as in path/to/rules.")
    try:
        return load(folder)
    except RulesError as error:
        fail(str(error), FINDINGS)


def check(folder: Folder = Path("rules")) -> None:
    """Review the rules: errors, and what deserves a second look. Exit code 1 for errors; warnings are allowed."""
    from rules.lint import lint

    rules = load_rules(folder)
    findings = lint(rules)
    for finding in findings:
        say(str(finding))
    warnings = sum(finding.level == "warning" for finding in findings)
    typer.echo(
        f"{len(rules.catalog.backends)} backends, {len(rules.catalog.tools)} tools, {len(rules.rules)} rules: "
        f"no errors, {warnings} warnings, revision {rules.revision}"
    )


def schema() -> None:
    """The JSON Schema of the rules files, for editors."""
    from rules.published import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))

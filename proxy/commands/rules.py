"""`toolwall check` and `schema`: the rules before they are in force."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from proxy.commands.common import FINDINGS, OfSidecar, fail, presidio_of, printing, rules_folder, say

if TYPE_CHECKING:
    from proxy.presidio.apart import Presidio
    from rules.decide import Ruleset
    from rules.lint import Finding
    from rules.source import Node

Folder = Annotated[Path, typer.Argument(help="The rules folder.")]


def load_rules(folder: Path, presidio: Presidio | None = None) -> Ruleset:
    """The rules of a folder, or an end that lists everything that is wrong with them."""
    from redaction.profiles import NO_MORE
    from rules.load import RulesError, load

    rules_folder(folder)
    try:
        return load(folder, presidio.kinds() if presidio else NO_MORE)
    except RulesError as error:
        fail(str(error), FINDINGS)


class Format(StrEnum):
    """How a review is printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    folder: Folder = Path("rules"),
    form: Annotated[Format, typer.Option("--format", help="text, json, or sarif (SARIF 2.1.0).")] = Format.TEXT,
    every: Annotated[bool, typer.Option("--all", help="Name every place, also of what is found often.")] = False,
    config: OfSidecar = None,
) -> None:
    """Review the rules: errors, and what deserves a second look. Exit code 1 for errors; warnings are allowed."""
    from redaction.profiles import NO_MORE
    from rules.lint import lint
    from rules.lint.report import of_problems
    from rules.load import RulesError, load

    rules_folder(folder)
    summary: dict[str, Any] = {}
    documents: dict[str, Node] = {}
    try:
        with presidio_of(config) as presidio:
            rules = load(folder, presidio.kinds() if presidio else NO_MORE, documents)
    except RulesError as error:
        if form is Format.TEXT:
            fail(str(error), FINDINGS)
        findings = of_problems(error.problems)
    else:
        findings = lint(rules, folder, datetime.now(UTC), documents)
        tools = sum(tool.is_chosen for tool in rules.catalog.tools.values())
        sizes = {"backends": len(rules.catalog.backends), "tools": tools, "rules": len(rules.rules)}
        summary = {"revision": rules.revision, **sizes}
    with printing():
        _print(findings, summary, folder, form, every)
    raise typer.Exit(FINDINGS if any(one.level == "error" for one in findings) else 0)


def _print(findings: Sequence[Finding], summary: dict[str, Any], folder: Path, form: Format, every: bool) -> None:
    from rules.lint import report

    if form is Format.JSON:
        typer.echo(json.dumps(report.as_json(findings, summary), indent=2))
    elif form is Format.SARIF:
        base = folder.as_uri() if folder.is_absolute() else quote(folder.as_posix())
        typer.echo(json.dumps(report.as_sarif(findings, base), indent=2))
    else:
        for line in report.as_text(findings, every):
            say(line)
        typer.echo(_last_line(report.counts(findings), summary))


def _last_line(counts: dict[str, int], summary: dict[str, Any]) -> str:
    sizes = ", ".join(f"{summary[word]} {word}" for word in ("backends", "tools", "rules"))
    found = ", ".join(f"{count or 'no'} {level}{'s' * (count != 1)}" for level, count in counts.items())
    return f"{sizes}: {found}, revision {summary['revision']}"


def schema() -> None:
    """The JSON Schema of the rules files, for editors."""
    from rules.published import json_schema

    with printing():
        typer.echo(json.dumps(json_schema(), indent=2))

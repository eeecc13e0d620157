"""`toolwall test`: the examples that the rules carry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from proxy.cli_common import FINDINGS, console, say, visible
from proxy.cli_rules import Folder, load_rules


def run_examples(folder: Folder = Path("rules")) -> None:
    """Run the examples that the rules carry. Exit code 1 where one does not come out as expected."""
    from rich import box
    from rich.table import Table

    from rules import examples

    outcomes = examples.run(load_rules(folder), datetime.now(UTC))
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("", "example", "tool", "expected", "got"):
        table.add_column(column)
    for one in outcomes:
        place = f"{one.example.file}:{one.example.line}"
        cells = ("ok" if one.passed else "FAILED", place, one.example.tool, one.example.expect, one.got)
        table.add_row(*map(visible, cells))
    if outcomes:
        console().print(table)
    failed = examples.failures(outcomes)
    for one in failed:
        say(one.as_text())
    typer.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} examples came out as expected")
    raise typer.Exit(FINDINGS if failed else 0)

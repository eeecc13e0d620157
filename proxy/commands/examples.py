"""`toolwall test`: the examples that the rules carry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.commands.common import FINDINGS, OfSidecar, console, fail, presidio_of, printing, say, visible
from proxy.commands.rules import Folder, load_rules

if TYPE_CHECKING:
    from redaction.scanner import Foreign
    from rules.coverage import Coverage
    from rules.decide import Ruleset
    from rules.examples import Outcome

    Timed = tuple[Outcome, float]
    """An outcome and how many seconds it took."""


def run_examples(
    folder: Folder = Path("rules"),
    junit: Annotated[Path | None, typer.Option(help="Write a report for build servers to this file, too.")] = None,
    coverage_min: Annotated[
        int, typer.Option(min=0, max=100, help="Fail where fewer percent of the rules are exercised by examples.")
    ] = 0,
    config: OfSidecar = None,
) -> None:
    """Run the examples that the rules carry. Exit code 1 where one does not come out as expected."""
    from rules.coverage import coverage
    from rules.examples import failures

    with presidio_of(config) as presidio:
        rules = load_rules(folder, presidio)
        timed = _run(rules, presidio.detector if presidio else None)
    outcomes = [outcome for outcome, _ in timed]
    failed, covered = failures(outcomes), coverage(rules, outcomes)
    short = _shortage(covered, coverage_min)
    with printing():
        if timed:
            _print_table(timed)
        for one in failed:
            say(one.as_text())
        _print_sum(timed, len(failed), covered, short)
    if junit:
        _write(junit, rules, timed, short)
    raise typer.Exit(FINDINGS if failed or short else 0)


def _run(rules: Ruleset, foreign: Foreign | None) -> list[Timed]:
    """All examples, as if called now."""
    from rules.examples import judge, ordered

    now, timed = datetime.now(UTC), []
    for example in ordered(rules):
        started = perf_counter()
        outcome = judge(rules, example, now, foreign)
        timed.append((outcome, perf_counter() - started))
    return timed


def _print_table(timed: Sequence[Timed]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("", "example", "tool", "expected", "got"):
        table.add_column(column, overflow="fold")
    table.add_column("ms", justify="right")
    for outcome, seconds in timed:
        example = outcome.example
        place, ms = f"{example.file}:{example.line}", f"{seconds * 1000:.1f}"
        word = "ok" if outcome.passed else "FAILED"
        table.add_row(*map(visible, (word, place, example.tool, outcome.expected(), outcome.came(), ms)))
    console().print(table)


def _print_sum(timed: Sequence[Timed], failed: int, covered: Coverage, short: str) -> None:
    from rules.coverage import wanted

    for rule in covered.missing:
        say(wanted(rule))
    count, ms = len(timed), sum(seconds for _, seconds in timed) * 1000
    typer.echo(f"{count - failed} of {count} examples came out as expected, in {ms:.0f} ms")
    done = covered.rules - len(covered.missing)
    typer.echo(f"{done} of {covered.rules} rules are exercised by examples: {covered.percent} %")
    if short:
        typer.echo(short)


def _shortage(covered: Coverage, least: int) -> str:
    return f"{covered.percent} % is below --coverage-min {least}" if covered.percent < least else ""


def _write(file: Path, rules: Ruleset, timed: Sequence[Timed], short: str) -> None:
    from rules.junit import Case, junit

    cases = [
        Case(one.example.file, f"line {one.example.line}: {one.name}", seconds, "" if one.passed else one.trouble())
        for one, seconds in timed
    ]
    cases.append(Case("coverage", "rules that examples exercise", 0.0, short))
    try:
        file.write_bytes(junit(f"toolwall test, revision {rules.revision}", cases))
    except OSError as error:
        fail(f"Cannot write {file}: {error.strerror}.")

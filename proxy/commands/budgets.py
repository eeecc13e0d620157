"""`toolwall budgets`: what was spent, by budget and account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.commands.common import FINDINGS, Config, console, fail, say, settings_of

if TYPE_CHECKING:
    from proxy.budgetfile import Row
    from rules.obligations import Budget


def budgets(
    name: Annotated[str, typer.Argument(help="A budget's name; without it, all of them.")] = "",
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Show what was spent from each budget, the fullest first, beside what may be spent by the rules of today."""
    from rich.table import Table

    from proxy.budgetfile import BudgetError, look

    settings = settings_of(config)
    try:
        found = look(settings.state)
    except BudgetError as error:
        fail(f"The budgets cannot be read: {error}")
    known = _known(settings.rules)
    rows = [_line(row, known) for row in found.accounts]
    shown = sorted((row for row in rows if name in ("", row[0])), key=lambda row: (-row[-1], row))
    if name and not shown and known and name not in known:
        fail(f"There is no budget {name}. There are: {', '.join(sorted(known))}.", FINDINGS)
    if not shown:
        say("Nothing was spent yet.")
        return
    table = Table("budget", "period", "who", "spent", "used")
    for budget, period, who, spent, share in shown:
        table.add_row(budget, period or "-", who or "all", spent, f"{share}%" if share >= 0 else "-")
    console().print(table)


def _known(folder: Path) -> dict[str, Budget]:
    """The budgets of the rules; none where those cannot be used."""
    from rules.load import RulesError, load
    from rules.obligations import Budget, only

    try:
        return {one.name: one for rule in load(folder).rules for one in only(Budget, rule.obligations)}
    except RulesError:
        return {}


def _line(row: Row, known: dict[str, Budget]) -> tuple[str, str, str, str, int]:
    from rules.amounts import spoken

    budget, period, *names = json.loads(row.id)
    who = " ".join(" ".join(each) if isinstance(each, list) else each or "unknown" for each in names)
    share = -1
    if budget in known:
        share = max(100 * row.spent.get(unit, 0) // most for unit, most in known[budget].most)
    return budget, period, who, ", ".join(spoken(unit, amount) for unit, amount in sorted(row.spent.items())), share

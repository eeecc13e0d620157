"""`toolwall ledger pending`, `settle` and `retry`: calls of which nobody knows whether they were carried out."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import (
    CANNOT_RUN,
    FINDINGS,
    USAGE,
    Config,
    console,
    fail,
    operator,
    say,
    settings_of,
    visible,
)
from proxy.commands.ledger import folder_of, ledger, print_lines
from proxy.commands.undo import asked

if TYPE_CHECKING:
    from proxy.config import Settings
    from proxy.ledger.chain import Sealed


class Found(StrEnum):
    """What was found out of a call."""

    DONE = "done"
    NOT_DONE = "not-done"


@ledger.command()
def pending(
    config: Config = Path("toolwall.yaml"),
    limit: Annotated[int, typer.Option(min=1, help="How many calls at most.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Calls of which it is not known whether they were carried out, newest first."""
    from proxy.ledger import LedgerError, index

    try:
        found = index.pending(folder_of(config), limit)
    except LedgerError as error:
        fail(str(error))
    if as_json:
        print_lines(found)
    elif found:
        _table(found)
    else:
        typer.echo("Nothing is pending.")


@ledger.command()
def settle(
    call: Annotated[str, typer.Argument(help="The call's id or the beginning of it.")],
    found: Annotated[Found | None, typer.Option("--as", help="What you found out.")] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask the backend, by the tool that the contract names.")] = False,
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Say what became of a call. After not-done the same call may be made again; after done it is never sent."""
    from proxy.effects.settling import CannotSettle, settled
    from proxy.ledger import LedgerError, NoSuchCall, index

    if (found is None) is not ask:
        fail("Say either what you found out, with --as, or --ask.", USAGE)
    folder, by = folder_of(config), operator()
    try:
        known = index.show(folder, call)
        entries = {each: settled([one.entry for one in known], each, by) for each in Found}
        if found is None:
            _ask(settings_of(config), known, entries, by)
            return
        _write(settings_of(config), entries[found])
        whole = str(entries[found]["call"])
        if not any(each.entry.get("kind") == "settled" for each in index.show(folder, whole)):
            fail(f"Call {whole} was not settled: it is still under way, or the ledger cannot be written.", FINDINGS)
    except CannotSettle as why:
        fail(str(why), FINDINGS)
    except LedgerError as error:
        fail(str(error), FINDINGS if isinstance(error, NoSuchCall) else CANNOT_RUN)
    typer.echo(f"Settled: call {whole} as {found.value}.")


def _ask(settings: Settings, known: list[Sealed], entries: dict[Found, dict[str, Any]], by: str) -> None:
    """Let the running sidecar ask the backend, and settle the call by what it says."""
    order = {"do": "ledger ask", **_said(known), "entries": {each.value: entry for each, entry in entries.items()}}
    told = asked(settings, {**order, "ended": known[-1].at_ns / 1e9, "by": by})
    typer.echo(f"Settled: call {order['call']} as {told['as']}; so says call {told['by']}.")


def _said(known: list[Sealed]) -> dict[str, str]:
    """Which call it is, who made it, and by which listener."""
    names = ("call", "principal", "door")
    return {name: next((each.entry[name] for each in known if each.entry.get(name)), "") for name in names}


@ledger.command()
def retry(
    call: Annotated[str, typer.Argument(help="The call's id or the beginning of it.")],
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Say that a call was NOT carried out, and send it once more as it came: it is settled as not-done first.

    In the name of the principal that made it, by the rules of today. A sidecar must be running.
    """
    from proxy.effects.settling import CannotSettle, again
    from proxy.ledger import LedgerError, NoSuchCall, index

    settings, by = settings_of(config), operator()
    try:
        known = index.show(settings.state / "ledger", call)
        entry = again([each.entry for each in known], by)
    except CannotSettle as why:
        fail(str(why), FINDINGS)
    except LedgerError as error:
        fail(str(error), FINDINGS if isinstance(error, NoSuchCall) else CANNOT_RUN)
    told = asked(settings, {"do": "ledger retry", "entry": entry, **_said(known), "by": by})
    if "code" in told:
        say(f"{told['detail']} {told['suggestion']}".strip())
        fail(f"Call {told['call']}, which is the same again, was refused as {told['code']}.", FINDINGS)
    if "replayed" in told:
        typer.echo(f"It was sent again before, and answered with {told['status']}. Nothing was sent.")
    else:
        typer.echo(f"Sent again as call {told['call']}: the backend answered {told['status']}.")
    raise typer.Exit(0 if told["status"] < 400 else FINDINGS)


def _write(settings: Settings, entry: dict[str, Any]) -> None:
    """Let the running sidecar write it; where none runs, write it here."""
    from proxy import orders, state
    from proxy.effects.settling import ORDER
    from proxy.ledger import InUse, Ledger
    from proxy.ownkey import own_key

    try:
        key = own_key(settings)
        try:
            ledger = Ledger.open(settings.state / "ledger", key.derive(state.LEDGER_HEAD))
        except InUse:
            orders.give(settings.state, {"do": ORDER, "entry": entry})
            return
        try:
            ledger.append(entry)
            _give_back(settings, entry)
        finally:
            ledger.close()
    except orders.NotTaken:
        fail(f"The sidecar did not take the order within {orders.PATIENCE_S:g} s.", CANNOT_RUN)
    except (state.StateError, OSError) as error:
        fail(f"It could not be written: {error}", CANNOT_RUN)


def _give_back(settings: Settings, entry: dict[str, Any]) -> None:
    """Let the budgets know, which no sidecar holds now."""
    from proxy.budgetfile import FILE
    from proxy.budgets import BudgetError, Budgets

    if not (settings.state / FILE).exists():
        return
    try:
        budgets = Budgets.open(settings.state)
    except BudgetError as error:
        say(f"The budgets could not be told: {error}", err=True)
        return
    budgets.found(entry["call"], done=entry["as"] == "done")
    budgets.close()


def _table(found: list[Sealed]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("time (UTC)", "call", "tool", "principal", "run", "what is known"):
        table.add_column(column, no_wrap=column != "what is known", min_width=28 if column == "call" else None)
    for sealed in found:
        entry = sealed.entry
        at = f"{datetime.fromtimestamp(sealed.at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"
        cells = (at, *(str(entry.get(name, "-")) for name in ("call", "tool", "principal", "run")), _known(entry))
        table.add_row(*map(visible, cells))
    console().print(table)


def _known(entry: dict[str, Any]) -> str:
    if entry.get("kind") == "intent":
        return "it was about to be sent; it is under way, or the sidecar was killed"
    if entry.get("upstream_status"):
        return f"the backend answered with status {entry['upstream_status']}"
    left = entry.get("outcome") == "client_gone"
    return "the caller left before an answer came" if left else "it was sent, and no answer came"

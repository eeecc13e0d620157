"""`toolwall ledger ...`: read, follow, prove and hand out the ledger."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
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
    printing,
    say,
    settings_of,
    visible,
)

if TYPE_CHECKING:
    from rich.console import OverflowMethod

    from proxy.ledger.chain import Sealed
    from proxy.ledger.checkpoint import Checkpoints
    from proxy.ledger.verify import Report
    from proxy.state import StateKey

_LATEST = 2**63 - 1
_WHOLE = {"time (UTC)": 8, "call": 28}
"""Columns that are of no use when a narrow terminal cuts them short, and their widths."""

_DECISIONS = ("allow", "deny")
_OUTCOMES = ("ok", "refused", "client_gone", "outcome_unknown", "unfinished")

ledger = typer.Typer(help="What happened to each call.", no_args_is_help=True)


def folder_of(config: Path) -> Path:
    """The ledger's folder that a configuration names."""
    return settings_of(config).state / "ledger"


@ledger.command()
def show(
    call: Annotated[str, typer.Argument(help="A call's id or the beginning of it; without it, the last calls.")] = "",
    config: Config = Path("toolwall.yaml"),
    tool: Annotated[str, typer.Option(help="Only calls of this tool.")] = "",
    principal: Annotated[str, typer.Option(help="Only calls of this principal.")] = "",
    run: Annotated[str, typer.Option(help="Only calls of this run.")] = "",
    decision: Annotated[str, typer.Option(help="allow or deny.")] = "",
    code: Annotated[str, typer.Option(help="A refusal code.")] = "",
    outcome: Annotated[str, typer.Option(help="ok, refused, client_gone, outcome_unknown, unfinished.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Only calls from this UTC time on.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many calls at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Show one call with its intent, or a table of calls, newest first."""
    from proxy.ledger import LedgerError, NoSuchCall, index

    _check_words(decision, code, outcome)
    query = index.Query(tool, principal, run, decision, code, outcome, _nanoseconds(since), limit)
    try:
        found = index.show(folder_of(config), call) if call else index.find(folder_of(config), query)
    except LedgerError as error:
        fail(str(error), FINDINGS if isinstance(error, NoSuchCall) else CANNOT_RUN)
    if as_json:
        print_lines(found)
    elif call:
        for sealed in found:
            typer.echo(json.dumps({"seq": sealed.seq, **sealed.entry}, indent=2))
    elif found:
        _table(found)
    else:
        typer.echo("No call in the ledger fits.")


def _check_words(decision: str, code: str, outcome: str) -> None:
    """A word that no Record can hold finds nothing, which would look like an answer."""
    from proxy.errors import CODES
    from rules.problems import closest

    known = {"--decision": _DECISIONS, "--code": tuple(CODES), "--outcome": _OUTCOMES}
    for option, word in zip(known, (decision, code, outcome), strict=True):
        if word and word not in known[option]:
            near = closest(word, known[option])
            elsewhere = next((f"{other} {word}" for other, words in known.items() if word in words), "")
            meant = elsewhere or (f"{option} {near}" if near else "")
            hint = f" (did you mean {meant}?)" if meant else ""
            fail(f"{option} is one of {', '.join(known[option])}{hint}.", USAGE)


@ledger.command()
def tail(
    config: Config = Path("toolwall.yaml"),
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="How many entries to begin with.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new entry, until Ctrl-C.")] = False,
) -> None:
    """The last entries as JSON lines."""
    from proxy.ledger import LedgerError
    from proxy.ledger import tail as reading

    try:
        entries = reading.follow(folder_of(config), count) if follow else reading.tail(folder_of(config), count)
        print_lines(entries)
    except LedgerError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit from None


@ledger.command()
def verify(
    config: Config = Path("toolwall.yaml"),
    checkpoints: Annotated[Path | None, typer.Option(help="A file of checkpoints that must fit the ledger.")] = None,
) -> None:
    """Prove that no record was changed, removed, swapped or cut off. Exit code 1 where one was."""
    from proxy import state
    from proxy.ledger import LedgerError
    from proxy.ledger import verify as proof

    folder, key = _key_of(config)
    try:
        signed = _signed(checkpoints, key) if checkpoints else None
        report = proof.verify(folder / "ledger", key.derive(state.LEDGER_HEAD), signed.known if signed else None)
    except LedgerError as error:
        fail(str(error))
    for what in signed.faults if signed else ():
        report.blame("checkpoints", 0, 0, what)
    for fault in report.faults:
        say(str(fault))
    for note in [*report.notes, *(signed.notes if signed else ())]:
        say(f"note: {note}")
    for call in report.unfinished:
        say(f"unfinished: {call} has an intent and no end")
    typer.echo(f"{report.records} records in {report.segments} segments, head at {report.head_seq}: {_verdict(report)}")
    typer.echo(f"last: {report.last_seq} {report.last_hash}")
    if signed:
        newest = max(signed.known, default=0)
        typer.echo(f"checkpoints: {len(signed.known)}, the newest of record {newest}")
    raise typer.Exit(0 if report.ok else FINDINGS)


@ledger.command("key")
def public_key(config: Config = Path("toolwall.yaml")) -> None:
    """The public key of the checkpoints (Ed25519, 64 hex digits): keep it beside them."""
    from proxy import state
    from proxy.ledger.checkpoint import Signer

    _, key = _key_of(config)
    typer.echo(Signer(key.derive(state.CHECKPOINTS)).public)


def _key_of(config: Path) -> tuple[Path, StateKey]:
    """The state folder that a configuration names, and its key."""
    from proxy import state
    from proxy.ownkey import own_key

    settings = settings_of(config)
    if not settings.state.exists():
        fail(f"There is no state folder {settings.state}: no sidecar has run with {config} yet.")
    try:
        return settings.state, own_key(settings)
    except state.StateError as error:
        fail(str(error))


def _signed(file: Path, key: StateKey) -> Checkpoints:
    from proxy import state
    from proxy.ledger import checkpoint

    return checkpoint.read(file, checkpoint.Signer(key.derive(state.CHECKPOINTS)).public)


@ledger.command()
def export(
    config: Config = Path("toolwall.yaml"),
    since: Annotated[datetime | None, typer.Option(help="Only entries from this UTC time on.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="A table instead of the ledger's own lines.")] = False,
) -> None:
    """Write the ledger to standard output: its own lines with their hashes, or a table."""
    from proxy.ledger import LedgerError
    from proxy.ledger import export as writing

    rows = writing.export_csv if csv else writing.export_lines
    try:
        with printing():
            for row in rows(folder_of(config), _nanoseconds(since)):
                sys.stdout.buffer.write(row)
    except LedgerError as error:
        fail(str(error))


def _verdict(report: Report) -> str:
    unfinished = f", {report.unfinished_count} unfinished" if report.unfinished_count else ""
    return ("sound" if report.ok else f"BROKEN, {report.fault_count} faults") + unfinished


def _nanoseconds(moment: datetime | None) -> int:
    """Since the epoch, within what 64 bits hold; a time without a zone is UTC."""
    if moment is None:
        return 0
    at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, min(int(at.timestamp() * 1e9), _LATEST))


def print_lines(entries: Any) -> None:
    """Entries as JSON lines."""
    for sealed in entries:
        typer.echo(json.dumps({"seq": sealed.seq, **sealed.entry}))


def _table(found: list[Sealed]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("time (UTC)", "call", "tool", "principal", "outcome", "status", "redacted", "ms"):
        wraps = column == "redacted"
        overflow: OverflowMethod = "fold" if wraps else "ellipsis"
        table.add_column(column, no_wrap=not wraps, overflow=overflow, min_width=_WHOLE.get(column))
    for sealed in found:
        entry = sealed.entry
        cells = (
            f"{datetime.fromtimestamp(sealed.at_ns / 1e9, UTC):%H:%M:%S}",
            entry.get("call", ""),
            entry.get("tool", "-"),
            entry.get("principal", "-"),
            entry.get("code") or entry.get("outcome", "unfinished"),
            str(entry.get("status", "")),
            " ".join(f"{kind}={count}" for kind, count in entry.get("redactions", {}).items()),
            f"{entry.get('total_ms', 0):.1f}",
        )
        table.add_row(*map(visible, cells))
    console().print(table)

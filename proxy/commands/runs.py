"""`toolwall runs ...`, `toolwall stop` and `toolwall resume`: what the operator stops."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import CANNOT_RUN, FINDINGS, USAGE, Config, console, fail, operator, say, settings_of

if TYPE_CHECKING:
    from proxy.stops.halts import Mark
    from proxy.stops.revoked import Entry

runs = typer.Typer(help="The runs of agents: which there are, and which are revoked.", no_args_is_help=True)

MOST_S = 10.0
RunId = Annotated[str, typer.Argument(help="The run's id, as `toolwall runs list` and Records have it.")]
Of = Annotated[str, typer.Option(help="The principal; without a run, everything that it does.")]


@runs.command("list")
def list_runs(config: Config = Path("toolwall.yaml")) -> None:
    """Show the runs under way, the newest first, and what is revoked."""
    from rich.table import Table

    from proxy.stops import revoked

    settings = settings_of(config)
    try:
        entries = revoked.read(settings.state)
    except revoked.RevokedError as error:
        fail(str(error), CANNOT_RUN)
    marks = {entry.mark for entry in entries}
    table = Table("principal", "run", "calls", "silent for", "revoked")
    for each in _under_way(settings.state):
        off = any(mark.covers(each["principal"], each["run"]) for mark in marks)
        idle = f"{each['idle_s']:g} s"
        table.add_row(each["principal"], each["run"], str(each["calls"]), idle, "yes" if off else "-")
    if table.row_count:
        console().print(table)
    else:
        say("No run is under way.")
    _tell(entries)


def _under_way(state: Path) -> list[dict[str, Any]]:
    """What the sidecar that runs tells; nothing where none does."""
    from proxy import orders
    from proxy.state import StateError
    from proxy.stops import halting

    try:
        told: list[dict[str, Any]] = orders.ask(state, {"do": halting.LIST}, MOST_S)
        return told
    except (orders.NotTaken, orders.NoAnswer):
        say("No sidecar that runs answers: what is revoked holds from its start.", err=True)
        return []
    except (StateError, OSError, ValueError) as error:
        fail(f"The sidecar cannot be asked: {error}", CANNOT_RUN)


def _tell(entries: tuple[Entry, ...]) -> None:
    from proxy.stops.halting import words

    for entry in entries:
        say(f"Revoked: {words(entry.mark)}{f', since {entry.at}' * bool(entry.at)}.")


@runs.command()
def revoke(run: RunId = "", principal: Of = "", config: Config = Path("toolwall.yaml")) -> None:
    """Refuse every further call of a run, or of a principal. It holds until `toolwall runs allow`."""
    from proxy.stops import revoked
    from proxy.stops.halting import words

    mark = _mark(run, principal)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        fresh = revoked.revoke(settings_of(config).state, mark, at)
    except revoked.RevokedError as error:
        fail(f"Nothing was revoked: {error}", CANNOT_RUN)
    say(f"Revoked{'' if fresh else ' already'}: {words(mark)}. A sidecar that runs refuses its calls within a second.")


@runs.command()
def allow(run: RunId = "", principal: Of = "", config: Config = Path("toolwall.yaml")) -> None:
    """Take back that a run, or a principal, was revoked."""
    from proxy.stops import revoked
    from proxy.stops.halting import words

    try:
        gone = revoked.allow(settings_of(config).state, _mark(run, principal))
    except revoked.RevokedError as error:
        fail(f"Nothing was changed: {error}", CANNOT_RUN)
    if not gone:
        fail("Nothing of that is revoked: `toolwall runs list` shows what is.", FINDINGS)
    for mark in gone:
        say(f"Allowed again: {words(mark)}.")


def _mark(run: str, principal: str) -> Mark:
    from proxy.stops.halts import Mark
    from rules.facts import MOST_ID

    if not run and not principal:
        fail("Name a run, or a principal with --principal, or both.", USAGE)
    if not (run + principal).isprintable() or len(run) > 128 or len(principal) > MOST_ID:
        fail("No run and no principal is called so.", USAGE)
    return Mark(principal, run)


def stop(config: Config = Path("toolwall.yaml")) -> None:
    """Refuse all calls of all agents. It holds until `toolwall resume`, also over a restart."""
    from proxy.state import StateError, state_folder
    from proxy.stops import killswitch

    settings = settings_of(config)
    try:
        state_folder(settings.state)
        killswitch.turn_on(settings.stop, operator())
    except (OSError, StateError) as error:
        fail(f"The file {settings.stop} cannot be written: {error}. A signal stops a sidecar too: kill -USR1 PID.")
    say(f"Stopped by the file {settings.stop}. A sidecar that runs refuses all calls within a second.")


def resume(config: Config = Path("toolwall.yaml")) -> None:
    """Let calls through again after `toolwall stop`."""
    from proxy.stops import killswitch

    settings = settings_of(config)
    try:
        was = killswitch.turn_off(settings.stop)
    except OSError as error:
        fail(f"The file {settings.stop} cannot be taken away: {error.strerror}.")
    if not was:
        fail(f"There is no file {settings.stop}: nothing was stopped by it.", FINDINGS)
    say(f"The file {settings.stop} is gone. A sidecar that runs lets calls through within a second.")

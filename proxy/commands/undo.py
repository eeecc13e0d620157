"""`toolwall undo`: take back what a run did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import CANNOT_RUN, FINDINGS, Config, fail, operator, say, settings_of

if TYPE_CHECKING:
    from proxy.config import Settings

MOST_S = 3600.0
"""How long the command waits: a run may have thousands of effects."""


def undo(
    run: Annotated[str, typer.Argument(help="The run, as `toolwall ledger show` names it.")],
    config: Config = Path("toolwall.yaml"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    principal: Annotated[str, typer.Option(help="Whose run it is, where several have one of this name.")] = "",
    leave: Annotated[list[str] | None, typer.Option(help="A call that is left as it is; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Undo what a run did, the last call first, in the name of the principal that did it. A sidecar must be running."""
    settings = settings_of(config)
    id, door = _whose(settings, run, principal)
    order = {"do": "undo", "run": run, "principal": id, "door": door, "dry_run": dry_run}
    report = asked(settings, {**order, "leave": _whole(settings, leave or []), "by": operator()})
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _tell(report)
    raise typer.Exit(0 if report["complete"] else FINDINGS)


def asked(settings: Settings, order: dict[str, Any]) -> dict[str, Any]:
    """What the running sidecar answers to an order; an end where there is none, or it could not carry it out."""
    from proxy import orders
    from proxy.state import StateError

    try:
        answer: dict[str, Any] = orders.ask(settings.state, order, MOST_S)
    except orders.NotTaken:
        fail(f"No sidecar that runs on {settings.state} took the order within {orders.PATIENCE_S:g} s. Start it first.")
    except orders.NoAnswer:
        fail("The sidecar took the order and did not answer. Look at its log; to give the order again is safe.")
    except (StateError, OSError, ValueError) as error:
        fail(f"The order could not be given: {error}")
    if "error" in answer:
        fail(str(answer["error"]), FINDINGS)
    return answer


def _whose(settings: Settings, run: str, principal: str) -> tuple[str, str]:
    """The principal of a run, and the listener that its calls came in by."""
    from proxy.ledger import LedgerError, index

    folder = settings.state / "ledger"
    try:
        known = index.actors(folder, run)
        found = [each for each in known if principal in ("", each)]
        if not found:
            fail(f"No call in the ledger belongs to run {run}{f' of {principal}' * bool(principal)}.", FINDINGS)
        if len(found) > 1:
            fail(f"Several principals have a run {run}: {', '.join(found)}. Say which with --principal.", FINDINGS)
        last = index.find(folder, index.Query(run=run, principal=found[0], limit=1))
    except LedgerError as error:
        fail(str(error), CANNOT_RUN)
    return found[0], str(last[0].entry.get("door", "")) if last else ""


def _whole(settings: Settings, calls: list[str]) -> list[str]:
    """The ids of calls of which beginnings are given."""
    from proxy.ledger import LedgerError, index

    try:
        return [str(index.show(settings.state / "ledger", call)[0].entry["call"]) for call in calls]
    except LedgerError as error:
        fail(str(error), FINDINGS)


_WORDS = {
    "undone": "undone",
    "was_undone": "undone before",
    "would_undo": "would be undone",
    "left": "left as it is",
    "stopped": "NOT UNDONE",
    "not_reached": "not reached",
}


def _tell(report: dict[str, Any]) -> None:
    say(f"Run {report['run']} of {report['principal']}{', dry run: nothing is sent' * report['dry_run']}")
    for step in report["steps"]:
        by = f" by {step['undo']}" if "undo" in step else ""
        call = f" (call {step['by']})" if "by" in step else ""
        say(f"  {step['call']} {step['tool']}: {_WORDS[step['state']]}{by}{call}")
        if "arguments" in step:
            say(f"    with {json.dumps(step['arguments'], ensure_ascii=False)}")
        for words in ("detail", "suggestion"):
            if words in step:
                say(f"    {step[words]}")
    say(_verdict(report))


def _verdict(report: dict[str, Any]) -> str:
    if not report["steps"]:
        return "It has no effects, so there is nothing to undo."
    left = sum(step["state"] in ("stopped", "not_reached") for step in report["steps"])
    if report.get("older_calls_not_looked_at"):
        return "It has more calls than are looked at at once: undo it by hand from here on."
    if left:
        return f"{left} of {len(report['steps'])} effects stand. It stopped where a human is needed."
    return "All of it would be undone." if report["dry_run"] else "Nothing is left to undo."

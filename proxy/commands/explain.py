"""`toolwall explain`: why a call, real or imagined, is decided as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import CANNOT_RUN, FINDINGS, USAGE, Config, fail, say, settings_of
from proxy.commands.rules import load_rules

if TYPE_CHECKING:
    from rules.decide import Ruleset
    from rules.facts import Principal
    from rules.related import Question
    from rules.tools import Tool

_WORDS = {"approval_pending": "approval"}
"""How an explanation calls what a Record says in other words."""


def explain(
    call_id: Annotated[str, typer.Argument(help="A call of the ledger: its id or the beginning of it.")] = "",
    who: Annotated[str, typer.Option("--as", help='The caller, as JSON: {"roles": ["support"]}.')] = "",
    call: Annotated[str, typer.Option(help="The tool, as in crm.get_customer.")] = "",
    args: Annotated[str, typer.Option(help="Its arguments, as JSON.")] = "{}",
    related: Annotated[
        str, typer.Option(help='All triples that are so, as JSON: [["ann", "owner", 7]]; else what the rules know.')
    ] = "",
    folder: Annotated[Path | None, typer.Option("--rules", help="The rules folder.")] = None,
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Say which rules decide a call, real or imagined, and what would change it."""
    if bool(call_id) == bool(call):
        fail("Give either a call's id, or --call (with --as and --args).", USAGE)
    rules = load_rules(folder or (Path("rules") if call and not config.exists() else settings_of(config).rules))
    if call:
        _imagined(rules, who, call, args, related)
    else:
        _recorded(rules, config, call_id)


def _imagined(rules: Ruleset, who: str, call: str, args: str, related: str) -> None:
    from rules.examples import stated
    from rules.explain import explain as reasoning
    from rules.facts import Facts, Principal, Run

    caller, arguments = _object("--as", who or "{}"), _object("--args", args)
    unknown = caller.keys() - {"id", "roles", "agent", "user", "claims"}
    roles = caller.get("roles", [])
    if unknown or not isinstance(roles, list) or not isinstance(caller.get("claims", {}), dict):
        fail('--as has the keys id, roles (a list), agent, user and claims: {"roles": ["support"]}.', USAGE)
    principal = Principal(
        str(caller.get("id", "somebody")),
        frozenset(map(str, roles)),
        agent=str(caller.get("agent", "")),
        user=str(caller.get("user", "")),
        claims=dict(caller.get("claims", {})),
    )
    facts = Facts(_tool(rules, call, principal), arguments, principal, Run("explain", 1), datetime.now(UTC))
    if related:
        facts = stated(rules, facts, _triples(related))
    say(reasoning(rules, facts).as_text())


def _recorded(rules: Ruleset, config: Path, call_id: str) -> None:
    """Explain a call of the ledger by the rules of today, and say what the ledger does not hold of it."""
    from rules.explain import explain as reasoning
    from rules.facts import Facts, Link, Principal, Run

    record = _record(config, call_id)
    _echo(record)
    if "tool" not in record:
        fail("It named no tool, so there is nothing that rules could have decided.", 0)
    _compare(rules, record)
    principal = Principal(
        record.get("principal", ""),
        frozenset(record.get("roles", ())),
        agent=record.get("agent", ""),
        user=record.get("user", ""),
        chain=tuple(Link(id, None) for id in record.get("chain", ())),
    )
    tool = _tool(rules, record["tool"], principal)
    run = Run(record.get("run", ""), record.get("step", 0))
    facts = Facts(tool, record.get("arguments") or {}, principal, run, _time(record))
    takes_some = bool(tool.contract.names) or tool.contract.is_open
    blind = "arguments" not in record and takes_some
    for note in _unknown(rules, tool, record, blind):
        say(note)
    explanation = reasoning(rules, facts, blind=blind)
    say(explanation.as_text())
    then = _then(record)
    if then and not blind and then != explanation.outcome:
        say(f"Then it was {then}, by the rules of today it is {explanation.outcome}.")
        if record.get("revision") == rules.revision:
            say("The rules are the same: what the ledger holds redacted, or not at all, made the difference.")


def _record(config: Path, call_id: str) -> dict[str, Any]:
    """The last entry of a call that has ended."""
    from proxy.ledger import LedgerError, NoSuchCall, index

    try:
        found = [each.entry for each in index.show(settings_of(config).state / "ledger", call_id)]
    except LedgerError as error:
        fail(str(error), FINDINGS if isinstance(error, NoSuchCall) else CANNOT_RUN)
    record = next((entry for entry in found if entry.get("kind") == "call"), None)
    if record is None:
        fail(f"There is no finished call {call_id} in the ledger.", FINDINGS)
    return record


def _echo(record: dict[str, Any]) -> None:
    names = ("decision", "code", "rules", "waived", "revision", "outcome")
    told = {name: record[name] for name in names if name in record}
    typer.echo(f"Recorded: {record['call']} {json.dumps(told)}")
    if "tool" in record and not record.get("decision"):
        typer.echo("It was refused before any rule was asked.")


def _compare(rules: Ruleset, record: dict[str, Any]) -> None:
    """Say how the rules differ from those that judged the call, as far as the Record tells."""
    then = record.get("revision", "")
    if not then or then == rules.revision:
        return
    say(f"The rules have changed since (then {then}, now {rules.revision}).")
    known = {rule.id for rule in rules.rules}
    if gone := [rule for rule in record.get("rules", ()) if rule not in known]:
        say(f"Gone since then: {', '.join(map(str, gone))}.")


def _unknown(rules: Ruleset, tool: Tool, record: dict[str, Any], blind: bool) -> list[str]:
    """What the ledger does not hold although these rules ask for it."""
    notes = []
    if blind:
        notes.append("The ledger holds no arguments (`ledger: {arguments: redacted}` keeps them).")
    elif record.get("arguments"):
        notes.append("Arguments are redacted in the ledger: a condition on a redacted value may come out differently.")
    plan = rules.plans[tool.name]
    if "network" in plan.uses:
        notes.append("The ledger holds no addresses of callers, so conditions on `network` may come out differently.")
    if "user" not in record and any(rule.to.users for rule in (*plan.allows, *plan.denies)):
        notes.append("The ledger holds no user of this call, so rules `to` users may come out differently.")
    if any(rule.to.links != "caller" for rule in (*plan.allows, *plan.denies)) and record.get("chain"):
        notes.append("The ledger holds no roles of a chain but the caller's, so rules on the whole chain cannot tell.")
    if tool.name in rules.asking_services:
        notes.append("No service is asked here, so conditions with `related` may come out differently.")
    if "principal" in plan.uses:
        notes.append("The ledger holds no claims, so conditions on `principal.claims` may come out differently.")
    return notes


def _then(record: dict[str, Any]) -> str:
    """What the rules said when the call was made, or nothing where they were not asked."""
    if not record.get("decision"):
        return ""
    code = record.get("code", "")
    if record["decision"] == "deny":
        return str(code)
    return _WORDS.get(code, "approval" if record.get("approval") else "allow")


def _time(record: dict[str, Any]) -> datetime:
    try:
        return datetime.fromtimestamp(record["started_ns"] / 1e9, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _tool(rules: Ruleset, name: str, principal: Principal) -> Tool:
    from rules.explain import who
    from rules.problems import closest

    tool = rules.catalog.tools.get(name)
    if tool is None:
        near = closest(name, rules.catalog.tools)
        hint = f" (did you mean {near}?)" if near else ""
        fail(f"{name} as {who(principal)}: unknown_tool\n  There is no tool {name}{hint}.", FINDINGS)
    return tool


def _triples(text: str) -> frozenset[Question]:
    from rules.related import question

    try:
        rows = json.loads(text)
    except ValueError:
        rows = None
    found = [question(row) for row in rows] if isinstance(rows, list) else [None]
    if None in found:
        fail('--related is a list of triples: [["ann", "owner", 7]].', USAGE)
    return frozenset(each for each in found if each)


def _object(option: str, text: str) -> dict[str, Any]:
    from proxy.config import MOST_DEPTH
    from proxy.errors import Refusal
    from proxy.protocols import strictjson

    try:
        value = json.loads(text)
    except ValueError:
        fail(f"{option} is not JSON.", USAGE)
    if not isinstance(value, dict):
        fail(f"{option} is not a JSON object.", USAGE)
    try:
        strictjson.parse(text.encode(errors="surrogateescape"), MOST_DEPTH)
    except Refusal as refusal:  # a door would refuse it too, or the backend would see something else
        fail(f"{option} could be read in two ways, or by nobody: {refusal.detail}", USAGE)
    return value

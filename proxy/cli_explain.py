"""`toolwall explain`: why a call, real or imagined, is decided as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli_common import FINDINGS, USAGE, Config, fail, say, settings_of
from proxy.cli_rules import load_rules

if TYPE_CHECKING:
    from rules.decide import Ruleset
    from rules.facts import Facts


def explain(
    call_id: Annotated[str, typer.Argument(help="A call of the ledger.")] = "",
    who: Annotated[str, typer.Option("--as", help='The caller, as JSON: {"roles": ["support"]}.')] = "",
    call: Annotated[str, typer.Option(help="The tool, as in crm.get_customer.")] = "",
    args: Annotated[str, typer.Option(help="Its arguments, as JSON.")] = "{}",
    folder: Annotated[Path | None, typer.Option("--rules", help="The rules folder.")] = None,
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Say which rules decided a call, real or imagined, and what would change it."""
    from rules.explain import explain as reasoning

    if bool(call_id) == bool(call):
        fail("Give either a call's id, or --call (with --as and --args).", USAGE)
    rules = load_rules(folder or (Path("rules") if call and not config.exists() else settings_of(config).rules))
    facts = _recorded(rules, config, call_id) if call_id else _imagined(rules, who, call, args)
    say(reasoning(rules, facts).as_text())


def _imagined(rules: Ruleset, who: str, call: str, args: str) -> Facts:
    from rules.facts import Principal

    caller, arguments = _object("--as", who or "{}"), _object("--args", args)
    unknown = caller.keys() - {"id", "roles", "agent", "user"}
    roles = caller.get("roles", [])
    if unknown or not isinstance(roles, list):
        fail('--as has the keys id, roles (a list), agent and user: {"roles": ["support"]}.', USAGE)
    principal = Principal(
        str(caller.get("id", "somebody")),
        frozenset(map(str, roles)),
        agent=str(caller.get("agent", "")),
        user=str(caller.get("user", "")),
    )
    return _facts(rules, call, arguments, principal)


def _recorded(rules: Ruleset, config: Path, call_id: str) -> Facts:
    """The facts of a recorded call, as far as the ledger holds them; says what it does not hold."""
    from proxy.ledger import LedgerError, index
    from rules.facts import Principal

    try:
        found = [each.entry for each in index.show(settings_of(config).state / "ledger", call_id)]
    except LedgerError as error:
        fail(str(error))
    record = next((entry for entry in found if entry.get("kind") == "call"), None)
    if record is None:
        fail(f"There is no finished call {call_id} in the ledger.", FINDINGS)
    _echo_record(record)
    if "tool" not in record:
        fail("It named no tool, so there is nothing that rules could have decided.", 0)
    if record.get("revision", rules.revision) != rules.revision:
        say(f"The rules have changed since (then {record['revision']}, now {rules.revision}).")
    if "arguments" not in record:
        typer.echo("The ledger holds no arguments (`ledger: {arguments: redacted}` keeps them), so conditions on them,")
        typer.echo("and the contract, may come out differently below.")
    elif record.get("arguments"):
        typer.echo("Arguments are redacted in the ledger: a condition on a redacted value may come out differently.")
    principal = Principal(record["principal"], frozenset(record.get("roles", ())), agent=record.get("agent", ""))
    return _facts(rules, record["tool"], record.get("arguments") or {}, principal)


def _echo_record(record: dict[str, Any]) -> None:
    told = {name: record[name] for name in ("decision", "code", "rules", "revision", "outcome") if name in record}
    typer.echo(f"Recorded: {record['call']} {json.dumps(told)}")


def _facts(rules: Ruleset, name: str, arguments: dict[str, Any], principal: Any) -> Facts:
    from rules.facts import Facts, Run
    from rules.problems import closest

    tool = rules.catalog.tools.get(name)
    if tool is None:
        near = closest(name, rules.catalog.tools)
        fail(f"There is no tool {name}{f' (did you mean {near}?)' if near else ''}: unknown_tool.", FINDINGS)
    return Facts(tool, arguments, principal, Run("explain", 1), datetime.now(UTC))


def _object(option: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        fail(f"{option} is not JSON.", USAGE)
    if not isinstance(value, dict):
        fail(f"{option} is not a JSON object.", USAGE)
    return value

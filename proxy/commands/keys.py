"""`toolwall keys ...`: the API keys of agents."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from proxy.commands.common import CANNOT_RUN, FINDINGS, USAGE, Config, console, fail, say

keys = typer.Typer(help="API keys of agents.", no_args_is_help=True)

STDOUT = Path("-")
MOST_S = 100 * 365 * 86400.0
File = Annotated[
    Path | None,
    typer.Option(help="The key file; without it, the one that `identity` in --config names."),
]


@keys.command()
def add(
    id: Annotated[str, typer.Argument(help="The principal's id.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
    agent: Annotated[str, typer.Option(help="The agent's name, for rules about agents.")] = "",
    user: Annotated[str, typer.Option(help="The user for whom it acts, for rules about users.")] = "",
    expires: Annotated[str, typer.Option(help="After which time it is good for nothing, as 90d or 12h.")] = "",
    another: Annotated[bool, typer.Option("--another", help="A further key of a principal that has one.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(help="The key file; `-` prints a line for `api_keys` in toolwall.yaml instead."),
    ] = None,
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Make an API key. It is shown once, on standard output; what is kept of it is its hash."""
    from proxy.identity import keyfile
    from rules.facts import Principal

    now = time.time()
    who = Principal(id, frozenset(role or ()), agent, user)
    try:
        key, kept = keyfile.made(who, now, _lasting(expires))
    except keyfile.KeyFileError as error:
        fail(f"The line of this key {error}.", USAGE)
    if file == STDOUT:
        _print(key, kept.line(), bool(expires))
        return
    path = file or _file_of(config)
    try:
        keyfile.add(path, kept, now, another=another)
    except keyfile.KeyFileError as error:
        fail(f"No key was made: {error}.", USAGE)
    except OSError as error:
        fail(f"No key was made: {path}: {error.strerror}.", CANNOT_RUN)
    say(f"A key for {id}, shown only now (send it as the header Toolwall-Key). Its hash is in {path}.", err=True)
    typer.echo(key)


def _print(key: str, line: str, expires: bool) -> None:
    """For toolwall.yaml, which the sidecar reads at its start and whose keys hold until they are taken away."""
    if expires:
        fail("A key in toolwall.yaml does not expire: leave --expires out, or use a key file.", USAGE)
    said = json.loads(line[2:])
    block = {name: value for name, value in said.items() if name not in ("prefix", "created")}
    typer.echo(f"The key, shown only now (send it as the header Toolwall-Key):\n\n    {key}\n", err=True)
    typer.echo("- " + json.dumps(block, ensure_ascii=False))


@keys.command("list")
def list_keys(file: File = None, config: Config = Path("toolwall.yaml")) -> None:
    """Show whose keys are in the key file, by their first characters."""
    from rich.table import Table

    from proxy.identity import keyfile

    path = file or _file_of(config)
    try:
        found = keyfile.keys_in(path)
    except (keyfile.KeyFileError, OSError) as error:
        fail(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", CANNOT_RUN)
    if not found:
        say("There are no keys.")
        return
    now = time.time()
    table = Table("id", "roles", "agent", "user", "key", "created", "expires")
    for each in sorted(found, key=lambda key: (key.principal.id, key.created)):
        who = each.principal
        until = "-" if each.expires is None else time.strftime(keyfile.FORM, time.gmtime(each.expires))
        until = f"{until} (over)" if each.is_over(now) else until
        shown = (who.id, ", ".join(sorted(who.roles)), who.agent, who.user, f"{each.prefix}...", each.created)
        table.add_row(*(text or "-" for text in shown), until)
    console().print(table)


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="A principal's id, for all of its keys, or the first characters of one.")],
    file: File = None,
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Take keys away. A sidecar that runs refuses them within a second."""
    from proxy.identity import keyfile

    path = file or _file_of(config)
    try:
        gone = keyfile.revoke(path, name.removesuffix("..."))
    except keyfile.KeyFileError as error:
        fail(f"Nothing was revoked: {error}.", FINDINGS)
    except OSError as error:
        fail(f"Nothing was revoked: {path}: {error.strerror}.", CANNOT_RUN)
    for each in gone:
        say(f"Revoked: {each.prefix or 'a key'}... of {each.principal.id}.")


def _lasting(text: str) -> float | None:
    """Seconds, or None for ever."""
    from rules.shape import DURATION, duration

    if not text:
        return None
    lasts = duration(text) if re.fullmatch(DURATION, text) else 0.0
    if not 1 <= lasts <= MOST_S:
        fail("--expires is a time such as 90d or 12h, from a second to a hundred years.", USAGE)
    return lasts


def _file_of(config: Path) -> Path:
    """The one key file that a configuration names, or an end that says how to name one."""
    from proxy.config import MOST_BYTES
    from rules.source import read

    try:
        node, problems = read(str(config), config.read_bytes()[:MOST_BYTES])
    except OSError as error:
        fail(f"Cannot read {config}: {error.strerror}. Name the key file with --file.", USAGE)
    if node is None or problems:
        fail("\n".join(map(str, problems)) or f"{config} is empty. Name the key file with --file.", CANNOT_RUN)
    named = {config.parent / path for path in _key_files(node.plain())}
    if len(named) != 1:
        many = "more than one key file" if named else "no key file (`identity: {key_file: keys.yaml}`)"
        fail(f"{config} names {many}. Name it with --file.", USAGE)
    return named.pop()


def _key_files(settings: Any) -> list[str]:
    listeners = settings.get("listeners") if isinstance(settings, dict) else None
    listeners = listeners if isinstance(listeners, list) else []
    identities = [each.get("identity") for each in listeners if isinstance(each, dict)]
    named = [each.get("key_file") for each in identities if isinstance(each, dict)]
    return [path for path in named if isinstance(path, str)]

"""`toolwall import mcp`: what an MCP server says that it has, as accepted definitions and first rules."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import USAGE, fail, say, visible
from proxy.commands.imports import MOST_SHOWN, Approver, Force, Out, Reader, Writer, write

if TYPE_CHECKING:
    from proxy.mcp.inventory import Said
    from rules.mcp.starter import Started

Token = Annotated[str, typer.Option(help="The bearer token for the server: env:NAME or file:PATH.")]
Env = Annotated[list[str] | None, typer.Option("--env", help="A variable that a server which is started gets.")]
Ca = Annotated[Path | None, typer.Option("--ca", help="Certificates to trust (PEM); the system's without it.")]


def mcp(
    what: Annotated[list[str], typer.Argument(help="Its endpoint (https://hub.internal/mcp), or -- COMMAND ARGS.")],
    out: Out = Path("rules"),
    name: Annotated[
        str, typer.Option("--name", "--backend", help="The backend's name; without it the server's own gives one.")
    ] = "",
    token: Token = "",
    ca: Ca = None,
    env: Env = None,
    reader: Reader = "reader",
    writer: Writer = "writer",
    approver: Approver = "approver",
    force: Force = False,
) -> None:
    """Turn what an MCP server lists into accepted definitions, entries with guessed effects, and starter rules."""
    from rules.definitions import written
    from rules.grammar import NAME
    from rules.mcp.starter import backend_file, policy_file, started
    from rules.openapi.names import backend_name
    from rules.openapi.policy import Roles
    from rules.openapi.servers import inside
    from rules.urls import STARTED, parse_endpoint

    if not all((reader, writer, approver)):
        fail("A role needs a name.", USAGE)
    try:
        place = parse_endpoint(what[0]) if len(what) == 1 and "://" in what[0] else STARTED
    except ValueError as error:
        fail(f"The URL {error}.", USAGE)
    said = started_and_asked(what, env) if place.is_started else asked(str(place), token, ca)
    short = name or backend_name(said.title or place.host or Path(what[0]).name)
    if not re.fullmatch(NAME, short):
        fail(f"--name {short} is not a name of letters, digits, - and _ that begins with a letter.", USAGE)
    made = started(said.definitions)
    made.left[:0] = said.left
    backend: dict[str, Any] = {"backend": short, "url": str(place), "mcp": f"{short}.definitions.json"}
    if addresses := inside(place.host):
        backend["addresses"] = addresses
    head = [f"{said.title or short} {said.version}, imported from {place} by `toolwall import mcp`."]
    texts = {
        f"{short}.definitions.json": written(said.definitions).decode(),
        f"{short}.yaml": backend_file(head, backend, made),
        f"{short}.policy.yaml": policy_file(short, made, Roles(reader, writer, approver)),
    }
    _told(said, made, short, out, write(out, texts, force))
    if token:
        say(f"The server wants a token: say under `credential` in {out / short}.yaml which one calls have.")


def asked(url: str, token: str, ca: Path | None) -> Said:
    """What a server says, or an end that says why it does not."""
    import asyncio

    from proxy.mcp.inventory import NoServer, inventory

    try:
        return asyncio.run(inventory(url, secret(token), str(ca or "")))
    except NoServer as error:
        fail(visible(str(error)))


def started_and_asked(command: list[str], env: list[str] | None) -> Said:
    """What a server says that is started for that, or an end that says why it does not."""
    import asyncio

    from proxy.app import CannotRun
    from proxy.mcp.inventory import NoServer
    from proxy.mcp.starting import started_inventory
    from proxy.stdio import Errors, environment
    from redaction.known import NOTHING

    try:
        environ = environment(os.environ, env or [])
        return asyncio.run(started_inventory(command, environ, Errors(Path(command[0]).name, NOTHING)))
    except (CannotRun, NoServer) as error:
        fail(str(error))


def secret(source: str) -> str:
    """The value at `env:NAME` or `file:PATH`; "" where nothing is named."""
    if not source:
        return ""
    scheme, _, place = source.partition(":")
    if scheme == "env" and place:
        value = os.environ.get(place, "").strip()
    elif scheme == "file" and place:
        try:
            with Path(place).open(encoding="utf-8") as file:
                value = file.read(64 * 1024).strip()
        except (OSError, UnicodeDecodeError):
            fail(f"--token: {place} cannot be read.")
    else:
        fail("--token is env:NAME or file:PATH, never the token itself.", USAGE)
    if not value or not value.isascii() or not value.isprintable():
        fail(f"--token: {scheme}:{place} holds no token.")
    return value


def _told(said: Said, made: Started, name: str, out: Path, count: int) -> None:
    kinds = {key: len(entries) for key, entries in made.entries.items()}
    numbers = ", ".join(f"{number} {key}" for key, number in kinds.items()) or "nothing that can be used"
    say(f"{visible(said.title) or name} {visible(said.version)} ({said.revision}): {numbers}")
    effects = ", ".join(f"{made.count(effect)} {effect}" for effect in ("read", "write", "irreversible", "admin"))
    if kinds.get("tools"):
        say(f"Effects of the tools, as guessed: {effects}")
    if made.left:
        say(f"To look at, as comments in {name}.yaml too:")
    for one in made.left[:MOST_SHOWN]:
        say(f"  {visible(one)}")
    if len(made.left) > MOST_SHOWN:
        say(f"  and {len(made.left) - MOST_SHOWN} more")
    folder = "" if out == Path("rules") else f" {out}"
    say(f"{count} files written to {out}" if count else f"Nothing to write: {out} holds all of it already.")
    say(f"Next: look at the guessed effects in {out / name}.yaml, then")
    say(f"  toolwall check{folder}")
    say(f"  toolwall test{folder}")

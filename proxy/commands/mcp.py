"""`toolwall mcp ...`: MCP servers behind Toolwall."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from proxy.commands.common import FINDINGS, USAGE, Config, Log, fail, log_at, rules_folder, say, settings_of, visible
from proxy.commands.import_mcp import Ca, Env, Token, asked, started_and_asked
from proxy.commands.imports import replace_file

if TYPE_CHECKING:
    from rules.definitions import Change, Definition, Definitions

MOST_LINES = 60
"""Of one difference on the terminal. A definition that changed more than that is read in the file."""

MOST_COMPARED = 500
"""Of one difference, behind what is the same at both ends. More are not compared line by line: a server could have that
take for ever."""

MARK = 16
"""Hex digits that name what was shown."""


class _Group(TyperGroup):
    """What stands behind `--` is the command of a server, where no command of ours stands before it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        at = args.index("--") if "--" in args else len(args)
        if args[:1] and args[0].startswith("-"):
            ctx.meta[_COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


_COMMAND = "toolwall.command"
mcp = typer.Typer(cls=_Group, no_args_is_help=True, invoke_without_command=True)


@mcp.callback()
def group(
    ctx: typer.Context,
    server: Annotated[str, typer.Option(help="The backend whose server is started.")] = "",
    config: Config = Path("toolwall.yaml"),
    env: Env = None,
    log: Log = "info",
) -> None:
    """Stand between an MCP client and a server that it would start: toolwall mcp --server NAME -- COMMAND ARGS."""
    if ctx.invoked_subcommand is not None:
        return
    command = ctx.meta.get(_COMMAND, [])
    if not server or not command:
        fail("Name the backend and the command: toolwall mcp --server NAME -- COMMAND ARGS.", USAGE)
    from proxy import stdio
    from proxy.app import CannotRun

    log_at(log)
    settings = settings_of(config)
    try:
        stdio.serve(settings, server, command, env or [])
    except CannotRun as error:
        fail(str(error))


@mcp.command()
def accept(
    backend: Annotated[str, typer.Argument(help="The backend's name.")],
    command: Annotated[list[str] | None, typer.Argument(help="-- COMMAND ARGS of a server that is started.")] = None,
    folder: Annotated[Path, typer.Option("--rules", help="The rules folder.")] = Path("rules"),
    yes: Annotated[bool, typer.Option("--yes", help="Take over what the server says now.")] = False,
    seen: Annotated[str, typer.Option(help="Only if it is what was shown before, under this mark.")] = "",
    token: Token = "",
    ca: Ca = None,
    env: Env = None,
) -> None:
    """Show what an MCP server says now and was not accepted, field by field; with --yes, accept it.

    Exit code 1 while something differs and was not accepted.
    """
    from rules.definitions import Definitions, compare, written

    place = _place(folder, backend)
    accepted, damage = _accepted(place.file)
    if not command and place.url == "stdio:":
        fail(f"{backend} is started: say how, with toolwall mcp accept {backend} -- COMMAND ARGS.", USAGE)
    said = started_and_asked(command, env) if command else asked(place.url, token, ca)
    present = said.definitions
    for one in said.left:
        say(f"left out: {one}")
    changes = compare(accepted or Definitions(), present)
    if damage:
        say(f"{place.file} {damage}: all is new.")
    for change in changes:
        for line in _shown(change, accepted or Definitions(), present):
            say(line)
    if not changes and not damage:
        say(f"{backend} is what was accepted.")
        return
    mark = present.digest[:MARK]
    if not yes:
        told = f"Nothing was written: look at each difference, then repeat with --yes --seen {mark}"
        fail(f"{told}, which accepts this and nothing that the server says later.", FINDINGS)
    if seen and seen != mark:
        fail("Nothing was written: the server says something else now than what you have seen.", FINDINGS)
    try:
        replace_file(place.file, written(present))
    except OSError as error:
        fail(f"Cannot write {place.file}: {error.strerror}.")
    say(f"Accepted, in {place.file}. What is new exists for agents once {place.named} names it; see `toolwall check`.")


class _Place(NamedTuple):
    """A backend's endpoint, its file, and where its definitions are."""

    url: str
    named: Path
    file: Path


def _place(folder: Path, backend: str) -> _Place:
    """Found without loading the rules, which a damaged file of definitions stops."""
    from rules.load import servers
    from rules.urls import parse_endpoint

    rules_folder(folder, "Name another one with --rules.")
    known = servers(folder)
    if backend not in known:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none; `toolwall import mcp` adds one"
        fail(f"There is no MCP server {backend} in {folder}: {there}.", USAGE)
    root = known[backend]
    file = folder / root.text("mcp")
    if not file.resolve().is_relative_to(folder.resolve()):
        fail(f"{root.file}: mcp leads out of the rules folder.")
    try:
        return _Place(str(parse_endpoint(root.text("url"))), folder / root.file, file)
    except ValueError as error:
        fail(f"{root.file}: url {error}.")


def _accepted(file: Path) -> tuple[Definitions | None, str]:
    """What was accepted, or None and why that is not known."""
    from rules.definitions import MOST_FILE, BadDefinitions, read_definitions

    try:
        with file.open("rb") as stream:
            return read_definitions(stream.read(MOST_FILE + 1)), ""
    except OSError:
        return None, "is not there"
    except BadDefinitions as bad:
        return None, str(bad)


def _shown(change: Change, accepted: Definitions, present: Definitions) -> Iterator[str]:
    """One difference: what it is about, then each field that differs, before and after."""
    if change.kind == "instructions":
        yield f"instructions are {change.what}"
        yield from _difference(accepted.instructions, present.instructions)
        return
    if change.kind == "serverInfo":
        yield "serverInfo is changed"
        yield from _fields(change, accepted.server, present.server)
        return
    what = f"renamed; it was {visible(change.was)}" if change.was else change.what
    yield f"{change.kind}: {visible(change.name)} is {what}"
    old = accepted.of(change.kind).get(change.was or change.name, {})
    new = present.of(change.kind).get(change.name, {})
    if change.what == "changed":
        yield from _fields(change, old, new)
    elif change.what != "renamed":
        yield from _difference(old or _NOTHING, new or _NOTHING)


def _fields(change: Change, old: Definition, new: Definition) -> Iterator[str]:
    for field in change.fields:
        yield f"  {visible(field)}"
        yield from _difference(old.get(field, _NOTHING), new.get(field, _NOTHING))


_NOTHING: Any = object()


def _difference(old: Any, new: Any) -> Iterator[str]:
    """Lines that are gone and lines that are there instead, as JSON: nothing hides in it."""
    told = list(_other_lines(_lines(old), _lines(new)))
    yield from (f"    {line}" for line in told[:MOST_LINES])
    if len(told) > MOST_LINES:
        yield f"    and {len(told) - MOST_LINES} more lines"


def _other_lines(old: list[str], new: list[str]) -> Iterator[str]:
    begin = _shared(old, new)
    old, new = old[begin:], new[begin:]
    end = _shared(old[::-1], new[::-1])
    old, new = old[: len(old) - end], new[: len(new) - end]
    whole = [("replace", 0, len(old), 0, len(new))]
    is_short = max(len(old), len(new)) <= MOST_COMPARED
    for what, at, to, there, until in SequenceMatcher(None, old, new).get_opcodes() if is_short else whole:
        if what != "equal":
            yield from (f"- {line}" for line in old[at:to])
            yield from (f"+ {line}" for line in new[there:until])


def _shared(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (here, there) in enumerate(pairs) if here != there), min(len(one), len(other)))


def _lines(value: Any) -> list[str]:
    return [] if value is _NOTHING else json.dumps(value, indent=1, sort_keys=True).splitlines()

"""The command `toolwall`. Exit codes: 0 good, 1 findings, failures or nothing there, 2 wrong usage, 3 cannot run."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.commands import (
    catalog,
    examples,
    explain,
    import_diff,
    import_mcp,
    import_pydantic,
    pending,  # noqa: F401 - its commands are of the group ledger
    rules,
)
from proxy.commands.budgets import budgets
from proxy.commands.cache import cache
from proxy.commands.common import CANNOT_RUN, USAGE, Config, Log, OfSidecar, fail, log_at, presidio_of, say, settings_of
from proxy.commands.imports import importing
from proxy.commands.keys import keys
from proxy.commands.ledger import ledger
from proxy.commands.mcp import mcp
from proxy.commands.runs import resume, runs, stop
from proxy.commands.undo import undo

if TYPE_CHECKING:
    from proxy.presidio.apart import Presidio

app = typer.Typer(
    name="toolwall",
    help="A tool firewall for LLM agents: it checks, judges, cleans and records every tool call.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 good, 1 findings, failures or nothing there, 2 wrong usage, 3 cannot run.",
)
app.command("check")(rules.check)
app.command("test")(examples.run_examples)
app.command("explain")(explain.explain)
app.command("catalog")(catalog.catalog)
app.command("budgets")(budgets)
app.command("undo")(undo)
app.command("stop")(stop)
app.command("resume")(resume)
app.command("schema")(rules.schema)
importing.command("diff")(import_diff.diff)
importing.command("mcp")(import_mcp.mcp)
importing.command("pydantic")(import_pydantic.pydantic)
app.add_typer(importing, name="import")
app.add_typer(ledger, name="ledger")
app.add_typer(cache, name="cache")
app.add_typer(keys, name="keys")
app.add_typer(mcp, name="mcp")
app.add_typer(runs, name="runs")


@app.command()
def run(
    config: Config = Path("toolwall.yaml"),
    log: Log = "info",
) -> None:
    """Serve: stand between agents and backends until a signal says stop."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the rules are about to be read as they are now
    gc.disable()  # what is made at start stays, so looking for what went is a tenth of the start for nothing
    from proxy import serve
    from proxy.app import CannotRun, Running

    def say(sidecar: Running) -> None:
        with suppress(OSError):  # nobody who reads it, or a full disk
            typer.echo(f"toolwall serves on {', '.join(sidecar.doors)} (admin on {sidecar.admin})", err=True)

    try:
        log_at(log)
        settings = settings_of(config)
        if not settings.listeners:
            fail(f"{config} names no listeners, so there is nothing to serve on.")
        serve.serve(settings, say)
    except CannotRun as error:
        fail(str(error))
    finally:
        gc.enable()
        signal.signal(signal.SIGHUP, before)


@app.command()
def redact(
    profile: Annotated[
        str, typer.Option(help="off, secrets, standard, strict, medical, payment, or kinds joined by commas.")
    ] = "standard",
    findings: Annotated[bool, typer.Option("--findings", help="Print findings as JSON lines instead.")] = False,
    config: OfSidecar = None,
) -> None:
    """Clean standard input to standard output, by the same engine as the sidecar. JSON is cleaned by structure."""
    with presidio_of(config) as presidio:
        _redact(profile, findings, presidio)


def _redact(profile: str, findings: bool, presidio: Presidio | None) -> None:
    from redaction.profiles import NO_MORE, UnknownKind, kinds_of
    from redaction.report import findings_json, media_type_of, warnings_json
    from redaction.scanner import Scanner, Unreadable

    try:
        text = sys.stdin.buffer.read().decode("utf-8")
        listed = "," in profile or profile.isupper() or ":" in profile
        more, foreign = (presidio.kinds(), presidio.detector) if presidio else (NO_MORE, None)
        kinds = kinds_of([each.strip() for each in profile.split(",")] if listed else profile, more)
        scanner = Scanner(kinds, foreign=foreign)
        if findings:
            found = [*findings_json(text, scanner), *warnings_json(text)]
            lines = (json.dumps(finding, ensure_ascii=False) + "\n" for finding in found)
            sys.stdout.buffer.write("".join(lines).encode())
        else:
            stage = scanner.stage(media_type_of(text), "utf-8")
            sys.stdout.buffer.write(stage.feed(text.encode()) + stage.close())
    except UnicodeDecodeError:
        fail("The text is not UTF-8.")
    except UnknownKind as error:
        fail(str(error), USAGE)
    except Unreadable as error:
        fail(f"The text cannot be checked: {error}.")


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The door's port: 8080, or a free one where that is taken; 0 takes a free one."
        ),
    ] = None,
) -> None:
    """Play the story of a scripted agent against a small support desk, through a real sidecar."""
    from proxy.demo import play

    raise typer.Exit(play(once, port))


@app.command()
def version() -> None:
    """The version of Toolwall."""
    _version(True)


def _version(asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        typer.echo(f"toolwall {installed('toolwall')}")
    except PackageNotFoundError:
        fail("Toolwall runs from its source here; an installed one has a version.")
    raise typer.Exit


@app.callback()
def every(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version of Toolwall.")
    ] = False,
) -> None:
    """A tool firewall for LLM agents: it checks, judges, cleans and records every tool call."""


def main() -> None:
    """The entry point. What a terminal cannot show stands as an escape; where nothing can be written, that is said."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="toolwall")
    except OSError as error:
        with suppress(OSError):
            where = f"{error.filename}: " if error.filename else ""
            say(f"toolwall cannot go on: {where}{error.strerror or error}.", err=True)
        os._exit(CANNOT_RUN)  # a further flush would fail in the same way, and say so in its own words


if __name__ == "__main__":
    main()

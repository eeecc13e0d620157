"""What the commands share: exit codes, the configuration option, and how an end is said."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from proxy.config import Settings
    from proxy.presidio.apart import Presidio

FINDINGS, USAGE, CANNOT_RUN = 1, 2, 3
_PIPE_WIDTH = 150

OfSidecar = Annotated[
    Path | None, typer.Option("--config", "-c", help="A toolwall.yaml: what its `presidio` adds may be named too.")
]
Log = Annotated[str, typer.Option(help="debug, info, warning or error.")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The sidecar's configuration.")]


def fail(text: str, code: int = CANNOT_RUN) -> NoReturn:
    """Say why on standard error, and end with this exit code."""
    say(text, err=True)
    raise typer.Exit(code)


def say(text: str, *, err: bool = False) -> None:
    """Print lines that may hold texts of callers or of files."""
    typer.echo("\n".join(map(visible, text.split("\n"))), err=err)


@contextmanager
def printing() -> Iterator[None]:
    """What is printed in it may find nobody who reads on, as in `toolwall check | head`: that is no fault, and what is
    printed after it goes nowhere, also what the interpreter itself writes at its end.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def log_at(level: str) -> None:
    """Log lines from this level on go to standard error."""
    if level not in ("debug", "info", "warning", "error"):
        fail("--log is one of debug, info, warning, error.", USAGE)
    from proxy.serve import log_to_stderr

    log_to_stderr(level)


def settings_of(config: Path) -> Settings:
    """The configuration, or an end that says what is wrong with it."""
    from proxy.config import ConfigError, load_config

    try:
        return load_config(config)
    except OSError as error:
        fail(f"Cannot read {config}: {error.strerror}. Name another file with --config, or try `toolwall demo`.")
    except ConfigError as error:
        fail(str(error))


@contextmanager
def presidio_of(config: Path | None) -> Iterator[Presidio | None]:
    """The processes of Presidio that a configuration describes, if one is given; an end where they cannot load."""
    if config is None:
        yield None
        return
    from proxy.presidio.apart import Presidio
    from proxy.presidio.settings import BadPlace, resolved
    from redaction.engine import ScanError

    settings = settings_of(config)
    try:
        presidio = Presidio(resolved(settings.presidio, settings.rules, os.environ))
    except BadPlace as error:
        fail(str(error))
    try:
        presidio.kinds()
        yield presidio
    except ScanError as error:
        fail(f"{error}: {error.__cause__ or 'it did not load in time'}")
    finally:
        presidio.close()


def operator() -> str:
    """Who gives an order: the user's name, or its number where the system has no name for it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def rules_folder(folder: Path, advice: str = "Name another one, as in path/to/rules.") -> None:
    """An end that says so where this is no folder."""
    if folder.exists() and not folder.is_dir():
        fail(f"{folder} is no folder. Name the folder that holds the rules files: {folder.parent}?")
    if not folder.is_dir():
        fail(f"There is no rules folder {folder}. {advice}")


def console() -> Console:
    """Where tables go. Ledger and rules are text, never markup. A pipe gets lines wide enough for a whole row."""
    from rich.console import Console

    class Telling(Console):
        """It says so where nobody reads on; rich's own ends the command with 1, which means findings here."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Telling(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def visible(text: str) -> str:
    """Text for a terminal: what would not be seen, or would move other text, stands as an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

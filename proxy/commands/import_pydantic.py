"""`toolwall import pydantic`: contracts from models and typed functions of the current folder."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import tempfile
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import FINDINGS, USAGE, fail, say

if TYPE_CHECKING:
    from rules.typed import Typed

_OURS = ("proxy", "redaction", "rules")
_PLACEHOLDER = "https://api.invalid"
"""Stands for the address while a tool is tried out without one (RFC 2606)."""


def pydantic(
    things: Annotated[list[str], typer.Argument(help="module:Model or module:function; several become several tools.")],
    call: Annotated[list[str], typer.Option(help='Method and path of each, in their order: "POST /orders".')],
    effect: Annotated[str, typer.Option(help="read, write, irreversible or admin; else it is guessed.")] = "",
    backend: Annotated[str, typer.Option(help="The backend's name.")] = "app",
    url: Annotated[str, typer.Option(help="Where the backend is; with it a whole file is made.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A new file; without it the text is printed.")] = None,
) -> None:
    """Turn Pydantic models, dataclasses and typed functions into tools. Their module is run from the current folder."""
    from rules.grammar import CALL, EFFECTS

    if len(call) != len(things):
        fail("Give --call once for each model or function, in their order.", USAGE)
    for wrong in (each for each in call if not re.fullmatch(CALL, each)):
        fail(f"--call {wrong} is not METHOD /path, such as POST /orders.", USAGE)
    if effect and effect not in EFFECTS:
        fail(f"--effect is one of: {', '.join(EFFECTS)}.", USAGE)
    if out and not url:
        fail("A file needs --url, where the backend is.", USAGE)
    made = [_typed(thing, one, effect) for thing, one in zip(things, call, strict=True)]
    text = _text(made, backend, url or _PLACEHOLDER)
    _try(text)
    if out:
        _write(out, text)
    else:
        typer.echo(text if url else text.partition("\ntools:\n")[2], nl=False)


def _typed(name: str, call: str, effect: str) -> Typed:
    from rules.typed import NotTyped, tool_of

    try:
        return tool_of(_thing(name), call, effect)
    except NotTyped as error:
        fail(f"{name}: {error}.", FINDINGS)


def _thing(name: str) -> Any:
    """What `module:name` means. The module is imported from the current folder."""
    module, _, path = name.partition(":")
    if not module or not path:
        fail(f"{name} is not module:Model or module:function.", USAGE)
    if module.partition(".")[0] in _OURS:
        fail(f"{module} is a name that Toolwall has itself: give your module another one.", USAGE)
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the module prints is no part of the rules
            return reduce(getattr, path.split("."), importlib.import_module(module))
    except AttributeError as error:
        fail(f"{module} has no {path}: {error}.", FINDINGS)
    except (Exception, SystemExit) as error:  # whatever the module does when it is run
        fail(f"{module} cannot be imported: {type(error).__name__}: {error}.")
    finally:
        sys.path.remove(here)


def _text(made: list[Typed], backend: str, url: str) -> str:
    """A whole backend file."""
    from rules.openapi.imported import tool_lines
    from rules.openapi.yamltext import lines

    text = [*lines({"backend": backend, "url": url}), "tools:"]
    for one in made:
        text += tool_lines(one.name, one.tool, one.notes)
    return "\n".join(text) + "\n"


def _try(text: str) -> None:
    """Load the file as a sidecar would, so that what is handed out works."""
    from rules.load import RulesError, load

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "made.yaml").write_text(text, encoding="utf-8")
        try:
            load(Path(folder))
        except RulesError as error:
            fail(f"{error}\nThis makes no tool that loads. The text was:\n\n{text}", FINDINGS)


def _write(out: Path, text: str) -> None:
    if out.exists():
        fail(f"{out} is there already: name a new file, or print and paste.", FINDINGS)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        fail(f"Cannot write {out}: {error.strerror}.")
    say(f"Written: {out}. No rule allows its tools yet.")

"""`toolwall cache ...`: the answers that the sidecar keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxy.commands.common import CANNOT_RUN, FINDINGS, Config, fail, settings_of

cache = typer.Typer(help="The answers that the sidecar keeps to give them again.", no_args_is_help=True)


@cache.callback()
def _group() -> None:
    """A group, also while it has one command only."""


@cache.command()
def clear(
    tools: Annotated[list[str] | None, typer.Argument(help="Full names of tools; without any, all of them.")] = None,
    config: Config = Path("toolwall.yaml"),
) -> None:
    """Let the running sidecar forget kept answers."""
    from proxy import orders, state

    settings = settings_of(config)
    _check_names(settings.rules, tools or [])
    try:
        orders.give(settings.state, {"do": "cache clear", "tools": tools or []})
    except orders.NotTaken:
        fail(f"No sidecar took the order within {orders.PATIENCE_S:g} s: does one run with {config}?", CANNOT_RUN)
    except (state.StateError, OSError) as error:
        fail(f"The order could not be given: {error}", CANNOT_RUN)
    typer.echo(f"Forgotten: the answers of {', '.join(tools) if tools else 'all tools'}.")


def _check_names(folder: Path, tools: list[str]) -> None:
    """A name that is misspelt would leave answers where somebody believes them gone."""
    from rules.load import RulesError, load
    from rules.problems import closest

    try:
        known = load(folder).catalog.tools
    except RulesError:  # a sidecar may run by former rules
        return
    for tool in tools:
        if tool not in known:
            near = closest(tool, known)
            hint = f" (did you mean {near}?)" if near else ""
            fail(f"Nothing was forgotten: there is no tool {tool}{hint}.", FINDINGS)
